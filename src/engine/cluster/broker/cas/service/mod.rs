//! The Remote Execution API's services over a [`CasStorage`].
//!
//! - [`contents`]: `ContentAddressableStorage`. [`stream`]: `ByteStream`, with [`uploads`], the
//!   uploads that are not over. [`action_cache`]: `ActionCache`. [`capabilities`]: what all of it
//!   can do.
//!
//! An instance's name may be anything. Contents are the same in every instance, since their names
//! say what they are; results of actions are kept apart by instance, as the API wants it.
//!
//! Deliberately absent: who may call what, which is for whoever serves these.

mod action_cache;
mod capabilities;
mod contents;
mod stream;
mod uploads;

use bazel_remote_apis::google::bytestream::byte_stream_server::ByteStreamServer;

use super::actions::ActionResults;
use super::error::CasStorageError;
use super::storage::CasStorage;
use crate::broker::budgets::ResourceBudgets;
use maelstrom_wire::reapi::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::reapi::v2::action_cache_server::ActionCacheServer;
use maelstrom_wire::reapi::v2::capabilities_server::CapabilitiesServer;
use maelstrom_wire::reapi::v2::content_addressable_storage_server::ContentAddressableStorageServer;

pub use action_cache::ActionCacheService;
pub use capabilities::CapabilitiesService;
pub use contents::ContentsService;
pub use stream::StreamService;
use uploads::UploadRegistry;

/// The services over one storage. Cloning gives further handles on the same ones.
#[derive(Clone, Debug)]
pub struct ReapiServices {
    storage: CasStorage,
    uploads: UploadRegistry,
    actions: ActionResults,
}

impl ReapiServices {
    /// Services over a storage, with the action results that its directory holds.
    pub async fn start(storage: CasStorage) -> Result<ReapiServices, CasStorageError> {
        ReapiServices::within(storage, ResourceBudgets::default()).await
    }

    /// The same, where clients have these budgets.
    pub async fn within(
        storage: CasStorage,
        budgets: ResourceBudgets,
    ) -> Result<ReapiServices, CasStorageError> {
        let actions = ActionResults::open(storage.clone()).await?;
        Ok(ReapiServices {
            uploads: UploadRegistry::start(storage.clone(), budgets),
            storage,
            actions,
        })
    }

    /// `ContentAddressableStorage`.
    pub fn contents(&self) -> ContentAddressableStorageServer<ContentsService> {
        ContentAddressableStorageServer::new(ContentsService::new(self.storage.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// `ByteStream`.
    pub fn streams(&self) -> ByteStreamServer<StreamService> {
        let service = StreamService::new(self.storage.clone(), self.uploads.clone());
        ByteStreamServer::new(service)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// `ActionCache`.
    pub fn action_cache(&self) -> ActionCacheServer<ActionCacheService> {
        ActionCacheServer::new(ActionCacheService::new(self.actions.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// `Capabilities`.
    pub fn capabilities(&self) -> CapabilitiesServer<CapabilitiesService> {
        CapabilitiesServer::new(CapabilitiesService)
    }

    /// The action results.
    pub fn action_results(&self) -> &ActionResults {
        &self.actions
    }
}
