//! The errors of parsing a pattern, with their location.

use std::fmt;
use std::ops::Range;

use miette::Diagnostic;

use crate::snippet::{alternatives, nearest, snippet};

/// Why a pattern could not be read. Its [`Display`](fmt::Display) form shows the pattern with
/// carets under the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// The pattern as it was written.
    pub pattern: String,
    /// The place in it, in bytes; on character boundaries. Empty at the end of the pattern.
    pub span: Range<usize>,
    /// What is wrong there.
    pub problem: PatternErrorKind,
}

/// What is wrong at one place of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternErrorKind {
    /// Longer than any pattern a person writes.
    #[error("a pattern may have at most {max} bytes, this one has {found}")]
    TooLong { max: usize, found: usize },
    /// Brackets or negations within one another beyond the limit.
    #[error("brackets and negations may stand at most {max} deep")]
    TooDeep { max: usize },
    /// Whitespace where none may be.
    #[error("no whitespace may stand {place}")]
    Whitespace {
        /// Which place this is.
        place: &'static str,
    },
    /// Something else than the beginning of a term.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What may stand here.
        expected: &'static str,
        found: String,
    },
    /// A word that is no word of this runner.
    #[error("unknown {role} `{word}`: expected {}", alternatives(.known))]
    UnknownWord {
        /// What the word was taken for.
        role: &'static str,
        word: String,
        /// All the words there are.
        known: Vec<&'static str>,
    },
    /// A word that was cut too far.
    #[error("`{word}` is too short for {}", alternatives(.candidates))]
    TooShort {
        word: String,
        /// The words it begins.
        candidates: Vec<&'static str>,
    },
    /// A selector without `.`.
    #[error("`{selector}` must be compared with something: expected `.` and a matcher after it")]
    SelectorAlone { selector: &'static str },
    /// A constant with `.`.
    #[error("`{constant}` stands alone: it has no text to compare")]
    ConstantCompared { constant: &'static str },
    /// An argument without end.
    #[error("this argument has no end: expected `{close}`")]
    Unbalanced {
        /// The bracket that is missing.
        close: char,
    },
    /// The argument of `matches`.
    #[error("invalid regular expression: {reason}")]
    Regex {
        /// What the regular-expression parser says.
        reason: String,
    },
    /// The argument of `globs`.
    #[error("invalid glob: {reason}")]
    Glob {
        /// What the glob parser says.
        reason: String,
    },
}

impl Diagnostic for PatternError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = match &self.problem {
            PatternErrorKind::UnknownWord { word, known, .. } => {
                nearest(word, known.iter().copied()).map(|name| format!("did you mean `{name}`?"))
            }
            PatternErrorKind::TooShort { candidates, .. } => candidates
                .first()
                .map(|name| format!("write more of it, such as `{name}`")),
            PatternErrorKind::SelectorAlone { selector } => {
                let matcher = match *selector {
                    "markers" => "contains",
                    _ => "equals",
                };
                Some(format!("for example `{selector}.{matcher}(…)`"))
            }
            PatternErrorKind::ConstantCompared { constant } => {
                Some(format!("write `{constant}` alone"))
            }
            PatternErrorKind::Unbalanced { .. } => Some(
                "an argument may hold its own brackets only in pairs; if it must hold a lone one, \
                 put it between others of `()`, `[]`, `{}`, `<>` and `//`"
                    .to_owned(),
            ),
            PatternErrorKind::Whitespace { .. } => Some("remove it".to_owned()),
            PatternErrorKind::TooLong { .. }
            | PatternErrorKind::TooDeep { .. }
            | PatternErrorKind::Expected { .. }
            | PatternErrorKind::Regex { .. }
            | PatternErrorKind::Glob { .. } => None,
        };
        help.map(|help| -> Box<dyn fmt::Display> { Box::new(help) })
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, carets) = snippet(&self.pattern, &self.span);
        write!(
            formatter,
            "invalid filter pattern: {}\n  {line}\n  {carets}",
            self.problem
        )
    }
}

impl std::error::Error for PatternError {}
