//! JUnit reports.
//!
//! [`collect`] takes in the events of a run, [`case`] decides what becomes of a test's attempts, and
//! [`document`] writes the XML.
//!
//! The report covers the tests since the start of the run, or since the last change of a watched
//! file. Output is kept of attempts that did not pass, of the others only on request.

mod case;
mod collect;
mod document;

#[cfg(test)]
mod tests;

use maelstrom_model::event::{Event, EventKind, RoundEvent, RunEvent};

pub use self::collect::{JunitOptions, JunitReport};
use super::FileExport;
use super::target::{ReportTarget, ReportTargetError};

/// A JUnit report with its file.
#[derive(Debug)]
pub struct JunitFile {
    report: JunitReport,
    target: ReportTarget,
    state: FileState,
    /// Whether the file was written at the end of the run.
    ended: bool,
}

/// Whether the file has what the report has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileState {
    Current,
    Outdated,
}

impl JunitFile {
    /// Creates an empty report for a file. Even a run without tests writes it.
    pub fn new(options: JunitOptions, target: ReportTarget) -> JunitFile {
        JunitFile {
            report: JunitReport::new(options),
            target,
            state: FileState::Outdated,
            ended: false,
        }
    }

    fn write(&mut self) -> Result<(), ReportTargetError> {
        // Not repeated at the end: the reason is unlikely to have gone, and was reported.
        self.state = FileState::Current;
        self.target.write(|out| self.report.write(out))
    }
}

impl FileExport for JunitFile {
    fn apply(&mut self, event: &Event) -> Result<(), ReportTargetError> {
        self.report.apply(event);
        match &event.kind {
            EventKind::Round(RoundEvent::Finished { .. }) => self.write(),
            EventKind::Run(RunEvent::Finished { .. }) => self.write_changes(),
            EventKind::Build(_)
            | EventKind::Test(_)
            | EventKind::Attempt(_)
            | EventKind::Round(_) => {
                self.state = FileState::Outdated;
                Ok(())
            }
            EventKind::Run(_)
            | EventKind::Watch(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), ReportTargetError> {
        self.report.close();
        self.write_changes()
    }
}

impl JunitFile {
    fn write_changes(&mut self) -> Result<(), ReportTargetError> {
        // A failure that no test explains becomes a test case only now.
        match self.state {
            FileState::Current if self.ended || !self.report.fails_unexplained() => Ok(()),
            FileState::Current | FileState::Outdated => {
                self.ended = true;
                self.write()
            }
        }
    }
}
