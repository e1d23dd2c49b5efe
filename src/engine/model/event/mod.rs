//! The event stream: everything a user interface sees of a run, and the commands it may send back.
//!
//! An [`Event`] is a time and what happened. Events are self-contained values: written as one JSON
//! object per line they form a recording (`--record`), and replaying it shows the same run. Times
//! are microseconds since the run began, durations microseconds, sizes bytes.
//!
//! Events are grouped by subject. A consumer matches the groups that it shows or handles and leaves
//! each of the others to one arm, so that a new event affects only the consumers of its group. The
//! recorded form has no groups ([`recorded`]).
//!
//! Every producer keeps these rules of order:
//! 1. [`RunEvent::Started`] is first; [`RunEvent::Finished`] is last.
//! 2. A test's [`TestEvent::Discovered`] comes before any other event about it. A round caused by a
//!    changed file discovers all tests again; those that existed before keep their ids. After a
//!    test's [`TestEvent::Vanished`] there are no events about it.
//! 3. Each attempt ([`AttemptEvent`]) goes through `Queued`, `Started`, any number of `Output`,
//!    `Slow` and `Subtest`, `Finished`. An ignored, cancelled or cached attempt may go from `Queued` (or
//!    nothing) straight to `Finished`, and a test that ignores itself at run time goes through all;
//!    what should have been tests and could not be listed, and a test whose result the build has
//!    determined, goes through any number of `Output`, `Finished`. Every attempt has exactly one
//!    `Finished`. After the end of an attempt that says so ([`RetryNext::Again`]), the next
//!    attempt's `Queued` follows.
//! 4. [`RoundEvent::Started`] and [`RoundEvent::Finished`] bracket the attempts of one pass over
//!    the tests.

mod attempt;
mod build;
pub mod channel;
mod cluster;
mod command;
mod notice;
pub mod recorded;
mod round;
mod run;
mod test;
mod text;
pub mod untrusted_text;
mod watch;
mod worker;

use serde::Serialize;

pub use self::attempt::{
    AttemptEvent, AttemptFinished, AttemptTimings, OutputStream, RetryNext, RetryPosition,
    RetryStart, SourceLocation, TestOutcome,
};
pub use self::build::{BuildEvent, PackageState};
pub use self::cluster::{ClusterClient, ClusterEvent, ClusterSample};
pub use self::command::UiCommand;
pub use self::notice::{NoticeSeverity, UserNotice};
pub use self::round::{RoundCause, RoundEvent, RoundSummary};
pub use self::run::{BackendInfo, IsolationMode, RunEvent, RunStarted};
pub use self::test::{PreviousOutcome, TestDescription, TestEvent, TestInfo};
pub use self::text::OutputText;
pub use self::watch::WatchEvent;
pub use self::worker::{WorkerCondition, WorkerSample, WorkerStatusEvent};
pub use maelstrom_container::spec::ExitStatus;

/// The version of the recorded form. It is incremented when readers of the old form would misread
/// the new one.
pub const SCHEMA_VERSION: u32 = 2;

/// An event of a run, and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Microseconds since the run began; never decreases.
    pub at_us: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened, grouped by subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// The run as a whole: its start and end, and interruptions.
    Run(RunEvent),
    /// The project's build.
    Build(BuildEvent),
    /// The set of tests.
    Test(TestEvent),
    /// Changes of watched files.
    Watch(WatchEvent),
    /// A pass over the tests.
    Round(RoundEvent),
    /// One execution of a test.
    Attempt(AttemptEvent),
    /// A worker: this machine, or a machine of the cluster.
    Worker(WorkerStatusEvent),
    /// The cluster as a whole. Absent without a cluster.
    Cluster(ClusterEvent),
    /// A message for the user.
    Notice(UserNotice),
}

macro_rules! from_group {
    ($($group:ident: $event:ty,)*) => {$(
        impl From<$event> for EventKind {
            fn from(event: $event) -> EventKind {
                EventKind::$group(event)
            }
        }
    )*};
}

from_group! {
    Run: RunEvent,
    Build: BuildEvent,
    Test: TestEvent,
    Watch: WatchEvent,
    Round: RoundEvent,
    Attempt: AttemptEvent,
    Worker: WorkerStatusEvent,
    Cluster: ClusterEvent,
    Notice: UserNotice,
}
