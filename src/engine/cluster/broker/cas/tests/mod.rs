//! The storage and its services, tested through their public interfaces.

mod storage;

use std::path::{Path, PathBuf};

use super::*;
use maelstrom_container::digest::Digest;

const NO_LIMIT: u64 = u64::MAX;

fn open(root: &Path, size_target_bytes: u64) -> CasStorage {
    CasStorage::open(&CasStorageOptions {
        root: root.to_owned(),
        size_target_bytes,
    })
    .unwrap()
}

fn scratch() -> (tempfile::TempDir, CasStorage) {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(&directory.path().join("storage"), NO_LIMIT);
    (directory, storage)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Bytes that don't repeat and are always the same.
fn bytes(size: usize) -> Vec<u8> {
    let words = (0u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(size).collect()
}

/// Where a blob is on disk.
fn file(storage: &CasStorage, digest: &Digest) -> PathBuf {
    storage.root().join("blobs").join(digest.hash.to_string())
}

/// Changes one bit of a blob behind the storage's back.
fn flip_bit(storage: &CasStorage, digest: &Digest, index: usize) {
    let path = file(storage, digest);
    let mut content = std::fs::read(&path).unwrap();
    content[index] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, content).unwrap();
}

/// Files of uploads that are not over.
fn unfinished(storage: &CasStorage) -> usize {
    let scratch = storage.root().join("scratch");
    std::fs::read_dir(scratch).unwrap().count()
}
