//! Expands braces: `/dev/{null,tty{1..3}}` becomes `/dev/null`, `/dev/tty1`, `/dev/tty2`,
//! `/dev/tty3`.
//!
//! A text without `{` is taken literally, including backslashes. In a text with `{`, a backslash
//! escapes the next character. Items may be empty, spaces are part of an item, and a group without
//! comma or range is a list of one item.

/// The maximum number of resulting texts, which prevents the use of all memory. More than anybody
/// writes manually.
const EXPANSIONS_MAX: usize = 65_536;

/// The maximum total size of the resulting texts, in bytes.
const EXPANDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The maximum nesting depth of groups, which limits the use of the stack.
const DEPTH_MAX: usize = 64;

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BraceError {
    /// A `{` without a matching `}`.
    #[error("the `{{` at character {at} is never closed")]
    Unclosed {
        /// The position of the character, from 1.
        at: usize,
    },
    /// A `}` without a matching `{`.
    #[error("the `}}` at character {at} closes nothing")]
    Unopened {
        /// The position of the character, from 1.
        at: usize,
    },
    /// A backslash at the end of the text.
    #[error("the `\\` at the end has nothing to escape")]
    TrailingEscape,
    /// The result would have too many or too long texts.
    #[error("it expands to more than {EXPANSIONS_MAX} texts, or too long ones")]
    TooMany,
    /// Groups are nested too deeply.
    #[error("its braces are nested more than {DEPTH_MAX} deep")]
    TooDeep,
}

/// Returns all texts to which a text expands, in order.
pub(super) fn expand(text: &str) -> Result<Vec<String>, BraceError> {
    if !text.contains('{') {
        return Ok(vec![text.to_owned()]);
    }
    let characters: Vec<char> = text.chars().collect();
    let mut parser = BraceParser {
        characters: &characters,
        at: 0,
    };
    let expanded = parser.sequence(BraceContext::Top)?;
    match parser.peek() {
        None => Ok(expanded),
        Some(_) => Err(BraceError::Unopened { at: parser.at + 1 }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BraceContext {
    Top,
    Group { depth: usize },
}

struct BraceParser<'text> {
    characters: &'text [char],
    at: usize,
}

impl BraceParser<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    /// Parses literal text and groups, up to the end of the text or item.
    fn sequence(&mut self, context: BraceContext) -> Result<Vec<String>, BraceError> {
        let mut texts = vec![String::new()];
        while let Some(character) = self.peek() {
            match (character, context) {
                ('}', _) | (',', BraceContext::Group { .. }) => break,
                ('{', _) => {
                    let depth = match context {
                        BraceContext::Top => 1,
                        BraceContext::Group { depth } => depth + 1,
                    };
                    let group = self.group(depth)?;
                    texts = product(&texts, &group)?;
                }
                ('\\', _) => {
                    self.at += 1;
                    let escaped = self.next().ok_or(BraceError::TrailingEscape)?;
                    push(&mut texts, escaped)?;
                }
                (literal, _) => {
                    self.at += 1;
                    push(&mut texts, literal)?;
                }
            }
        }
        Ok(texts)
    }

    fn group(&mut self, depth: usize) -> Result<Vec<String>, BraceError> {
        if depth > DEPTH_MAX {
            return Err(BraceError::TooDeep);
        }
        self.at += 1;
        let opened_at = self.at;
        if let Some(range) = self.range()? {
            return Ok(range);
        }
        let mut texts = Vec::new();
        loop {
            texts.extend(self.sequence(BraceContext::Group { depth })?);
            check_size(texts.len(), texts.iter().map(String::len).sum())?;
            match self.next() {
                Some(',') => {}
                Some(_) => return Ok(texts),
                None => return Err(BraceError::Unclosed { at: opened_at }),
            }
        }
    }

    /// Parses `FROM..TO}`, if it is next.
    fn range(&mut self) -> Result<Option<Vec<String>>, BraceError> {
        let rest = self.characters.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|character| *character == '}') else {
            return Ok(None);
        };
        let body: String = rest.iter().take(length).collect();
        let Some((from_text, to_text)) = body.split_once("..") else {
            return Ok(None);
        };
        let (Ok(from), Ok(to)) = (from_text.parse::<i64>(), to_text.parse::<i64>()) else {
            return Ok(None);
        };
        if from.abs_diff(to) >= EXPANSIONS_MAX as u64 {
            return Err(BraceError::TooMany);
        }
        self.at += length + 1;
        let width = [from_text, to_text]
            .iter()
            .filter(|text| is_padded(text))
            .map(|text| text.len())
            .max()
            .unwrap_or(0);
        let format = |number: i64| format!("{number:0width$}");
        Ok(Some(if from <= to {
            (from..=to).map(format).collect()
        } else {
            (to..=from).rev().map(format).collect()
        }))
    }
}

