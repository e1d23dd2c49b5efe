//! Which tests a binary holds, from what it prints when it is called with `-test.list`.
//!
//! `TestMain` runs before the list is printed and may write what it likes, so lines that are no
//! test's name are simply not tests. Benchmarks are listed as well, and left out.

use crate::engine::framework::Captured;
use crate::engine::job::{ExitStatus, JobEnd};

/// Makes a test binary list what it holds.
pub const LIST: &str = "-test.list=.";

/// What tests' names begin with. Fuzz targets run their seed corpus.
const PREFIXES: [&str; 3] = ["Test", "Example", "Fuzz"];

/// Why a binary could not be listed. Each message goes on after the package's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It failed: `init` or `TestMain` did, most likely.
    #[error("exited with code {0} before it could list its tests")]
    Failed(i32),
    /// A signal ended it.
    #[error("was ended by signal {0} before it could list its tests")]
    Crashed(i32),
    /// It took too long.
    #[error("did not list its tests in time")]
    TimedOut,
    /// It was stopped.
    #[error("was stopped before it could list its tests")]
    Cancelled,
    /// It could not be run.
    #[error("can't be listed: {0}")]
    NotRun(String),
}

/// The names of the tests, in their order, each once.
pub fn names(captured: &Captured) -> Result<Vec<String>, ListingError> {
    match &captured.result.end {
        JobEnd::Exited(ExitStatus::Code(0)) => {}
        JobEnd::Exited(ExitStatus::Code(code)) => return Err(ListingError::Failed(*code)),
        JobEnd::Exited(ExitStatus::Signal { number, .. }) => {
            return Err(ListingError::Crashed(*number));
        }
        JobEnd::TimedOut => return Err(ListingError::TimedOut),
        JobEnd::Cancelled => return Err(ListingError::Cancelled),
        JobEnd::Error(message) => return Err(ListingError::NotRun(message.clone())),
    }
    let mut seen = std::collections::HashSet::new();
    Ok(String::from_utf8_lossy(&captured.stdout)
        .lines()
        .filter(|line| is_test(line) && seen.insert((*line).to_owned()))
        .map(str::to_owned)
        .collect())
}

/// Whether a line is the name of a test, as Go decides it: an identifier whose prefix no lower-case
/// letter follows.
fn is_test(line: &str) -> bool {
    let rest = PREFIXES.iter().find_map(|prefix| line.strip_prefix(prefix));
    rest.is_some_and(|rest| {
        !rest.starts_with(char::is_lowercase)
            && rest.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::{JobResult, ResourceUsage};
    use std::time::Duration;

    fn captured(end: JobEnd, stdout: &[u8]) -> Captured {
        Captured {
            result: JobResult {
                end,
                usage: ResourceUsage::default(),
                prepared: Duration::ZERO,
                ran: Duration::ZERO,
            },
            stdout: stdout.to_vec(),
            stderr: Vec::new(),
        }
    }

    #[test]
    fn tests_are_told_from_what_a_main_writes() {
        let stdout = "Testing connection\nTestA\nTest\nTest_b\nTestÄ\nBenchmarkC\nExample\n\
                      ExampleType_method\nFuzzD\nTestify me\nTesting\nTestA\nok  \tp\t0.01s\n";
        let listed = captured(JobEnd::Exited(ExitStatus::Code(0)), stdout.as_bytes());
        assert_eq!(
            names(&listed).unwrap(),
            [
                "TestA",
                "Test",
                "Test_b",
                "TestÄ",
                "Example",
                "ExampleType_method",
                "FuzzD"
            ]
        );
    }

    #[test]
    fn each_way_to_fail_is_told() {
        let errors = [
            JobEnd::Exited(ExitStatus::Code(2)),
            JobEnd::Exited(ExitStatus::Signal {
                number: 11,
                core_dumped: false,
            }),
            JobEnd::TimedOut,
            JobEnd::Cancelled,
            JobEnd::Error("no such file".to_owned()),
        ]
        .map(|end| names(&captured(end, b"")).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @"
    exited with code 2 before it could list its tests
    was ended by signal 11 before it could list its tests
    did not list its tests in time
    was stopped before it could list its tests
    can't be listed: no such file
    ");
    }
}
