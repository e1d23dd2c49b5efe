//! Reports for machines, made from the event stream.
//!
//! - [`EventExport`]: streams on standard output, written while the run goes on. [`libtest`] has the
//!   lines of `cargo nextest run --message-format libtest-json`, [`test2json`] those of `go test
//!   -json`, [`go_list`] those of `go test -list`.
//! - [`FileExport`]: reports in files, written beside the user interface at the end of each round
//!   ([`tee`]). [`junit`] is one, [`test_times`] another; [`target`] writes the file.
//! - [`github`]: what GitHub Actions reads beside a report in lines.
//! - [`list`]: lists of tests.
//! - [`names`]: the names of suites and tests, as the tools call them that a program replaces.
//!   [`output`]: the output of an attempt as text. [`xml`], [`times`]: how elements and times are
//!   written.
//!
//! `docs/reports.md` describes the formats.

pub mod github;
mod go_list;
pub mod junit;
pub mod libtest;
pub mod list;
mod names;
mod output;
pub mod target;
pub mod tee;
mod test2json;
pub mod test_times;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests_of_retries;
mod times;
mod xml;

use std::io::{self, Write};

use maelstrom_model::event::Event;

pub use self::go_list::GoListStream;
pub use self::target::{ReportTarget, ReportTargetError};
pub use self::test2json::Test2JsonStream;

/// A machine-readable stream of a run's events on standard output.
pub trait EventExport: Send {
    /// Writes what an event adds to the stream, in whole lines.
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()>;
}

/// A report in a file.
pub trait FileExport: Send {
    /// Takes in an event, and writes the file if the event ends a round or the run.
    fn apply(&mut self, event: &Event) -> Result<(), ReportTargetError>;

    /// Writes what is not in the file yet. Called once, after the last event.
    fn finish(&mut self) -> Result<(), ReportTargetError>;
}

#[cfg(test)]
mod tests {
    use super::junit::{JunitOptions, JunitReport};
    use super::libtest::{LibtestFields, LibtestStream};
    use super::*;
    use crate::record::RecordingReader;
    use crate::report::PassingOutputDisplay;

    /// Every kind of event, also in a form that an earlier version wrote, makes a valid report.
    #[test]
    fn recorded_events_become_reports() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let path = root.join("tests/fixtures/recordings/every_event.ndjson");
        let mut report = JunitReport::new(JunitOptions {
            hostname: String::new(),
            passing_output: PassingOutputDisplay::AtEnd,
        });
        let mut streams = [LibtestFields::Libtest, LibtestFields::Plus].map(LibtestStream::new);
        let mut lines = Vec::new();
        for event in RecordingReader::open(&path).unwrap() {
            let event = event.unwrap();
            report.apply(&event);
            for stream in &mut streams {
                stream.apply(&event, &mut lines).unwrap();
            }
        }
        let mut xml = Vec::new();
        report.write(&mut xml).unwrap();
        assert!(xml.starts_with(b"<?xml") && xml.ends_with(b"</testsuites>\n"));
        let lines = String::from_utf8(lines).unwrap();
        assert!(lines.lines().count() > 0);
        for line in lines.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
