//! One file that stores the output of many jobs, in blocks.
//!
//! However many jobs produce much output, they share one open file. Blocks of a dropped job are
//! returned to the file system and reused; when none is left, the file is closed. It is unlinked,
//! so nothing remains of it however the program ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FallocateFlags, fallocate};

/// The block size in bytes: as much as a job may have in memory.
const BLOCK_BYTES: u64 = 64 * 1024;

/// A spool file. Clones share it.
#[derive(Clone, Debug)]
pub struct OutputSpool {
    directory: PathBuf,
    shared: Arc<Mutex<SpoolState>>,
}

#[derive(Debug, Default)]
struct SpoolState {
    file: Option<Arc<File>>,
    /// The indexes of free blocks.
    free: Vec<u32>,
    /// The number of blocks in the file.
    count: u32,
}

/// The blocks of one job. Dropping it frees them.
#[derive(Debug)]
pub(super) struct SpoolBlocks {
    spool: OutputSpool,
    file: Option<Arc<File>>,
    numbers: Vec<u32>,
}

impl OutputSpool {
    /// Creates an empty spool. Its file is created in this directory when it is first needed.
    pub fn new(directory: &Path) -> OutputSpool {
        OutputSpool {
            directory: directory.to_owned(),
            shared: Arc::default(),
        }
    }

    /// Returns the directory of its file.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns whether the file exists.
    #[cfg(test)]
    fn is_open(&self) -> bool {
        self.lock().file.is_some()
    }

    pub(super) fn blocks(&self) -> SpoolBlocks {
        SpoolBlocks {
            spool: self.clone(),
            file: None,
            numbers: Vec::new(),
        }
    }

    fn take(&self) -> io::Result<(Arc<File>, u32)> {
        let mut shared = self.lock();
        let file = match &shared.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(tempfile::tempfile_in(&self.directory)?);
                shared.file = Some(Arc::clone(&file));
                file
            }
        };
        if let Some(number) = shared.free.pop() {
            return Ok((file, number));
        }
        let number = shared.count;
        let count = number.checked_add(1);
        shared.count = count.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok((file, number))
    }

    fn give_back(&self, numbers: Vec<u32>) {
        let mut shared = self.lock();
        shared.free.extend(numbers);
        // All blocks are free. Closing the file frees the space even on a file system without hole
        // punching.
        if shared.free.len() == shared.count as usize {
            *shared = SpoolState::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, SpoolState> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpoolBlocks {
    /// Writes at this offset of the job's output, which is at most its end.
    pub(super) fn write_at(&mut self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let index = usize::try_from(offset / BLOCK_BYTES).map_err(io::Error::other)?;
            while self.numbers.len() <= index {
                let (file, number) = self.spool.take()?;
                self.file = Some(file);
                self.numbers.push(number);
            }
            let (there, now) = self.part(index, offset, bytes.len())?;
            let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
            let (first, rest) = bytes.split_at(now);
            file.write_all_at(first, there)?;
            offset += first.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Reads at this offset of the job's output.
    pub(super) fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !into.is_empty() {
            let index = usize::try_from(offset / BLOCK_BYTES).map_err(io::Error::other)?;
            let (there, now) = self.part(index, offset, into.len())?;
            let file = self.file.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
            let (first, rest) = into.split_at_mut(now);
            file.read_exact_at(first, there)?;
            offset += first.len() as u64;
            into = rest;
        }
        Ok(())
    }

    /// Returns the position of an offset in the file, and how many of `bytes` bytes are in the same
    /// block.
    fn part(&self, index: usize, offset: u64, bytes: usize) -> io::Result<(u64, usize)> {
        let number = self
            .numbers
            .get(index)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let inside = offset % BLOCK_BYTES;
        let room = usize::try_from(BLOCK_BYTES - inside).map_err(io::Error::other)?;
        let there = u64::from(*number) * BLOCK_BYTES + inside;
        Ok((there, bytes.min(room)))
    }
}

impl Drop for SpoolBlocks {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            for number in &self.numbers {
                let (Ok(offset), Ok(length)) = (
                    i64::try_from(u64::from(*number) * BLOCK_BYTES),
                    i64::try_from(BLOCK_BYTES),
                ) else {
                    continue;
                };
                let hole =
                    FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                // A file system without hole punching keeps the space for reuse.
                let _ = fallocate(&**file, hole, offset, length);
            }
        }
        self.file = None;
        self.spool.give_back(std::mem::take(&mut self.numbers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn many_jobs_share_a_file_that_is_gone_when_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let spool = OutputSpool::new(directory.path());
        assert!(!spool.is_open());
        let mut jobs: Vec<SpoolBlocks> = (0..50).map(|_| spool.blocks()).collect();
        let text = |number: usize| vec![u8::try_from(number).unwrap(); 100_000];
        for half in 0..2 {
            for (number, job) in jobs.iter_mut().enumerate() {
                job.write_at(&text(number), half * 100_000).unwrap();
            }
        }
        let mut read = vec![0; 200_000];
        for (number, job) in jobs.iter().enumerate() {
            job.read_exact_at(&mut read, 0).unwrap();
            assert_eq!(read, [text(number), text(number)].concat());
            assert!(job.read_exact_at(&mut read, 100_000_000).is_err());
        }
        let file = jobs[0].file.clone().unwrap();
        assert!(
            jobs.iter()
                .all(|job| Arc::ptr_eq(job.file.as_ref().unwrap(), &file))
        );
        let used = || file.metadata().unwrap().blocks();
        let before = used();
        jobs.truncate(25);
        assert!(used() < before, "room is given back at once");
        let length = file.metadata().unwrap().len();
        let mut next = spool.blocks();
        next.write_at(&[7; 1_000_000], 0).unwrap();
        let blocks = length.div_ceil(BLOCK_BYTES);
        let now = file.metadata().unwrap().len().div_ceil(BLOCK_BYTES);
        assert_eq!(now, blocks, "blocks are used again");
        drop((jobs, next));
        assert!(!spool.is_open());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let mut blocks = OutputSpool::new(Path::new("/nowhere/at/all")).blocks();
        assert!(blocks.write_at(b"x", 0).is_err());
        assert!(blocks.read_exact_at(&mut [0], 0).is_err());
    }
}
