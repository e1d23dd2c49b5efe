//! Name matchers: how a predicate compares a name.

use std::fmt::{self, Write as _};

use regex::{Regex, bytes};

/// How a predicate without a sign compares a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultMatcher {
    Equals,
    Contains,
    Globs,
}

/// A comparison and the text to compare with.
#[derive(Clone, Debug)]
pub(super) enum NameMatcher {
    Equals(String),
    Contains(String),
    Matches(Regex),
    Globs { glob: String, regex: bytes::Regex },
}

impl NameMatcher {
    pub(super) fn accepts(&self, name: &str) -> bool {
        match self {
            NameMatcher::Equals(text) => name == text,
            NameMatcher::Contains(text) => name.contains(text.as_str()),
            NameMatcher::Matches(regex) => regex.is_match(name),
            NameMatcher::Globs { regex, .. } => regex.is_match(name.as_bytes()),
        }
    }
}

impl fmt::Display for NameMatcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameMatcher::Equals(text) => write!(formatter, "={}", EscapedText(text)),
            NameMatcher::Contains(text) => write!(formatter, "~{}", EscapedText(text)),
            NameMatcher::Globs { glob, .. } => write!(formatter, "#{}", EscapedText(glob)),
            NameMatcher::Matches(regex) => write!(formatter, "/{}/", EscapedRegex(regex.as_str())),
        }
    }
}

/// A text with the escapes that keep it from ending early.
struct EscapedText<'a>(&'a str);

impl fmt::Display for EscapedText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' | ')' | ',' => write!(formatter, "\\{character}")?,
                '\n' => formatter.write_str("\\n")?,
                '\r' => formatter.write_str("\\r")?,
                '\t' => formatter.write_str("\\t")?,
                _ if character.is_control() => write!(formatter, "{}", character.escape_unicode())?,
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A regular expression with escaped slashes.
struct EscapedRegex<'a>(&'a str);

impl fmt::Display for EscapedRegex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaped = false;
        for character in self.0.chars() {
            if character == '/' && !escaped {
                formatter.write_char('\\')?;
            }
            escaped = character == '\\' && !escaped;
            formatter.write_char(character)?;
        }
        Ok(())
    }
}
