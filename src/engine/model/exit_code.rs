//! The exit codes of the test runners.
//!
//! A failing test gives the program its own exit code (101 with Rust's test harness), as does a
//! failing build, so scripts that check the exit code of `cargo test` still work. `go test` and
//! `pytest` exit with 1 whatever the test's process exited with, and so do their replacements.
//! Problems that neither a test nor a build caused have their own codes here.
//!
//! If several things went wrong, the first of this list decides: interrupted; backend lost; build
//! or discovery failed; a test failed (the first one's code); a test could not be run; a single
//! test was cancelled.

use super::event::TestOutcome;
use maelstrom_container::spec::ExitStatus;

/// Nothing failed. Also if there are no tests; a notice says so.
pub const SUCCESS: u8 = 0;

/// A test failed without an exit code of its own: a signal ended it, or it exceeded its timeout.
pub const TEST_FAILURE: u8 = 1;

/// The command line, the environment or a configuration file is invalid. No test was run.
pub const USAGE: u8 = 2;

/// A problem outside of the tests: this machine cannot run containers, the cache cannot be written,
/// a container could not be prepared, the backend was lost.
pub const INFRASTRUCTURE: u8 = 125;

/// Tests were named, or filtered by patterns, and none matches. The code of `cargo nextest`: a run
/// that was asked for specific tests and runs none is not a success.
pub const NO_TESTS: u8 = 4;

/// The run was stopped: by `^C`, SIGTERM, SIGHUP, a key of the dashboard, or its time limit.
pub const INTERRUPTED: u8 = 130;

/// Returns the exit code of a program whose first failing test has this outcome; `None` if the
/// outcome is not a test failure.
pub fn of_failure(outcome: &TestOutcome) -> Option<u8> {
    match outcome {
        TestOutcome::Failed { exit, reason: _ } => Some(match exit {
            Some(ExitStatus::Code(code)) => match u8::try_from(*code) {
                Ok(code) if code != 0 => code,
                Ok(_) | Err(_) => TEST_FAILURE,
            },
            Some(ExitStatus::Signal { .. }) | None => TEST_FAILURE,
        }),
        TestOutcome::TimedOut { .. } => Some(TEST_FAILURE),
        TestOutcome::Passed
        | TestOutcome::Ignored { .. }
        | TestOutcome::Cancelled
        | TestOutcome::Error { .. } => None,
    }
}

/// Returns the exit code of a helper process. Only the main program looks at it.
pub fn of_helper(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(INFRASTRUCTURE)
}

/// Returns the exit code of a tool (a build, for example) that ended with `status`: its own, or 128
/// + signal.
pub fn of_tool(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Code(code) => u8::try_from(code).unwrap_or(TEST_FAILURE),
        ExitStatus::Signal { number, .. } => u8::try_from(number)
            .ok()
            .and_then(|number| number.checked_add(128))
            .unwrap_or(TEST_FAILURE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(exit: Option<ExitStatus>) -> TestOutcome {
        TestOutcome::Failed { exit, reason: None }
    }

    #[test]
    fn a_failing_test_lends_its_code_and_never_zero() {
        let signal = ExitStatus::Signal {
            number: 9,
            core_dumped: false,
        };
        assert_eq!(of_failure(&failed(Some(ExitStatus::Code(101)))), Some(101));
        assert_eq!(of_failure(&failed(Some(ExitStatus::Code(0)))), Some(1));
        assert_eq!(of_failure(&failed(Some(ExitStatus::Code(-1)))), Some(1));
        assert_eq!(of_failure(&failed(Some(signal))), Some(1));
        assert_eq!(of_failure(&failed(None)), Some(1));
        assert_eq!(of_failure(&TestOutcome::TimedOut { limit_us: 1 }), Some(1));
        assert_eq!(
            of_failure(&TestOutcome::Error {
                message: "no space left".into()
            }),
            None
        );
        assert_eq!(of_failure(&TestOutcome::Cancelled), None);
    }

    #[test]
    fn a_tool_lends_its_code_or_128_and_the_signal() {
        assert_eq!(of_tool(ExitStatus::Code(101)), 101);
        assert_eq!(
            of_tool(ExitStatus::Signal {
                number: 15,
                core_dumped: false
            }),
            143
        );
    }
}
