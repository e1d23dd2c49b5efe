//! The pattern language that selects tests: one grammar for all runners, with words specific to
//! each.
//!
//! ```text
//! package.equals(core) && (name.starts_with<io::> || name.matches/slow_\d+/) - test.globs(net*)
//! ```
//!
//! - [`vocabulary`]: the words of each runner and their meaning.
//! - [`subject`]: the test, as far as it is known when a pattern is evaluated.
//! - [`truth`]: three-valued results.
//! - [`error`]: parse errors with a location.
//!
//! A pattern is evaluated early, before anything is built, when only packages are known; then again
//! when targets are known, and again when cases are known. As more becomes known, a result only
//! changes from [`TruthValue::Unknown`] to one of the others, never back.
//!
//! This module does not know how tests are found.

pub(crate) mod compile;
pub(crate) mod cursor;
mod expression;
mod parse;

pub mod error;
pub mod subject;
pub mod truth;
pub mod vocabulary;

#[cfg(test)]
mod tests;

use std::fmt;

pub use self::error::{PatternError, PatternErrorKind};
pub use self::subject::{
    CargoSubject, FilterSubject, GoSubject, PastResults, PastWord, PytestSubject, SubjectField,
    SubjectTarget, TargetKind,
};
pub use self::truth::TruthValue;
pub use self::vocabulary::PatternVocabulary;

use self::expression::PatternExpression;

pub use self::compile::glob;

/// A parsed pattern. Its [`Display`](fmt::Display) output has all words unabbreviated and parses
/// back to an equal pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPattern {
    expression: PatternExpression,
}

impl TestPattern {
    /// Parses a pattern with the words of a runner.
    pub fn parse(
        pattern: &str,
        vocabulary: &'static PatternVocabulary,
    ) -> Result<TestPattern, PatternError> {
        parse::parse(pattern, vocabulary).map(|expression| TestPattern { expression })
    }

    /// Returns whether a word of the pattern is about earlier runs.
    pub fn asks_for_past(&self) -> bool {
        self.expression.asks_for_past()
    }

    /// Returns whether a test matches the pattern, as far as the test is known.
    pub fn evaluate<S: FilterSubject + ?Sized>(&self, subject: &S) -> TruthValue {
        self.expression.evaluate(subject)
    }
}

impl fmt::Display for TestPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(formatter)
    }
}

/// The tests that the user selects: those that match at least one include pattern and no exclude
/// pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestSelection {
    /// The include patterns. Empty means all tests.
    pub include: Vec<TestPattern>,
    pub exclude: Vec<TestPattern>,
}

impl TestSelection {
    /// Parses the patterns of `--include` and `--exclude`.
    pub fn parse(
        include: &[String],
        exclude: &[String],
        vocabulary: &'static PatternVocabulary,
    ) -> Result<TestSelection, PatternError> {
        let read = |patterns: &[String]| {
            patterns
                .iter()
                .map(|pattern| TestPattern::parse(pattern, vocabulary))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(TestSelection {
            include: read(include)?,
            exclude: read(exclude)?,
        })
    }

    /// Returns whether a word of the patterns is about earlier runs.
    pub fn asks_for_past(&self) -> bool {
        let mut patterns = self.include.iter().chain(&self.exclude);
        patterns.any(TestPattern::asks_for_past)
    }

    /// Returns whether a test is selected, as far as the test is known.
    pub fn evaluate<S: FilterSubject + ?Sized>(&self, subject: &S) -> TruthValue {
        let any = |patterns: &[TestPattern]| {
            patterns
                .iter()
                .map(|pattern| pattern.evaluate(subject))
                .fold(TruthValue::False, TruthValue::or)
        };
        let included = match self.include.as_slice() {
            [] => TruthValue::True,
            patterns => any(patterns),
        };
        included.and(any(&self.exclude).not())
    }
}
