//! `ContentAddressableStorage`: batches of small blobs, and directory trees.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::super::error::CasStorageError;
use super::super::storage::{CasStorage, blocking};
use super::super::tree::{TreeWalk, TreeWalkItem};
use maelstrom_container::digest::Digest;
use maelstrom_model::error::with_causes;
use maelstrom_wire::reapi::compression;
use maelstrom_wire::reapi::digest::{check_function, from_wire, required, status_to_wire, to_wire};
use maelstrom_wire::reapi::limits::{BATCH_BLOBS_MAX, BATCH_BYTES_MAX, DIGESTS_MAX};
use maelstrom_wire::reapi::v2::content_addressable_storage_server::ContentAddressableStorage;
use maelstrom_wire::reapi::v2::{
    BatchReadBlobsRequest, BatchReadBlobsResponse, BatchUpdateBlobsRequest,
    BatchUpdateBlobsResponse, FindMissingBlobsRequest, FindMissingBlobsResponse,
    GetChunkMappingRequest, GetChunkMappingResponse, GetTreeRequest, GetTreeResponse,
    RegisterChunkMappingRequest, RegisterChunkMappingResponse, SpliceBlobRequest,
    SpliceBlobResponse, SplitBlobRequest, SplitBlobResponse, batch_read_blobs_response,
    batch_update_blobs_request, batch_update_blobs_response, compressor,
};

/// Directories per response, unless the client wants fewer.
const TREE_PAGE: usize = 1000;

/// The `ContentAddressableStorage` service.
#[derive(Clone, Debug)]
pub struct ContentsService {
    storage: CasStorage,
}

