//! Limits that a benchmark holds its figures to.

use std::process::ExitCode;

/// Whether a limit is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is.
    Kept,
    /// It is not.
    Missed,
}

/// Says so.
pub fn check(is_kept: bool, what: &str) -> Check {
    match is_kept {
        true => {
            println!("  kept    {what}");
            Check::Kept
        }
        false => {
            println!("  MISSED  {what}");
            Check::Missed
        }
    }
}

/// How a benchmark ends.
pub fn exit_code(checks: &[Check]) -> ExitCode {
    match checks.iter().all(|check| *check == Check::Kept) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
