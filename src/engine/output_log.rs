//! What one attempt at a job has written, kept until it has safely arrived where it is wanted.
//!
//! The first chunks are in memory; what goes beyond [`MEMORY_MAX_BYTES`] is in a temporary file that
//! has no name, so nothing of it is left behind whatever happens. Chunks are numbered from 0 and keep
//! their stream and their order.
//!
//! Absent on purpose: who reads it, and how far he has come.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use super::event::Stream;

/// Most tests write less. With 1,000 jobs running this is 64 MiB.
pub const MEMORY_MAX_BYTES: usize = 64 * 1024;

/// Some bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where they were written to.
    pub stream: Stream,
    /// What was written.
    pub bytes: Bytes,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct OutputLog {
    memory: Vec<Chunk>,
    memory_bytes: usize,
    file: Option<Overflow>,
}

#[derive(Debug)]
struct Overflow {
    file: File,
    length: u64,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    stream: Stream,
    offset: u64,
    length: usize,
}

impl OutputLog {
    /// How many chunks there are: the number that the next one gets.
    pub fn count(&self) -> u32 {
        let overflow = self.file.as_ref().map_or(0, |file| file.places.len());
        u32::try_from(self.memory.len() + overflow).unwrap_or(u32::MAX)
    }

    /// Adds a chunk at the end. An error means that the temporary file's disk is full or broken; the
    /// log is as it was.
    pub fn append(&mut self, chunk: Chunk) -> io::Result<()> {
        let length = chunk.bytes.len();
        if self.file.is_none() && self.memory_bytes + length <= MEMORY_MAX_BYTES {
            self.memory_bytes += length;
            self.memory.push(chunk);
            return Ok(());
        }
        let overflow = match &mut self.file {
            Some(overflow) => overflow,
            none => none.insert(Overflow {
                file: tempfile::tempfile()?,
                length: 0,
                places: Vec::new(),
            }),
        };
        overflow.file.write_all_at(&chunk.bytes, overflow.length)?;
        overflow.places.push(Place {
            stream: chunk.stream,
            offset: overflow.length,
            length,
        });
        overflow.length += length as u64;
        Ok(())
    }

    /// The chunk of this number, if there is one.
    pub fn get(&self, index: u32) -> io::Result<Option<Chunk>> {
        let index = index as usize;
        if let Some(chunk) = self.memory.get(index) {
            return Ok(Some(chunk.clone()));
        }
        let Some(overflow) = &self.file else {
            return Ok(None);
        };
        let Some(place) = overflow.places.get(index - self.memory.len()) else {
            return Ok(None);
        };
        let mut bytes = vec![0; place.length];
        overflow.file.read_exact_at(&mut bytes, place.offset)?;
        Ok(Some(Chunk {
            stream: place.stream,
            bytes: bytes.into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(stream: Stream, length: usize, fill: u8) -> Chunk {
        Chunk {
            stream,
            bytes: vec![fill; length].into(),
        }
    }

    #[test]
    fn chunks_come_back_in_order_from_memory_and_file() {
        let mut log = OutputLog::default();
        let chunks: Vec<Chunk> = (0..40)
            .map(|fill| match fill % 2 {
                0 => chunk(Stream::Stdout, 5_000, fill),
                _ => chunk(Stream::Stderr, 100, fill),
            })
            .collect();
        for chunk in &chunks {
            log.append(chunk.clone()).unwrap();
        }
        assert_eq!(log.count(), 40);
        assert!(log.file.is_some());
        assert!(log.memory_bytes <= MEMORY_MAX_BYTES);
        for (index, chunk) in (0..).zip(&chunks) {
            assert_eq!(log.get(index).unwrap().as_ref(), Some(chunk));
        }
        assert_eq!(log.get(40).unwrap(), None);
    }

    #[test]
    fn a_chunk_larger_than_memory_may_be_is_kept() {
        let mut log = OutputLog::default();
        let large = chunk(Stream::Stdout, MEMORY_MAX_BYTES + 1, 7);
        log.append(large.clone()).unwrap();
        assert_eq!(log.get(0).unwrap(), Some(large));
        assert!(log.memory.is_empty());
    }
}
