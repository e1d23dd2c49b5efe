//! A file for text that waits, and that does not fit in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A ring: what is written after the limit takes the place of what was read.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: File,
    /// The size of the ring.
    bytes_max: u64,
    /// How much went out since it was empty.
    read: u64,
    /// How much came in.
    written: u64,
}

impl SpillFile {
    /// An empty ring of this size.
    pub(super) fn new(bytes_max: u64) -> io::Result<SpillFile> {
        Ok(SpillFile {
            file: tempfile::tempfile()?,
            bytes_max,
            read: 0,
            written: 0,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read == self.written
    }

    /// Adds text, as a whole or not at all.
    pub(super) fn push(&mut self, mut text: &[u8]) -> io::Result<()> {
        if self.written - self.read + text.len() as u64 > self.bytes_max {
            return Err(io::Error::other("too much is waiting to be written"));
        }
        let mut written = self.written;
        while !text.is_empty() {
            let (place, length) = self.part(written, text.len());
            let (now, rest) = text.split_at(length);
            self.file.write_all_at(now, place)?;
            written += length as u64;
            text = rest;
        }
        // Only now: text of which a part could not be written counts as dropped.
        self.written = written;
        Ok(())
    }

    /// Moves the next piece to `chunk`, at most this long.
    pub(super) fn pop(&mut self, chunk: &mut Vec<u8>, length_max: usize) -> io::Result<()> {
        let left = self.written - self.read;
        let length = usize::try_from(left).map_or(length_max, |left| left.min(length_max));
        let (place, length) = self.part(self.read, length);
        chunk.resize(length, 0);
        self.file.read_exact_at(chunk, place)?;
        self.read += length as u64;
        if self.is_empty() {
            self.file.set_len(0)?;
            self.read = 0;
            self.written = 0;
        }
        Ok(())
    }

    /// The place of a position in the file, and how many of so many bytes there are before its end.
    fn part(&self, position: u64, length: usize) -> (u64, usize) {
        let place = position % self.bytes_max;
        let room = self.bytes_max - place;
        (
            place,
            usize::try_from(room).map_or(length, |room| room.min(length)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_for_what_waits_and_not_for_what_has_gone() {
        let mut spill = SpillFile::new(100_000).unwrap();
        let (mut text, mut chunk, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for turn in b'0'..=b'9' {
            let more = vec![turn; 60_000];
            spill.push(&more).unwrap();
            text.extend(more);
            // Some of it stays, so that the file is never empty.
            while all.len() + 30_000 < text.len() {
                spill.pop(&mut chunk, 10_000).unwrap();
                all.extend_from_slice(&chunk);
            }
            assert!(spill.file.metadata().unwrap().len() <= 100_000);
        }
        spill.push(&[b'x'; 80_001]).unwrap_err();
        while !spill.is_empty() {
            spill.pop(&mut chunk, 10_000).unwrap();
            all.extend_from_slice(&chunk);
        }
        assert!(all == text);
    }
}
