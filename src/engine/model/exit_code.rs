//! The exit codes of the test runners.
//!
//! A failing test gives the program its own exit code (101 with Rust's test harness), as does a
//! failing build, so scripts that check the exit code of `cargo test` still work. Everything that
//! neither a test nor a build caused has its own code here.
//!
//! If several things went wrong, the first of this list decides: interrupted; backend lost; build
//! or discovery failed; a test failed (the first one's code); a test could not be run; a single
//! test was cancelled.

use super::event::TestOutcome;
use maelstrom_container::spec::ExitStatus;

/// Nothing failed. Also when there were no tests; a notice says so.
pub const SUCCESS: u8 = 0;

/// The first failing test has no exit code of its own to lend: a signal ended it, or it took too
/// long.
pub const TEST_FAILURE: u8 = 1;

/// The command line, the environment or a configuration file asks for something that does not
/// exist. Nothing was run.
pub const USAGE: u8 = 2;

/// Not a test's fault: this machine cannot run containers, the cache cannot be written, a container
/// could not be prepared, the backend was lost.
pub const INFRASTRUCTURE: u8 = 125;

/// Tests were named, or filtered by patterns, and there is no such test. The code of `cargo
/// nextest`: what runs nothing, though something was asked for, is no success.
pub const NO_TESTS: u8 = 4;

/// Somebody stopped the run: `^C`, SIGTERM, SIGHUP, or a key of the dashboard.
pub const INTERRUPTED: u8 = 130;

/// What a failing test makes the program exit with; `None` when the outcome is not a test's
/// failure.
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

/// The code of a helper process, which only its own program looks at.
pub fn of_helper(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(INFRASTRUCTURE)
}

/// The code of a tool (a build, say) that ended so: its own, or 128 + signal.
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
