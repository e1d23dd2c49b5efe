//! Reports why a program ends without a run, with the matching exit code.

use std::error::Error;
use std::io::{self, Write};

use nix::sys::signal::{Signal, raise};

use maelstrom_container::sys::process::reset_signals;
use maelstrom_model::exit_code;
use maelstrom_ui::diagnostic::Diagnostic;
use maelstrom_ui::style::OutputColor;

/// See the module's documentation.
#[derive(Debug)]
pub struct ProgramFailure(ProgramFailureKind);

#[derive(Debug)]
enum ProgramFailureKind {
    Told {
        diagnostic: Diagnostic,
        exit_code: u8,
    },
    /// Nobody reads what the program writes.
    NoReader,
}

impl ProgramFailure {
    /// The user asked for something that makes no sense.
    pub fn usage(error: &dyn Error, help: Option<String>) -> ProgramFailure {
        ProgramFailure::with_code(error, help, exit_code::USAGE)
    }

    /// This machine could not do what was asked.
    pub fn infrastructure(error: &dyn Error, help: Option<String>) -> ProgramFailure {
        ProgramFailure::with_code(error, help, exit_code::INFRASTRUCTURE)
    }

    /// What was shown on a terminal ended with it, as if somebody had stopped it.
    pub fn terminal_gone(error: &dyn Error) -> ProgramFailure {
        let help = "run it again on a terminal that stays, in tmux or screen for instance";
        ProgramFailure::with_code(error, Some(help.to_owned()), exit_code::INTERRUPTED)
    }

    /// Any other.
    pub fn with_code(error: &dyn Error, help: Option<String>, exit_code: u8) -> ProgramFailure {
        ProgramFailure(ProgramFailureKind::Told {
            diagnostic: Diagnostic::new(error).with_help(help),
            exit_code,
        })
    }

    /// What the program wrote was not taken. If that is so because nobody reads it any more, as
    /// after `head -1`, the program ends without a word.
    pub fn writing(error: &io::Error) -> ProgramFailure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => ProgramFailure(ProgramFailureKind::NoReader),
            _ => ProgramFailure::infrastructure(error, None),
        }
    }

    /// Tells it on standard error, and returns the program's exit code.
    pub fn report(&self) -> u8 {
        let (diagnostic, exit_code) = match &self.0 {
            ProgramFailureKind::Told {
                diagnostic,
                exit_code,
            } => (diagnostic, *exit_code),
            ProgramFailureKind::NoReader => return end_for_want_of_a_reader(),
        };
        let mut stderr = io::stderr().lock();
        let color = OutputColor::for_stream(&stderr);
        // Where nobody can be told, the exit code has to do.
        drop(diagnostic.write(&mut stderr, color));
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
