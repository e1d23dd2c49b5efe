//! A place in the text of a pattern or a filterset, which a parser moves from left to right.

/// A text and the place up to which it has been read.
pub(crate) struct PatternCursor<'a> {
    pub(crate) text: &'a str,
    /// The place, in bytes from the start of the text.
    pub(crate) position: usize,
    /// The characters that count as whitespace.
    gaps: &'static [char],
}

impl<'a> PatternCursor<'a> {
    pub(crate) fn new(text: &'a str, gaps: &'static [char]) -> PatternCursor<'a> {
        PatternCursor {
            text,
            position: 0,
            gaps,
        }
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// Returns whether only whitespace is left.
    pub(crate) fn is_blank(&self) -> bool {
        self.rest().trim_start_matches(self.gaps).is_empty()
    }

    /// Returns the word at the current position, which may be empty.
    pub(crate) fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// Returns the next word or character, which is empty at the end of the text.
    pub(crate) fn upcoming(&self) -> &'a str {
        match self.word() {
            "" => {
                let rest = self.rest();
                let length = rest.chars().next().map_or(0, char::len_utf8);
                rest.get(..length).unwrap_or_default()
            }
            word => word,
        }
    }

    /// Skips this text, if it is next. Returns whether it was.
    pub(crate) fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.position += text.len();
        }
        there
    }

    /// Skips whitespace. Returns whether there was any.
    pub(crate) fn gap(&mut self) -> bool {
        let rest = self.rest();
        let skipped = rest.len() - rest.trim_start_matches(self.gaps).len();
        self.position += skipped;
        skipped > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_words_signs_and_whitespace() {
        let mut cursor = PatternCursor::new("größe_1 \t&", &[' ', '\t']);
        assert_eq!((cursor.word(), cursor.upcoming()), ("größe_1", "größe_1"));
        assert!(!cursor.gap() && !cursor.take("große") && cursor.take("größe_1"));
        assert_eq!(cursor.upcoming(), " ");
        assert!(cursor.gap() && !cursor.gap() && !cursor.is_blank());
        assert_eq!((cursor.word(), cursor.upcoming()), ("", "&"));
        assert!(cursor.take("&") && cursor.is_blank());
        assert_eq!(
            (cursor.rest(), cursor.upcoming(), cursor.position),
            ("", "", 12)
        );
    }
}
