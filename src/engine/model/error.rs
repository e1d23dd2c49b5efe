//! What all errors that a user sees have in common: a help text and an exit code, and one line of
//! text for events, which hold no error sources.

use std::error::Error;

use miette::Diagnostic;

use crate::exit_code;

/// An error that can end a program. The message is for the user and names what is at fault;
/// [`Diagnostic::help`] says in one line what to do about it.
pub trait ProgramError: Diagnostic + Send + Sync + 'static {
    /// The program's exit code.
    fn exit_code(&self) -> u8 {
        exit_code::INFRASTRUCTURE
    }
}

/// What to do about an error, if anything is known to help.
pub fn help_of(error: &dyn Diagnostic) -> Option<String> {
    error.help().map(|help| help.to_string())
}

/// An error's message followed by those of its causes, on one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = one_line(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let message = one_line(&cause.to_string());
        // Some libraries repeat their cause in their own message.
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
