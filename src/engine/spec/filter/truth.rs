//! Kleene's three-valued logic: the result of a pattern for a partly known test.
//!
//! The property tests of [`super`] check its laws.

/// The truth value of a statement about a partly known test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TruthValue {
    /// The statement is true, whatever is not known yet.
    True,
    /// The statement is false, whatever is not known yet.
    False,
    /// The result depends on what is not known yet.
    Unknown,
}

impl TruthValue {
    /// Returns the conjunction.
    pub fn and(self, other: TruthValue) -> TruthValue {
        match (self, other) {
            (TruthValue::False, _) | (_, TruthValue::False) => TruthValue::False,
            (TruthValue::True, TruthValue::True) => TruthValue::True,
            (TruthValue::Unknown, TruthValue::True | TruthValue::Unknown)
            | (TruthValue::True, TruthValue::Unknown) => TruthValue::Unknown,
        }
    }

    /// Returns the disjunction.
    pub fn or(self, other: TruthValue) -> TruthValue {
        self.not().and(other.not()).not()
    }

    /// Returns the negation.
    #[expect(
        clippy::should_implement_trait,
        reason = "`and` and `or` have no operator trait, and the three belong together"
    )]
    pub fn not(self) -> TruthValue {
        match self {
            TruthValue::True => TruthValue::False,
            TruthValue::False => TruthValue::True,
            TruthValue::Unknown => TruthValue::Unknown,
        }
    }

    /// Returns whether the statement may be true, so that the test is worth building and listing.
    pub fn possible(self) -> bool {
        match self {
            TruthValue::True | TruthValue::Unknown => true,
            TruthValue::False => false,
        }
    }
}

impl From<bool> for TruthValue {
    fn from(value: bool) -> TruthValue {
        if value {
            TruthValue::True
        } else {
            TruthValue::False
        }
    }
}

impl From<Option<bool>> for TruthValue {
    fn from(value: Option<bool>) -> TruthValue {
        value.map_or(TruthValue::Unknown, TruthValue::from)
    }
}
