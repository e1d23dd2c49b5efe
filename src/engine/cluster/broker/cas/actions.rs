//! The action cache, on disk next to the blobs that its results refer to.
//!
//! Each result is a file that begins with its own hash, so a torn write is detected. The total size
//! is limited; the least recently used results are evicted first.
//!
//! Invariants: a result is served only if the storage has all outputs that it refers to; a result
//! whose outputs were evicted is removed. A result is visible only in its own instance.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prost::Message;
use tonic::Status;

use super::error::CasStorageError;
use super::lru_index::LruIndex;
use super::storage::{CasStorage, blocking};
use maelstrom_container::digest::{ContentHash, Digest, DigestHasher};
use maelstrom_container::private;
use maelstrom_container::store::StoreError;
use maelstrom_wire::reapi::digest::required;
use maelstrom_wire::reapi::limits::{
    ACTION_RESULT_BYTES_MAX, ACTION_RESULTS_BYTES_MAX, DIRECTORY_BYTES_MAX,
};
use maelstrom_wire::reapi::v2::{ActionResult, Directory, Tree};

/// The action cache. Clones share it.
#[derive(Clone, Debug)]
pub struct ActionResults {
    shared: Arc<ActionCacheState>,
}

#[derive(Debug)]
struct ActionCacheState {
    storage: CasStorage,
    directory: PathBuf,
    /// The results by the hash of instance and action, see [`key`].
    index: Mutex<LruIndex<ContentHash>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The number of missing outputs that an error message names.
const NAMED_MAX: usize = 5;

impl ActionResults {
    /// Opens the results in a storage's directory.
    pub async fn open(storage: CasStorage) -> Result<Self, CasStorageError> {
        blocking(move || {
            let directory = storage.root().join("actions");
            private::directory(&directory).map_err(|source| write_error(&directory, source))?;
            let mut found = survey(&directory)?;
            found.sort_by_key(|(_, _, modified)| *modified);
            let mut index = LruIndex::new(ACTION_RESULTS_BYTES_MAX);
            for (key, size_bytes, _) in found {
                index.add(key, size_bytes);
            }
            let shared = Arc::new(ActionCacheState {
                storage,
                directory,
                index: Mutex::new(index),
                hits: AtomicU64::new(0),
                misses: AtomicU64::new(0),
            });
            Ok(ActionResults { shared })
        })
        .await
    }

    /// Returns the numbers of hits and misses.
    pub fn uses(&self) -> (u64, u64) {
        let order = Ordering::Relaxed;
        (self.shared.hits.load(order), self.shared.misses.load(order))
    }

