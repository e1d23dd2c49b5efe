//! Splits a stream of JSON text into objects as it arrives, so that each job can start before the
//! next one is written.
//!
//! Only brackets and quotation marks are examined; the receiver parses each object. Invariant:
//! nothing after an object is needed to find its end.

use maelstrom_spec::document::TextPosition;

/// The largest object, in bytes: far more than any job has to say, and a bound on what a stream
/// without an end can make us keep.
pub const OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One object's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFragment {
    /// Where it begins in the stream.
    pub start: TextPosition,
    /// From its first bracket to its last.
    pub text: String,
}

/// Why there is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Something stands between objects.
    #[error("expected a job, which begins with `{{`, found `{found}`")]
    NotAnObject { at: TextPosition, found: char },
    /// The stream ends inside an object.
    #[error("the input ends inside the job that begins here")]
    Truncated { at: TextPosition },
    /// An object without an end.
    #[error("the job that begins here is longer than {} MiB", OBJECT_BYTES_MAX >> 20)]
    TooLong { at: TextPosition },
    /// Bytes that are no text.
    #[error("the job that begins here is not UTF-8")]
    NotUtf8 { at: TextPosition },
}

impl SplitError {
    /// The place.
    pub fn at(&self) -> TextPosition {
        match self {
            SplitError::NotAnObject { at, .. }
            | SplitError::Truncated { at }
            | SplitError::TooLong { at }
            | SplitError::NotUtf8 { at } => *at,
        }
    }
}

/// Takes a stream in and gives objects out.
#[derive(Debug)]
pub struct JsonSplitter {
    /// Of the next byte.
    position: TextPosition,
    object: Vec<u8>,
    start: TextPosition,
    depth: usize,
    string: JsonStringState,
}

/// Whether a byte is part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonStringState {
    No,
    Yes,
    /// The byte before was a backslash.
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
    /// Takes bytes from the front of `input` up to the end of the next object, if it is there.
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

    /// The stream is over.
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
            // The first byte of a character counts for all of it.
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
            // Within an object the depth is at least 1, so this does not wrap.
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

    /// All objects, when the stream arrives in parts of so many bytes.
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