/// Returns whether a number has leading zeros, so that all numbers of the range are padded to the
/// same width.
fn is_padded(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.len() > 1 && digits.starts_with('0')
}

fn push(texts: &mut [String], character: char) -> Result<(), BraceError> {
    for text in texts.iter_mut() {
        text.push(character);
    }
    check_size(texts.len(), texts.iter().map(String::len).sum())
}

fn product(heads: &[String], tails: &[String]) -> Result<Vec<String>, BraceError> {
    let total = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    let bytes = total(heads)
        .saturating_mul(tails.len())
        .saturating_add(total(tails).saturating_mul(heads.len()));
    check_size(heads.len().saturating_mul(tails.len()), bytes)?;
    Ok(heads
        .iter()
        .flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}")))
        .collect())
}

fn check_size(count: usize, bytes: usize) -> Result<(), BraceError> {
    if count > EXPANSIONS_MAX || bytes > EXPANDED_BYTES_MAX {
        return Err(BraceError::TooMany);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_expand() {
        let cases: [(&str, &[&str]); 16] = [
            ("", &[""]),
            ("plain", &["plain"]),
            (r"back\slash}", &[r"back\slash}"]),
            ("/{proc,sys,tmp}/", &["/proc/", "/sys/", "/tmp/"]),
            ("{null, full}", &["null", " full"]),
            ("a{,b}", &["a", "ab"]),
            ("{,}", &["", ""]),
            ("{a}", &["a"]),
            ("x{}y", &["xy"]),
            ("{1..4}", &["1", "2", "3", "4"]),
            ("{2..-1}", &["2", "1", "0", "-1"]),
            ("{08..10}", &["08", "09", "10"]),
            ("{a,b{1..2},c}", &["a", "b1", "b2", "c"]),
            ("{a,b}{c,d}", &["ac", "ad", "bc", "bd"]),
            (r"\{a,{b,c\,d\}}", &["{a,b", "{a,c,d}"]),
            ("{a..c},{1..x}", &["a..c,1..x"]),
        ];
        for (text, expanded) in cases {
            assert_eq!(expand(text).unwrap(), expanded, "{text}");
        }
    }

    #[test]
    fn what_is_unbalanced_is_refused() {
        for (text, error) in [
            ("a{b", BraceError::Unclosed { at: 2 }),
            ("{a,{b,c}", BraceError::Unclosed { at: 1 }),
            ("{a}}", BraceError::Unopened { at: 4 }),
            ("}{a}", BraceError::Unopened { at: 1 }),
            (r"{a\", BraceError::TrailingEscape),
        ] {
            assert_eq!(expand(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let doubling = "{a,b}".repeat(40);
        let nested = "{".repeat(100_000);
        for (text, error) in [
            ("{0..9223372036854775807}", BraceError::TooMany),
            (
                "{-9223372036854775808..9223372036854775807}",
                BraceError::TooMany,
            ),
            (&doubling, BraceError::TooMany),
            (&nested, BraceError::TooDeep),
        ] {
            assert_eq!(expand(text), Err(error));
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([{},.\\\\0-9a-z/-]|\\PC){0,40}") {
            let _ = expand(&text);
        }

        #[test]
        fn escaped_text_comes_back(text in "\\PC{0,20}") {
            let escaped: String = text.chars().flat_map(|character| ['\\', character]).collect();
            prop_assert_eq!(expand(&format!("{{{escaped}}}")).unwrap(), [text]);
        }
    }
}
