//! Unpacks tar archives into trees.
//!
//! Whiteouts and opaque directories are those of the OCI image specification ("Layer Filesystem
//! Changeset"). Archives are untrusted: [`TreePath`] and [`TreeWriter`] normalize names and keep
//! them within the tree.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use tar::{Archive, Entry, EntryType};

use super::error::LayerError;
use maelstrom_container::store::{FileAttributes, FileTime, TreePath, TreeWriter};

const WHITEOUT: &[u8] = b".wh.";
const WHITEOUT_OPAQUE: &[u8] = b".wh..wh..opq";
/// The prefix of internal files of aufs, the file system from which these markers originate. They
/// have no meaning here.
const WHITEOUT_RESERVED: &[u8] = b".wh..wh.";

/// What to do about devices, FIFOs and sockets, which an unprivileged user cannot create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialFiles {
    Refuse,
    /// They are skipped. Images of whole systems contain a few in `/dev`, which containers replace.
    Skip,
}

/// Unpacks an archive into a tree. `name` is the path of the archive for errors.
pub fn unpack(
    name: &Path,
    archive: impl Read,
    special_files: SpecialFiles,
    writer: &mut TreeWriter,
) -> Result<(), LayerError> {
    let damaged = |source| LayerError::Tar {
        path: name.to_owned(),
        source,
    };
    let (archive, arrived_bytes) = PaddedReader::new(archive);
    let mut archive = Archive::new(archive);
    let unpacker = TarUnpacker {
        name,
        special_files,
        arrived_bytes,
    };
    for entry in archive.entries().map_err(damaged)? {
        unpacker.unpack(entry.map_err(damaged)?, writer)?;
    }
    Ok(())
}

struct TarUnpacker<'name> {
    name: &'name Path,
    special_files: SpecialFiles,
    arrived_bytes: Rc<Cell<u64>>,
}

impl TarUnpacker<'_> {
    fn unpack<R: Read>(
        &self,
        mut entry: Entry<'_, R>,
        writer: &mut TreeWriter,
    ) -> Result<(), LayerError> {
        let kind = entry.header().entry_type();
        // `git archive` writes the commit's id into a global header. Other attributes in global
        // headers, which would apply to all following entries, are not supported.
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let path = self.tree_path(&entry.path_bytes())?;
        if let Some(mark) = self.mark(&path)? {
            return self.apply(mark, writer);
        }
        let attributes = self.attributes(&path, &entry)?;
        let unpacked = match kind {
            EntryType::Directory => writer.directory(&path, attributes),
            EntryType::Symlink => {
                let target = self.link_target(&path, &entry)?;
                writer.symlink(&path, Path::new(OsStr::from_bytes(&target)))
            }
            EntryType::Link => {
                let target = self.tree_path(&self.link_target(&path, &entry)?)?;
                writer.hard_link(&path, &target)
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                return match self.special_files {
                    SpecialFiles::Refuse => {
                        Err(self.problem(&path, "is a device or pipe, which layers do not hold"))
                    }
                    SpecialFiles::Skip => Ok(()),
                };
            }
            // POSIX requires that unknown types be treated as regular files.
            _ => {
                let announced = entry.size();
                let end = content_end(&entry);
                let written = writer.file(&path, attributes, &mut entry);
                match written {
                    // The padding that `PaddedReader` adds must not be mistaken for content.
                    Ok(digest)
                        if digest.size_bytes != announced || end > self.arrived_bytes.get() =>
                    {
                        return Err(LayerError::Tar {
                            path: self.name.to_owned(),
                            source: io::ErrorKind::UnexpectedEof.into(),
                        });
                    }
                    other => other.map(drop),
                }
            }
        };
        unpacked.map_err(|source| LayerError::unpack(self.name, source))
    }

    fn tree_path(&self, name: &[u8]) -> Result<TreePath, LayerError> {
        TreePath::parse(Path::new(OsStr::from_bytes(name)))
            .map_err(|error| LayerError::unpack(self.name, error.into()))
    }

    fn problem(&self, path: &TreePath, problem: &'static str) -> LayerError {
        LayerError::TarEntry {
            path: self.name.to_owned(),
            entry: path.to_string(),
            problem,
        }
    }

    fn attributes<R: Read>(
        &self,
        path: &TreePath,
        entry: &Entry<'_, R>,
    ) -> Result<FileAttributes, LayerError> {
        let header = entry.header();
        match (header.mode(), header.mtime()) {
            (Ok(mode), Ok(seconds)) => Ok(FileAttributes {
                mode: mode & 0o7777,
                mtime: FileTime {
                    seconds: i64::try_from(seconds).unwrap_or(0),
                    nanoseconds: 0,
                },
            }),
            _ => Err(self.problem(path, "has a mode or time that is not a number")),
        }
    }

    fn link_target<R: Read>(
        &self,
        path: &TreePath,
        entry: &Entry<'_, R>,
    ) -> Result<Vec<u8>, LayerError> {
        entry
            .link_name_bytes()
            .filter(|target| !target.is_empty() && !target.contains(&0))
            .map(|target| target.into_owned())
            .ok_or_else(|| self.problem(path, "is a link that leads nowhere"))
    }

    fn mark(&self, path: &TreePath) -> Result<Option<WhiteoutKind>, LayerError> {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Ok(None);
        };
        let name = name.as_bytes();
        if name == WHITEOUT_OPAQUE {
            return Ok(Some(WhiteoutKind::Opaque(parent)));
        }
        if name.starts_with(WHITEOUT_RESERVED) {
            return Ok(Some(WhiteoutKind::Meaningless));
        }
        let Some(removed) = name.strip_prefix(WHITEOUT) else {
            return Ok(None);
        };
        // `.wh...` would remove the parent directory.
        if matches!(removed, b"" | b"." | b"..") {
            return Err(self.problem(path, "is a whiteout of nothing that has a name"));
        }
        let removed = parent
            .join(Path::new(OsStr::from_bytes(removed)))
            .map_err(|error| LayerError::unpack(self.name, error.into()))?;
        Ok(Some(WhiteoutKind::Removed(removed)))
    }

    fn apply(&self, mark: WhiteoutKind, writer: &mut TreeWriter) -> Result<(), LayerError> {
        match mark {
            WhiteoutKind::Opaque(directory) => writer.opaque(&directory),
            WhiteoutKind::Removed(path) => writer.whiteout(&path),
            WhiteoutKind::Meaningless => Ok(()),
        }
        .map_err(|source| LayerError::unpack(self.name, source))
    }
}

