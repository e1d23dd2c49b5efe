//! What a project decides about how each of its tests runs: [`TestPolicy`] is what the run applies,
//! [`JobNeeds`] what the scheduling of a job takes into account.
//!
//! Both are values: who writes them, and in which file, is not known here.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::ids::WorkerId;
use super::job::DevicePattern;
use super::job::devices::DevicePatternError;

/// How a run handles a test. Many tests share one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestPolicy {
    /// Whether a test that failed runs again.
    pub retry: RetryPolicy,
    /// The interval after which a running test is reported as slow, and again after each further
    /// interval. `None` means never.
    pub slow_after: Option<Duration>,
    /// The verdict on a test that is stopped because it exceeded its timeout.
    pub on_timeout: TimeoutVerdict,
    /// The verdict on a test that passes, but leaves processes running.
    pub on_leak: LeakVerdict,
    /// The test's priority. Without one, the result of its last run decides.
    pub priority: Option<i8>,
}

/// How often, and when, a test that failed runs again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The maximum number of attempts after the first; 0 means that the first decides.
    pub retries: u32,
    /// The time between the end of an attempt and the start of the next.
    pub delay: RetryDelay,
    /// The verdict on a test that passes after it failed.
    pub on_flaky: FlakyVerdict,
}

/// The time between two attempts of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDelay {
    /// The same before each retry.
    Fixed {
        delay: Duration,
        /// Whether the time is multiplied by a random number from 0.5 to 1.
        jitter: bool,
    },
    /// Twice as long before each further retry.
    Exponential {
        /// The time before the first retry.
        first: Duration,
        /// The limit, if there is one.
        longest: Option<Duration>,
        /// Whether the time is multiplied by a random number from 0.5 to 1.
        jitter: bool,
    },
}

impl Default for RetryDelay {
    fn default() -> Self {
        RetryDelay::Fixed {
            delay: Duration::ZERO,
            jitter: false,
        }
    }
}

/// The verdict on a test that passes after it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlakyVerdict {
    #[default]
    Pass,
    /// The test is retried, but counts as failed even if it passes.
    Fail,
}

/// The verdict on a test that is stopped because it exceeded its timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeoutVerdict {
    #[default]
    Fail,
    Pass,
}

/// The verdict on a test that passes, but leaves processes running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakVerdict {
    #[default]
    Pass,
    Fail,
}

/// What a job needs from its backend besides a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobNeeds {
    /// The group of which only a limited number of jobs run at a time.
    pub group: Option<JobGroup>,
    /// The number of slots that the job takes. More than there are means all of them.
    pub weight: NonZeroU32,
    /// Whether the job runs only while no other job runs on its machine.
    pub exclusive: bool,
    /// The memory that the job takes, in bytes. It counts where memory is limited.
    pub memory_bytes: Option<u64>,
    /// A worker that should not run the job if another one can.
    pub avoided_worker: Option<WorkerId>,
    /// The devices of the machine that the job uses.
    pub devices: Vec<DeviceNeed>,
}

impl JobNeeds {
    /// Returns what limits the number of jobs that run at a time on one machine.
    pub fn limits(&self) -> impl Iterator<Item = JobLimit> {
        let group = self.group.iter().map(JobLimit::from);
        let devices = self.devices.iter().map(|need| JobLimit {
            resource: LimitedResource::Device(need.device.clone()),
            jobs_max: need.jobs_max,
        });
        group.chain(devices)
    }

    /// Adds the devices of a job's container that these needs lack, each for one job at a time.
    pub fn include_devices(&mut self, container: &[DevicePattern]) {
        for device in container {
            if !self.devices.iter().any(|need| need.device == *device) {
                self.devices.push(DeviceNeed {
                    device: device.clone(),
                    jobs_max: NonZeroU32::MIN,
                });
            }
        }
    }
}

impl Default for JobNeeds {
    fn default() -> Self {
        JobNeeds {
            group: None,
            weight: NonZeroU32::MIN,
            exclusive: false,
            memory_bytes: None,
            avoided_worker: None,
            devices: Vec::new(),
        }
    }
}

