//! The broker's storage as any client of the Remote Execution API finds it: real messages over a
//! real connection.

use crate::cluster::Cluster;
use crate::support::files::noise;
use bazel_remote_apis::build::bazel::remote::execution::v2::action_cache_client::ActionCacheClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::batch_update_blobs_request::Request as Blob;
use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_client::CapabilitiesClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::content_addressable_storage_client::ContentAddressableStorageClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::{
    ActionResult, BatchReadBlobsRequest, BatchUpdateBlobsRequest, Digest, Directory, DirectoryNode,
    FindMissingBlobsRequest, GetActionResultRequest, GetCapabilitiesRequest, GetTreeRequest,
    OutputFile, UpdateActionResultRequest,
};
use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use bazel_remote_apis::google::bytestream::{
    QueryWriteStatusRequest, ReadRequest, WriteRequest, WriteResponse,
};
use prost::Message;
use sha2::Digest as _;
use tonic::transport::Channel;
use tonic::{Code, Status};

const OK: i32 = Code::Ok as i32;

/// More than two messages of a stream take.
const LARGE_BYTES: usize = 9_000_000;

fn digest(content: &[u8]) -> Digest {
    let hash = sha2::Sha256::digest(content);
    Digest {
        hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        size_bytes: i64::try_from(content.len()).unwrap(),
    }
}

/// The name to write it by. Each writer has a number of its own.
fn upload(writer: u64, digest: &Digest) -> String {
    let Digest { hash, size_bytes } = digest;
    format!("uploads/00000000-0000-4000-8000-{writer:012x}/blobs/{hash}/{size_bytes}")
}

/// A broker, and the services of its storage.
struct Storage {
    _cluster: Cluster,
    contents: ContentAddressableStorageClient<Channel>,
    streams: ByteStreamClient<Channel>,
    results: ActionCacheClient<Channel>,
    channel: Channel,
}

impl Storage {
    async fn open() -> Storage {
        let cluster = Cluster::start(&["--open-action-cache"]);
        let address = format!("http://{}", cluster.address);
        let channel = Channel::from_shared(address).unwrap();
        let channel = channel.connect().await.unwrap();
        Storage {
            _cluster: cluster,
            contents: ContentAddressableStorageClient::new(channel.clone())
                .max_decoding_message_size(16 << 20),
            streams: ByteStreamClient::new(channel.clone()),
            results: ActionCacheClient::new(channel.clone()),
            channel,
        }
    }

    async fn update(&mut self, blobs: &[(Digest, &[u8])]) -> Result<Vec<i32>, Status> {
        let requests = blobs.iter().map(|(digest, data)| Blob {
            digest: Some(digest.clone()),
            data: data.to_vec(),
            ..Blob::default()
        });
        let request = BatchUpdateBlobsRequest {
            requests: requests.collect(),
            ..BatchUpdateBlobsRequest::default()
        };
        let response = self.contents.batch_update_blobs(request).await?;
        let responses = response.into_inner().responses;
        let codes = responses.into_iter().map(|one| one.status.unwrap().code);
        Ok(codes.collect())
    }

    async fn is_missing(&mut self, digest: &Digest) -> bool {
        let request = FindMissingBlobsRequest {
            blob_digests: vec![digest.clone()],
            ..FindMissingBlobsRequest::default()
        };
        let response = self.contents.find_missing_blobs(request).await.unwrap();
        !response.into_inner().missing_blob_digests.is_empty()
    }

    async fn write(&mut self, pieces: Vec<WriteRequest>) -> Result<WriteResponse, Status> {
        let response = self.streams.write(tokio_stream::iter(pieces)).await?;
        Ok(response.into_inner())
    }

