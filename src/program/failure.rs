//! Reports why a program ends without a run, with the matching exit code.

use std::error::Error;
use std::io::{self, Write};

use nix::sys::signal::{Signal, raise};

use maelstrom_container::sys::process::reset_signals;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_ui::diagnostic::PrintableError;
use maelstrom_ui::style::OutputColor;

/// See the module's documentation.
#[derive(Debug)]
pub struct ProgramFailure(ProgramFailureKind);

#[derive(Debug)]
enum ProgramFailureKind {
    Told {
        error: PrintableError,
        exit_code: u8,
    },
    /// Nobody reads what the program writes.
    NoReader,
}

impl<E: ProgramError> From<E> for ProgramFailure {
    fn from(error: E) -> ProgramFailure {
        ProgramFailure::told(PrintableError::new(&error), error.exit_code())
    }
}

impl ProgramFailure {
    /// The user asked for something that makes no sense.
    pub fn usage(error: &dyn Error) -> ProgramFailure {
        ProgramFailure::told(PrintableError::without_help(error), exit_code::USAGE)
    }

    /// This machine could not do what was asked.
    pub fn infrastructure(error: &dyn Error) -> ProgramFailure {
        let error = PrintableError::without_help(error);
        ProgramFailure::told(error, exit_code::INFRASTRUCTURE)
    }

    /// This machine could not do what was asked, and this helps.
    pub fn infrastructure_with_help(error: &dyn Error, help: String) -> ProgramFailure {
        let error = PrintableError::without_help(error).with_help(help);
        ProgramFailure::told(error, exit_code::INFRASTRUCTURE)
    }

    /// What was shown on a terminal ended with it, as if somebody had stopped it.
    pub fn terminal_gone(error: &dyn Error) -> ProgramFailure {
        let help = "run it again on a terminal that stays, in tmux or screen for instance";
        let error = PrintableError::without_help(error).with_help(help.to_owned());
        ProgramFailure::told(error, exit_code::INTERRUPTED)
    }

    fn told(error: PrintableError, exit_code: u8) -> ProgramFailure {
        ProgramFailure(ProgramFailureKind::Told { error, exit_code })
    }

    /// What the program wrote was not taken. If that is so because nobody reads it any more, as
    /// after `head -1`, the program ends without a word.
    pub fn writing(error: &io::Error) -> ProgramFailure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => ProgramFailure(ProgramFailureKind::NoReader),
            _ => ProgramFailure::infrastructure(error),
        }
    }

    /// Tells it on standard error, and returns the program's exit code.
    pub fn report(&self) -> u8 {
        let (error, exit_code) = match &self.0 {
            ProgramFailureKind::Told { error, exit_code } => (error, *exit_code),
            ProgramFailureKind::NoReader => return end_for_want_of_a_reader(),
        };
        let mut stderr = io::stderr().lock();
        let color = OutputColor::for_stream(&stderr);
        // Where nobody can be told, the exit code has to do.
        drop(error.write(&mut stderr, color));
        drop(stderr.flush());
        exit_code
    }
}

/// Ends this process as the kernel ends those that write where nobody reads: by SIGPIPE, which
/// Rust's programs do not get by themselves. Where the signal is blocked, the code that a shell
/// makes of it.
pub fn end_for_want_of_a_reader() -> u8 {
    const SHELLS_BASE: u8 = 128;
    reset_signals();
    let _ = raise(Signal::SIGPIPE);
    SHELLS_BASE + Signal::SIGPIPE as u8
}
