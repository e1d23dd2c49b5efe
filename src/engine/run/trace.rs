//! Logs the progress of a run, for any framework and backend: builds, discovery, rounds, and which
//! test runs as which job.
//!
//! Keeps no state. Does not log the output of tests and builds, nor what the backend logs itself.

use maelstrom_model::backend::JobId;
use maelstrom_model::event::{BuildEvent, EventKind, RoundEvent, TestEvent, WatchEvent};
use maelstrom_model::job::{Job, TestKey};

/// Logs the events that show where the time goes.
pub(super) fn trace_event(event: &EventKind) {
    match event {
        EventKind::Build(event) => trace_build(event),
        EventKind::Test(TestEvent::DiscoveryFinished {
            selected,
            deselected,
        }) => tracing::debug!(selected, deselected, "all tests are found"),
        EventKind::Watch(WatchEvent::FilesChanged { paths, more }) => {
            tracing::debug!(?paths, more, "watched files have changed");
        }
        EventKind::Round(event) => trace_round(event),
        EventKind::Test(_)
        | EventKind::Watch(WatchEvent::AwaitingChange { .. })
        | EventKind::Run(_)
        | EventKind::Attempt(_)
        | EventKind::Worker(_)
        | EventKind::Cluster(_)
        | EventKind::Notice(_) => {}
    }
}

fn trace_build(event: &BuildEvent) {
    match event {
        BuildEvent::Started { command } => {
            let command = command.join(" ");
            tracing::debug!(command, "the build begins");
        }
        BuildEvent::Finished { succeeded } => {
            tracing::debug!(succeeded, "the build has ended");
        }
        BuildEvent::Output { .. }
        | BuildEvent::UnitOutput { .. }
        | BuildEvent::Package { .. }
        | BuildEvent::Progress { .. } => {}
    }
}

fn trace_round(event: &RoundEvent) {
    match event {
        RoundEvent::Started { round, cause } => {
            tracing::debug!(round, ?cause, "a round begins");
        }
        RoundEvent::Finished { round, summary } => {
            tracing::debug!(round, ?summary, "a round has ended");
        }
        RoundEvent::RerunQueued { .. } => {}
    }
}

/// Logs that a test starts in a slot.
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

/// Logs that discovery runs a helper job, such as a binary that lists its tests.
pub(super) fn helper_waits(job: JobId, what: &Job) {
    let program = what.process.program.display();
    tracing::debug!(%job, %program, "a program is run to find tests");
}
