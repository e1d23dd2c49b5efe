//! Unpacking tar archives into trees.
//!
//! Whiteouts and opaque directories are those of the OCI image specification ("Layer Filesystem
//! Changeset"). Names are cleaned and kept inside by [`TreePath`] and [`TreeWriter`]; an archive is
//! never trusted.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{Archive, Entry, EntryType};

use super::error::LayerError;
use crate::container::store::{Attributes, Timestamp, TreePath, TreeWriter};

const WHITEOUT: &[u8] = b".wh.";
const WHITEOUT_OPAQUE: &[u8] = b".wh..wh..opq";
/// Book-keeping of a file system that these marks were borrowed from; it has no meaning here.
const WHITEOUT_RESERVED: &[u8] = b".wh..wh.";

/// Adds everything in an archive to a tree. `name` is what errors call the archive.
pub(super) fn unpack(
    name: &Path,
    archive: impl Read,
    writer: &mut TreeWriter,
) -> Result<(), LayerError> {
    let damaged = |source| LayerError::Tar {
        path: name.to_owned(),
        source,
    };
    let mut archive = Archive::new(archive);
    let unpacker = Unpacker { name };
    for entry in archive.entries().map_err(damaged)? {
        unpacker.unpack(entry.map_err(damaged)?, writer)?;
    }
    Ok(())
}

struct Unpacker<'name> {
    name: &'name Path,
}

impl Unpacker<'_> {
    fn unpack<R: Read>(
        &self,
        mut entry: Entry<'_, R>,
        writer: &mut TreeWriter,
    ) -> Result<(), LayerError> {
        let kind = entry.header().entry_type();
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
                return Err(self.problem(&path, "is a device or pipe, which layers do not hold"));
            }
            // POSIX: a type that isn't known is to be treated as a regular file.
            _ => {
                let announced = entry.size();
                let written = writer.file(&path, attributes, &mut entry);
                match written {
                    Ok(digest) if digest.size_bytes != announced => {
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
    ) -> Result<Attributes, LayerError> {
        let header = entry.header();
        match (header.mode(), header.mtime()) {
            (Ok(mode), Ok(seconds)) => Ok(Attributes {
                mode: mode & 0o7777,
                mtime: Timestamp {
                    seconds: i64::try_from(seconds).unwrap_or(0),
                    nanoseconds: 0,
                },
            }),
            _ => Err(self.problem(path, "has a mode or time that is no number")),
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

    fn mark(&self, path: &TreePath) -> Result<Option<Mark>, LayerError> {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Ok(None);
        };
        let name = name.as_bytes();
        if name == WHITEOUT_OPAQUE {
            return Ok(Some(Mark::Opaque(parent)));
        }
        if name.starts_with(WHITEOUT_RESERVED) {
            return Ok(Some(Mark::Meaningless));
        }
        let Some(removed) = name.strip_prefix(WHITEOUT) else {
            return Ok(None);
        };
        // `.wh...` would remove the directory above.
        if matches!(removed, b"" | b"." | b"..") {
            return Err(self.problem(path, "is a whiteout of nothing that has a name"));
        }
        let removed = parent
            .join(Path::new(OsStr::from_bytes(removed)))
            .map_err(|error| LayerError::unpack(self.name, error.into()))?;
        Ok(Some(Mark::Removed(removed)))
    }

    fn apply(&self, mark: Mark, writer: &mut TreeWriter) -> Result<(), LayerError> {
        match mark {
            Mark::Opaque(directory) => writer.opaque(&directory),
            Mark::Removed(path) => writer.whiteout(&path),
            Mark::Meaningless => Ok(()),
        }
        .map_err(|source| LayerError::unpack(self.name, source))
    }
}

/// What a whiteout file says about lower layers.
enum Mark {
    Opaque(TreePath),
    Removed(TreePath),
    Meaningless,
}

#[cfg(test)]
mod tests;
