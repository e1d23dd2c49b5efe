//! The lines of `go test -list`: the names of the tests of each package, and a line for the package.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::event::{BuildEvent, Event, EventKind, PackageState, TestEvent};

use super::EventExport;

/// Writes the lines of `go test -list`, package by package.
#[derive(Debug, Default)]
pub struct GoListStream {
    /// The names of the tests of packages that are not complete.
    names: BTreeMap<String, Vec<String>>,
}

impl EventExport for GoListStream {
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        match &event.kind {
            EventKind::Test(TestEvent::Discovered { tests }) => {
                for test in tests.iter().filter(|test| !test.name.is_empty()) {
                    let names = self.names.entry(test.package.clone()).or_default();
                    names.push(test.name.clone());
                }
                Ok(())
            }
            EventKind::Build(BuildEvent::Package { package, state }) => {
                for name in self.names.remove(package).unwrap_or_default() {
                    writeln!(out, "{}", clean(&name))?;
                }
                let verdict = PackageVerdict::of_list(state);
                out.write_all(verdict.line(&clean(package), Duration::ZERO).as_bytes())?;
                out.flush()
            }
            EventKind::Build(_)
            | EventKind::Test(_)
            | EventKind::Attempt(_)
            | EventKind::Run(_)
            | EventKind::Watch(_)
            | EventKind::Round(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => Ok(()),
        }
    }
}

/// The verdict on a package, as `go test` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PackageVerdict<'a> {
    Passed,
    /// None of its tests was selected.
    NothingRan,
    WithoutTestFiles,
    Failed,
    /// It did not run, for this reason.
    NotRun(&'a str),
}

impl PackageVerdict<'_> {
    fn of_list(state: &PackageState) -> PackageVerdict<'_> {
        match state {
            PackageState::WithoutTestFiles => PackageVerdict::WithoutTestFiles,
            PackageState::Listed { .. } => PackageVerdict::Passed,
            PackageState::NotListed => PackageVerdict::Failed,
            PackageState::NotBuilt { reason, .. } => PackageVerdict::NotRun(reason),
        }
    }

    /// Returns the line about a package, with its newline.
    pub(super) fn line(self, package: &str, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64();
        match self {
            PackageVerdict::Passed => format!("ok  \t{package}\t{seconds:.3}s\n"),
            PackageVerdict::NothingRan => {
                format!("ok  \t{package}\t{seconds:.3}s [no tests to run]\n")
            }
            PackageVerdict::WithoutTestFiles => format!("?   \t{package}\t[no test files]\n"),
            PackageVerdict::Failed => format!("FAIL\t{package}\t{seconds:.3}s\n"),
            PackageVerdict::NotRun(reason) => format!("FAIL\t{package} [{reason}]\n"),
        }
    }

    /// Returns the action of the package's last record.
    pub(super) fn action(self) -> &'static str {
        match self {
            PackageVerdict::Passed | PackageVerdict::NothingRan => "pass",
            PackageVerdict::WithoutTestFiles => "skip",
            PackageVerdict::Failed | PackageVerdict::NotRun(_) => "fail",
        }
    }
}
