//! Errors that end a program before or without a run, with the matching exit code.

use std::error::Error;
use std::io::{self, Write};

use nix::sys::signal::{Signal, raise};

use maelstrom_container::sys::process::reset_signals;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_ui::diagnostic::PrintableError;
use maelstrom_ui::style::OutputColor;

/// An error that ends the program: prints itself and determines the exit code.
#[derive(Debug)]
pub struct ProgramFailure(ProgramFailureKind);

#[derive(Debug)]
enum ProgramFailureKind {
    Told {
        error: PrintableError,
        exit_code: u8,
    },
    /// The reader of standard output has closed it.
    NoReader,
}

impl<E: ProgramError> From<E> for ProgramFailure {
    fn from(error: E) -> ProgramFailure {
        ProgramFailure::told(PrintableError::new(&error), error.exit_code())
    }
}

impl ProgramFailure {
    /// A usage error: the request is invalid.
    pub fn usage(error: &dyn Error) -> ProgramFailure {
        ProgramFailure::told(PrintableError::without_help(error), exit_code::USAGE)
    }

    /// An infrastructure error: this machine could not carry out the request.
    pub fn infrastructure(error: &dyn Error) -> ProgramFailure {
        let error = PrintableError::without_help(error);
        ProgramFailure::told(error, exit_code::INFRASTRUCTURE)
    }

    /// An infrastructure error with a hint for the user.
    pub fn infrastructure_with_help(error: &dyn Error, help: String) -> ProgramFailure {
        let error = PrintableError::without_help(error).with_help(help);
        ProgramFailure::told(error, exit_code::INFRASTRUCTURE)
    }

    /// The terminal of an interactive view is gone. The exit code is that of an interrupted run.
    pub fn terminal_gone(error: &dyn Error) -> ProgramFailure {
        let help = "run it again on a terminal that stays, in tmux or screen for instance";
        let error = PrintableError::without_help(error).with_help(help.to_owned());
        ProgramFailure::told(error, exit_code::INTERRUPTED)
    }

    fn told(error: PrintableError, exit_code: u8) -> ProgramFailure {
        ProgramFailure(ProgramFailureKind::Told { error, exit_code })
    }

    /// An error while writing output. If the reader has closed the pipe, as `head -1` does, the
    /// program ends without a message.
    pub fn writing(error: &io::Error) -> ProgramFailure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => ProgramFailure(ProgramFailureKind::NoReader),
            _ => ProgramFailure::infrastructure(error),
        }
    }

    /// Prints the error to standard error, and returns the program's exit code.
    pub fn report(&self) -> u8 {
        let (error, exit_code) = match &self.0 {
            ProgramFailureKind::Told { error, exit_code } => (error, *exit_code),
            ProgramFailureKind::NoReader => return end_for_want_of_a_reader(),
        };
        let mut stderr = io::stderr().lock();
        let color = OutputColor::for_stream(&stderr);
        // If standard error cannot be written, only the exit code is left.
        drop(error.write(&mut stderr, color));
        drop(stderr.flush());
        exit_code
    }
}

/// Ends this process as the kernel ends one that writes to a pipe without a reader: by SIGPIPE,
/// which Rust programs ignore by default. If the signal is blocked, returns the exit code with
/// which a shell reports it.
pub fn end_for_want_of_a_reader() -> u8 {
    const SHELLS_BASE: u8 = 128;
    reset_signals();
    let _ = raise(Signal::SIGPIPE);
    SHELLS_BASE + Signal::SIGPIPE as u8
}
