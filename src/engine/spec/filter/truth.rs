//! Kleene's three-valued logic: what a pattern says of a test that is only partly known.
//!
//! A pure value; the laws are held by the property tests of [`super`].

/// What is known of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds, whatever the rest turns out to be.
    True,
    /// It does not hold, whatever the rest turns out to be.
    False,
    /// What is not known yet decides.
    Unknown,
}

impl Truth {
    /// Both hold.
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::False, _) | (_, Truth::False) => Truth::False,
            (Truth::True, Truth::True) => Truth::True,
            (Truth::Unknown, Truth::True | Truth::Unknown) | (Truth::True, Truth::Unknown) => {
                Truth::Unknown
            }
        }
    }

    /// At least one holds.
    pub fn or(self, other: Truth) -> Truth {
        self.not().and(other.not()).not()
    }

    /// It does not hold.
    #[expect(
        clippy::should_implement_trait,
        reason = "`and` and `or` have no operator trait, and the three belong together"
    )]
    pub fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        }
    }

    /// Whether it may still turn out to hold: what is worth building and listing.
    pub fn possible(self) -> bool {
        match self {
            Truth::True | Truth::Unknown => true,
            Truth::False => false,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::True } else { Truth::False }
    }
}

impl From<Option<bool>> for Truth {
    fn from(value: Option<bool>) -> Truth {
        value.map_or(Truth::Unknown, Truth::from)
    }
}
