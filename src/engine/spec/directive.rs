//! A directive: a filter, and what it changes for the tests that match it.

use crate::filter::{FilterSubject, TestPattern, TruthValue};

use super::change::ContainerChange;
use super::policy::PolicyFields;

/// A filter, and the changes to the tests that match it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestDirective {
    /// The position in the file, for messages.
    pub place: String,
    /// The tests to which it applies; `None` means all tests.
    pub filter: Option<TestPattern>,
    pub(super) change: ContainerChange,
    pub(super) ignore: Option<bool>,
    /// How the tests run.
    pub(super) policy: PolicyFields,
    pub(super) include_shared_libraries: Option<bool>,
}

impl TestDirective {
    /// Returns whether the directive applies to a test, which must be fully known.
    pub(super) fn applies_to<S: FilterSubject + ?Sized>(&self, subject: &S) -> bool {
        match &self.filter {
            None => true,
            Some(filter) => filter.evaluate(subject) == TruthValue::True,
        }
    }
}