    /// Returns the result of an action, if it is known and its outputs are present.
    pub async fn get(
        &self,
        instance: &str,
        action: Digest,
    ) -> Result<Option<ActionResult>, Status> {
        let found = self.find(instance, action).await?;
        let counter = match found {
            Some(_) => &self.shared.hits,
            None => &self.shared.misses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(found)
    }

    async fn find(&self, instance: &str, action: Digest) -> Result<Option<ActionResult>, Status> {
        let key = key(instance, action);
        if self.index().size_bytes(&key).is_none() {
            return Ok(None);
        }
        let path = self.shared.directory.join(key.to_string());
        let read = blocking(move || Ok(read(&path))).await?;
        let Some(result) = read else {
            self.forget(key).await?;
            return Ok(None);
        };
        match self.missing(&result).await {
            Ok(missing) if missing.is_empty() => {
                self.index().used(&key);
                Ok(Some(result))
            }
            // An error, such as a damaged tree, makes the result as useless as a missing output
            // does.
            Ok(_) | Err(_) => {
                self.forget(key).await?;
                Ok(None)
            }
        }
    }

    /// Stores the result of an action. Returns an error if an output that it refers to is missing.
    pub async fn update(
        &self,
        instance: &str,
        action: Digest,
        result: ActionResult,
    ) -> Result<(), Status> {
        let content = result.encode_to_vec();
        if content.len() > ACTION_RESULT_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "the result of {action} has {} bytes: at most {ACTION_RESULT_BYTES_MAX} are expected",
                content.len()
            )));
        }
        let missing = self.missing(&result).await?;
        if !missing.is_empty() {
            let named: Vec<String> = missing
                .iter()
                .take(NAMED_MAX)
                .map(Digest::to_string)
                .collect();
            return Err(Status::failed_precondition(format!(
                "{} outputs of {action} are not in the storage: upload them first ({})",
                missing.len(),
                named.join(", ")
            )));
        }
        let results = self.clone();
        let key = key(instance, action);
        blocking(move || results.write(key, &content)).await?;
        Ok(())
    }

    /// Returns the blobs that a result refers to and the storage lacks.
    async fn missing(&self, result: &ActionResult) -> Result<Vec<Digest>, Status> {
        let mut named = Vec::new();
        for file in &result.output_files {
            named.push(required(file.digest.as_ref())?);
        }
        for digest in [&result.stdout_digest, &result.stderr_digest]
            .into_iter()
            .flatten()
        {
            named.push(required(Some(digest))?);
        }
        for directory in &result.output_directories {
            let digest = required(directory.tree_digest.as_ref())?;
            named.push(digest);
            if self.shared.storage.contains(&digest) {
                self.blobs_of_tree(digest, &mut named).await?;
            }
        }
        Ok(self.shared.storage.missing(&named))
    }

    async fn blobs_of_tree(&self, digest: Digest, named: &mut Vec<Digest>) -> Result<(), Status> {
        if digest.size_bytes > DIRECTORY_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "the tree {digest} has more than {DIRECTORY_BYTES_MAX} bytes"
            )));
        }
        let content = self.shared.storage.content(digest).await?;
        let tree = Tree::decode(content).map_err(|error| {
            Status::invalid_argument(format!("the blob {digest} is no Tree message: {error}"))
        })?;
        let directories = tree.root.iter().chain(&tree.children);
        for file in directories.flat_map(|directory: &Directory| &directory.files) {
            named.push(required(file.digest.as_ref())?);
        }
        Ok(())
    }

    fn write(&self, key: ContentHash, content: &[u8]) -> Result<(), CasStorageError> {
        let directory = &self.shared.directory;
        let path = directory.join(key.to_string());
        // The lock keeps the index and the directory consistent; it is held while one small file is
        // written.
        let mut index = self.index();
        tempfile::NamedTempFile::new_in(directory)
            .and_then(|mut file| {
                file.write_all(ContentHash::of(content).as_bytes())?;
                file.write_all(content)?;
                Ok(file.persist(&path)?)
            })
            .map_err(|source| write_error(&path, source))?;
        index.add(key, (HASH_BYTES + content.len()) as u64);
        for (victim, _size) in index.shrink() {
            remove(&directory.join(victim.to_string()))?;
        }
        Ok(())
    }

    async fn forget(&self, key: ContentHash) -> Result<(), CasStorageError> {
        let results = self.clone();
        blocking(move || {
            let mut index = results.index();
            index.remove(&key);
            remove(&results.shared.directory.join(key.to_string()))
        })
        .await
    }

    fn index(&self) -> MutexGuard<'_, LruIndex<ContentHash>> {
        let index = self.shared.index.lock();
        index.unwrap_or_else(PoisonError::into_inner)
    }
}

const HASH_BYTES: usize = 32;

/// Returns the key of a result.
fn key(instance: &str, action: Digest) -> ContentHash {
    let mut hasher = DigestHasher::default();
    // The instance name has variable length, so it is framed; the rest has a fixed length.
    hasher.update_framed(instance.as_bytes());
    hasher.update(action.hash.as_bytes());
    hasher.update(&action.size_bytes.to_le_bytes());
    hasher.finish().hash
}

/// Reads a result from its file; `None` if the file is damaged.
fn read(path: &std::path::Path) -> Option<ActionResult> {
    let content = fs::read(path).ok()?;
    let (hash, content) = content.split_at_checked(HASH_BYTES)?;
    match ContentHash::of(content).as_bytes() == hash {
        true => ActionResult::decode(content).ok(),
        false => None,
    }
}

