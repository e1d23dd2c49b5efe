//! The spool: an unlinked temporary file for output that the log store doesn't keep in memory.
//!
//! The file is unlinked when it is created, so it vanishes however the program ends. It only grows
//! at its end; holes are punched for released ranges, so it occupies only the disk space in use.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FallocateFlags, fallocate};

/// A range of bytes in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpoolExtent {
    pub offset: u64,
    pub len: u32,
}

/// The spool file, which is created when it is first needed.
#[derive(Debug)]
pub(super) struct LogSpool {
    file: Option<File>,
    end: u64,
    held_bytes: u64,
    bytes_max: u64,
}

impl LogSpool {
    /// Creates a spool that holds at most `bytes_max` bytes at a time.
    pub(super) fn new(bytes_max: u64) -> Self {
        LogSpool {
            file: None,
            end: 0,
            held_bytes: 0,
            bytes_max,
        }
    }

    /// Creates a spool on a given file, for tests with a file that can't be written.
    #[cfg(test)]
    pub(super) fn over(file: File, bytes_max: u64) -> Self {
        LogSpool {
            file: Some(file),
            ..LogSpool::new(bytes_max)
        }
    }

    /// Appends `bytes` and returns their range in the file.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<SpoolExtent> {
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        if self.held_bytes.saturating_add(u64::from(len)) > self.bytes_max {
            let limit_mib = self.bytes_max >> 20;
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("the {limit_mib} MiB kept for the tests' output are used up"),
            ));
        }
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile()?);
        }
        if let Some(file) = &self.file {
            file.write_all_at(bytes, self.end)?;
        }
        let extent = SpoolExtent {
            offset: self.end,
            len,
        };
        self.end += u64::from(len);
        self.held_bytes += u64::from(len);
        Ok(extent)
    }

    /// Reads an extent into `buffer`, replacing its content.
    pub(super) fn read(&self, extent: SpoolExtent, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(extent.len as usize, 0);
        match &self.file {
            Some(file) => file.read_exact_at(buffer, extent.offset),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Frees the disk space of an extent, if the file system supports this.
    pub(super) fn release(&mut self, extent: SpoolExtent) {
        self.held_bytes = self.held_bytes.saturating_sub(u64::from(extent.len));
        let (Some(file), Ok(offset)) = (&self.file, i64::try_from(extent.offset)) else {
            return;
        };
        // On a file system without holes, the space is freed only when the program ends.
        let _ = fallocate(
            file,
            FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE,
            offset,
            i64::from(extent.len),
        );
    }
}
