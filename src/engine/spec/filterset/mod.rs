//! The filtersets of `cargo nextest`, which `-E` selects tests by.
//!
//! ```text
//! package(core) & (test(=io::reads) | kind(bin)) - rdeps(#net-*)
//! ```
//!
//! - [`parse`]: the grammar. [`error`]: parse errors with a location.
//! - [`expression`]: the syntax tree. [`matcher`]: how names are compared.
//! - [`subject`]: the test, as far as it is known when a filterset is evaluated.
//!
//! Like a pattern of [`super::filter`], a filterset is evaluated before the build, when only
//! packages are known, and again when more is known. Test groups are not known then, so `group()` is
//! an error; `default()` is all tests, because the default filter of a profile applies anyway.
//! `status()`, which nextest does not have, is what earlier runs say of a test.
//!
//! Pure. This module does not know how tests are found.

mod expression;
mod matcher;
mod parse;

pub mod error;
pub mod subject;

#[cfg(test)]
mod tests;

use std::fmt;

pub use self::error::{FiltersetError, FiltersetErrorKind};
pub use self::subject::{
    FiltersetBinary, FiltersetBinaryKind, FiltersetPackage, FiltersetPlatform, FiltersetSubject,
    FiltersetWorkspace,
};

use self::expression::FiltersetExpression;
use crate::filter::TruthValue;

/// A parsed filterset. Its [`Display`](fmt::Display) output names every matcher by its sign, and
/// parses back to an equal filterset.
#[derive(Clone, Debug)]
pub struct TestFilterset {
    text: String,
    expression: FiltersetExpression,
}

impl TestFilterset {
    /// Parses a filterset.
    pub fn parse(text: &str) -> Result<TestFilterset, FiltersetError> {
        let expression = parse::parse(text)?;
        Ok(TestFilterset {
            text: text.to_owned(),
            expression,
        })
    }

    /// Returns whether a predicate is about earlier runs.
    pub fn asks_for_past(&self) -> bool {
        self.expression.asks_for_past()
    }

    /// Returns whether a test is in the set, as far as the test is known.
    pub fn evaluate(&self, subject: &FiltersetSubject<'_>) -> TruthValue {
        self.expression.evaluate(subject)
    }

    /// Returns an error if a predicate about packages or binaries matches none of the workspace, as
    /// `cargo nextest` does: it is a mistyped name, and its negation would select every test.
    pub fn check(&self, workspace: &FiltersetWorkspace) -> Result<(), FiltersetError> {
        match self.expression.without_match(workspace) {
            None => Ok(()),
            Some((span, problem)) => Err(FiltersetError {
                filterset: self.text.clone(),
                span,
                problem,
            }),
        }
    }
}

impl PartialEq for TestFilterset {
    /// Two filtersets are equal when they print alike.
    fn eq(&self, other: &TestFilterset) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for TestFilterset {}

impl fmt::Display for TestFilterset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(formatter)
    }
}
