//! Checks whether the storage has all contents of a template, and pins them.
//!
//! Present blobs are pinned and then looked up again: blobs that were evicted in between count as
//! missing. Missing blobs are pinned, too: for a template that exceeds the storage's target size,
//! the first uploads would otherwise be evicted by the last.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::{Code, Status};

use super::cas::actions::ActionResults;
use super::cas::{CasStorage, closure};
use super::core::{ContentInventory, InventoryCheck};
use maelstrom_container::digest::Digest;
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::to_proto;

/// Looks up the contents of a [`CasStorage`].
pub struct StoredInventory {
    storage: CasStorage,
    results: ActionResults,
}

impl StoredInventory {
    /// Creates the inventory of this storage, with its action results.
    pub fn new(storage: CasStorage, results: ActionResults) -> StoredInventory {
        StoredInventory { storage, results }
    }
}

impl ContentInventory for StoredInventory {
    fn check(
        &self,
        contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
        let storage = self.storage.clone();
        async move {
            let checked = check(&storage, contents).await;
            match checked {
                // The client is at fault and must be notified; any other error is the broker's, and
                // transient.
                Err(status) if status.code() == Code::InvalidArgument => {
                    Ok(InventoryCheck::Refused(status.message().to_owned()))
                }
                checked => checked.map_err(|status| status.message().to_owned()),
            }
        }
        .boxed()
    }

    fn bytes(&self) -> u64 {
        self.storage.usage().size_bytes
    }

    fn cache_uses(&self) -> (u64, u64) {
        self.results.uses()
    }
}

async fn check(
    storage: &CasStorage,
    contents: Vec<ContentSource>,
) -> Result<InventoryCheck, Status> {
    let (mut named, mut directories) = (Vec::<Digest>::new(), Vec::new());
    for source in contents {
        match source {
            ContentSource::Directory(digest) => directories.push(digest),
            ContentSource::File { digest, .. } => named.push(digest),
            ContentSource::Toolbox(_) => {}
        }
    }
    let closure = closure(storage, directories).await?;
    named.extend(closure.present);
    // Pinned before the check below, so that nothing is evicted after it was found.
    let pins = storage.pin(named.iter().chain(&closure.missing).copied());
    let mut lacking = storage.missing(&named);
    lacking.extend(closure.missing);
    let pins = Box::new(pins);
    match lacking.is_empty() {
        true => Ok(InventoryCheck::Complete(pins)),
        false => Ok(InventoryCheck::Lacking(
            lacking.into_iter().map(to_proto::digest).collect(),
            pins,
        )),
    }
}
