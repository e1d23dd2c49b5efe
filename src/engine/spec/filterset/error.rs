//! The errors of a filterset, with their location.

use std::fmt;
use std::ops::Range;

use miette::Diagnostic;

use crate::snippet::{alternatives, nearest, snippet};

/// A filterset cannot be parsed, or a name in it matches nothing. The [`Display`](fmt::Display)
/// output shows the filterset with carets under the location of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiltersetError {
    /// The filterset as written.
    pub filterset: String,
    /// The span of the error in bytes, on character boundaries. Empty at the end of the text.
    pub span: Range<usize>,
    /// What is wrong there.
    pub problem: FiltersetErrorKind,
}

/// What is wrong at one location of a filterset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FiltersetErrorKind {
    /// The filterset exceeds the length limit.
    #[error("a filterset may have at most {max} bytes, this one has {found}")]
    TooLong { max: usize, found: usize },
    /// Parentheses and negations are nested too deeply.
    #[error("parentheses and negations can be nested at most {max} deep")]
    TooDeep { max: usize },
    /// Unexpected text.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What is allowed here.
        expected: &'static str,
        found: String,
    },
    /// A word that is no predicate.
    #[error("unknown predicate `{word}`: expected {}", alternatives(.known))]
    UnknownPredicate {
        word: String,
        known: Vec<&'static str>,
        /// Whether it is written as in the language of `--include`.
        is_pattern: bool,
    },
    /// A predicate without the name to compare with.
    #[error("`{predicate}()` needs a name to compare with")]
    NoName { predicate: &'static str },
    /// An argument of a predicate that takes none.
    #[error("`{predicate}()` takes no argument")]
    Argument { predicate: &'static str },
    /// A second argument.
    #[error("a predicate takes one argument")]
    Comma,
    /// A backslash before a character that has no escape.
    #[error("`{escape}` is no escape sequence")]
    Escape { escape: String },
    /// A regular expression without its closing slash.
    #[error("this regular expression has no end: expected `/`")]
    RegexEnd,
    /// An invalid regular expression.
    #[error("invalid regular expression: {reason}")]
    RegexForm {
        /// The message of the regular-expression parser.
        reason: String,
    },
    /// An invalid glob.
    #[error("invalid glob: {reason}")]
    GlobForm {
        /// The message of the glob parser.
        reason: String,
    },
    /// An argument of `platform()` that is no platform.
    #[error("unknown platform `{found}`: expected `host` or `target`")]
    Platform { found: String },
    /// An argument of `status()` that is no status.
    #[error("unknown status `{found}`: expected `failed`, `flaky`, `slow` or `new`")]
    Status { found: String },
    /// `group()`, although the groups of tests are not known when tests are selected.
    #[error("`group()` is not supported: a filterset selects tests before their groups are known")]
    Group,
    /// A predicate that matches nothing in the workspace.
    #[error("no {what} of the workspace matches")]
    NoMatch {
        what: &'static str,
        /// The names that exist.
        known: Vec<String>,
    },
}

impl FiltersetError {
    /// Returns the text at the location of the error, without the sign of a matcher.
    fn marked(&self) -> &str {
        let marked = self.filterset.get(self.span.clone()).unwrap_or_default();
        marked.trim_start_matches(['=', '~', '#', '/'])
    }
}

impl Diagnostic for FiltersetError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let did_you_mean = |name: &str| format!("did you mean `{name}`?");
        let help = match &self.problem {
            FiltersetErrorKind::UnknownPredicate {
                is_pattern: true, ..
            } => Some("`--include` takes patterns of this form; `-E` takes filtersets".to_owned()),
            FiltersetErrorKind::UnknownPredicate { word, known, .. } => {
                nearest(word, known.iter().copied()).map(did_you_mean)
            }
            FiltersetErrorKind::NoMatch { known, .. } => {
                nearest(self.marked(), known.iter().map(String::as_str)).map(did_you_mean)
            }
            FiltersetErrorKind::NoName { predicate } => Some(format!(
                "for example `{predicate}(=name)`, `{predicate}(~part)`, `{predicate}(/regex/)` or \
                 `{predicate}(#glob*)`"
            )),
            FiltersetErrorKind::Comma => Some("write `\\,` for a comma in a name".to_owned()),
            FiltersetErrorKind::Escape { .. } => Some(
                "there are `\\n`, `\\r`, `\\t`, `\\\\`, `\\/`, `\\)`, `\\,` and `\\u{7FFF}`; a \
                 regular expression is written between slashes"
                    .to_owned(),
            ),
            FiltersetErrorKind::Group => Some("leave it out".to_owned()),
            FiltersetErrorKind::TooLong { .. }
            | FiltersetErrorKind::TooDeep { .. }
            | FiltersetErrorKind::Expected { .. }
            | FiltersetErrorKind::Argument { .. }
            | FiltersetErrorKind::RegexEnd
            | FiltersetErrorKind::RegexForm { .. }
            | FiltersetErrorKind::GlobForm { .. }
            | FiltersetErrorKind::Platform { .. }
            | FiltersetErrorKind::Status { .. } => None,
        };
        help.map(|help| -> Box<dyn fmt::Display> { Box::new(help) })
    }
}

impl fmt::Display for FiltersetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, carets) = snippet(&self.filterset, &self.span);
        write!(
            formatter,
            "invalid filterset: {}\n  {line}\n  {carets}",
            self.problem
        )
    }
}

impl std::error::Error for FiltersetError {}
