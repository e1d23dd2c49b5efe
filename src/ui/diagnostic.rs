//! Formats errors for the user: what went wrong, why, and how to fix it.
//!
//! ```text
//! error: cannot read the configuration file `maelstrom/config.toml`
//! caused by: Permission denied (os error 13)
//! help: make it readable, or name another one by --config-file
//! ```

use std::error::Error;
use std::io::{self, Write};

use miette::Diagnostic;

use super::report::text::printable;
use super::style::{OutputColor, TextRole};

/// The maximum number of displayed causes. A longer chain is likely a bug.
const CAUSES_MAX: usize = 16;

/// An error with its causes and help, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintableError {
    message: String,
    causes: Vec<String>,
    help: Option<String>,
}

impl PrintableError {
    /// Converts an error, its causes and its help.
    pub fn new(error: &dyn Diagnostic) -> PrintableError {
        let help = error.help().map(|help| help.to_string());
        PrintableError {
            help,
            ..PrintableError::without_help(error)
        }
    }

    /// Converts an error without help, and its causes. Leaves out a cause if the message above it
    /// already ends with it.
    pub fn without_help(error: &dyn Error) -> PrintableError {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            let above = causes.last().unwrap_or(&message);
            if !above.ends_with(&text) {
                causes.push(text);
            }
            next = cause.source().filter(|_| causes.len() < CAUSES_MAX);
        }
        PrintableError {
            message,
            causes,
            help: None,
        }
    }

    /// Sets the help of the error.
    #[must_use]
    pub fn with_help(self, help: String) -> PrintableError {
        PrintableError {
            help: Some(help),
            ..self
        }
    }

    /// Writes the error: the message, each cause and the help start on separate lines.
    pub fn write(&self, out: &mut dyn Write, color: OutputColor) -> io::Result<()> {
        part(out, color, (TextRole::Bad, "error"), &self.message)?;
        for cause in &self.causes {
            part(out, color, (TextRole::Strong, "caused by"), cause)?;
        }
        match &self.help {
            Some(help) => part(out, color, (TextRole::Helpful, "help"), help),
            None => Ok(()),
        }
    }
}

/// Writes one labeled part. Indents its further lines, so that none looks like a separate part.
pub(super) fn part(
    out: &mut dyn Write,
    color: OutputColor,
    (paint, label): (TextRole, &str),
    text: &str,
) -> io::Result<()> {
    let mut lines = text.trim_end().lines();
    let first = printable(lines.next().unwrap_or_default());
    let label = format!("{label}:");
    let mark = color.paint(paint, label);
    writeln!(out, "{mark} {first}")?;
    lines.try_for_each(|line| writeln!(out, "  {}", printable(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Diagnostic, thiserror::Error)]
    #[error("cannot start the worker")]
    #[diagnostic(help("do this"))]
    struct Outer(#[source] Middle);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read `a\u{1b}[31m.toml`: {0}")]
    struct Middle(#[source] io::Error);

    fn shown(diagnostic: &PrintableError, color: OutputColor) -> String {
        let mut out = Vec::new();
        diagnostic.write(&mut out, color).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_is_shown_with_its_causes_and_its_help() {
        let error = Outer(Middle(io::Error::other("line one\nline two")));
        let diagnostic = PrintableError::new(&error);
        insta::assert_snapshot!(shown(&diagnostic, OutputColor::Never), @r"
        error: cannot start the worker
        caused by: cannot read `a�[31m.toml`: line one
          line two
        help: do this
        ");
    }

    #[test]
    fn colors_are_only_on_the_labels() {
        let diagnostic = PrintableError::without_help(&io::Error::other("no"));
        assert_eq!(
            shown(&diagnostic, OutputColor::Always),
            "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m no\n"
        );
    }
}
