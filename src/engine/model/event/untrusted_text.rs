//! Untrusted text: names, reasons and messages chosen by a test, a client, a worker, a broker, a
//! registry or a file.
//!
//! [`UntrustedText`] displays as one line in which no character moves the cursor, starts another
//! line, changes the writing direction or is invisible; [`UntrustedText::raw`] returns the
//! original. All text for people that comes over the wire goes through it
//! (`maelstrom_wire::from_proto::text`); code that shows text of unknown origin, such as a log or a
//! report, calls [`clean`].
//!
//! Cleaned text is only for display. A test's name, for example, is passed on unchanged.

use std::borrow::Cow;
use std::fmt;

/// Replaces a character that must not be shown.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Text from an untrusted source, which displays safely.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UntrustedText(String);

impl UntrustedText {
    /// Returns the original text.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Returns the text with its line breaks, each line cleaned. For texts of several lines, such
    /// as a help.
    pub fn lines(&self) -> String {
        clean_lines(&self.0)
    }
}

impl<T: Into<String>> From<T> for UntrustedText {
    fn from(text: T) -> UntrustedText {
        UntrustedText(text.into())
    }
}

impl fmt::Display for UntrustedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&clean(&self.0))
    }
}

impl fmt::Debug for UntrustedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&clean(&self.0), formatter)
    }
}

/// Returns whether a character is a control character, a line or paragraph separator, one that
/// changes the writing direction, or an invisible one (Unicode Standard 23.2, Unicode Technical
/// Report 36).
pub fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a character joins its neighbors, as some scripts and emoji need. Harmless in a
/// text, but not in a name: with a joiner in it, a different name looks the same.
pub(crate) fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Returns a text as one line that is safe to display: tabs become spaces, and other hostile
/// characters become U+FFFD.
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_clean = |character| !is_hostile(character) && !is_joiner(character);
    if text.chars().all(is_clean) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|character| match character {
        '\t' => ' ',
        hidden if !is_clean(hidden) => REPLACEMENT,
        other => other,
    });
    Cow::Owned(shown.collect())
}

/// Returns a text of several lines, each cleaned as by [`clean`].
pub fn clean_lines(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(clean).collect();
    lines.join("\n")
}

/// Returns an equivalent JSON text without hostile characters. They can only occur inside strings,
/// where they are replaced by escapes.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let is_clean = |character| !is_hostile(character) && !is_joiner(character);
    if json.chars().all(is_clean) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_clean(character) {
            escaped.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_clean, hostile_text};

    #[test]
    fn what_a_person_reads_stays() {
        for fine in [
            "",
            "net::tcp::half_close",
            "caf\u{e9} \u{6f22}\u{5b57} \u{1f980}",
            "a\u{301}",
        ] {
            assert!(matches!(clean(fine), Cow::Borrowed(same) if same == fine));
        }
    }

    #[test]
    fn what_does_something_becomes_a_sign() {
        for (text, shown) in [
            ("a\nERROR forged", "a\u{fffd}ERROR forged"),
            ("a\tb", "a b"),
            ("\u{1b}[31mred", "\u{fffd}[31mred"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("nimda\u{202e}", "nimda\u{fffd}"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            (
                "ad\u{200b}m\u{200d}in\u{feff}",
                "ad\u{fffd}m\u{fffd}in\u{fffd}",
            ),
        ] {
            let foreign = UntrustedText::from(text);
            assert_eq!(foreign.to_string(), shown);
            assert_eq!(foreign.raw(), text);
            assert_eq!(format!("{foreign:?}"), format!("{shown:?}"));
        }
        assert_eq!(UntrustedText::from("a\n\u{1b}b\n").lines(), "a\n\u{fffd}b");
        assert_eq!(format!("{:>4}", UntrustedText::from("\n")), "   \u{fffd}");
    }

    proptest! {
        #[test]
        fn no_text_does_anything(text in hostile_text()) {
            assert_clean(&clean(&text));
            assert_clean(&UntrustedText::from(text.as_str()).to_string());
            assert_clean(&format!("{:?}", UntrustedText::from(text.as_str())));
            UntrustedText::from(text.as_str()).lines().split('\n').for_each(assert_clean);
            let json = serde_json::Value::from(text.as_str()).to_string();
            assert_clean(&escaped_json(&json));
            let read: serde_json::Value = serde_json::from_str(&escaped_json(&json)).unwrap();
            prop_assert_eq!(read.as_str(), Some(text.as_str()));
            // Cleaning is idempotent.
            let once = clean(&text);
            prop_assert_eq!(clean(&once).into_owned(), once.into_owned());
        }
    }
}
