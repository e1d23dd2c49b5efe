//! The end of a running test's output, which is searched for the place where it failed.

use maelstrom_model::event::OutputStream;
use maelstrom_model::framework::OutputParser;

/// Kept of each stream. A panic message with a long backtrace fits.
pub const TAIL_BYTES_MAX: usize = 64 * 1024;

/// Who keeps the output of one attempt until it ends.
pub enum OutputTail {
    /// We do, for the framework to look at.
    Tails(StreamTails),
    /// The framework itself does.
    Follower(Box<dyn OutputParser>),
}

impl Default for OutputTail {
    fn default() -> OutputTail {
        OutputTail::Tails(StreamTails::default())
    }
}

/// The ends of the streams of one attempt. Where they are one, its end stands for standard error's:
/// that is where failures are told.
#[derive(Debug, Default)]
pub struct StreamTails {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl StreamTails {
    /// Takes in what was written.
    pub fn push(&mut self, stream: OutputStream, bytes: &[u8]) {
        let tail = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr | OutputStream::Joined => &mut self.stderr,
        };
        let newest = bytes.split_at(bytes.len().saturating_sub(TAIL_BYTES_MAX)).1;
        // Dropping only when there is twice as much makes each byte move once on average.
        if tail.len() + newest.len() > 2 * TAIL_BYTES_MAX {
            let surplus = (tail.len() + newest.len()).saturating_sub(TAIL_BYTES_MAX);
            tail.drain(..surplus.min(tail.len()));
        }
        tail.extend_from_slice(newest);
    }

    /// The end of standard output.
    pub fn stdout(&self) -> &[u8] {
        end(&self.stdout)
    }

    /// The end of standard error, or of both streams if they are one.
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