/// Lists the results in a directory. Removes other files, which are left over from a killed broker.
fn survey(
    directory: &std::path::Path,
) -> Result<Vec<(ContentHash, u64, SystemTime)>, CasStorageError> {
    let read = |source| StoreError::Read {
        path: directory.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name();
        match name.to_str().and_then(|name| name.parse().ok()) {
            Some(key) => {
                let metadata = entry.metadata().map_err(read)?;
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((key, metadata.len(), modified));
            }
            None => remove(&entry.path())?,
        }
    }
    Ok(found)
}

fn remove(path: &std::path::Path) -> Result<(), CasStorageError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CasStorageError::Store(StoreError::Remove {
                path: path.to_owned(),
                source,
            }))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write_error(path: &std::path::Path, source: io::Error) -> CasStorageError {
    let path = path.to_owned();
    CasStorageError::Store(match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full { path, source }
        }
        _ => StoreError::Write { path, source },
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tonic::Code;

    use super::*;
    use crate::broker::cas::CasStorageOptions;
    use maelstrom_wire::reapi::digest::to_wire;
    use maelstrom_wire::reapi::v2::{FileNode, OutputDirectory, OutputFile};

    fn storage(directory: &std::path::Path) -> CasStorage {
        CasStorage::open(&CasStorageOptions {
            root: directory.to_owned(),
            size_target_bytes: 1 << 20,
        })
        .unwrap()
    }

    fn naming(digest: &Digest) -> ActionResult {
        ActionResult {
            output_files: vec![OutputFile {
                path: "out".to_owned(),
                digest: Some(to_wire(digest)),
                ..OutputFile::default()
            }],
            exit_code: 7,
            ..ActionResult::default()
        }
    }

    #[tokio::test]
    async fn a_result_is_found_again_in_its_instance_and_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let action = Digest::of(b"action");
        {
            let storage = storage(directory.path());
            let output = storage.add(Bytes::from_static(b"output")).await.unwrap();
            let results = ActionResults::open(storage).await.unwrap();
            assert_eq!(results.get("a", action).await.unwrap(), None);
            let result = naming(&output);
            results.update("a", action, result.clone()).await.unwrap();
            assert_eq!(results.get("a", action).await.unwrap(), Some(result));
            assert_eq!(results.get("b", action).await.unwrap(), None);
            assert_eq!(results.uses(), (1, 2));
        }
        let results = ActionResults::open(storage(directory.path()))
            .await
            .unwrap();
        let found = results.get("a", action).await.unwrap();
        assert_eq!(found.unwrap().exit_code, 7);
    }

    #[tokio::test]
    async fn a_result_whose_outputs_are_not_there_is_worth_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let storage = storage(directory.path());
        let results = ActionResults::open(storage.clone()).await.unwrap();
        let action = Digest::of(b"action");
        let absent = Digest::of(b"nobody has it");
        let refused = results
            .update("", action, naming(&absent))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains(&absent.to_string()));

        // The same in a directory's tree.
        let tree = Tree {
            root: Some(Directory {
                files: vec![FileNode {
                    name: "file".to_owned(),
                    digest: Some(to_wire(&absent)),
                    ..FileNode::default()
                }],
                ..Directory::default()
            }),
            ..Tree::default()
        };
        let tree = storage.add(tree.encode_to_vec().into()).await.unwrap();
        let result = ActionResult {
            output_directories: vec![OutputDirectory {
                path: "out".to_owned(),
                tree_digest: Some(to_wire(&tree)),
                ..OutputDirectory::default()
            }],
            ..ActionResult::default()
        };
        let refused = results.update("", action, result).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }

    #[tokio::test]
    async fn a_torn_result_is_no_result() {
        let directory = tempfile::tempdir().unwrap();
        let results = ActionResults::open(storage(directory.path()))
            .await
            .unwrap();
        let action = Digest::of(b"action");
        let result = ActionResult {
            exit_code: 7,
            ..ActionResult::default()
        };
        results.update("", action, result).await.unwrap();
        let file = directory
            .path()
            .join("actions")
            .join(key("", action).to_string());
        let content = fs::read(&file).unwrap();
        fs::write(&file, &content[..content.len() - 1]).unwrap();
        assert_eq!(results.get("", action).await.unwrap(), None);
        assert!(!file.exists());
    }
}
