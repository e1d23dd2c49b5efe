//! `Capabilities`: reports what the storage supports.

use bazel_remote_apis::build::bazel::semver::SemVer;
use tonic::{Request, Response, Status};

use maelstrom_wire::reapi::limits::{BATCH_BYTES_MAX, BLOB_BYTES_MAX};
use maelstrom_wire::reapi::v2::capabilities_server::Capabilities;
use maelstrom_wire::reapi::v2::{
    ActionCacheUpdateCapabilities, CacheCapabilities, GetCapabilitiesRequest, ServerCapabilities,
    compressor, digest_function, symlink_absolute_path_strategy,
};

/// The `Capabilities` service.
#[derive(Clone, Copy, Debug)]
pub struct CapabilitiesService;

#[tonic::async_trait]
impl Capabilities for CapabilitiesService {
    async fn get_capabilities(
        &self,
        _request: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<ServerCapabilities>, Status> {
        let version = |major, minor| {
            Some(SemVer {
                major,
                minor,
                ..SemVer::default()
            })
        };
        let zstd = vec![compressor::Value::Zstd as i32];
        Ok(Response::new(ServerCapabilities {
            cache_capabilities: Some(CacheCapabilities {
                digest_functions: vec![digest_function::Value::Sha256 as i32],
                action_cache_update_capabilities: Some(ActionCacheUpdateCapabilities {
                    update_enabled: true,
                }),
                max_batch_total_size_bytes: BATCH_BYTES_MAX as i64,
                symlink_absolute_path_strategy: symlink_absolute_path_strategy::Value::Allowed
                    as i32,
                supported_compressors: zstd.clone(),
                supported_batch_update_compressors: zstd,
                max_cas_blob_size_bytes: BLOB_BYTES_MAX as i64,
                ..CacheCapabilities::default()
            }),
            // Jobs are executed through the services of `maelstrom.v1`.
            execution_capabilities: None,
            low_api_version: version(2, 0),
            high_api_version: version(2, 3),
            ..ServerCapabilities::default()
        }))
    }
}
