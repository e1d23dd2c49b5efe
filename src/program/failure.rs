//! Why a program ends without a run, as a person reads it, and with what code.

use std::error::Error;
use std::io::{self, Write};

use crate::engine::exit_code;
use crate::ui::diagnostic::Diagnostic;
use crate::ui::style::Colour;

/// See the module's documentation.
#[derive(Debug)]
pub struct Failure {
    diagnostic: Diagnostic,
    exit_code: u8,
}

impl Failure {
    /// The user asked for something that makes no sense.
    pub fn usage(error: &dyn Error, help: Option<String>) -> Failure {
        Failure::with_code(error, help, exit_code::USAGE)
    }

    /// This machine could not do what was asked.
    pub fn infrastructure(error: &dyn Error, help: Option<String>) -> Failure {
        Failure::with_code(error, help, exit_code::INFRASTRUCTURE)
    }

    /// What was shown on a terminal ended with it, as if somebody had stopped it.
    pub fn terminal_gone(error: &dyn Error) -> Failure {
        let help = "run it again on a terminal that stays, in tmux or screen for instance";
        Failure::with_code(error, Some(help.to_owned()), exit_code::INTERRUPTED)
    }

    /// Any other.
    pub fn with_code(error: &dyn Error, help: Option<String>, exit_code: u8) -> Failure {
        Failure {
            diagnostic: Diagnostic::new(error).with_help(help),
            exit_code,
        }
    }

    /// Tells it on standard error, and returns the program's exit code.
    pub fn tell(&self) -> u8 {
        let mut stderr = io::stderr().lock();
        let colour = Colour::for_stream(&stderr);
        // Where nobody can be told, the exit code has to do.
        drop(self.diagnostic.write(&mut stderr, colour));
        drop(stderr.flush());
        self.exit_code
    }
}
