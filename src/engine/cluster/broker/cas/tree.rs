//! Walks directory trees.
//!
//! Each directory is visited once, however often it occurs. A missing directory is reported, and
//! the walk continues.

use std::collections::{HashSet, VecDeque};

use prost::Message;
use tonic::Status;

use super::error::CasStorageError;
use super::storage::CasStorage;
use super::tree_size::TreeSizeCounter;
use maelstrom_container::digest::Digest;
use maelstrom_wire::reapi::digest::required;
use maelstrom_wire::reapi::limits::{DIRECTORY_BYTES_MAX, TREE_DIRECTORIES_MAX};
use maelstrom_wire::reapi::v2::Directory;

/// The number of directories that are read concurrently.
const BATCH: usize = 64;

/// A breadth-first walk through directories.
#[derive(Debug)]
pub(super) struct TreeWalk {
    storage: CasStorage,
    waiting: VecDeque<Digest>,
    seen: HashSet<Digest>,
    ready: VecDeque<TreeWalkItem>,
}

/// An item that a walk finds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TreeWalkItem {
    Directory {
        digest: Digest,
        directory: Directory,
    },
    /// A directory that the storage lacks.
    Missing(Digest),
}

/// All blobs of some directory trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobClosure {
    /// The present blobs: directories and files, each once.
    pub present: Vec<Digest>,
    /// The missing blobs. Below a missing directory more may be missing.
    pub missing: Vec<Digest>,
}

/// The maximum number of distinct files in the trees of one template: the walk keeps them in
/// memory.
const FILES_MAX: usize = 2_000_000;

/// Returns all blobs of these directories, including the directories themselves.
pub async fn closure(
    storage: &CasStorage,
    roots: impl IntoIterator<Item = Digest>,
) -> Result<BlobClosure, Status> {
    let roots: Vec<Digest> = roots.into_iter().collect();
    let mut walk = TreeWalk::new(storage.clone(), roots.iter().copied());
    let mut closure = BlobClosure::default();
    let mut files = HashSet::new();
    let mut shapes = TreeSizeCounter::default();
    while let Some(found) = walk.next().await? {
        match found {
            TreeWalkItem::Missing(digest) => closure.missing.push(digest),
            TreeWalkItem::Directory { digest, directory } => {
                closure.present.push(digest);
                shapes.add(digest, &directory)?;
                if files.len() > FILES_MAX {
                    return Err(Status::invalid_argument(format!(
                        "the trees have more than {FILES_MAX} different files"
                    )));
                }
                for file in &directory.files {
                    let digest = required(file.digest.as_ref())?;
                    if !files.insert(digest) {
                        continue;
                    }
                    match storage.contains(&digest) {
                        true => closure.present.push(digest),
                        false => closure.missing.push(digest),
                    }
                }
            }
        }
    }
    // Only a complete tree can be measured. Once the missing blobs are uploaded, it is checked
    // again.
    if closure.missing.is_empty() {
        shapes.check(&roots)?;
    }
    Ok(closure)
}

impl TreeWalk {
    /// Creates a walk that starts at these directories.
    pub(super) fn new(storage: CasStorage, roots: impl IntoIterator<Item = Digest>) -> Self {
        let mut walk = TreeWalk {
            storage,
            waiting: VecDeque::new(),
            seen: HashSet::new(),
            ready: VecDeque::new(),
        };
        for root in roots {
            walk.enqueue(root);
        }
        walk
    }

    /// Returns the next item.
    pub(super) async fn next(&mut self) -> Result<Option<TreeWalkItem>, Status> {
        if self.ready.is_empty() {
            self.read().await?;
        }
        Ok(self.ready.pop_front())
    }

    fn enqueue(&mut self, digest: Digest) {
        if self.seen.insert(digest) {
            self.waiting.push_back(digest);
        }
    }

    async fn read(&mut self) -> Result<(), Status> {
        let count = self.waiting.len().min(BATCH);
        let digests: Vec<Digest> = self.waiting.drain(..count).collect();
        if let Some(large) = digests
            .iter()
            .find(|digest| digest.size_bytes > DIRECTORY_BYTES_MAX)
        {
            return Err(Status::invalid_argument(format!(
                "the directory {large} has more than {DIRECTORY_BYTES_MAX} bytes"
            )));
        }
        let contents = self.storage.contents(digests.clone()).await?;
        for (digest, content) in digests.into_iter().zip(contents) {
            match content {
                Ok(content) => self.take(digest, &content)?,
                Err(CasStorageError::Absent { .. } | CasStorageError::Damaged { .. }) => {
                    self.ready.push_back(TreeWalkItem::Missing(digest));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn take(&mut self, digest: Digest, content: &[u8]) -> Result<(), Status> {
        let directory = Directory::decode(content).map_err(|error| {
            Status::invalid_argument(format!(
                "the blob {digest} is no Directory message: {error}"
            ))
        })?;
        for below in &directory.directories {
            self.enqueue(required(below.digest.as_ref())?);
        }
        if self.seen.len() > TREE_DIRECTORIES_MAX {
            return Err(Status::invalid_argument(format!(
                "the tree has more than {TREE_DIRECTORIES_MAX} directories"
            )));
        }
        self.ready
            .push_back(TreeWalkItem::Directory { digest, directory });
        Ok(())
    }
}
