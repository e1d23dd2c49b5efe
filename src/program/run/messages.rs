//! The program's own messages on standard error, next to a job's output.

use std::io::{self, Write};

use super::ending::JobExitReason;
use crate::program::failure::ProgramFailure;
use maelstrom_model::event::UserNotice;
use maelstrom_ui::diagnostic::PrintableError;
use maelstrom_ui::report::write_notice;
use maelstrom_ui::style::OutputColor;

/// Prints warnings to standard error, for runs without a user interface that shows them.
pub(super) fn print_notices(notices: &[UserNotice]) -> Result<(), ProgramFailure> {
    let mut stderr = io::stderr().lock();
    let color = OutputColor::for_stream(&stderr);
    for notice in notices {
        write_notice(&mut stderr, color, notice)
            .map_err(|error| ProgramFailure::writing(&error))?;
    }
    Ok(())
}

/// Prints why the job ended, unless its own exit status says so, and exits like the job.
pub(super) fn end(ending: &JobExitReason) -> Result<u8, ProgramFailure> {
    match ending {
        JobExitReason::Code(_) | JobExitReason::Signal { .. } => {}
        JobExitReason::TimedOut | JobExitReason::Cancelled | JobExitReason::Error(_) => {
            let mut stderr = io::stderr().lock();
            let color = OutputColor::for_stream(&stderr);
            PrintableError::without_help(&JobEndedError(ending.to_string()))
                .write(&mut stderr, color)
                .and_then(|()| stderr.flush())
                .map_err(|error| ProgramFailure::infrastructure(&error))?;
        }
    }
    Ok(ending.follow())
}

/// The error that is printed for a job that could not run to its end.
#[derive(Debug, thiserror::Error)]
#[error("the job {0}")]
struct JobEndedError(String);
