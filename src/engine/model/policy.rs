//! What a project decides about how each of its tests runs: [`TestPolicy`] is what the run applies,
//! [`JobNeeds`] what the scheduling of a job takes into account.
//!
//! Both are values: who writes them, and in which file, is not known here.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::event::SourceLocation;
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
    /// The test's result, if the build has determined it: the test is reported, not run.
    pub known: Option<KnownResult>,
}

/// The result of a test that the build has determined, such as whether an example in the
/// documentation compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownResult {
    pub verdict: KnownVerdict,
    /// What the build tool printed about the test.
    pub output: Vec<u8>,
    /// The location in the source where the test failed, if known.
    pub location: Option<SourceLocation>,
}

/// The verdict of the build on a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownVerdict {
    Passed,
    Failed {
        /// The reason in one line.
        reason: String,
    },
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
    /// The variables that tell a test about itself. The run adds them to [`Self::own_variables`].
    pub test_variables: TestVariableSet,
    /// Environment variables of this job alone. They override those of its process, which many jobs
    /// share.
    pub own_variables: Vec<(OsString, OsString)>,
    /// Whether a variable tells the job its slot, too.
    pub tells_slot: bool,
    /// How a job shows what its threads do before it is stopped for its timeout.
    pub stack_dump: StackDumpMethod,
}

/// How a job shows what its threads do before it is stopped for its timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackDumpMethod {
    /// It shows nothing.
    #[default]
    None,
    /// Its first process writes the stacks of its threads when it receives this signal, and may end.
    Signal(i32),
    /// The kernel says what each thread waits for.
    Threads,
}

/// The environment variables that tell a test about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestVariableSet {
    /// The job is no test, or its process runs several tests.
    #[default]
    None,
    /// Those that begin with `MAELSTROM_TEST_`.
    Own,
    /// The same, and those that nextest sets.
    WithNextest,
}

impl Default for JobNeeds {
    fn default() -> Self {
        JobNeeds {
            group: None,
            weight: NonZeroU32::MIN,
            exclusive: false,
            memory_bytes: None,
            avoided_worker: None,
            test_variables: TestVariableSet::None,
            own_variables: Vec::new(),
            tells_slot: false,
            stack_dump: StackDumpMethod::None,
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
