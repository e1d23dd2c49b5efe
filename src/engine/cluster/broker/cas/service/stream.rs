//! `ByteStream`: blobs of any size, in chunks.

use std::io::Write;
use std::pin::Pin;

use futures_util::stream::{self, Stream};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use super::super::reader::BlobReader;
use super::super::storage::CasStorage;
use super::uploads::{FinishWrite, PartPosition, UploadClaim, UploadOutcome, UploadRegistry};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::limits::SILENCE_MAX;
use maelstrom_wire::reapi::bytestream::byte_stream_server::ByteStream;
use maelstrom_wire::reapi::bytestream::{
    QueryWriteStatusRequest, QueryWriteStatusResponse, ReadRequest, ReadResponse, WriteRequest,
    WriteResponse,
};
use maelstrom_wire::reapi::compression::{self, ZstdEncoder};
use maelstrom_wire::reapi::resource::{BlobEncoding, ReadName, WriteName};

/// The `ByteStream` service.
#[derive(Clone, Debug)]
pub struct StreamService {
    storage: CasStorage,
    uploads: UploadRegistry,
}

impl StreamService {
    pub(super) fn new(storage: CasStorage, uploads: UploadRegistry) -> Self {
        StreamService { storage, uploads }
    }
}

#[tonic::async_trait]
impl ByteStream for StreamService {
    type ReadStream = Pin<Box<dyn Stream<Item = Result<ReadResponse, Status>> + Send>>;

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        let name = ReadName::parse(&request.resource_name)?;
        let offset = u64::try_from(request.read_offset).map_err(|_| {
            let offset = request.read_offset;
            Status::out_of_range(format!("read_offset is {offset}: 0 or more is expected"))
        })?;
        let limit = match unsigned("read_limit", request.read_limit)? {
            0 => None,
            limit => Some(limit),
        };
        if name.encoding == BlobEncoding::Zstd && limit.is_some() {
            return Err(Status::invalid_argument(
                "read_limit is set, but compressed blobs are read to their end",
            ));
        }
        let reader = self.storage.read(name.digest, offset, limit).await?;
        let outlet = match name.encoding {
            BlobEncoding::Identity => BlobStream::Plain(reader),
            BlobEncoding::Zstd => BlobStream::Packed(reader, Box::new(packer()?)),
        };
        let parts = stream::try_unfold(outlet, |outlet| outlet.next());
        Ok(Response::new(Box::pin(parts)))
    }

    async fn write(
        &self,
        request: Request<Streaming<WriteRequest>>,
    ) -> Result<Response<WriteResponse>, Status> {
        let who = CallerPrincipal::of(&request).principal;
        let mut parts = request.into_inner();
        let first = next_part(&mut parts)
            .await?
            .ok_or_else(|| Status::invalid_argument("the stream ended before its first message"))?;
        let text = first.resource_name.clone();
        let name = WriteName::parse(&text)?;
        if self.storage.contains(&name.digest) {
            return Ok(whole(already_there(&name)));
        }
        let mut upload = self.uploads.claim(who, name.clone())?;
        let mut next = Some((PartPosition::First, first));
        let mut arrived = 0;
        while let Some((part, message)) = next {
            if !message.resource_name.is_empty() && message.resource_name != text {
                return Err(Status::invalid_argument(
                    "resource_name changed in the middle of a stream",
                ));
            }
            let progress;
            (upload, progress) = add(upload, part, message).await?;
            match progress {
                UploadOutcome::Whole(bytes) => return Ok(whole(committed(bytes))),
                UploadOutcome::Arrived(bytes) => arrived = bytes,
            }
            if self.storage.contains(&name.digest) {
                upload.forget();
                return Ok(whole(already_there(&name)));
            }
            next = next_part(&mut parts)
                .await?
                .map(|message| (PartPosition::Next, message));
        }
        Ok(whole(committed(arrived)))
    }

    async fn query_write_status(
        &self,
        request: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        let who = CallerPrincipal::of(&request).principal;
        let name = WriteName::parse(&request.into_inner().resource_name)?;
        if self.storage.contains(&name.digest) {
            return Ok(Response::new(QueryWriteStatusResponse {
                committed_size: already_there(&name),
                complete: true,
            }));
        }
        // An unknown upload starts at offset 0, like a new one.
        let arrived = self.uploads.arrived_bytes(&(who, name)).unwrap_or(0);
        Ok(Response::new(QueryWriteStatusResponse {
            committed_size: committed(arrived),
            complete: false,
        }))
    }
}

