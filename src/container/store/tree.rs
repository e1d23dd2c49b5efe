//! Writes a tree, entry by entry.
//!
//! The writer resolves paths by its own record of the tree; the kernel never follows a symbolic
//! link from the content. So nothing is written outside the tree, whatever the content is.
//! Directories remain writable for their owner until [`TreeWriter::finish`], because mode 0555
//! would prevent adding entries.
//!
//! Owners are not kept: a rootless container has one user, who owns everything. Set-user-ID and
//! set-group-ID bits are dropped: in a cache, such files would give the rights of their owner to
//! every other user of the machine, and in a container with one user they have no effect. The owner
//! can always read, so that a tree can be checked, copied and removed.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};

use super::error::StoreError;
use super::manifest::{ManifestRecord, RecordKind};
use super::path::{TreePath, TreePathError};
use super::remove::remove_all;
use super::stamp::{FileStamp, FileTime};
use super::whiteout::{self, DirectoryWhiteout};
use crate::digest::{ContentHash, Digest, DigestHasher};
use crate::private;

/// The mode of directories that are created only as parents of other entries.
pub const PARENT_MODE: u32 = 0o755;

/// The maximum number of symbolic links that Linux follows in a path (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

const COPY_BYTES: usize = 128 * 1024;

/// An error of writing a tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeWriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content cannot be read from its source.
    #[error("cannot read the content of `{path}`")]
    Input { path: TreePath, source: io::Error },
    /// A file was written to while it was being copied.
    #[error("`{}` changed while it was being read", path.display())]
    SourceChanged { path: PathBuf },
    /// A parent of an entry is not a directory.
    #[error("`{path}` cannot be made: `{parent}` is not a directory")]
    ParentNotADirectory {
        path: TreePath,
        /// The file in place of the directory.
        parent: TreePath,
    },
    /// The symbolic links in the path form a loop, or there are too many.
    #[error("`{path}` cannot be made: the links on the way to it lead nowhere")]
    LinksWithoutEnd { path: TreePath },
    /// A symbolic link in the path leads out of the tree.
    #[error(transparent)]
    Path(#[from] TreePathError),
    /// The target of a hard link does not exist or is not a file.
    #[error("`{path}` is a hard link to `{target}`, which is not a file of this layer")]
    HardLinkTarget {
        path: TreePath,
        /// The target of the hard link.
        target: TreePath,
    },
    /// An entry would replace the root by something other than a directory.
    #[error("the root of a layer must be a directory")]
    RootReplaced,
}

/// The attributes of a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAttributes {
    pub mode: u32,
    /// The modification time.
    pub mtime: FileTime,
}

/// Writes a tree and records its entries.
#[derive(Debug)]
pub struct TreeWriter {
    root: PathBuf,
    nodes: BTreeMap<TreePath, TreeNode>,
}

#[derive(Clone, Debug)]
struct TreeNode {
    kind: NodeKind,
    attributes: FileAttributes,
}

#[derive(Clone, Debug)]
enum NodeKind {
    Directory(DirectoryWhiteout),
    File(Digest),
    Symlink(PathBuf),
    Whiteout,
}

impl TreeNode {
    fn parent_directory() -> Self {
        TreeNode {
            kind: NodeKind::Directory(DirectoryWhiteout::Transparent),
            attributes: FileAttributes {
                mode: PARENT_MODE,
                mtime: FileTime::NEUTRAL,
            },
        }
    }
}

impl TreeWriter {
    /// Creates a tree at a path that does not exist yet.
    pub(super) fn create(root: PathBuf) -> Result<Self, StoreError> {
        make_directory(&root)?;
        let nodes = BTreeMap::from([(TreePath::root(), TreeNode::parent_directory())]);
        Ok(TreeWriter { root, nodes })
    }

