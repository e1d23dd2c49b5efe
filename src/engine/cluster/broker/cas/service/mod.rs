//! The Remote Execution API's services over a [`CasStorage`].
//!
//! - [`contents`]: `ContentAddressableStorage`. [`stream`]: `ByteStream`; [`uploads`]: its
//!   unfinished uploads. [`action_cache`]: `ActionCache`. [`capabilities`]: `Capabilities`.
//!
//! Instance names are arbitrary. Blobs are shared by all instances, because their digests identify
//! them; action results are separate for each instance, as the API specifies.
//!
//! The caller is responsible for authorization.

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

pub(super) use action_cache::ActionCacheService;
pub(super) use capabilities::CapabilitiesService;
pub(super) use contents::ContentsService;
pub(super) use stream::StreamService;
use uploads::UploadRegistry;

/// The services over one storage. Clones share it.
#[derive(Clone, Debug)]
pub struct ReapiServices {
    storage: CasStorage,
    uploads: UploadRegistry,
    actions: ActionResults,
}

impl ReapiServices {
    /// Creates the services of a storage, with the action results in its directory.
    pub async fn start(storage: CasStorage) -> Result<ReapiServices, CasStorageError> {
        ReapiServices::within(storage, ResourceBudgets::default()).await
    }

    /// Like [`Self::start`], with these client budgets.
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

    /// Returns the `ContentAddressableStorage` service.
    pub fn contents(&self) -> ContentAddressableStorageServer<ContentsService> {
        ContentAddressableStorageServer::new(ContentsService::new(self.storage.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Returns the `ByteStream` service.
    pub fn streams(&self) -> ByteStreamServer<StreamService> {
        let service = StreamService::new(self.storage.clone(), self.uploads.clone());
        ByteStreamServer::new(service)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Returns the `ActionCache` service.
    pub fn action_cache(&self) -> ActionCacheServer<ActionCacheService> {
        ActionCacheServer::new(ActionCacheService::new(self.actions.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Returns the `Capabilities` service.
    pub fn capabilities(&self) -> CapabilitiesServer<CapabilitiesService> {
        CapabilitiesServer::new(CapabilitiesService)
    }

    /// Returns the action results.
    pub fn action_results(&self) -> &ActionResults {
        &self.actions
    }
}
