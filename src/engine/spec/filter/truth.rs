//! Kleene's three-valued logic: the result of a pattern for a partly known test.
//!
//! A pure value; the property tests of [`super`] check the laws.

/// What is known of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TruthValue {
    /// It holds, whatever the rest turns out to be.
    True,
    /// It does not hold, whatever the rest turns out to be.
    False,
    /// What is not known yet decides.
    Unknown,
}

impl TruthValue {
    /// Both hold.
    pub fn and(self, other: TruthValue) -> TruthValue {
        match (self, other) {
            (TruthValue::False, _) | (_, TruthValue::False) => TruthValue::False,
            (TruthValue::True, TruthValue::True) => TruthValue::True,
            (TruthValue::Unknown, TruthValue::True | TruthValue::Unknown)
            | (TruthValue::True, TruthValue::Unknown) => TruthValue::Unknown,
        }
    }

    /// At least one holds.
    pub fn or(self, other: TruthValue) -> TruthValue {
        self.not().and(other.not()).not()
    }

    /// It does not hold.
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

    /// Whether it may still turn out to hold: what is worth building and listing.
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
