//! Divides the output of a test's process into lines, and long lines into pieces.
//!
//! A line ends with a newline, or before a [`MARKER`], which begins a line of the test binary's own
//! even if the tested code left a line unfinished.

/// The byte before each line of the test binary's own (`-test.v=test2json`).
pub(super) const MARKER: u8 = 0x16;

/// The longest line that is examined, in bytes, as in Go.
const LINE_BYTES_MAX: usize = 4096;

/// The longest piece of output in one record, in bytes, as in Go.
const PIECE_BYTES_MAX: usize = 1024;

/// A part of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InputLine {
    /// A line of the test binary's own, without its marker.
    Framing(Vec<u8>),
    /// Output of the tested code: a line, or a part of one.
    Plain(Vec<u8>),
}

/// Collects input until a line is whole.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    line: Vec<u8>,
}

impl LineSplitter {
    /// Takes input; returns the lines that it completes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<InputLine> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if *first == MARKER {
                lines.extend(self.take());
                self.line.push(MARKER);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            let end = rest.iter().take(room).position(|byte| *byte == b'\n');
            let end = end.map_or(room.min(rest.len()), |newline| newline + 1);
            let (line, _) = rest.split_at(end);
            let marker = memchr::memchr(MARKER, line).unwrap_or(end);
            let (piece, after) = rest.split_at(marker);
            self.line.extend_from_slice(piece);
            rest = after;
            if piece.ends_with(b"\n") || self.line.len() >= LINE_BYTES_MAX {
                lines.extend(self.take());
            }
        }
        lines
    }

    /// Returns the line that is not whole.
    pub(super) fn take(&mut self) -> Option<InputLine> {
        let line = std::mem::take(&mut self.line);
        let is_whole = line.ends_with(b"\n") || line.len() < LINE_BYTES_MAX;
        match line.strip_prefix(&[MARKER]) {
            Some(framing) if is_whole => Some(InputLine::Framing(framing.to_vec())),
            Some(_) | None => (!line.is_empty()).then_some(InputLine::Plain(line)),
        }
    }
}

/// Collects output until a record of it is complete: a line, or as much of one as fits.
#[derive(Debug, Default)]
pub(super) struct OutputPieces {
    line: Vec<u8>,
}

impl OutputPieces {
    /// Takes output; returns the texts of records. Invalid UTF-8 is replaced.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut texts = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            while self.line.len() > PIECE_BYTES_MAX {
                let end = character_boundary(&self.line);
                let rest = self.line.split_off(end);
                texts.extend(self.take());
                self.line = rest;
            }
            if self.line.ends_with(b"\n") {
                texts.extend(self.take());
            }
        }
        texts
    }

    /// Returns the text that is not a whole line.
    pub(super) fn take(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

/// Returns the largest length up to [`PIECE_BYTES_MAX`] that cuts no character of UTF-8.
fn character_boundary(line: &[u8]) -> usize {
    let is_start = |at: &usize| line.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let nearby = (PIECE_BYTES_MAX - 3..=PIECE_BYTES_MAX).rev();
    nearby.clone().find(is_start).unwrap_or(PIECE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(input: &[u8]) -> Vec<InputLine> {
        let mut splitter = LineSplitter::default();
        let mut lines = splitter.push(input);
        lines.extend(splitter.take());
        lines
    }

    #[test]
    fn a_marker_begins_a_line() {
        let plain = |text: &str| InputLine::Plain(text.into());
        let framing = |text: &str| InputLine::Framing(text.into());
        assert_eq!(
            split(b"a\nb\x16=== RUN   T\nc\x16\x16d"),
            [
                plain("a\n"),
                plain("b"),
                framing("=== RUN   T\n"),
                plain("c"),
                framing(""),
                framing("d"),
            ]
        );
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let mut pieces = OutputPieces::default();
        let text = format!("x{}\n", "é".repeat(1000));
        let texts = pieces.push(text.as_bytes());
        assert_eq!(texts.concat(), text);
        let lengths: Vec<usize> = texts.iter().map(String::len).collect();
        assert_eq!(lengths, [1023, 979]);
        // An endless line that is no line of the binary's own.
        let long = [&[MARKER][..], &[b'x'; LINE_BYTES_MAX]].concat();
        assert!(matches!(
            split(&long)[..],
            [InputLine::Plain(_), InputLine::Plain(_)]
        ));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_cuts_make_no_difference(
            input in "[a\n\u{16}é]{0,40}",
            cut in 0_usize..80,
        ) {
            let input = input.as_bytes();
            let cut = cut.min(input.len());
            let mut splitter = LineSplitter::default();
            let mut lines = splitter.push(&input[..cut]);
            lines.extend(splitter.push(&input[cut..]));
            lines.extend(splitter.take());
            prop_assert_eq!(&lines, &split(input));
            let joined: Vec<u8> = lines
                .into_iter()
                .flat_map(|line| match line {
                    InputLine::Framing(text) => [&[MARKER], text.as_slice()].concat(),
                    InputLine::Plain(text) => text,
                })
                .collect();
            prop_assert_eq!(joined, input);
        }
    }
}
