//! The errors of parsing a pattern, with their location.

use std::fmt;
use std::ops::Range;

use miette::Diagnostic;

use crate::snippet::{alternatives, nearest, snippet};

/// A pattern cannot be parsed. The [`Display`](fmt::Display) output shows the pattern with carets
/// under the location of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// The pattern as written.
    pub pattern: String,
    /// The span of the error in bytes, on character boundaries. Empty at the end of the pattern.
    pub span: Range<usize>,
    /// What is wrong there.
    pub problem: PatternErrorKind,
}

/// What is wrong at one location of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternErrorKind {
    /// The pattern exceeds the length limit.
    #[error("a pattern may have at most {max} bytes, this one has {found}")]
    TooLong { max: usize, found: usize },
    /// Brackets and negations are nested too deeply.
    #[error("brackets and negations can be nested at most {max} deep")]
    TooDeep { max: usize },
    /// Whitespace where none is allowed.
    #[error("whitespace is not allowed {place}")]
    Whitespace {
        /// Describes the location.
        place: &'static str,
    },
    /// Unexpected text, such as something that does not begin a term.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What is allowed here.
        expected: &'static str,
        found: String,
    },
    /// A word that does not exist for this runner.
    #[error("unknown {role} `{word}`: expected {}", alternatives(.known))]
    UnknownWord {
        /// The role in which the word was used.
        role: &'static str,
        word: String,
        /// All existing words for this role.
        known: Vec<&'static str>,
    },
    /// An ambiguous abbreviation of a word.
    #[error("`{word}` is too short for {}", alternatives(.candidates))]
    TooShort {
        word: String,
        /// The words that begin with it.
        candidates: Vec<&'static str>,
    },
    /// A selector without `.` and a matcher.
    #[error("`{selector}` must be compared with something: expected `.` and a matcher after it")]
    SelectorAlone { selector: &'static str },
    /// A constant followed by `.`.
    #[error("`{constant}` takes no argument: it has no text to compare")]
    ConstantCompared { constant: &'static str },
    /// An argument without its closing bracket.
    #[error("this argument has no end: expected `{close}`")]
    Unbalanced {
        /// The missing bracket.
        close: char,
    },
    /// The argument of `matches` is no valid regular expression.
    #[error("invalid regular expression: {reason}")]
    Regex {
        /// The message of the regular-expression parser.
        reason: String,
    },
    /// The argument of `globs` is no valid glob.
    #[error("invalid glob: {reason}")]
    Glob {
        /// The message of the glob parser.
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