impl ContentsService {
    pub(super) fn new(storage: CasStorage) -> Self {
        ContentsService { storage }
    }
}

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ContentAddressableStorage for ContentsService {
    async fn find_missing_blobs(
        &self,
        request: Request<FindMissingBlobsRequest>,
    ) -> Result<Response<FindMissingBlobsResponse>, Status> {
        let request = request.into_inner();
        check_function(request.digest_function)?;
        check_count(request.blob_digests.len(), DIGESTS_MAX)?;
        let digests: Result<Vec<_>, _> = request.blob_digests.iter().map(from_wire).collect();
        let missing = self.storage.missing(&digests?);
        Ok(Response::new(FindMissingBlobsResponse {
            missing_blob_digests: missing.iter().map(to_wire).collect(),
        }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<BatchUpdateBlobsRequest>,
    ) -> Result<Response<BatchUpdateBlobsResponse>, Status> {
        let request = request.into_inner();
        check_function(request.digest_function)?;
        check_count(request.requests.len(), BATCH_BLOBS_MAX)?;
        let mut blobs = Vec::with_capacity(request.requests.len());
        for blob in request.requests {
            blobs.push((required(blob.digest.as_ref())?, blob));
        }
        check_total(blobs.iter().map(|(digest, _)| digest))?;
        let digests: Vec<Digest> = blobs.iter().map(|(digest, _)| *digest).collect();
        let added = update(&self.storage, blobs).await?;
        let responses = digests.iter().zip(added).map(|(digest, added)| {
            let status = added
                .err()
                .unwrap_or_else(|| Status::new(tonic::Code::Ok, ""));
            batch_update_blobs_response::Response {
                digest: Some(to_wire(digest)),
                status: Some(status_to_wire(&status)),
            }
        });
        Ok(Response::new(BatchUpdateBlobsResponse {
            responses: responses.collect(),
        }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<BatchReadBlobsRequest>,
    ) -> Result<Response<BatchReadBlobsResponse>, Status> {
        let request = request.into_inner();
        check_function(request.digest_function)?;
        check_count(request.digests.len(), BATCH_BLOBS_MAX)?;
        let digests: Result<Vec<_>, _> = request.digests.iter().map(from_wire).collect();
        let digests = digests?;
        check_total(&digests)?;
        let packing = match request
            .acceptable_compressors
            .contains(&(compressor::Value::Zstd as i32))
        {
            true => BatchCompression::WhereWorthwhile,
            false => BatchCompression::Never,
        };
        let contents = self.storage.contents(digests.clone()).await?;
        let respond = move || {
            let both = digests.iter().zip(contents);
            Ok(both
                .map(|(digest, content)| read_response(digest, content, packing))
                .collect())
        };
        Ok(Response::new(BatchReadBlobsResponse {
            responses: blocking(respond).await?,
        }))
    }

    type GetTreeStream = ResponseStream<GetTreeResponse>;

    async fn get_tree(
        &self,
        request: Request<GetTreeRequest>,
    ) -> Result<Response<Self::GetTreeStream>, Status> {
        let request = request.into_inner();
        check_function(request.digest_function)?;
        if !request.page_token.is_empty() {
            return Err(Status::invalid_argument(
                "page_token is set, but trees are sent whole here and no token was ever given",
            ));
        }
        let root = required(request.root_digest.as_ref())?;
        if !self.storage.contains(&root) {
            return Err(CasStorageError::Absent { digest: root }.into());
        }
        let page = usize::try_from(request.page_size).unwrap_or(0);
        let page = if page == 0 {
            TREE_PAGE
        } else {
            page.min(TREE_PAGE)
        };
        let walk = TreeWalk::new(self.storage.clone(), [root]);
        let directories = stream::try_unfold(walk, |mut walk| async move {
            // Missing directories are omitted, as the API specifies.
            loop {
                match walk.next().await? {
                    Some(TreeWalkItem::Directory { directory, .. }) => {
                        return Ok::<_, Status>(Some((directory, walk)));
                    }
                    Some(TreeWalkItem::Missing(_)) => {}
                    None => return Ok(None),
                }
            }
        });
        let pages = directories.try_chunks(page).map(|page| match page {
            Ok(directories) => Ok(GetTreeResponse {
                directories,
                next_page_token: String::new(),
            }),
            Err(error) => Err(error.1),
        });
        Ok(Response::new(Box::pin(pages)))
    }

    async fn split_blob(
        &self,
        _request: Request<SplitBlobRequest>,
    ) -> Result<Response<SplitBlobResponse>, Status> {
        Err(not_spoken("SplitBlob"))
    }

    async fn splice_blob(
        &self,
        _request: Request<SpliceBlobRequest>,
    ) -> Result<Response<SpliceBlobResponse>, Status> {
        Err(not_spoken("SpliceBlob"))
    }

    type GetChunkMappingStream = ResponseStream<GetChunkMappingResponse>;

    async fn get_chunk_mapping(
        &self,
        _request: Request<GetChunkMappingRequest>,
    ) -> Result<Response<Self::GetChunkMappingStream>, Status> {
        Err(not_spoken("GetChunkMapping"))
    }

    async fn register_chunk_mapping(
        &self,
        _request: Request<Streaming<RegisterChunkMappingRequest>>,
    ) -> Result<Response<RegisterChunkMappingResponse>, Status> {
        Err(not_spoken("RegisterChunkMapping"))
    }
}

fn not_spoken(method: &str) -> Status {
    Status::unimplemented(format!(
        "{method} is not supported, as the capabilities say: blobs are sent whole"
    ))
}

fn check_count(count: usize, count_max: usize) -> Result<(), Status> {
    match count <= count_max {
        true => Ok(()),
        false => Err(Status::invalid_argument(format!(
            "the request names {count} blobs: at most {count_max} are expected"
        ))),
    }
}

fn check_total<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> Result<(), Status> {
    let sizes = digests.into_iter().map(|digest| digest.size_bytes);
    match sizes.fold(0, u64::saturating_add) {
        0..=BATCH_BYTES_MAX => Ok(()),
        total => Err(Status::invalid_argument(format!(
            "the blobs of the batch have {total} bytes: at most {BATCH_BYTES_MAX} are expected, \
             larger ones go by ByteStream"
        ))),
    }
}

/// Whether a response may be compressed.
#[derive(Clone, Copy)]
enum BatchCompression {
    Never,
    WhereWorthwhile,
}

/// Decompresses and adds blobs, and returns the status of each.
async fn update(
    storage: &CasStorage,
    blobs: Vec<(Digest, batch_update_blobs_request::Request)>,
) -> Result<Vec<Result<(), Status>>, Status> {
    let unpack = move || {
        let unpacked = blobs.into_iter().map(|(digest, blob)| {
            unpack(digest, blob.compressor, blob.data).map(|content| (digest, content))
        });
        Ok(unpacked.collect::<Vec<_>>())
    };
    let unpacked: Vec<Result<(Digest, Bytes), Status>> = blocking(unpack).await?;
    let sound = unpacked.iter().filter_map(|blob| blob.as_ref().ok());
    let mut added = storage.add_all(sound.cloned().collect()).await?.into_iter();
    let outcome = |blob: Result<(Digest, Bytes), Status>| {
        blob?;
        match added.next() {
            Some(added) => added.map_err(Status::from),
            None => Err(Status::internal("a blob of the batch was lost")),
        }
    };
    Ok(unpacked.into_iter().map(outcome).collect())
}

fn unpack(digest: Digest, compressor: i32, data: Vec<u8>) -> Result<Bytes, Status> {
    match compressor::Value::try_from(compressor) {
        Ok(compressor::Value::Identity) => Ok(data.into()),
        Ok(compressor::Value::Zstd) => compression::unpack(&data, digest.size_bytes)
            .map(Bytes::from)
            .map_err(|error| {
                Status::invalid_argument(format!("the blob {digest}: {}", with_causes(&error)))
            }),
        Ok(_) | Err(_) => Err(Status::invalid_argument(format!(
            "the blob {digest} is compressed in a way that is not supported: ZSTD or none is expected"
        ))),
    }
}

fn read_response(
    digest: &Digest,
    content: Result<Bytes, CasStorageError>,
    packing: BatchCompression,
) -> batch_read_blobs_response::Response {
    let (data, compressor, status) = match content {
        Ok(content) => match pack(&content, packing) {
            Some(packed) => (
                packed,
                compressor::Value::Zstd,
                Status::new(tonic::Code::Ok, ""),
            ),
            None => (
                content.into(),
                compressor::Value::Identity,
                Status::new(tonic::Code::Ok, ""),
            ),
        },
        Err(error) => (Vec::new(), compressor::Value::Identity, error.into()),
    };
    batch_read_blobs_response::Response {
        digest: Some(to_wire(digest)),
        data,
        compressor: compressor as i32,
        status: Some(status_to_wire(&status)),
    }
}

fn pack(content: &[u8], packing: BatchCompression) -> Option<Vec<u8>> {
    match packing {
        BatchCompression::Never => None,
        BatchCompression::WhereWorthwhile if compression::is_worthwhile(content) => {
            compression::pack(content).ok()
        }
        BatchCompression::WhereWorthwhile => None,
    }
}
