//! Builds a small tree from a list of entries, as the lowest layer of a root.

use maelstrom_container::digest::{ContentHash, DigestHasher};
use maelstrom_container::spec::{SkeletonEntry, SkeletonKind};
use maelstrom_container::store::{FileAttributes, FileTime, Store, Tree, TreePath, TreeWriter};
use maelstrom_layer::LayerError;

use std::os::unix::ffi::OsStrExt;

/// Part of every tree's name. Change it when the same entries result in a different tree.
const FORMAT: &[u8] = b"maelstrom skeleton 1";

const DIRECTORY: FileAttributes = FileAttributes {
    mode: 0o755,
    mtime: FileTime::NEUTRAL,
};

const FILE: FileAttributes = FileAttributes {
    mode: 0o644,
    mtime: FileTime::NEUTRAL,
};

/// Returns the tree of these entries, building it if it is missing. If several entries have the
/// same path, the first one counts.
pub(super) fn tree(store: &Store, entries: &[SkeletonEntry]) -> Result<Tree, LayerError> {
    store.tree_or_build(name(entries), |writer| write(entries, writer))
}

fn write(entries: &[SkeletonEntry], writer: &mut TreeWriter) -> Result<(), LayerError> {
    let mut made = std::collections::BTreeSet::new();
    for entry in entries {
        let path = TreePath::parse(&entry.path)?;
        if !made.insert(path.clone()) {
            continue;
        }
        match &entry.kind {
            SkeletonKind::Directory => writer.directory(&path, DIRECTORY)?,
            SkeletonKind::File(content) => {
                writer.file(&path, FILE, &mut content.as_slice())?;
            }
            SkeletonKind::Symlink(target) => writer.symlink(&path, target)?,
        }
    }
    Ok(())
}

fn name(entries: &[SkeletonEntry]) -> ContentHash {
    let mut hasher = DigestHasher::default();
    hasher.update_framed(FORMAT);
    for entry in entries {
        hasher.update_framed(entry.path.as_os_str().as_bytes());
        match &entry.kind {
            SkeletonKind::Directory => hasher.update(b"d"),
            SkeletonKind::File(content) => {
                hasher.update(b"f");
                hasher.update_framed(content);
            }
            SkeletonKind::Symlink(target) => {
                hasher.update(b"l");
                hasher.update_framed(target.as_os_str().as_bytes());
            }
        }
    }
    hasher.finish().hash
}
