//! Keeps the end of a running test's output, which is searched for the location of a failure.

use maelstrom_model::event::OutputStream;
use maelstrom_model::framework::OutputParser;

/// The number of bytes kept of each stream. A panic message with a long backtrace fits.
pub const TAIL_BYTES_MAX: usize = 64 * 1024;

/// The output kept of one attempt until it ends.
pub enum OutputTail {
    /// The ends of the streams, which the framework reads when the attempt has ended.
    Tails(StreamTails),
    /// A parser of the framework that reads the output as it arrives.
    Follower(Box<dyn OutputParser>),
}

impl Default for OutputTail {
    fn default() -> OutputTail {
        OutputTail::Tails(StreamTails::default())
    }
}

impl From<Option<Box<dyn OutputParser>>> for OutputTail {
    fn from(parser: Option<Box<dyn OutputParser>>) -> OutputTail {
        parser.map_or_else(OutputTail::default, OutputTail::Follower)
    }
}

/// The ends of an attempt's streams. A joined stream counts as standard error, because failures are
/// reported there.
#[derive(Debug, Default)]
pub struct StreamTails {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl StreamTails {
    /// Appends output to a stream's tail and drops what exceeds the limit.
    pub fn push(&mut self, stream: OutputStream, bytes: &[u8]) {
        let tail = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr | OutputStream::Joined => &mut self.stderr,
        };
        let newest = bytes.split_at(bytes.len().saturating_sub(TAIL_BYTES_MAX)).1;
        // Draining only above twice the limit moves each byte once on average.
        if tail.len() + newest.len() > 2 * TAIL_BYTES_MAX {
            let surplus = (tail.len() + newest.len()).saturating_sub(TAIL_BYTES_MAX);
            tail.drain(..surplus.min(tail.len()));
        }
        tail.extend_from_slice(newest);
    }

    /// Returns the end of standard output.
    pub fn stdout(&self) -> &[u8] {
        end(&self.stdout)
    }

    /// Returns the end of standard error, or of the joined stream.
    pub fn stderr(&self) -> &[u8] {
        end(&self.stderr)
    }
}

fn end(bytes: &[u8]) -> &[u8] {
    bytes.split_at(bytes.len().saturating_sub(TAIL_BYTES_MAX)).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_tail_is_the_end_of_everything(pieces in prop::collection::vec(0usize..100_000, 0..12)) {
            let mut tails = StreamTails::default();
            let mut all = Vec::new();
            for (number, length) in pieces.into_iter().enumerate() {
                let piece: Vec<u8> = (0..length).map(|at| (at % 251) as u8 ^ number as u8).collect();
                tails.push(OutputStream::Stderr, &piece);
                all.extend_from_slice(&piece);
                prop_assert!(tails.stderr.len() <= 2 * TAIL_BYTES_MAX);
            }
            prop_assert!(tails.stderr() == end(&all));
            prop_assert!(tails.stdout().is_empty());
        }
    }
}
