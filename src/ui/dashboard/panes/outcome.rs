//! Formats the outcomes of tests.

use maelstrom_model::event::{ExitStatus, TestOutcome};

use super::super::text;
use super::super::theme::StyleRole;

/// Returns the displayed text for an outcome, and its style.
pub(super) fn outcome(outcome: &TestOutcome) -> (String, StyleRole) {
    match outcome {
        TestOutcome::Passed => ("passed".to_owned(), StyleRole::Passed),
        TestOutcome::Failed { exit, reason } => {
            let mut text = match exit {
                Some(exit) => format!("failed: {}", exit_status(*exit)),
                None => "failed".to_owned(),
            };
            if let Some(reason) = reason {
                text.push_str(": ");
                text.push_str(reason);
            }
            (text, StyleRole::Failed)
        }
        TestOutcome::TimedOut { limit_us } => {
            let text = format!("timed out after {}", text::duration(*limit_us));
            (text, StyleRole::TimedOut)
        }
        TestOutcome::Ignored { reason: None } => ("ignored".to_owned(), StyleRole::Ignored),
        TestOutcome::Ignored { reason: Some(why) } => {
            (format!("ignored: {why}"), StyleRole::Ignored)
        }
        TestOutcome::Cancelled => ("cancelled".to_owned(), StyleRole::Cancelled),
        TestOutcome::Error { message } => (format!("error: {message}"), StyleRole::Error),
    }
}

fn exit_status(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exit {code}"),
        ExitStatus::Signal {
            number,
            core_dumped,
        } => {
            let core = if core_dumped { ", core dumped" } else { "" };
            format!("signal {number}{core}")
        }
    }
}
