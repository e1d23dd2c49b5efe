//! The contents' services: names of blobs, directories, trees, results, packed blobs; the file of a
//! job's output.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use maelstrom_cluster::broker::cas::actions::ActionResults;
use maelstrom_cluster::broker::cas::{CasStorage, CasStorageOptions, closure};
use maelstrom_cluster::output_log::{BYTES_MAX, CHUNK_BYTES_MAX, OutputCursor, OutputLog};
use maelstrom_cluster::worker::inputs::directory;
use maelstrom_container::digest::{ContentHash, Digest};
use maelstrom_fuzz::{Parts, block_on, scratch};
use maelstrom_model::event::OutputStream;
use maelstrom_wire::reapi::resource::{ReadName, WriteName};
use maelstrom_wire::reapi::{compression, digest, v2};
use prost::Message;

/// What an unpacked blob may have.
const UNPACKED_BYTES: u64 = 1 << 20;

static STORAGE: LazyLock<CasStorage> = LazyLock::new(|| {
    let options = CasStorageOptions {
        root: scratch("storage"),
        size_target_bytes: 1 << 20,
    };
    CasStorage::open(&options).expect("a storage can be opened")
});

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 6 {
        0 => names(&String::from_utf8_lossy(parts.0)),
        1 => {
            if let Ok(listing) = directory::parse(parts.0) {
                drop(format!("{listing:?}"));
            }
        }
        2 => block_on(trees(parts)),
        3 => block_on(results(parts)),
        4 => {
            drop(compression::unpack(parts.0, UNPACKED_BYTES));
            if let Ok(packed) = compression::pack(parts.0) {
                let again = compression::unpack(&packed, parts.0.len() as u64);
                assert_eq!(again.expect("what was packed can be unpacked"), parts.0);
            }
        }
        _ => output(parts),
    }
});

fn names(text: &str) {
    if let Ok(name) = ReadName::parse(text) {
        assert_eq!(ReadName::parse(&name.to_string()).as_ref(), Ok(&name));
    }
    if let Ok(name) = WriteName::parse(text) {
        assert_eq!(WriteName::parse(&name.to_string()).as_ref(), Ok(&name));
    }
    drop(digest::parse_hash(text));
}

/// Blobs, the first of which is a directory.
async fn trees(mut parts: Parts<'_>) {
    let mut root = None;
    while !parts.is_empty() {
        let blob = Bytes::copy_from_slice(parts.part());
        if let Ok(digest) = STORAGE.add(blob).await {
            root.get_or_insert(digest);
        }
    }
    if let Ok(closure) = closure(&STORAGE, root).await {
        drop(STORAGE.pin(closure.present));
        assert!(
            closure
                .missing
                .iter()
                .all(|digest| !STORAGE.contains(digest))
        );
    }
}

async fn results(mut parts: Parts<'_>) {
    let action = parts.part();
    if let Ok(message) = v2::Action::decode(action) {
        drop(digest::required(message.input_root_digest.as_ref()));
        drop(digest::required(message.command_digest.as_ref()));
    }
    let instance = parts.text();
    let Ok(result) = v2::ActionResult::decode(parts.0) else {
        return;
    };
    let action = Digest {
        hash: ContentHash::of(action),
        size_bytes: action.len() as u64,
    };
    let Ok(results) = ActionResults::open(STORAGE.clone()).await else {
        return;
    };
    if results
        .update(&instance, action, result.clone())
        .await
        .is_ok()
    {
        let kept = results
            .get(&instance, action)
            .await
            .expect("what was taken can be asked for");
        assert!(kept.is_none_or(|kept| kept == result));
    }
}

/// Pieces of output come back as they went in, whatever their sizes and the place they are kept in.
fn output(mut parts: Parts<'_>) {
    let mut log = OutputLog::new(&std::env::temp_dir(), BYTES_MAX);
    let (mut written, mut read) = (Vec::new(), Vec::new());
    let mut cursor = OutputCursor::default();
    while !parts.is_empty() {
        let stream = match parts.byte() % 2 {
            0 => OutputStream::Stdout,
            _ => OutputStream::Stderr,
        };
        let bytes = parts.part().repeat(usize::from(parts.byte()));
        log.push(stream, &bytes).expect("there is room");
        written.extend(
            bytes
                .chunks(CHUNK_BYTES_MAX)
                .map(|chunk| (stream, chunk.to_vec())),
        );
        if parts.byte() % 2 == 0 {
            let chunk = log.read(&mut cursor).expect("it can be read");
            read.extend(chunk.map(|chunk| (chunk.stream, chunk.bytes)));
        }
    }
    while let Some(chunk) = log.read(&mut cursor).expect("it can be read") {
        read.push((chunk.stream, chunk.bytes));
    }
    assert_eq!(written, read);
}
