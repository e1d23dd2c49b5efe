//! The runs of clients: their sessions, jobs and output, and the resources that they use.
//!
//! Pure, except that long output goes to the spool. Only [`RunTable`] changes a run. Methods return
//! the consequences for other components; those for the scheduler are collected, and returned by
//! [`RunTable::take_changes`].
//!
//! - `state`: all runs. `run`, `job`: one of them. [`sessions`]: how runs begin, connect and end.
//! - [`templates`]: a run's numbers for templates. [`submissions`], [`jobs`]: its jobs.
//! - `accounts`: what each client uses; [`charges`]: how that changes.
//! - [`report`]: what others see of runs.
//!
//! Invariants:
//! - A run has at most one session, and a session at most one run.
//! - An account's usage is the sum of that of its runs.
//! - A finished job keeps its outcome until it is removed.

mod accounts;
mod charges;
mod job;
mod jobs;
mod report;
mod run;
mod sessions;
mod state;
mod submissions;
mod templates;

pub(super) use self::job::{ChunkOutcome, JobAttempt, cancelled, infrastructure};
pub(super) use self::run::RunTemplate;
pub(super) use self::sessions::{RunOrigin, RunProfile};
pub(super) use self::state::{RunTable, SchedulingChange};
pub(super) use self::submissions::AdmittedJob;
