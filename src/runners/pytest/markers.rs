//! Splits one output stream of a session's process at its markers. Pure.
//!
//! ```text
//! ESC _maelstrom-part NAME ESC \    the following output belongs to this test
//! ESC _maelstrom-part ESC \         the following output belongs to no test
//! ESC _maelstrom-part =1 ESC \      the same, and the previous test exited with status 1
//! ```

/// The start and end of a marker (an APC sequence of ECMA-48, 8.3.2), which terminals do not
/// display.
const START: &[u8] = b"\x1b_maelstrom-part ";
const END: &[u8] = b"\x1b\\";

/// The maximum length of a test's name, in bytes. A longer sequence is no marker.
const NAME_BYTES_MAX: usize = 256;

/// The next piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OutputToken {
    Bytes(Vec<u8>),
    /// A marker: the following output belongs to this test, or to none if the name is empty.
    Mark(String),
}

/// Output that has not been split yet.
#[derive(Debug, Default)]
pub(super) struct OutputTokenizer {
    bytes: Vec<u8>,
}

impl OutputTokenizer {
    /// Appends output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next piece, or `None` if more output is needed to determine it.
    pub(super) fn next(&mut self) -> Option<OutputToken> {
        let start = match self.bytes.iter().position(|byte| *byte == 0x1b) {
            None => self.bytes.len(),
            Some(start) => start,
        };
        if start > 0 {
            return Some(self.take(start));
        }
        let Some(rest) = self.bytes.strip_prefix(START) else {
            return match START.starts_with(&self.bytes) {
                true => None,
                false => Some(self.take(1)),
            };
        };
        match rest.windows(END.len()).position(|window| window == END) {
            Some(end) => {
                let name = rest.get(..end).unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                self.bytes.drain(..START.len() + end + END.len());
                Some(OutputToken::Mark(name))
            }
            None if rest.len() > NAME_BYTES_MAX => Some(self.take(1)),
            None => None,
        }
    }

    /// Returns the remaining output at the end of the stream: an incomplete marker.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn take(&mut self, count: usize) -> OutputToken {
        let rest = self.bytes.split_off(count.min(self.bytes.len()));
        OutputToken::Bytes(std::mem::replace(&mut self.bytes, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the pieces of output that arrives in chunks, with adjacent bytes joined.
    fn pieces(chunks: &[&[u8]]) -> Vec<OutputToken> {
        let mut uncut = OutputTokenizer::default();
        let mut found: Vec<OutputToken> = Vec::new();
        let mut add = |piece: OutputToken| match (found.last_mut(), piece) {
            (Some(OutputToken::Bytes(last)), OutputToken::Bytes(bytes)) => last.extend(bytes),
            (_, piece) => found.push(piece),
        };
        for chunk in chunks {
            uncut.push(chunk);
            while let Some(piece) = uncut.next() {
                add(piece);
            }
        }
        let rest = uncut.rest();
        if !rest.is_empty() {
            add(OutputToken::Bytes(rest));
        }
        found
    }

    #[test]
    fn marks_are_told_from_other_sequences() {
        let bytes = |text: &str| OutputToken::Bytes(text.into());
        let mark = |name: &str| OutputToken::Mark(name.to_owned());
        let text =
            b"a\x1b[1mb\x1b_maelstrom-part 7\x1b\\c\x1b_other\x1b\\\x1b_maelstrom-part \x1b\\";
        assert_eq!(
            pieces(&[text]),
            [
                bytes("a\x1b[1mb"),
                mark("7"),
                bytes("c\x1b_other\x1b\\"),
                mark("")
            ]
        );
        assert_eq!(
            pieces(&[b"\x1b_maelstrom-part 7"]),
            [bytes("\x1b_maelstrom-part 7")]
        );
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            words in prop::collection::vec(prop_oneof![
                Just(&b"\x1b_maelstrom-part 12\x1b\\"[..]), Just(&b"\x1b"[..]), Just(&b"text"[..]),
                Just(&b"\x1b_maelstrom-"[..]), Just(&b"\x1b\\"[..]),
            ], 0..9),
            size in 1usize..9,
        ) {
            let whole = words.concat();
            let chunks: Vec<&[u8]> = whole.chunks(size).collect();
            prop_assert_eq!(pieces(&chunks), pieces(&[&whole]));
        }
    }
}