    /// Creates a directory, or sets the attributes of an existing one.
    pub fn directory(
        &mut self,
        path: &TreePath,
        attributes: FileAttributes,
    ) -> Result<(), TreeWriteError> {
        let path = self.resolve_parent(path)?;
        if !self.is_directory(&path) {
            self.make_directory(&path)?;
        }
        if let Some(node) = self.nodes.get_mut(&path) {
            node.attributes = attributes;
        }
        Ok(())
    }

    /// Writes a file with the content of a stream.
    pub fn file(
        &mut self,
        path: &TreePath,
        attributes: FileAttributes,
        content: &mut dyn Read,
    ) -> Result<Digest, TreeWriteError> {
        let path = self.resolve_parent(path)?;
        self.clear(&path)?;
        let target = path.below(&self.root);
        let mut file = make_file(&target)?;
        let mut hasher = DigestHasher::default();
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let chunk = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => buffer.get(..count).unwrap_or(&buffer),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(TreeWriteError::Input { path, source }),
            };
            hasher.update(chunk);
            file.write_all(chunk)
                .map_err(|source| StoreError::write(&target, source))?;
        }
        let digest = hasher.finish();
        self.finish_file(path, attributes, &file, digest)?;
        Ok(digest)
    }

    /// Copies a file whose digest is known, provided that it still has the stamp with which the
    /// digest was computed.
    ///
    /// `copy_file_range(2)`, which the standard library uses here, shares the blocks on file
    /// systems that support it (Btrfs, XFS). A hard link would be even cheaper, but is never used:
    /// the owner can still write to the source, and the tree would change with it.
    pub fn copy(
        &mut self,
        path: &TreePath,
        attributes: FileAttributes,
        source: &Path,
        expected: (FileStamp, Digest),
    ) -> Result<(), TreeWriteError> {
        let (stamp, digest) = expected;
        let path = self.resolve_parent(path)?;
        self.clear(&path)?;
        let target = path.below(&self.root);
        let read = |error| StoreError::read(source, error);
        let mut from = File::open(source).map_err(read)?;
        let mut to = make_file(&target)?;
        let copied = io::copy(&mut from, &mut to).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::write(&target, error)
            }
            _ => StoreError::read(source, error),
        })?;
        let after = FileStamp::of(&from.metadata().map_err(read)?);
        if after != stamp || copied != digest.size_bytes {
            return Err(TreeWriteError::SourceChanged {
                path: source.to_owned(),
            });
        }
        self.finish_file(path, attributes, &to, digest)?;
        Ok(())
    }

    /// Creates a symbolic link. Its target need not exist.
    pub fn symlink(&mut self, path: &TreePath, target: &Path) -> Result<(), TreeWriteError> {
        let path = self.resolve_parent(path)?;
        self.clear(&path)?;
        let link = path.below(&self.root);
        symlink(target, &link).map_err(|source| StoreError::write(&link, source))?;
        set_mtime(&link, FileTime::NEUTRAL)?;
        self.nodes.insert(
            path,
            TreeNode {
                kind: NodeKind::Symlink(target.to_owned()),
                attributes: FileAttributes {
                    mode: 0o777,
                    mtime: FileTime::NEUTRAL,
                },
            },
        );
        Ok(())
    }

    /// Creates a hard link to a file of this tree. This is safe because trees are written to only
    /// through overlay file systems, which copy a file up before writing.
    pub fn hard_link(&mut self, path: &TreePath, target: &TreePath) -> Result<(), TreeWriteError> {
        let target = self.resolve_parent(target)?;
        let path = self.resolve_parent(path)?;
        let node = match self.nodes.get(&target) {
            Some(node) if matches!(node.kind, NodeKind::File(_)) => node.clone(),
            Some(_) | None => return Err(TreeWriteError::HardLinkTarget { path, target }),
        };
        // The code below removes the existing entry at the path, which would be the target.
        if path == target {
            return Ok(());
        }
        self.clear(&path)?;
        let link = path.below(&self.root);
        fs::hard_link(target.below(&self.root), &link)
            .map_err(|source| StoreError::write(&link, source))?;
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Marks an entry of lower layers as removed. If this layer contains the entry itself, it is
    /// kept and hides those of lower layers.
    pub fn whiteout(&mut self, path: &TreePath) -> Result<(), TreeWriteError> {
        let path = self.resolve_parent(path)?;
        match self.nodes.get(&path).map(|node| &node.kind) {
            Some(NodeKind::Directory(_)) => return self.opaque(&path),
            Some(NodeKind::File(_) | NodeKind::Symlink(_) | NodeKind::Whiteout) => return Ok(()),
            None => {}
        }
        let mark = path.below(&self.root);
        whiteout::make_whiteout(&mark).map_err(|source| StoreError::write(&mark, source))?;
        set_mtime(&mark, FileTime::NEUTRAL)?;
        self.nodes.insert(
            path,
            TreeNode {
                kind: NodeKind::Whiteout,
                attributes: FileAttributes {
                    mode: 0,
                    mtime: FileTime::NEUTRAL,
                },
            },
        );
        Ok(())
    }

    /// Makes a directory hide the contents of lower layers.
    pub fn opaque(&mut self, path: &TreePath) -> Result<(), TreeWriteError> {
        let path = self.resolve_parent(path)?;
        if !self.is_directory(&path) {
            self.make_directory(&path)?;
        }
        self.mark_opaque(&path)
    }

    /// Sets the final attributes of all directories and returns the records of the tree.
    pub(super) fn finish(self) -> Result<Vec<ManifestRecord>, StoreError> {
        for (path, node) in self.nodes.iter().rev() {
            if let NodeKind::Directory(_) = node.kind {
                let directory = path.below(&self.root);
                let mode = directory_mode(node.attributes.mode);
                fs::set_permissions(&directory, Permissions::from_mode(mode))
                    .map_err(|source| StoreError::write(&directory, source))?;
                set_mtime(&directory, node.attributes.mtime)?;
            }
        }
        let root = self.root;
        self.nodes
            .into_iter()
            .map(|(path, node)| record(&root, path, node))
            .collect()
    }

    fn finish_file(
        &mut self,
        path: TreePath,
        attributes: FileAttributes,
        file: &File,
        digest: Digest,
    ) -> Result<(), StoreError> {
        let target = path.below(&self.root);
        file.set_permissions(Permissions::from_mode(file_mode(attributes.mode)))
            .map_err(|source| StoreError::write(&target, source))?;
        set_mtime(&target, attributes.mtime)?;
        self.nodes.insert(
            path,
            TreeNode {
                kind: NodeKind::File(digest),
                attributes,
            },
        );
        Ok(())
    }

    fn is_directory(&self, path: &TreePath) -> bool {
        self.nodes
            .get(path)
            .is_some_and(|node| matches!(node.kind, NodeKind::Directory(_)))
    }

    /// Resolves symbolic links in all but the last component, and creates missing directories.
    fn resolve_parent(&mut self, path: &TreePath) -> Result<TreePath, TreeWriteError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(TreePath::root());
        };
        let mut links_left = LINKS_MAX;
        let parent = self.resolve_directory(path, &parent, &mut links_left)?;
        Ok(parent.join(Path::new(name))?)
    }

    fn resolve_directory(
        &mut self,
        entry: &TreePath,
        directory: &TreePath,
        links_left: &mut usize,
    ) -> Result<TreePath, TreeWriteError> {
        // The usual case: the directory exists and no link is involved, because the parents of
        // every node are directories.
        if self.is_directory(directory) {
            return Ok(directory.clone());
        }
        let mut resolved = TreePath::root();
        for name in directory.as_path() {
            let next = resolved.join(Path::new(name))?;
            resolved = match self.nodes.get(&next).map(|node| &node.kind) {
                Some(NodeKind::Directory(_)) => next,
                Some(NodeKind::Symlink(target)) => {
                    *links_left = links_left.checked_sub(1).ok_or_else(|| {
                        TreeWriteError::LinksWithoutEnd {
                            path: entry.clone(),
                        }
                    })?;
                    let target = if target.is_absolute() {
                        TreePath::parse(target)?
                    } else {
                        resolved.join(target)?
                    };
                    self.resolve_directory(entry, &target, links_left)?
                }
                Some(NodeKind::File(_)) => {
                    return Err(TreeWriteError::ParentNotADirectory {
                        path: entry.clone(),
                        parent: next,
                    });
                }
                Some(NodeKind::Whiteout) | None => {
                    self.make_directory(&next)?;
                    next
                }
            };
        }
        Ok(resolved)
    }

    /// Creates a directory in place of the entry at a path. If it replaces a removed entry, it
    /// hides the contents of lower layers.
    fn make_directory(&mut self, path: &TreePath) -> Result<(), TreeWriteError> {
        let replaced = self.nodes.get(path).map(|node| node.kind.clone());
        self.clear(path)?;
        make_directory(&path.below(&self.root))?;
        self.nodes
            .insert(path.clone(), TreeNode::parent_directory());
        match replaced {
            Some(NodeKind::Whiteout) => self.mark_opaque(path),
            Some(NodeKind::Directory(_) | NodeKind::File(_) | NodeKind::Symlink(_)) | None => {
                Ok(())
            }
        }
    }

    fn mark_opaque(&mut self, path: &TreePath) -> Result<(), TreeWriteError> {
        let directory = path.below(&self.root);
        whiteout::make_opaque(&directory)
            .map_err(|source| StoreError::write(&directory, source))?;
        if let Some(node) = self.nodes.get_mut(path) {
            node.kind = NodeKind::Directory(DirectoryWhiteout::Opaque);
        }
        Ok(())
    }

    /// Removes the entry at a path, if it exists.
    fn clear(&mut self, path: &TreePath) -> Result<(), TreeWriteError> {
        if path.is_root() {
            return Err(TreeWriteError::RootReplaced);
        }
        if self.nodes.contains_key(path) {
            remove_all(&path.below(&self.root))?;
            let gone: Vec<TreePath> = self
                .nodes
                .range(path..)
                .map(|(below, _node)| below)
                .take_while(|below| below.starts_with(path))
                .cloned()
                .collect();
            for below in gone {
                self.nodes.remove(&below);
            }
        }
        Ok(())
    }
}

