//! The list of a layer's entries, before anything is copied.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::error::LayerError;
use maelstrom_container::digest::{ContentHash, Digest, DigestHasher};
use maelstrom_container::store::{FileAttributes, FileStamp, FileTime, TreePath, TreeWriter};

/// Part of every digest; grows when the same listing would make another tree.
const FORMAT: &[u8] = b"maelstrom layer listing 1";

/// A layer's entries by path. Parents that aren't listed are made when the layer is.
///
/// Invariant: equal listings have equal digests, and a listing's digest covers everything of its
/// tree that a job can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerListing {
    entries: BTreeMap<TreePath, LayerEntry>,
}

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerEntry {
    Directory {
        mode: u32,
    },
    /// An empty file that stands for something to be mounted over it.
    Stub,
    /// A copy of a file.
    File {
        /// Permission bits and time.
        attributes: FileAttributes,
        /// Where its content is.
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
    /// By what one sees that it wasn't changed since.
    pub stamp: FileStamp,
    /// The digest of its content.
    pub digest: Digest,
}

/// Permission bits of a stub.
const STUB_MODE: u32 = 0o444;

impl LayerListing {
    /// Adds an entry; of two with one path the later counts.
    pub(super) fn add(&mut self, path: TreePath, entry: LayerEntry) {
        self.entries.insert(path, entry);
    }

    /// The entries, parents before what they hold.
    pub fn entries(&self) -> impl Iterator<Item = (&TreePath, &LayerEntry)> {
        self.entries.iter()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Looks for entries in what is no directory, which no order of making could satisfy.
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

    /// The canonical name of the tree that this becomes.
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

    /// Makes the entries.
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
