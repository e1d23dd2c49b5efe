//! Whether the storage has everything that a template names, and what keeps it there.
//!
//! What is found is pinned, and then looked for again: what went in between counts as lacking. What is
//! lacking is pinned too: of a template that needs more than the storage's target, the first uploads
//! would else make room for the last ones.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::{Code, Status};

use super::cas::actions::ActionResults;
use super::cas::{Storage, closure};
use super::core::{Checked, Inventory};
use maelstrom_container::digest::Digest;
use maelstrom_wire::from_proto::Source;
use maelstrom_wire::to_proto;

/// Knows what a [`Storage`] holds.
pub struct StoredInventory {
    storage: Storage,
    results: ActionResults,
}

impl StoredInventory {
    /// Of this storage, and the results in it.
    pub fn new(storage: Storage, results: ActionResults) -> StoredInventory {
        StoredInventory { storage, results }
    }
}

impl Inventory for StoredInventory {
    fn check(&self, contents: Vec<Source>) -> BoxFuture<'static, Result<Checked, String>> {
        let storage = self.storage.clone();
        async move {
            let checked = check(&storage, contents).await;
            match checked {
                Err(status) if status.code() == Code::InvalidArgument => {
                    Ok(Checked::Refused(status.message().to_owned()))
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

async fn check(storage: &Storage, contents: Vec<Source>) -> Result<Checked, Status> {
    let (mut named, mut directories) = (Vec::<Digest>::new(), Vec::new());
    for source in contents {
        match source {
            Source::Directory(digest) => directories.push(digest),
            Source::File { digest, .. } => named.push(digest),
            Source::Toolbox(_) => {}
        }
    }
    let closure = closure(storage, directories).await?;
    named.extend(closure.present);
    let pins = storage.pin(named.iter().chain(&closure.missing).copied());
    let mut lacking = storage.missing(&named);
    lacking.extend(closure.missing);
    let pins = Box::new(pins);
    match lacking.is_empty() {
        true => Ok(Checked::Complete(pins)),
        false => Ok(Checked::Lacking(
            lacking.into_iter().map(to_proto::digest).collect(),
            pins,
        )),
    }
}
