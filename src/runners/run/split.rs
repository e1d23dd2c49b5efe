//! Splits a stream of JSON text into objects as it arrives, so that each job can start before the
//! next one is written.
//!
//! The splitter only examines brackets and quotation marks; the receiver parses each object.
//! Invariant: the splitter recognizes the end of an object by its last byte, without reading
//! further.

use maelstrom_spec::document::TextPosition;

/// The maximum size of an object in bytes. It is far more than any job needs, and limits the memory
/// that a stream without an end can use.
pub const OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The text of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFragment {
    /// The position of its first byte in the stream.
    pub start: TextPosition,
    /// The text from the opening to the closing brace.
    pub text: String,
}

/// The reason why no further object can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// There is other text between objects.
    #[error("expected a job, which begins with `{{`, found `{found}`")]
    NotAnObject { at: TextPosition, found: char },
    /// The stream ends inside an object.
    #[error("the input ends inside the job that begins here")]
    Truncated { at: TextPosition },
    /// An object exceeds [`OBJECT_BYTES_MAX`].
    #[error("the job that begins here is longer than {} MiB", OBJECT_BYTES_MAX >> 20)]
    TooLong { at: TextPosition },
    /// An object is not valid UTF-8.
    #[error("the job that begins here is not UTF-8")]
    NotUtf8 { at: TextPosition },
}

impl SplitError {
    /// Returns the position of the error.
    pub fn at(&self) -> TextPosition {
        match self {
            SplitError::NotAnObject { at, .. }
            | SplitError::Truncated { at }
            | SplitError::TooLong { at }
            | SplitError::NotUtf8 { at } => *at,
        }
    }
}

/// Splits a stream that is passed to it in pieces.
#[derive(Debug)]
pub struct JsonSplitter {
    /// The position of the next byte.
    position: TextPosition,
    object: Vec<u8>,
    start: TextPosition,
    depth: usize,
    string: JsonStringState,
}

/// Whether the next byte is part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonStringState {
    No,
    Yes,
    /// The previous byte was a backslash within a string.
    Escaped,
}

impl Default for JsonSplitter {
    fn default() -> JsonSplitter {
        let start = TextPosition { line: 1, column: 1 };
        JsonSplitter {
            position: start,
            object: Vec::new(),
            start,
            depth: 0,
            string: JsonStringState::No,
        }
    }
}

impl JsonSplitter {
    /// Consumes bytes from the front of `input` up to the end of the next object, and returns the
    /// object if it is complete.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<JsonFragment>, SplitError> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            let at = self.position;
            self.advance(byte);
            if self.depth == 0 {
                match byte {
                    b'{' => {
                        self.start = at;
                        self.depth = 1;
                        self.object.push(byte);
                    }
                    b' ' | b'\t' | b'\r' | b'\n' => {}
                    _ => {
                        let bytes: Vec<u8> = [byte]
                            .into_iter()
                            .chain(rest.iter().copied())
                            .take(4)
                            .collect();
                        let text = String::from_utf8_lossy(&bytes);
                        let found = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                        return Err(SplitError::NotAnObject { at, found });
                    }
                }
                continue;
            }
            self.object.push(byte);
            if self.object.len() > OBJECT_BYTES_MAX {
                return Err(SplitError::TooLong { at: self.start });
            }
            self.follow(byte);
            if self.depth == 0 {
                return self.piece().map(Some);
            }
        }
        Ok(None)
    }

    /// Marks the end of the stream. Returns an error if an object is incomplete.
    pub fn end(&self) -> Result<(), SplitError> {
        match self.depth {
            0 => Ok(()),
            _ => Err(SplitError::Truncated { at: self.start }),
        }
    }

    fn advance(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.position = TextPosition {
                    line: self.position.line + 1,
                    column: 1,
                }
            }
            // Continuation bytes of UTF-8: only the first byte of a character counts.
            0x80..=0xbf => {}
            _ => self.position.column += 1,
        }
    }

    fn follow(&mut self, byte: u8) {
        match (self.string, byte) {
            (JsonStringState::No, b'"') | (JsonStringState::Escaped, _) => {
                self.string = JsonStringState::Yes
            }
            (JsonStringState::No, b'{' | b'[') => self.depth += 1,
            // Within an object the depth is at least 1, so this cannot underflow.
            (JsonStringState::No, b'}' | b']') => self.depth -= 1,
            (JsonStringState::Yes, b'"') => self.string = JsonStringState::No,
            (JsonStringState::Yes, b'\\') => self.string = JsonStringState::Escaped,
            (JsonStringState::No | JsonStringState::Yes, _) => {}
        }
    }

    fn piece(&mut self) -> Result<JsonFragment, SplitError> {
        let start = self.start;
        let text = String::from_utf8(std::mem::take(&mut self.object))
            .map_err(|_| SplitError::NotUtf8 { at: start })?;
        Ok(JsonFragment { start, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns all objects of a stream that arrives in pieces of `part` bytes.
    fn split(text: &[u8], part: usize) -> Result<Vec<(usize, usize, String)>, SplitError> {
        let mut splitter = JsonSplitter::default();
        let mut pieces = Vec::new();
        for mut bytes in text.chunks(part) {
            while let Some(piece) = splitter.next(&mut bytes)? {
                pieces.push((piece.start.line, piece.start.column, piece.text));
            }
        }
        splitter.end()?;
        Ok(pieces)
    }

    #[test]
    fn objects_are_found_however_they_arrive() {
        let text = "{\"a\":\"}\\\"{\"}{\"b\":[{}]}\n  {\"ü\":{}} {}\n".as_bytes();
        let expected = [
            (1, 1, r#"{"a":"}\"{"}"#),
            (1, 13, r#"{"b":[{}]}"#),
            (2, 3, r#"{"ü":{}}"#),
            (2, 12, "{}"),
        ]
        .map(|(line, column, text)| (line, column, text.to_owned()));
        for part in 1..=text.len() {
            assert_eq!(split(text, part).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_object_is_told_with_its_place() {
        let told = |text: &[u8]| {
            let error = split(text, 7).unwrap_err();
            format!("{}:{} {error}", error.at().line, error.at().column)
        };
        insta::assert_snapshot!(
            [b"{}\n [1]".as_slice(), "{} ü".as_bytes(), b"\n{\"a\": ", b"{\"\xff\"}"]
                .map(told)
                .join("\n"),
            @r"
        2:2 expected a job, which begins with `{`, found `[`
        1:4 expected a job, which begins with `{`, found `ü`
        2:1 the input ends inside the job that begins here
        1:1 the job that begins here is not UTF-8
        "
        );
    }

    proptest! {
        #[test]
        fn any_stream_is_split_or_refused_the_same_way_in_any_parts(
            text in prop::collection::vec(prop::sample::select(b"{}[]\"\\ \nx".to_vec()), 0..40),
            part in 1_usize..8,
        ) {
            prop_assert_eq!(split(&text, part).is_ok(), split(&text, 64).is_ok());
        }
    }
}
