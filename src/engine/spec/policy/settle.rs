//! Settles the fields of a test: what the run and the scheduler apply.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use maelstrom_model::event::untrusted_text;
use maelstrom_model::job::{ContainerSpec, TestCase};
use maelstrom_model::policy::{JobNeeds, RetryPolicy, TestPolicy};

use super::{PolicyFields, PolicySetting, ShareScope};

/// How a test runs, with the defaults in place of what nobody has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettledPolicy {
    pub policy: Arc<TestPolicy>,
    pub needs: JobNeeds,
    /// The time between SIGTERM and SIGKILL; `None` means the default.
    pub grace: Option<Duration>,
    /// The time limit; `None` means no limit.
    pub timeout: Option<Duration>,
    /// The tests that it shares a process with, if anybody says it.
    pub share: Option<PolicySetting<ShareScope>>,
}

impl SettledPolicy {
    /// Sets what a test case's job and run do by it.
    fn apply(&self, case: &mut TestCase, containers: &DeviceContainers) {
        case.job.container = containers.with_devices(&case.job.container, &self.needs);
        case.policy = Arc::clone(&self.policy);
        case.job.needs = self.needs.clone();
        case.job.grace = self.grace;
        case.job.timeout = self.timeout;
    }
}

impl PolicyFields {
    /// Returns the policy that results from all fields of a test.
    pub fn settle(&self) -> SettledPolicy {
        fn value<T: Clone>(setting: &Option<PolicySetting<T>>) -> Option<T> {
            setting.as_ref().map(|setting| setting.value.clone())
        }
        let retries = value(&self.retries);
        SettledPolicy {
            policy: Arc::new(TestPolicy {
                retry: RetryPolicy {
                    retries: retries.map_or(0, |retries| retries.count),
                    delay: retries.map(|retries| retries.delay).unwrap_or_default(),
                    on_flaky: value(&self.flaky_result).unwrap_or_default(),
                },
                slow_after: value(&self.slow).flatten(),
                on_timeout: value(&self.on_timeout).unwrap_or_default(),
                on_leak: value(&self.leak).unwrap_or_default(),
                priority: value(&self.priority),
            }),
            needs: JobNeeds {
                group: value(&self.test_group).flatten(),
                weight: value(&self.weight).unwrap_or(NonZeroU32::MIN),
                exclusive: value(&self.exclusive).unwrap_or_default(),
                devices: value(&self.devices).unwrap_or_default(),
                ..JobNeeds::default()
            },
            grace: value(&self.grace),
            timeout: value(&self.timeout).flatten(),
            share: self.share.clone(),
        }
    }
}

/// The maximum number of containers with devices that are kept for further tests. A run rarely has
/// more than a few.
const CONTAINERS_MAX: usize = 16;

/// A container as it was described, and the same with devices.
type KnownContainer = (Arc<ContainerSpec>, Arc<ContainerSpec>);

/// Adds devices to containers. Tests whose containers were one share the new one, too.
#[derive(Debug, Default)]
struct DeviceContainers {
    known: Mutex<VecDeque<KnownContainer>>,
}

impl DeviceContainers {
    /// Returns a container with the devices that a job needs.
    fn with_devices(&self, container: &Arc<ContainerSpec>, needs: &JobNeeds) -> Arc<ContainerSpec> {
        if needs.devices.is_empty() {
            return Arc::clone(container);
        }
        let devices = needs.devices.iter().map(|need| &need.device);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(before, made)| {
            Arc::ptr_eq(before, container) && made.devices.iter().eq(devices.clone())
        });
        if let Some((_, made)) = found {
            return Arc::clone(made);
        }
        let made = Arc::new(ContainerSpec {
            devices: devices.cloned().collect(),
            ..ContainerSpec::clone(container)
        });
        known.push_front((Arc::clone(container), Arc::clone(&made)));
        known.truncate(CONTAINERS_MAX);
        made
    }
}

/// Settles the policies of a run's tests. Those with the same values share one.
#[derive(Debug, Default)]
pub struct PolicyResolver {
    /// What the user says by options, variables and configuration files.
    options: PolicyFields,
    /// What holds for tests about which nothing else says it.
    base: PolicyFields,
    /// The policies so far. There are few: one for each combination of a file's directives.
    known: Mutex<Vec<(PolicyFields, SettledPolicy)>>,
    containers: DeviceContainers,
}

impl PolicyResolver {
    /// Returns a resolver in which `options` come before, and `base` after, what files say about a
    /// test.
    pub fn new(options: PolicyFields, base: PolicyFields) -> PolicyResolver {
        PolicyResolver {
            options,
            base,
            known: Mutex::default(),
            containers: DeviceContainers::default(),
        }
    }

    /// Returns all fields of a test about which files say `own`.
    pub fn fields(&self, own: &PolicyFields) -> PolicyFields {
        self.options.clone().or(own).or(&self.base)
    }

    /// Returns each value of a test about which files say `own`, with its origin.
    pub fn explain(&self, title: &str, own: &PolicyFields) -> String {
        let title = untrusted_text::clean(title);
        format!("# {title}\n{}", self.fields(own).explain())
    }

    /// Sets what a test case's job and run do, if files say `own` about it.
    pub fn apply(&self, case: &mut TestCase, own: Option<&PolicyFields>) {
        let nothing = PolicyFields::default();
        self.settle(own.unwrap_or(&nothing))
            .apply(case, &self.containers);
    }

    /// Returns the policy of a test about which files say `own`.
    pub fn settle(&self, own: &PolicyFields) -> SettledPolicy {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, settled)) = known.iter().find(|(fields, _)| fields == own) {
            return settled.clone();
        }
        let settled = self.fields(own).settle();
        known.push((own.clone(), settled.clone()));
        settled
    }
}