impl JobNeeds {
    /// Adds what another test needs that runs in the same job: the larger weight and memory, the
    /// machine for itself if one of them needs it, and the other's group if there is none yet.
    pub fn include(&mut self, other: &JobNeeds) {
        let JobNeeds {
            group,
            weight,
            exclusive,
            memory_bytes,
            avoided_worker,
            devices,
        } = other;
        self.group = self.group.take().or_else(|| group.clone());
        self.weight = self.weight.max(*weight);
        self.exclusive |= exclusive;
        self.memory_bytes = self.memory_bytes.max(*memory_bytes);
        self.avoided_worker = self.avoided_worker.or(*avoided_worker);
        self.devices.extend(devices.iter().cloned());
        self.devices = DeviceNeed::settle(std::mem::take(&mut self.devices));
    }
}

/// A group of jobs of one run of which only a limited number run at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobGroup {
    pub name: Arc<str>,
    /// The maximum number of running jobs. All jobs of a group have the same.
    pub jobs_max: NonZeroU32,
}

/// A device that a job uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceNeed {
    /// The device as the job names it. Patterns that are written differently are different devices,
    /// even if they match the same ones.
    pub device: DevicePattern,
    /// The maximum number of running jobs with this device on one machine. Where jobs that wait
    /// or run there disagree, the smallest applies.
    pub jobs_max: NonZeroU32,
}

/// A text that is no [`DeviceNeed`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceNeedError {
    #[error(transparent)]
    Device(#[from] DevicePatternError),
    #[error("`{0}` is not the number of jobs that a device is for at a time")]
    Number(String),
}

impl DeviceNeedError {
    /// Returns what to do.
    pub fn help(&self) -> &'static str {
        match self {
            DeviceNeedError::Device(DevicePatternError::NotBelowDev(_)) => {
                "write a path below /dev; `=N` after it lets N jobs at a time have the device"
            }
            DeviceNeedError::Device(DevicePatternError::Own(_)) => "leave it out",
            DeviceNeedError::Number(_) => "write a number from 1 on, as in /dev/kvm=4",
        }
    }
}

impl DeviceNeed {
    /// Returns these needs sorted, each device once, with its smallest maximum.
    pub fn settle(mut needs: Vec<DeviceNeed>) -> Vec<DeviceNeed> {
        needs.sort();
        needs.dedup_by(|one, other| one.device == other.device);
        needs
    }
}

/// A device, for one job at a time, or for `N` after `=N`.
impl FromStr for DeviceNeed {
    type Err = DeviceNeedError;

    fn from_str(text: &str) -> Result<DeviceNeed, DeviceNeedError> {
        let (device, jobs_max) = match text.rsplit_once('=') {
            None => (text, NonZeroU32::MIN),
            Some((device, number)) => {
                let jobs_max = number.parse();
                let jobs_max = jobs_max.map_err(|_| DeviceNeedError::Number(number.to_owned()))?;
                (device, jobs_max)
            }
        };
        let device = device.parse()?;
        Ok(DeviceNeed { device, jobs_max })
    }
}

/// The form that is read.
impl fmt::Display for DeviceNeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.jobs_max.get() {
            1 => write!(out, "{}", self.device),
            jobs_max => write!(out, "{}={jobs_max}", self.device),
        }
    }
}

/// What only a limited number of jobs have at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitedResource {
    Group(Arc<str>),
    Device(DevicePattern),
}

/// A limit on the number of jobs that run at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobLimit {
    pub resource: LimitedResource,
    /// The maximum number of running jobs.
    pub jobs_max: NonZeroU32,
}

impl From<&JobGroup> for JobLimit {
    fn from(group: &JobGroup) -> JobLimit {
        JobLimit {
            resource: LimitedResource::Group(Arc::clone(&group.name)),
            jobs_max: group.jobs_max,
        }
    }
}
