//! A buffer for the output of one attempt at a job, which is kept until its reader acknowledges the
//! job: after a reconnect all of it is sent again. A worker keeps one for the broker, the broker
//! one for the client.
//!
//! The beginning is kept in memory; further output goes to an unlinked file, or to blocks of a file
//! that many jobs share ([`spool`]), so nothing remains of it however the program ends. Each chunk
//! has a header of five bytes with its stream and length, so memory does not grow with the number
//! of chunks.

pub mod spool;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use self::spool::{OutputSpool, SpoolBlocks};
use maelstrom_model::event::OutputStream;

/// The size of the output that is kept in memory, in bytes: all that an ordinary test writes.
const MEMORY_BYTES_MAX: usize = 64 * 1024;

/// The maximum length of a chunk, in bytes: the capacity of a pipe.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The maximum output of a job, in bytes: far more than anyone reads, and a limit on the disk space
/// that one job takes.
pub const BYTES_MAX: u64 = 1 << 30;

const HEAD_BYTES: usize = 5;

/// The output of one attempt at a job.
#[derive(Debug)]
pub struct OutputLog {
    overflow: SpillTarget,
    memory_max: usize,
    place: OutputBuffer,
    end: u64,
    chunks: u32,
    bytes_max: u64,
}

/// The place for output that does not fit in memory.
#[derive(Debug)]
enum SpillTarget {
    /// A file of its own in this directory.
    Directory(PathBuf),
    /// A file that many logs share.
    Spool(OutputSpool),
}

#[derive(Debug)]
enum OutputBuffer {
    Memory(Vec<u8>),
    File(File),
    Blocks(SpoolBlocks),
}

/// Whether there is memory for the beginning of a job's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryAvailability {
    /// For all that an ordinary test writes.
    Usual,
    Scarce,
}

/// A reader's position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCursor {
    offset: u64,
    index: u32,
}

/// A chunk of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChunk {
    /// The index of the chunk, from 0.
    pub index: u32,
    /// The stream that it was written to.
    pub stream: OutputStream,
    pub bytes: Vec<u8>,
}

/// Why output could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum OutputLogError {
    /// The job exceeded the limit.
    #[error("it wrote more than the {bytes_max} bytes that are kept of a job")]
    TooMuch {
        /// The limit.
        bytes_max: u64,
    },
    #[error("what it wrote cannot be kept in `{}`", directory.display())]
    Disk {
        directory: PathBuf,
        source: io::Error,
    },
}

impl OutputCursor {
    /// Returns the index of the next chunk.
    pub fn index(self) -> u32 {
        self.index
    }
}

impl OutputLog {
    /// Creates an empty log with this limit, which spills to its own file in this directory.
    pub fn new(directory: &Path, bytes_max: u64) -> OutputLog {
        OutputLog::with(
            SpillTarget::Directory(directory.to_owned()),
            MEMORY_BYTES_MAX,
            bytes_max,
        )
    }

    /// Creates an empty log with this limit, which spills to a spool.
    pub fn spooled(spool: &OutputSpool, memory: MemoryAvailability, bytes_max: u64) -> OutputLog {
        let memory_max = match memory {
            MemoryAvailability::Usual => MEMORY_BYTES_MAX,
            MemoryAvailability::Scarce => 0,
        };
        OutputLog::with(SpillTarget::Spool(spool.clone()), memory_max, bytes_max)
    }

    fn with(overflow: SpillTarget, memory_max: usize, bytes_max: u64) -> OutputLog {
        OutputLog {
            overflow,
            memory_max,
            place: OutputBuffer::Memory(Vec::new()),
            end: 0,
            chunks: 0,
            bytes_max,
        }
    }

    /// Returns how many bytes its content takes.
    pub fn size_bytes(&self) -> u64 {
        self.end
    }

