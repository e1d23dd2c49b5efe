//! The list of a layer's entries, before anything is copied.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::error::LayerError;
use maelstrom_container::digest::{ContentHash, Digest, DigestHasher};
use maelstrom_container::store::{FileAttributes, FileStamp, FileTime, TreePath, TreeWriter};

/// Part of every digest. Change it when the same listing results in a different tree.
const FORMAT: &[u8] = b"maelstrom layer listing 1";

/// The entries of a layer by path. Parent directories that are not listed are created with the
/// tree.
///
/// Invariant: equal listings have equal digests, and a listing's digest covers everything in its
/// tree that a job can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerListing {
    entries: BTreeMap<TreePath, LayerEntry>,
}

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerEntry {
    Directory {
        mode: u32,
    },
    /// An empty file that serves as a mount point.
    Stub,
    /// A copy of a file.
    File {
        /// The permission bits and modification time.
        attributes: FileAttributes,
        /// The file with the content.
        source: FileSource,
    },
    Symlink {
        target: PathBuf,
    },
}

/// A file on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    pub path: PathBuf,
    /// The stamp of the file, which shows whether it has changed since.
    pub stamp: FileStamp,
    /// The digest of the content.
    pub digest: Digest,
}

/// The permission bits of a stub.
const STUB_MODE: u32 = 0o444;

impl LayerListing {
    /// Adds an entry, replacing one with the same path.
    pub(super) fn add(&mut self, path: TreePath, entry: LayerEntry) {
        self.entries.insert(path, entry);
    }

    /// Returns the entries, sorted so that directories precede their contents.
    pub fn entries(&self) -> impl Iterator<Item = (&TreePath, &LayerEntry)> {
        self.entries.iter()
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Fails if a parent of an entry is listed but is not a directory.
    pub(super) fn check(&self) -> Result<(), LayerError> {
        for path in self.entries.keys() {
            let mut ancestor = path.parent();
            while let Some(directory) = ancestor {
                match self.entries.get(&directory) {
                    None | Some(LayerEntry::Directory { .. }) => {}
                    Some(
                        LayerEntry::Stub | LayerEntry::File { .. } | LayerEntry::Symlink { .. },
                    ) => {
                        return Err(LayerError::NotADirectory {
                            path: path.clone(),
                            parent: directory,
                        });
                    }
                }
                ancestor = directory.parent();
            }
        }
        Ok(())
    }

    /// Returns the canonical name of the tree with these entries.
    pub fn digest(&self) -> ContentHash {
        let mut hasher = DigestHasher::default();
        hasher.update_framed(FORMAT);
        for (path, entry) in &self.entries {
            hasher.update_framed(path.as_bytes());
            match entry {
                LayerEntry::Directory { mode } => {
                    hasher.update(b"d");
                    hasher.update(&mode.to_le_bytes());
                }
                LayerEntry::Stub => hasher.update(b"s"),
                LayerEntry::File { attributes, source } => {
                    hasher.update(b"f");
                    hasher.update(&attributes.mode.to_le_bytes());
                    hasher.update(&attributes.mtime.seconds.to_le_bytes());
                    hasher.update(&attributes.mtime.nanoseconds.to_le_bytes());
                    hasher.update(source.digest.hash.as_bytes());
                }
                LayerEntry::Symlink { target } => {
                    hasher.update(b"l");
                    hasher.update_framed(target.as_os_str().as_bytes());
                }
            }
        }
        hasher.finish().hash
    }

    /// Writes the entries into a tree.
    pub(super) fn write(&self, writer: &mut TreeWriter) -> Result<(), LayerError> {
        for (path, entry) in &self.entries {
            match entry {
                LayerEntry::Directory { mode } => writer.directory(path, neutral(*mode))?,
                LayerEntry::Stub => {
                    writer.file(path, neutral(STUB_MODE), &mut std::io::empty())?;
                }
                LayerEntry::File { attributes, source } => {
                    let expected = (source.stamp, source.digest);
                    writer.copy(path, *attributes, &source.path, expected)?;
                }
                LayerEntry::Symlink { target } => writer.symlink(path, target)?,
            }
        }
        Ok(())
    }
}

fn neutral(mode: u32) -> FileAttributes {
    FileAttributes {
        mode,
        mtime: FileTime::NEUTRAL,
    }
}
