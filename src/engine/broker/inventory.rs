//! Whether the storage has everything that a template names, and what keeps it there.
//!
//! What is looked at is pinned first, so that nothing goes while the rest is looked for.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;

use super::cas::{Pinned, Storage, StorageError};
use super::core::{Checked, Inventory};
use crate::container::digest::Digest;
use crate::engine::error::with_causes;
use crate::engine::reapi::digest::required;
use crate::engine::reapi::v2;
use crate::engine::wire::from_proto::Source;
use crate::engine::wire::to_proto;

/// Directories in one another. The kernel's limit on paths allows 2,048.
const DEPTH_MAX: usize = 2_048;

/// Directories of one template, and files.
const ENTRIES_MAX: usize = 4_000_000;

/// Knows what a [`Storage`] holds.
pub struct StoredInventory {
    storage: Storage,
    uses: Arc<CacheUses>,
}

/// How often action results were found, and not.
#[derive(Debug, Default)]
pub struct CacheUses {
    /// Found.
    pub hits: AtomicU64,
    /// Not found.
    pub misses: AtomicU64,
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
enum InventoryError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the directory {digest} of the storage is no `Directory` of the Remote Execution API")]
    Directory { digest: Digest },
    #[error("the template names more than {ENTRIES_MAX} files and directories")]
    TooMany,
    #[error("the template has directories more than {DEPTH_MAX} deep")]
    TooDeep,
}

impl StoredInventory {
    /// Of this storage.
    pub fn new(storage: Storage, uses: Arc<CacheUses>) -> StoredInventory {
        StoredInventory { storage, uses }
    }
}

impl Inventory for StoredInventory {
    fn check(&self, contents: Vec<Source>) -> BoxFuture<'static, Result<Checked, String>> {
        let storage = self.storage.clone();
        async move {
            let checked = check(&storage, contents).await;
            checked.map_err(|error| with_causes(&error))
        }
        .boxed()
    }

    fn bytes(&self) -> u64 {
        self.storage.usage().size_bytes
    }

    fn cache_uses(&self) -> (u64, u64) {
        (
            self.uses.hits.load(Ordering::Relaxed),
            self.uses.misses.load(Ordering::Relaxed),
        )
    }
}

async fn check(storage: &Storage, contents: Vec<Source>) -> Result<Checked, InventoryError> {
    let mut pins: Vec<Pinned> = Vec::new();
    let mut lacking: Vec<Digest> = Vec::new();
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for source in contents {
        match source {
            Source::Directory(digest) => directories.push(digest),
            Source::File { digest, .. } => files.push(digest),
            Source::Toolbox(_) => {}
        }
    }
    let mut seen = HashSet::new();
    let mut depth = 0;
    let mut entries = 0;
    while !(files.is_empty() && directories.is_empty()) {
        depth += 1;
        entries += files.len() + directories.len();
        if depth > DEPTH_MAX {
            return Err(InventoryError::TooDeep);
        }
        if entries > ENTRIES_MAX {
            return Err(InventoryError::TooMany);
        }
        let level: Vec<Digest> = files.drain(..).chain(directories.iter().copied()).collect();
        pins.push(storage.pin(level.iter().copied()));
        let missing: HashSet<Digest> = storage.missing(&level).into_iter().collect();
        directories.retain(|digest| !missing.contains(digest) && seen.insert(*digest));
        lacking.extend(missing);
        let mut deeper = Vec::new();
        for digest in directories.drain(..) {
            let content = match storage.content(digest).await {
                Ok(content) => content,
                // It was damaged, or has just gone.
                Err(StorageError::Absent { .. } | StorageError::Damaged { .. }) => {
                    lacking.push(digest);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let broken = || InventoryError::Directory { digest };
            let directory = v2::Directory::decode(content).map_err(|_| broken())?;
            for node in directory.files {
                files.push(required(node.digest.as_ref()).map_err(|_| broken())?);
            }
            for node in directory.directories {
                deeper.push(required(node.digest.as_ref()).map_err(|_| broken())?);
            }
        }
        directories = deeper;
    }
    match lacking.is_empty() {
        true => Ok(Checked::Complete(Box::new(pins))),
        false => Ok(Checked::Lacking(
            lacking.into_iter().map(to_proto::digest).collect(),
        )),
    }
}