fn make_directory(path: &Path) -> Result<(), StoreError> {
    private::new_directory(path).map_err(|source| StoreError::create_directory(path, source))
}

fn make_file(path: &Path) -> Result<File, StoreError> {
    private::new_file(path).map_err(|source| StoreError::write(path, source))
}

fn set_mtime(path: &Path, mtime: FileTime) -> Result<(), StoreError> {
    let time = mtime.to_timespec();
    utimensat(
        AT_FDCWD,
        path,
        &time,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )
    .map_err(|errno| StoreError::write(path, errno.into()))
}

fn file_mode(mode: u32) -> u32 {
    mode & 0o777 | 0o400
}

fn directory_mode(mode: u32) -> u32 {
    mode & 0o1777 | 0o500
}

/// Mode and time are read from the file system, which may store them with less precision.
fn record(root: &Path, path: TreePath, node: TreeNode) -> Result<ManifestRecord, StoreError> {
    let place = path.below(root);
    let metadata =
        fs::symlink_metadata(&place).map_err(|source| StoreError::read(&place, source))?;
    Ok(ManifestRecord {
        path,
        kind: match node.kind {
            NodeKind::Directory(opacity) => RecordKind::Directory(opacity),
            NodeKind::File(digest) => RecordKind::File(digest),
            NodeKind::Symlink(target) => {
                RecordKind::Symlink(ContentHash::of(target.as_os_str().as_bytes()))
            }
            NodeKind::Whiteout => RecordKind::Whiteout,
        },
        mode: metadata.permissions().mode() & 0o7777,
        mtime: FileTime::modified(&metadata),
    })
}
