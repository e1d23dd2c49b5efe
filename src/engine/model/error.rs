//! The properties of every error that users see, a help text and an exit code; and the formatting
//! of an error as one line, for events, which hold no error sources.

use std::error::Error;

use miette::Diagnostic;

use crate::exit_code;
use maelstrom_container::store::StoreError;

/// An error that can end a program. The message is for the user and names the cause;
/// [`Diagnostic::help`] says in one line what to do about it.
pub trait ProgramError: Diagnostic + Send + Sync + 'static {
    /// Returns the program's exit code.
    fn exit_code(&self) -> u8 {
        exit_code::INFRASTRUCTURE
    }
}

impl ProgramError for StoreError {}

/// Returns what the user can do about an error, if known.
pub fn help_of(error: &dyn Diagnostic) -> Option<String> {
    error.help().map(|help| help.to_string())
}

/// Returns an error's message followed by those of its causes, on one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = one_line(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let message = one_line(&cause.to_string());
        // Some libraries repeat the cause in their own message.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    text
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layer(text: &'static str, source: Option<Layer>) -> Layer {
        let source = source.map(Box::new);
        Layer { text, source }
    }

    #[test]
    fn causes_follow_once_each_on_one_line() {
        let inner = layer("expected a number\n  at line 3\n", None);
        let middle = layer("no TOML: expected a number at line 3", Some(inner));
        let outer = layer("the file x is not a history file", Some(middle));
        assert_eq!(
            with_causes(&outer),
            "the file x is not a history file: no TOML: expected a number at line 3"
        );
    }
}
