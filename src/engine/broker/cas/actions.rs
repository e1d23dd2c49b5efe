//! Results of actions, by instance and action.
//!
//! A result is worth something only as long as everything that it names is in the storage: one that
//! names what is not there is refused, and one that has lost something is not found any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::error::StorageError;
use super::storage::{Storage, blocking};
use crate::container::digest::Digest;
use crate::engine::reapi::digest::required;
use crate::engine::reapi::v2::{ActionResult, Digest as WireDigest};

const RESULTS: TableDefinition<'_, (&str, &[u8; 32]), &[u8]> = TableDefinition::new("results");

/// The file's name in the storage's directory.
const FILE: &str = "actions.redb";

/// The results of a storage. Cloning gives another handle on the same ones.
#[derive(Clone, Debug)]
pub struct ActionResults {
    storage: Storage,
    database: Arc<Database>,
    uses: Arc<Uses>,
}

/// How often results were found, and not.
#[derive(Debug, Default)]
struct Uses {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Why a result is not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// It names something that is not in the storage.
    #[error("the result names {digest}, which is not in the storage: upload it first")]
    Lacks {
        /// What.
        digest: Digest,
    },
    /// It names something that is no digest.
    #[error("the result names no valid digest: {message}")]
    Digest {
        /// What is wrong.
        message: String,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error("the action results cannot be read or written")]
    Database(#[from] Box<redb::Error>),
}

impl ActionResults {
    /// The results that a storage's directory holds.
    pub async fn open(storage: Storage) -> Result<ActionResults, ActionError> {
        let path: PathBuf = storage.root().join(FILE);
        let database = blocking_results(move || {
            let database = Database::create(&path).map_err(boxed)?;
            let transaction = database.begin_write().map_err(boxed)?;
            transaction.open_table(RESULTS).map_err(boxed)?;
            transaction.commit().map_err(boxed)?;
            Ok(database)
        })
        .await?;
        Ok(ActionResults {
            storage,
            database: Arc::new(database),
            uses: Arc::default(),
        })
    }

    /// How often results were found, and not.
    pub fn uses(&self) -> (u64, u64) {
        (
            self.uses.hits.load(Ordering::Relaxed),
            self.uses.misses.load(Ordering::Relaxed),
        )
    }

    /// The result of an action, if there is one and everything it names is there.
    pub async fn get(
        &self,
        instance: &str,
        action: Digest,
    ) -> Result<Option<ActionResult>, ActionError> {
        let database = Arc::clone(&self.database);
        let instance = instance.to_owned();
        let found = blocking_results(move || {
            let transaction = database.begin_read().map_err(boxed)?;
            let table = transaction.open_table(RESULTS).map_err(boxed)?;
            let found = table.get((instance.as_str(), action.hash.as_bytes()));
            Ok(found.map_err(boxed)?.map(|bytes| bytes.value().to_vec()))
        })
        .await?;
        let result = found.and_then(|bytes| ActionResult::decode(bytes.as_slice()).ok());
        let result = result.filter(|result| self.lacks(result).is_ok_and(|lacks| lacks.is_none()));
        let counter = match result {
            Some(_) => &self.uses.hits,
            None => &self.uses.misses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(result)
    }

    /// Keeps the result of an action.
    pub async fn put(
        &self,
        instance: &str,
        action: Digest,
        result: &ActionResult,
    ) -> Result<(), ActionError> {
        if let Some(digest) = self.lacks(result)? {
            return Err(ActionError::Lacks { digest });
        }
        let database = Arc::clone(&self.database);
        let (instance, bytes) = (instance.to_owned(), result.encode_to_vec());
        blocking_results(move || {
            let mut transaction = database.begin_write().map_err(boxed)?;
            // A cache: what a loss of power takes is computed again.
            let durability = transaction.set_durability(Durability::None);
            durability.map_err(|error| {
                boxed(redb::Error::Io(std::io::Error::other(error.to_string())))
            })?;
            {
                let mut table = transaction.open_table(RESULTS).map_err(boxed)?;
                let key = (instance.as_str(), action.hash.as_bytes());
                table.insert(key, bytes.as_slice()).map_err(boxed)?;
            }
            transaction.commit().map_err(boxed)?;
            Ok(())
        })
        .await
    }

    /// Something that the result names and the storage has not got.
    fn lacks(&self, result: &ActionResult) -> Result<Option<Digest>, ActionError> {
        let files = result.output_files.iter().map(|file| file.digest.as_ref());
        let trees = result.output_directories.iter();
        let trees = trees.map(|directory| directory.tree_digest.as_ref());
        let named: Vec<Option<&WireDigest>> = files.chain(trees).collect();
        let streams = [&result.stdout_digest, &result.stderr_digest];
        let streams = streams.into_iter().flatten().map(Some);
        let mut digests = Vec::new();
        for digest in named.into_iter().chain(streams) {
            digests.push(required(digest).map_err(|error| ActionError::Digest {
                message: error.to_string(),
            })?);
        }
        // The empty content needs nobody to keep it.
        digests.retain(|digest| digest.size_bytes > 0);
        Ok(self.storage.missing(&digests).first().copied())
    }
}

fn boxed(error: impl Into<redb::Error>) -> ActionError {
    ActionError::Database(Box::new(error.into()))
}

async fn blocking_results<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ActionError> + Send + 'static,
) -> Result<T, ActionError> {
    blocking(move || Ok(work())).await?
}
