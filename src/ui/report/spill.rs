//! A temporary file for text that is waiting to be written and doesn't fit in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A ring buffer in an unlinked temporary file: new text overwrites text that has been read.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: File,
    /// The size of the ring, in bytes.
    bytes_max: u64,
    /// The number of bytes read since the ring was last empty.
    read: u64,
    /// The number of bytes written since the ring was last empty.
    written: u64,
}

impl SpillFile {
    /// Creates an empty ring of `bytes_max` bytes.
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

    /// Appends all of `text`, or returns an error and appends nothing.
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
        // Updated last: if a part of the text can't be written, all of it counts as dropped.
        self.written = written;
        Ok(())
    }

    /// Moves up to `length_max` bytes from the front of the ring to `chunk`.
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

    /// Maps a position to an offset in the file, and limits `length` to the bytes before the end of
    /// the ring.
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