    /// Appends output as one chunk or more.
    pub fn push(&mut self, stream: OutputStream, bytes: &[u8]) -> Result<(), OutputLogError> {
        for chunk in bytes.chunks(CHUNK_BYTES_MAX) {
            let written = (HEAD_BYTES + chunk.len()) as u64;
            let chunks = self.chunks.checked_add(1);
            let Some(chunks) = chunks.filter(|_| self.end + written <= self.bytes_max) else {
                let bytes_max = self.bytes_max;
                return Err(OutputLogError::TooMuch { bytes_max });
            };
            let mut record = Vec::with_capacity(HEAD_BYTES + chunk.len());
            record.push(match stream {
                OutputStream::Stdout => 1,
                OutputStream::Stderr => 2,
                OutputStream::Joined => 3,
            });
            record.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
            record.extend_from_slice(chunk);
            // The end moves only after this: a partially written record is never read.
            self.append(&record).map_err(|source| self.disk(source))?;
            self.end += written;
            self.chunks = chunks;
        }
        Ok(())
    }

    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        if let OutputBuffer::Memory(memory) = &mut self.place {
            if memory.len() + record.len() <= self.memory_max {
                memory.extend_from_slice(record);
                return Ok(());
            }
            self.place = match &self.overflow {
                SpillTarget::Directory(directory) => {
                    let file = tempfile::tempfile_in(directory)?;
                    file.write_all_at(memory, 0)?;
                    OutputBuffer::File(file)
                }
                SpillTarget::Spool(spool) => {
                    let mut blocks = spool.blocks();
                    blocks.write_at(memory, 0)?;
                    OutputBuffer::Blocks(blocks)
                }
            };
        }
        match &mut self.place {
            OutputBuffer::File(file) => file.write_all_at(record, self.end),
            OutputBuffer::Blocks(blocks) => blocks.write_at(record, self.end),
            OutputBuffer::Memory(_) => Ok(()),
        }
    }

    /// Returns whether there is output after this position.
    pub fn has_more(&self, cursor: OutputCursor) -> bool {
        cursor.offset < self.end
    }

    /// Returns the position after all output.
    pub fn end(&self) -> OutputCursor {
        OutputCursor {
            offset: self.end,
            index: self.chunks,
        }
    }

    /// Returns the next chunk, if there is one, and advances the cursor.
    pub fn read(&self, cursor: &mut OutputCursor) -> Result<Option<OutputChunk>, OutputLogError> {
        if !self.has_more(*cursor) {
            return Ok(None);
        }
        let chunk = self.read_at(*cursor).map_err(|source| self.disk(source))?;
        cursor.offset += (HEAD_BYTES + chunk.bytes.len()) as u64;
        cursor.index += 1;
        Ok(Some(chunk))
    }

    fn read_at(&self, cursor: OutputCursor) -> io::Result<OutputChunk> {
        let mut head = [0; HEAD_BYTES];
        self.copy(cursor.offset, &mut head)?;
        let [kind, length @ ..] = head;
        let stream = match kind {
            1 => OutputStream::Stdout,
            2 => OutputStream::Stderr,
            3 => OutputStream::Joined,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let length = u32::from_le_bytes(length) as usize;
        // The file may have been damaged, so the length is checked before memory is allocated.
        if length > CHUNK_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; length];
        self.copy(cursor.offset + HEAD_BYTES as u64, &mut bytes)?;
        let index = cursor.index;
        Ok(OutputChunk {
            index,
            stream,
            bytes,
        })
    }

    fn copy(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        match &self.place {
            OutputBuffer::File(file) => file.read_exact_at(into, offset),
            OutputBuffer::Blocks(blocks) => blocks.read_exact_at(into, offset),
            OutputBuffer::Memory(memory) => {
                let offset = offset as usize;
                let there = memory.get(offset..offset + into.len());
                into.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    fn disk(&self, source: io::Error) -> OutputLogError {
        let directory = match &self.overflow {
            SpillTarget::Directory(directory) => directory.clone(),
            SpillTarget::Spool(spool) => spool.directory().to_owned(),
        };
        OutputLogError::Disk { directory, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(log: &OutputLog, cursor: &mut OutputCursor) -> Vec<OutputChunk> {
        std::iter::from_fn(|| log.read(cursor).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Output of any length, in any number of chunks.
        #[test]
        fn what_went_in_comes_out_in_order(
            lengths in prop::collection::vec((0..3, 1usize..40_000), 0..8),
            place in 0..3,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let mut log = match place {
                0 => OutputLog::new(directory.path(), u64::MAX),
                1 => OutputLog::spooled(&OutputSpool::new(directory.path()), MemoryAvailability::Usual, u64::MAX),
                _ => OutputLog::spooled(&OutputSpool::new(directory.path()), MemoryAvailability::Scarce, u64::MAX),
            };
            let mut cursor = OutputCursor::default();
            let mut early = Vec::new();
            let mut expected = Vec::new();
            for (index, (stream, length)) in lengths.iter().enumerate() {
                let stream = match stream {
                    0 => OutputStream::Stdout,
                    1 => OutputStream::Stderr,
                    _ => OutputStream::Joined,
                };
                let bytes = vec![index as u8; *length];
                log.push(stream, &bytes).unwrap();
                expected.push(OutputChunk { index: index as u32, stream, bytes });
                early.extend(all(&log, &mut cursor));
            }
            prop_assert_eq!(&early, &expected);
            prop_assert_eq!(&all(&log, &mut OutputCursor::default()), &expected);
            // The file is unlinked, so the directory is empty.
            prop_assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_long_chunk_becomes_several() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = OutputLog::new(directory.path(), u64::MAX);
        log.push(OutputStream::Stdout, &[7; CHUNK_BYTES_MAX + 1])
            .unwrap();
        let lengths: Vec<usize> = all(&log, &mut OutputCursor::default())
            .iter()
            .map(|chunk| chunk.bytes.len())
            .collect();
        assert_eq!(lengths, [CHUNK_BYTES_MAX, 1]);
    }

    #[test]
    fn a_full_log_keeps_what_it_has() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = OutputLog::new(directory.path(), 20);
        log.push(OutputStream::Stderr, b"0123456789").unwrap();
        let full = log.push(OutputStream::Stderr, b"0123456789").unwrap_err();
        assert!(full.to_string().contains("20 bytes"), "{full}");
        assert_eq!(all(&log, &mut OutputCursor::default()).len(), 1);
    }

    #[test]
    fn a_disk_that_fails_is_named() {
        let mut log = OutputLog::new(Path::new("/nowhere/at/all"), u64::MAX);
        log.push(OutputStream::Stdout, b"in memory").unwrap();
        let failed = log
            .push(OutputStream::Stdout, &[0; MEMORY_BYTES_MAX])
            .unwrap_err();
        assert!(failed.to_string().contains("/nowhere/at/all"), "{failed}");
        assert_eq!(all(&log, &mut OutputCursor::default()).len(), 1);
    }
}
