//! Describes how a job ended, and exits accordingly.

use std::fmt;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, raise};

use maelstrom_container::sys::process::reset_signals;
use maelstrom_model::event::untrusted_text::clean_lines;
use maelstrom_model::exit_code;
use maelstrom_model::job::{ExitStatus, JobOutcome};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JobExitReason {
    /// The job exited with this code.
    Code(i32),
    /// A signal ended the job.
    Signal {
        number: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
    /// The job exceeded its timeout.
    TimedOut,
    Cancelled,
    /// The job could not be run.
    Error(String),
}

/// Converts a backend's outcome into an exit reason.
pub(super) fn ending(end: JobOutcome) -> JobExitReason {
    match end {
        JobOutcome::Exited(ExitStatus::Code(code)) => JobExitReason::Code(code),
        JobOutcome::Exited(ExitStatus::Signal {
            number,
            core_dumped,
        }) => JobExitReason::Signal {
            number,
            core_dumped,
        },
        JobOutcome::TimedOut => JobExitReason::TimedOut,
        JobOutcome::Cancelled => JobExitReason::Cancelled,
        JobOutcome::Error(message) => JobExitReason::Error(message),
    }
}

impl JobExitReason {
    /// Returns the exit code of a program whose first failed job is this one; `None` if the job
    /// succeeded.
    pub(super) fn failure_code(&self) -> Option<u8> {
        match self {
            JobExitReason::Code(0) => None,
            JobExitReason::Code(code) => {
                Some(u8::try_from(*code).unwrap_or(exit_code::TEST_FAILURE))
            }
            JobExitReason::Signal { .. } | JobExitReason::TimedOut | JobExitReason::Error(_) => {
                Some(exit_code::TEST_FAILURE)
            }
            JobExitReason::Cancelled => Some(exit_code::INTERRUPTED),
        }
    }

    /// Formats the outcome of one job among others. Lines after the first are indented, so that
    /// none of them looks like a line about another job.
    pub(super) fn line(&self, job: u64) -> String {
        let mut text = format!("job {job}: ");
        for (index, line) in self.to_string().lines().enumerate() {
            let indent = match index {
                0 => "",
                _ if line.starts_with("  ") => "\n",
                _ => "\n  ",
            };
            text.push_str(indent);
            text.push_str(line);
        }
        text
    }

    /// Raises the signal that ended the job, so that this process ends the same way. Returns the
    /// exit code if no signal ended the job, or if the signal does not end this process.
    pub(super) fn follow(&self) -> u8 {
        if let JobExitReason::Signal { number, .. } = self
            && let Ok(signal) = Signal::try_from(*number)
        {
            // No core dump of this process: the job's core dump is the one of interest.
            if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
                let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
            }
            reset_signals();
            let _ = raise(signal);
        }
        self.failure_code().unwrap_or(exit_code::SUCCESS)
    }
}

impl fmt::Display for JobExitReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobExitReason::Code(code) => write!(formatter, "exited with code {code}"),
            JobExitReason::Signal {
                number,
                core_dumped,
            } => {
                let name = Signal::try_from(*number)
                    .map_or_else(|_| format!("signal {number}"), |signal| signal.to_string());
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(formatter, "ended by {name}{core}")
            }
            JobExitReason::TimedOut => formatter.write_str("took longer than its timeout"),
            JobExitReason::Cancelled => formatter.write_str("was stopped"),
            JobExitReason::Error(message) => formatter.write_str(&clean_lines(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use maelstrom_model::testing::{assert_clean, hostile_text};

    #[test]
    fn an_error_of_another_machine_looks_like_nothing_else() {
        let error = JobExitReason::Error(
            "no\u{1b}[2J disk\njob 7: exited with code 0\n  help: do".to_owned(),
        );
        assert_eq!(
            error.line(6),
            "job 6: no\u{fffd}[2J disk\n  job 7: exited with code 0\n  help: do"
        );
    }

    proptest! {
        #[test]
        fn no_error_does_anything(text in hostile_text()) {
            let told = JobExitReason::Error(text).line(6);
            for (index, line) in told.split('\n').enumerate() {
                assert_clean(line);
                let begins = if index == 0 { "job 6: " } else { "  " };
                prop_assert!(line.starts_with(begins));
            }
        }
    }

    #[test]
    fn only_a_success_has_no_code() {
        let signal = JobExitReason::Signal {
            number: 15,
            core_dumped: false,
        };
        let endings = [
            JobExitReason::Code(0),
            JobExitReason::Code(7),
            JobExitReason::Code(-1),
            signal,
            JobExitReason::TimedOut,
            JobExitReason::Cancelled,
            JobExitReason::Error("no".to_owned()),
        ];
        assert_eq!(
            endings.map(|ending| ending.failure_code()),
            [None, Some(7), Some(1), Some(1), Some(1), Some(130), Some(1)]
        );
    }
}
