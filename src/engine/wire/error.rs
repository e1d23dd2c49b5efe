//! Errors for invalid messages.

use maelstrom_model::event::untrusted_text;

/// How much of an invalid value is shown.
const SHOWN_CHARS_MAX: usize = 100;

/// Why a message was rejected. Its sender has another version, is broken, or is hostile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A required field is missing.
    #[error("the message has no {what}")]
    Missing { what: &'static str },
    /// A limit is exceeded.
    #[error("the message has {actual} {what}, and at most {max} are allowed")]
    TooMuch {
        /// What is limited, in the plural.
        what: &'static str,
        actual: u64,
        /// The limit.
        max: u64,
    },
    /// A value occurs twice.
    #[error("the message has the {what} `{value}` twice")]
    Twice { what: &'static str, value: String },
    /// A value is invalid.
    #[error("`{value}` is not a valid {what}: expected {expected}")]
    Invalid {
        /// What the value describes.
        what: &'static str,
        value: String,
        /// What was expected instead.
        expected: &'static str,
    },
}

impl WireError {
    /// An invalid value, truncated for display.
    pub fn invalid(what: &'static str, value: &[u8], expected: &'static str) -> WireError {
        WireError::Invalid {
            what,
            value: shown(value),
            expected,
        }
    }

    /// A duplicate value.
    pub fn twice(what: &'static str, value: &[u8]) -> WireError {
        WireError::Twice {
            what,
            value: shown(value),
        }
    }
}

fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_debug)
        .map(|shown| match untrusted_text::is_hostile(shown) {
            true => char::REPLACEMENT_CHARACTER,
            false => shown,
        })
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Rejects an amount above a limit.
pub(super) fn at_most(what: &'static str, actual: usize, max: usize) -> Result<(), WireError> {
    if actual <= max {
        return Ok(());
    }
    Err(WireError::TooMuch {
        what,
        actual: actual as u64,
        max: max as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::testing::{assert_clean, hostile_text};

    proptest::proptest! {
        #[test]
        fn no_value_does_anything(text in hostile_text()) {
            assert_clean(&WireError::invalid("name", text.as_bytes(), "one").to_string());
            assert_clean(&WireError::twice("name", text.as_bytes()).to_string());
        }
    }

    #[test]
    fn a_wrong_value_is_shown_in_part_and_harmlessly() {
        let error = WireError::invalid("path", b"\x1b[31m", "an absolute path");
        assert_eq!(
            error.to_string(),
            "`\\u{1b}[31m` is not a valid path: expected an absolute path"
        );
        let long = WireError::twice("variable", &[b'x'; 1000]).to_string();
        assert!(long.len() < 200 && long.contains('…'), "{long}");
    }
}