/// Returns the next request of an upload. A silent stream is abandoned, so that another one may
/// continue.
async fn next_part(parts: &mut Streaming<WriteRequest>) -> Result<Option<WriteRequest>, Status> {
    match timeout(SILENCE_MAX, parts.message()).await {
        Ok(part) => part,
        Err(_) => Err(Status::deadline_exceeded(format!(
            "nothing came of the upload for {} s",
            SILENCE_MAX.as_secs()
        ))),
    }
}

/// Returns the committed size for a blob that need not be uploaded. For a compressed blob the
/// number of received bytes is meaningless, which the API expresses as -1.
fn already_there(name: &WriteName) -> i64 {
    match name.encoding {
        BlobEncoding::Identity => committed(name.digest.size_bytes),
        BlobEncoding::Zstd => -1,
    }
}

fn committed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn whole(committed_size: i64) -> Response<WriteResponse> {
    Response::new(WriteResponse { committed_size })
}

async fn add(
    upload: UploadClaim,
    part: PartPosition,
    message: WriteRequest,
) -> Result<(UploadClaim, UploadOutcome), Status> {
    let offset = unsigned("write_offset", message.write_offset)?;
    let last = match message.finish_write {
        true => FinishWrite::Yes,
        false => FinishWrite::No,
    };
    let write = move || {
        let progress = upload.write(part, offset, &message.data, last);
        progress.map(|progress| (upload, progress))
    };
    on_a_thread_that_may_block(write).await
}

async fn on_a_thread_that_may_block<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Status::unavailable("the storage is being closed")),
    }
}

/// A blob that is being sent to a client.
enum BlobStream {
    Plain(BlobReader),
    Packed(BlobReader, Box<ZstdEncoder>),
    Over,
}

impl BlobStream {
    async fn next(self) -> Result<Option<(ReadResponse, BlobStream)>, Status> {
        match self {
            BlobStream::Over => Ok(None),
            BlobStream::Plain(mut reader) => {
                let piece = reader.next().await?;
                Ok(piece.map(|piece| (response(piece.into()), BlobStream::Plain(reader))))
            }
            BlobStream::Packed(reader, packer) => packed(reader, packer).await.map(Some),
        }
    }
}

/// Returns the next compressed chunk. The encoder buffers, so several chunks of input may go into
/// one.
async fn packed(
    mut reader: BlobReader,
    mut packer: Box<ZstdEncoder>,
) -> Result<(ReadResponse, BlobStream), Status> {
    while let Some(piece) = reader.next().await? {
        let pack = move || {
            packer.write_all(&piece).map_err(internal)?;
            Ok((std::mem::take(packer.get_mut()), packer))
        };
        let data;
        (data, packer) = on_a_thread_that_may_block(pack).await?;
        if !data.is_empty() {
            return Ok((response(data), BlobStream::Packed(reader, packer)));
        }
    }
    let data = packer.finish().map_err(internal)?;
    Ok((response(data), BlobStream::Over))
}

fn response(data: Vec<u8>) -> ReadResponse {
    ReadResponse { data }
}

fn packer() -> Result<ZstdEncoder, Status> {
    compression::packer().map_err(internal)
}

fn internal(error: std::io::Error) -> Status {
    Status::internal(format!("cannot compress: {error}"))
}

/// Converts a number from the wire that must not be negative.
fn unsigned(what: &'static str, number: i64) -> Result<u64, Status> {
    u64::try_from(number)
        .map_err(|_| Status::invalid_argument(format!("{what} is {number}: 0 or more is expected")))
}
