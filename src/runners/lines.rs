//! Splits a stream into lines, which may end in a carriage return, as those of progress bars do.
//!
//! A line longer than the limit is returned in pieces, so that a stream without newlines uses a
//! bounded amount of memory. A piece may exceed the limit by what one read returns.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The number of bytes for which the buffer has room before each read.
const READ_BYTES: usize = 16 * 1024;

/// Reads a stream line by line.
#[derive(Debug)]
pub struct LineReader<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The number of bytes at the start of the buffer that contain no line ending.
    searched: usize,
    line_bytes_max: usize,
    ended: bool,
}

/// A line without its line ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLine {
    pub bytes: Vec<u8>,
    pub end: LineEnding,
}

/// The kind of a line's ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    Newline,
    /// A carriage return: the next line overwrites this one.
    Return,
    /// The end of the stream, or the length limit.
    None,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Returns a reader for a stream. A line of at least `line_bytes_max` bytes is returned in
    /// pieces.
    pub fn new(reader: R, line_bytes_max: usize) -> LineReader<R> {
        LineReader {
            reader,
            buffer: Vec::new(),
            searched: 0,
            line_bytes_max,
            ended: false,
        }
    }

    /// Returns the next line, or `None` at the end of the stream. Cancel safe: dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> io::Result<Option<StreamLine>> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            self.buffer.reserve(READ_BYTES);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
            }
        }
    }

    /// Removes the first line from the buffer, if it is complete.
    fn take(&mut self) -> Option<StreamLine> {
        let end = self
            .buffer
            .iter()
            .skip(self.searched)
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .map(|after| self.searched + after);
        self.searched = end.unwrap_or(self.buffer.len());
        match end {
            Some(at) => {
                let crlf = self.buffer.get(at..at + 2) == Some(b"\r\n");
                // A newline after a carriage return belongs to the same ending, and may not have
                // been read yet.
                let undecided = self.buffer.get(at) == Some(&b'\r')
                    && at + 1 == self.buffer.len()
                    && !self.ended;
                if undecided {
                    return None;
                }
                let newline = crlf || self.buffer.get(at) == Some(&b'\n');
                let rest = self.buffer.split_off(at + if crlf { 2 } else { 1 });
                let mut bytes = std::mem::replace(&mut self.buffer, rest);
                bytes.truncate(at);
                self.searched = 0;
                Some(StreamLine {
                    bytes,
                    end: if newline {
                        LineEnding::Newline
                    } else {
                        LineEnding::Return
                    },
                })
            }
            None if self.buffer.len() >= self.line_bytes_max
                || (self.ended && !self.buffer.is_empty()) =>
            {
                self.searched = 0;
                Some(StreamLine {
                    bytes: std::mem::take(&mut self.buffer),
                    end: LineEnding::None,
                })
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8], max: usize) -> Vec<(String, LineEnding)> {
        let mut lines = LineReader::new(input, max);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push((String::from_utf8(line.bytes).unwrap(), line.end));
        }
        all
    }

    #[tokio::test]
    async fn every_ending_is_told_apart() {
        assert_eq!(
            lines(b"one\ntwo\rthree\r\n\nlast", 100).await,
            [
                ("one".to_owned(), LineEnding::Newline),
                ("two".to_owned(), LineEnding::Return),
                ("three".to_owned(), LineEnding::Newline),
                (String::new(), LineEnding::Newline),
                ("last".to_owned(), LineEnding::None),
            ]
        );
        assert_eq!(
            lines(b"x\r", 100).await,
            [("x".to_owned(), LineEnding::Return)]
        );
    }

    #[tokio::test]
    async fn a_line_without_end_comes_in_pieces() {
        let endless = vec![b'a'; 3 * READ_BYTES];
        let pieces = lines(&endless, READ_BYTES).await;
        assert!(pieces.len() >= 2);
        let whole: usize = pieces.iter().map(|(piece, _)| piece.len()).sum();
        assert_eq!(whole, endless.len());
    }
}