/// Returns the offset in the archive at which the content of an entry ends.
fn content_end<R: Read>(entry: &Entry<'_, R>) -> u64 {
    let stored_bytes = match entry.header().entry_type() {
        // Only the parts of a sparse file that are not empty are stored.
        EntryType::GNUSparse => entry.header().entry_size().unwrap_or(u64::MAX),
        _ => entry.size(),
    };
    entry.raw_file_position().saturating_add(stored_bytes)
}

/// Pads an archive to whole blocks. Some programs that create images omit the padding of the last
/// block and the end marker.
struct PaddedReader<R> {
    archive: R,
    arrived_bytes: Rc<Cell<u64>>,
    padding_bytes: Option<u64>,
}

const BLOCK_BYTES: u64 = 512;

impl<R: Read> PaddedReader<R> {
    /// Creates a reader, and a counter of the bytes that it has read, without padding.
    fn new(archive: R) -> (Self, Rc<Cell<u64>>) {
        let arrived_bytes = Rc::default();
        let padded = PaddedReader {
            archive,
            arrived_bytes: Rc::clone(&arrived_bytes),
            padding_bytes: None,
        };
        (padded, arrived_bytes)
    }
}

impl<R: Read> Read for PaddedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.padding_bytes.is_none() && !buffer.is_empty() {
            let count = self.archive.read(buffer)?;
            if count > 0 {
                self.arrived_bytes
                    .set(self.arrived_bytes.get() + count as u64);
                return Ok(count);
            }
            let arrived = self.arrived_bytes.get();
            self.padding_bytes = Some(arrived.next_multiple_of(BLOCK_BYTES) - arrived);
        }
        let left = self.padding_bytes.unwrap_or(0);
        let count = io::repeat(0).take(left).read(buffer)?;
        self.padding_bytes = self.padding_bytes.map(|left| left - count as u64);
        Ok(count)
    }
}

/// The effect of a whiteout file on lower layers.
enum WhiteoutKind {
    Opaque(TreePath),
    Removed(TreePath),
    Meaningless,
}

#[cfg(test)]
mod tests;