    async fn read(&mut self, digest: &Digest, offset: i64, limit: i64) -> Result<Vec<u8>, Status> {
        let request = ReadRequest {
            resource_name: format!("blobs/{}/{}", digest.hash, digest.size_bytes),
            read_offset: offset,
            read_limit: limit,
        };
        let mut stream = self.streams.read(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.message().await? {
            bytes.extend(piece.data);
        }
        Ok(bytes)
    }
}

/// A content as a writer sends it, from an offset on.
fn pieces(name: &str, content: &[u8], from: usize, finishes: bool) -> Vec<WriteRequest> {
    let mut offset = from;
    let mut pieces = Vec::new();
    for chunk in content[from..].chunks(1 << 20) {
        pieces.push(WriteRequest {
            resource_name: name.to_owned(),
            write_offset: i64::try_from(offset).unwrap(),
            finish_write: finishes && offset + chunk.len() == content.len(),
            data: chunk.to_vec(),
        });
        offset += chunk.len();
    }
    pieces
}

#[tokio::test]
async fn small_blobs_go_many_at_a_time() {
    let mut storage = Storage::open().await;
    let (one, other): (&[u8], &[u8]) = (b"one", b"other");
    assert!(storage.is_missing(&digest(one)).await);
    // What doesn't match its digest is refused, and the rest is taken.
    let blobs = [
        (digest(one), one),
        (digest(other), b"OTHER".as_slice()),
        (digest(b"longer"), b"long".as_slice()),
    ];
    let codes = storage.update(&blobs).await.unwrap();
    assert_eq!(codes[0], OK);
    assert!(codes[1] != OK && codes[2] != OK, "{codes:?}");
    assert!(!storage.is_missing(&digest(one)).await);
    assert!(storage.is_missing(&digest(other)).await);
    let request = BatchReadBlobsRequest {
        digests: vec![digest(one), digest(other)],
        ..BatchReadBlobsRequest::default()
    };
    let response = storage.contents.batch_read_blobs(request).await.unwrap();
    let responses = response.into_inner().responses;
    assert_eq!(responses[0].data, one);
    let code = responses[1].status.as_ref().unwrap().code;
    assert_eq!(code, Code::NotFound as i32);
}

#[tokio::test]
async fn large_blobs_go_in_streams() {
    let mut storage = Storage::open().await;
    let content = noise(LARGE_BYTES);
    let digest = digest(&content);
    let name = upload(1, &digest);
    let written = storage.write(pieces(&name, &content, 0, true)).await;
    assert_eq!(written.unwrap().committed_size, digest.size_bytes);
    assert_eq!(storage.read(&digest, 0, 0).await.unwrap(), content);
    let middle = storage.read(&digest, 5_000_000, 3).await.unwrap();
    assert_eq!(middle, &content[5_000_000..5_000_003]);
    let beyond = storage.read(&digest, digest.size_bytes + 1, 0).await;
    assert_eq!(beyond.unwrap_err().code(), Code::OutOfRange);
    // Whoever writes what is there is told so at once.
    let again = storage.write(pieces(&upload(2, &digest), &content, 0, true));
    assert_eq!(again.await.unwrap().committed_size, digest.size_bytes);
}

#[tokio::test]
async fn a_writer_that_vanishes_or_lies_leaves_nothing() {
    let mut storage = Storage::open().await;
    let content = noise(LARGE_BYTES);
    let digest = digest(&content);
    // It stops in the middle.
    let half = pieces(&upload(1, &digest), &content[..LARGE_BYTES / 2], 0, false);
    drop(storage.write(half).await);
    assert!(storage.is_missing(&digest).await);
    // It sends something else.
    let mut other = content.clone();
    other[LARGE_BYTES / 2] ^= 1;
    let lie = storage.write(pieces(&upload(2, &digest), &other, 0, true));
    assert_eq!(lie.await.unwrap_err().code(), Code::InvalidArgument);
    assert!(storage.is_missing(&digest).await);
    // It sends more than it said.
    let mut long = content.clone();
    long.push(0);
    let lie = storage.write(pieces(&upload(3, &digest), &long, 0, true));
    assert_eq!(lie.await.unwrap_err().code(), Code::InvalidArgument);
    // It begins where nothing is.
    let gap = storage.write(pieces(&upload(4, &digest), &content, 1 << 20, true));
    assert_eq!(gap.await.unwrap_err().code(), Code::InvalidArgument);
    // It names nothing that there could be.
    for name in ["", "blobs/x/1", "uploads/x/blobs/y/1", "../../etc/passwd"] {
        let wrong = storage.write(pieces(name, b"x", 0, true)).await;
        assert_eq!(wrong.unwrap_err().code(), Code::InvalidArgument, "{name}");
    }
    assert!(storage.is_missing(&digest).await);
    assert_eq!(
        storage.read(&digest, 0, 0).await.unwrap_err().code(),
        Code::NotFound
    );
    let name = upload(5, &digest);
    storage
        .write(pieces(&name, &content, 0, true))
        .await
        .unwrap();
    assert_eq!(storage.read(&digest, 0, 0).await.unwrap(), content);
}

#[tokio::test]
async fn a_writer_asks_how_far_it_came() {
    let mut storage = Storage::open().await;
    let content = noise(LARGE_BYTES);
    let digest = digest(&content);
    let name = upload(1, &digest);
    let half = pieces(&name, &content[..4 << 20], 0, false);
    drop(storage.write(half).await);
    let question = QueryWriteStatusRequest {
        resource_name: name.clone(),
    };
    let answer = storage.streams.query_write_status(question.clone()).await;
    let answer = answer.unwrap().into_inner();
    assert!(!answer.complete);
    let from = usize::try_from(answer.committed_size).unwrap();
    let rest = pieces(&name, &content, from, true);
    assert_eq!(
        storage.write(rest).await.unwrap().committed_size,
        digest.size_bytes
    );
    let answer = storage.streams.query_write_status(question).await;
    assert!(answer.unwrap().into_inner().complete);
}

#[tokio::test]
async fn trees_are_told_whole_or_with_what_they_lack() {
    let mut storage = Storage::open().await;
    let leaf = Directory::default().encode_to_vec();
    let root = Directory {
        directories: vec![DirectoryNode {
            name: "leaf".to_owned(),
            digest: Some(digest(&leaf)),
        }],
        ..Directory::default()
    };
    let encoded = root.encode_to_vec();
    let codes = storage
        .update(&[(digest(&encoded), &encoded), (digest(&leaf), &leaf)])
        .await;
    assert_eq!(codes.unwrap(), [OK, OK]);
    let request = GetTreeRequest {
        root_digest: Some(digest(&encoded)),
        ..GetTreeRequest::default()
    };
    let stream = storage.contents.get_tree(request).await.unwrap();
    let page = stream.into_inner().message().await.unwrap().unwrap();
    assert_eq!(page.directories, [root, Directory::default()]);
    let request = GetTreeRequest {
        root_digest: Some(digest(b"nobody wrote this")),
        ..GetTreeRequest::default()
    };
    let code = match storage.contents.get_tree(request).await {
        Ok(stream) => stream.into_inner().message().await.unwrap_err().code(),
        Err(status) => status.code(),
    };
    assert_eq!(code, Code::NotFound);
}

#[tokio::test]
async fn results_are_kept_while_their_outputs_are_there() {
    let mut storage = Storage::open().await;
    let output: &[u8] = b"output";
    let action = digest(b"action");
    let result = ActionResult {
        output_files: vec![OutputFile {
            path: "out".to_owned(),
            digest: Some(digest(output)),
            ..OutputFile::default()
        }],
        ..ActionResult::default()
    };
    let question = GetActionResultRequest {
        action_digest: Some(action.clone()),
        ..GetActionResultRequest::default()
    };
    let update = UpdateActionResultRequest {
        action_digest: Some(action),
        action_result: Some(result.clone()),
        ..UpdateActionResultRequest::default()
    };
    let absent = storage.results.get_action_result(question.clone()).await;
    assert_eq!(absent.unwrap_err().code(), Code::NotFound);
    drop(storage.results.update_action_result(update.clone()).await);
    let worthless = storage.results.get_action_result(question.clone()).await;
    assert_eq!(worthless.unwrap_err().code(), Code::NotFound);
    storage.update(&[(digest(output), output)]).await.unwrap();
    storage.results.update_action_result(update).await.unwrap();
    let found = storage.results.get_action_result(question).await.unwrap();
    assert_eq!(found.into_inner().output_files, result.output_files);
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_what_it_says_of_itself() {
    let mut storage = Storage::open().await;
    let mut capabilities = CapabilitiesClient::new(storage.channel.clone());
    let request = GetCapabilitiesRequest::default();
    let told = capabilities.get_capabilities(request).await.unwrap();
    let limits = told.into_inner().cache_capabilities.unwrap();
    let limit = usize::try_from(limits.max_batch_total_size_bytes).unwrap();
    let content = vec![0; limit + 1];
    let refused = storage.update(&[(digest(&content), &content)]).await;
    let told = match refused {
        Ok(codes) => codes[0],
        Err(status) => status.code() as i32,
    };
    assert_ne!(told, OK);
    assert!(storage.is_missing(&digest(&content)).await);
    // The storage still answers.
    assert_eq!(storage.update(&[(digest(b"x"), b"x")]).await.unwrap(), [OK]);
}
