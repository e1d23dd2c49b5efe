//! The spool: one unlinked temporary file for what the log store does not keep in memory.
//!
//! The file is unlinked from the start, so nothing remains of it however the program ends. It only
//! grows at its end; released ranges are punched out, so it occupies only the disk space still in
//! use. It knows nothing of lines or tests.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FallocateFlags, fallocate};

/// A stretch of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpoolExtent {
    pub offset: u64,
    pub len: u32,
}

/// The file, made when it is first needed.
#[derive(Debug)]
pub(super) struct LogSpool {
    file: Option<File>,
    end: u64,
    held_bytes: u64,
    bytes_max: u64,
}

impl LogSpool {
    /// A spool that holds at most `bytes_max` at a time.
    pub fn new(bytes_max: u64) -> Self {
        LogSpool {
            file: None,
            end: 0,
            held_bytes: 0,
            bytes_max,
        }
    }

    /// A spool over a given file, for tests of files that cannot be written.
    #[cfg(test)]
    pub fn over(file: File, bytes_max: u64) -> Self {
        LogSpool {
            file: Some(file),
            ..LogSpool::new(bytes_max)
        }
    }

    /// Appends `bytes` and says where they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<SpoolExtent> {
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

    /// Reads an extent back into `buffer`, replacing what was there.
    pub fn read(&self, extent: SpoolExtent, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(extent.len as usize, 0);
        match &self.file {
            Some(file) => file.read_exact_at(buffer, extent.offset),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Gives an extent's space back to the disk, where the file system can do so.
    pub fn release(&mut self, extent: SpoolExtent) {
        self.held_bytes = self.held_bytes.saturating_sub(u64::from(extent.len));
        let (Some(file), Ok(offset)) = (&self.file, i64::try_from(extent.offset)) else {
            return;
        };
        // A file system without holes keeps the space until the program ends; that is all.
        let _ = fallocate(
            file,
            FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE,
            offset,
            i64::from(extent.len),
        );
    }
}
