//! Logs a run, whatever its framework and backend: what it waits for, and which test is which job.
//!
//! Owns nothing. Not logged: the output of tests and builds, and what the backend logs itself.

use maelstrom_model::backend::JobId;
use maelstrom_model::event::EventKind;
use maelstrom_model::job::{Job, TestKey};

/// Logs an event, for someone who wonders where the time goes.
pub(super) fn trace_event(event: &EventKind) {
    match event {
        EventKind::BuildStarted { command } => {
            let command = command.join(" ");
            tracing::debug!(command, "the build begins");
        }
        EventKind::BuildFinished { succeeded } => {
            tracing::debug!(succeeded, "the build has ended");
        }
        EventKind::DiscoveryFinished {
            selected,
            deselected,
        } => tracing::debug!(selected, deselected, "all tests are found"),
        EventKind::FilesChanged { paths, more } => {
            tracing::debug!(?paths, more, "watched files have changed");
        }
        EventKind::RoundStarted { round, cause } => {
            tracing::debug!(round, ?cause, "a round begins");
        }
        EventKind::RoundFinished { round, summary } => {
            tracing::debug!(round, ?summary, "a round has ended");
        }
        EventKind::RunStarted(_)
        | EventKind::BuildOutput { .. }
        | EventKind::BuildProgress { .. }
        | EventKind::Discovered { .. }
        | EventKind::Vanished { .. }
        | EventKind::AwaitingChange { .. }
        | EventKind::Queued { .. }
        | EventKind::Started { .. }
        | EventKind::Output { .. }
        | EventKind::Subtest { .. }
        | EventKind::Finished(_)
        | EventKind::WorkerJoined { .. }
        | EventKind::WorkerLeft { .. }
        | EventKind::WorkerSample { .. }
        | EventKind::Transfer { .. }
        | EventKind::ClusterSample(_)
        | EventKind::Notice(_)
        | EventKind::Paused
        | EventKind::Resumed
        | EventKind::RerunQueued { .. }
        | EventKind::Cancelling { .. }
        | EventKind::Suspended
        | EventKind::Continued { .. }
        | EventKind::Described(_)
        | EventKind::RunFinished { .. } => {}
    }
}

/// A test has a slot.
pub(super) fn test_has_slot(job: JobId, slot: u32, key: Option<&TestKey>) {
    if let Some(TestKey {
        package,
        artifact,
        name,
    }) = key
    {
        tracing::debug!(%job, slot, %package, %artifact, name, "a test starts");
    }
}

/// Discovery wants something to be run, such as a binary that lists its tests.
pub(super) fn helper_waits(job: JobId, what: &Job) {
    let program = what.process.program.display();
    tracing::debug!(%job, %program, "a program is run to find tests");
}
