//! Everything below a directory.
//!
//! Each directory is looked at once, however often it is named. What is not there is told, and the
//! walk goes on.

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

/// Directories that are read at once.
const BATCH: usize = 64;

/// A walk through directories, breadth first.
#[derive(Debug)]
pub struct TreeWalk {
    storage: CasStorage,
    waiting: VecDeque<Digest>,
    seen: HashSet<Digest>,
    ready: VecDeque<TreeWalkItem>,
}

/// What a walk comes across.
#[derive(Clone, Debug, PartialEq)]
pub enum TreeWalkItem {
    Directory {
        digest: Digest,
        directory: Directory,
    },
    /// A directory that is not in the storage.
    Missing(Digest),
}

/// All blobs that some directories are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobClosure {
    /// Those that are there: directories and files, each once.
    pub present: Vec<Digest>,
    /// Those that are not. Below a missing directory more may be missing.
    pub missing: Vec<Digest>,
}

/// Files of the trees of one template together, each once: what is known of them is in memory.
const FILES_MAX: usize = 2_000_000;

/// All blobs that these directories are made of, themselves included.
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
    // Only a whole tree can be measured. Once the rest is uploaded, there is another check.
    if closure.missing.is_empty() {
        shapes.check(&roots)?;
    }
    Ok(closure)
}

impl TreeWalk {
    /// A walk from these directories on.
    pub fn new(storage: CasStorage, roots: impl IntoIterator<Item = Digest>) -> Self {
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

    /// What comes next.
    pub async fn next(&mut self) -> Result<Option<TreeWalkItem>, Status> {
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
