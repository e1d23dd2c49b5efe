//! What a project decides about how each of its tests runs: [`TestPolicy`] is what the run applies,
//! [`JobNeeds`] what the scheduling of a job takes into account.
//!
//! Both are values: who writes them, and in which file, is not known here.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::ids::WorkerId;

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
}

impl Default for JobNeeds {
    fn default() -> Self {
        JobNeeds {
            group: None,
            weight: NonZeroU32::MIN,
            exclusive: false,
            memory_bytes: None,
            avoided_worker: None,
        }
    }
}

/// A group of jobs of one run of which only a limited number run at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobGroup {
    pub name: Arc<str>,
    /// The maximum number of running jobs. All jobs of a group have the same.
    pub jobs_max: NonZeroU32,
}
