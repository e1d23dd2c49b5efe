//! How tests run, as options and files say it.
//!
//! ```text
//! options ─┐
//! a file ──┼─▶ PolicyFields, combined with `or` ─▶ SettledPolicy of a test
//! profile ─┘
//! ```
//!
//! - [`PolicyFields`]: what one source says, each value with its origin.
//! - [`settle`]: the fields of a test, settled: what the run and the scheduler apply.
//! - [`show`]: the fields as text, for people.
//! - [`read`]: the fields of a directive or a profile. [`time`]: times.
//!   [`words`]: words for verdicts and delays.
//!
//! Which source comes before which is decided where they are combined: the first one that sets a
//! field determines it, and values are never merged. Pure.

pub(crate) mod read;
pub mod settle;
pub mod show;
pub mod time;
pub mod words;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use maelstrom_model::policy::{
    DeviceNeed, FlakyVerdict, JobGroup, LeakVerdict, RetryDelay, TimeoutVerdict,
};

pub use self::settle::{PolicyResolver, SettledPolicy};

/// A value, and where it comes from. The origin does not affect equality.
#[derive(Clone, Debug)]
pub struct PolicySetting<T> {
    pub value: T,
    /// An option, a variable, or a position in a file, as shown to users.
    pub origin: Arc<str>,
}

impl<T: PartialEq> PartialEq for PolicySetting<T> {
    fn eq(&self, other: &PolicySetting<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for PolicySetting<T> {}

/// How often, and when, a test that failed runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySetting {
    /// The maximum number of attempts after the first.
    pub count: u32,
    pub delay: RetryDelay,
}

impl RetrySetting {
    /// Returns retries without a delay.
    pub fn immediate(count: u32) -> RetrySetting {
        RetrySetting {
            count,
            delay: RetryDelay::default(),
        }
    }
}

/// The tests that a test shares a container and a process with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShareScope {
    /// No other test.
    #[default]
    None,
    /// Those of its class.
    Class,
    /// Those of its file.
    File,
    /// Those of its package or directory.
    Package,
    /// Those of its test binary.
    Binary,
}

/// What one source says about how a test runs. `None` means that it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyFields {
    pub retries: Option<PolicySetting<RetrySetting>>,
    pub flaky_result: Option<PolicySetting<FlakyVerdict>>,
    /// The interval after which a running test is reported as slow; `None` in it means never.
    pub slow: Option<PolicySetting<Option<Duration>>>,
    /// The time limit; `None` in it means no limit.
    pub timeout: Option<PolicySetting<Option<Duration>>>,
    pub on_timeout: Option<PolicySetting<TimeoutVerdict>>,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Option<PolicySetting<Duration>>,
    pub leak: Option<PolicySetting<LeakVerdict>>,
    pub priority: Option<PolicySetting<i8>>,
    /// The group of which a limited number of tests run at a time; `None` in it means no group.
    pub test_group: Option<PolicySetting<Option<JobGroup>>>,
    /// The number of slots that the test takes. More than there are means all of them.
    pub weight: Option<PolicySetting<NonZeroU32>>,
    /// Whether the test runs only while no other one does on its machine.
    pub exclusive: Option<PolicySetting<bool>>,
    /// The devices of the machine that the test uses, sorted.
    pub devices: Option<PolicySetting<Vec<DeviceNeed>>>,
    /// The tests that it shares a container and a process with.
    pub share: Option<PolicySetting<ShareScope>>,
}

impl PolicyFields {
    /// Returns these fields, completed by those of a source of lower precedence.
    #[must_use]
    pub fn or(self, lower: &PolicyFields) -> PolicyFields {
        fn pick<T: Clone>(own: Option<T>, lower: &Option<T>) -> Option<T> {
            own.or_else(|| lower.clone())
        }
        PolicyFields {
            retries: pick(self.retries, &lower.retries),
            flaky_result: pick(self.flaky_result, &lower.flaky_result),
            slow: pick(self.slow, &lower.slow),
            timeout: pick(self.timeout, &lower.timeout),
            on_timeout: pick(self.on_timeout, &lower.on_timeout),
            grace: pick(self.grace, &lower.grace),
            leak: pick(self.leak, &lower.leak),
            priority: pick(self.priority, &lower.priority),
            test_group: pick(self.test_group, &lower.test_group),
            weight: pick(self.weight, &lower.weight),
            exclusive: pick(self.exclusive, &lower.exclusive),
            devices: pick(self.devices, &lower.devices),
            share: pick(self.share, &lower.share),
        }
    }
}
