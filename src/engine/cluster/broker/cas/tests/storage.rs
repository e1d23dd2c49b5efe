//! The storage itself.

use bytes::Bytes;
use tonic::{Code, Status};

use super::*;
use maelstrom_container::store::StoreError;
use maelstrom_wire::reapi::limits::CHUNK_BYTES;

async fn read(
    storage: &CasStorage,
    digest: Digest,
    offset: u64,
    limit: Option<u64>,
) -> Result<Vec<u8>, CasStorageError> {
    let mut reader = storage.read(digest, offset, limit).await?;
    let mut content = Vec::new();
    while let Some(piece) = reader.next().await? {
        assert!(piece.len() <= CHUNK_BYTES);
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

#[test]
fn blobs_come_back_whole_and_in_part() {
    let (_directory, storage) = scratch();
    runtime().block_on(async {
        let content = bytes(3 * CHUNK_BYTES + 17);
        let digest = storage.add(content.clone().into()).await.unwrap();
        for (offset, limit) in [
            (0, None),
            (5, None),
            (0, Some(10)),
            (CHUNK_BYTES as u64, Some(CHUNK_BYTES as u64 + 1)),
            (digest.size_bytes, None),
            (digest.size_bytes - 1, Some(u64::MAX)),
            (3, Some(0)),
        ] {
            let expected = content.iter().skip(offset as usize);
            let expected = expected.take(limit.map_or(usize::MAX, |limit| limit as usize));
            let read = read(&storage, digest, offset, limit).await.unwrap();
            assert!(read.iter().eq(expected), "{offset} {limit:?}");
        }
        let beyond = read(&storage, digest, digest.size_bytes + 1, None).await;
        assert!(matches!(beyond, Err(CasStorageError::OutOfRange { .. })));
    });
}

#[test]
fn the_empty_blob_is_always_there() {
    let (_directory, storage) = scratch();
    let empty = Digest::of(b"");
    assert_eq!(storage.missing(&[empty]), []);
    runtime().block_on(async {
        assert_eq!(storage.content(empty).await.unwrap(), Bytes::new());
        assert_eq!(read(&storage, empty, 0, None).await.unwrap(), b"");
    });
}

#[test]
fn what_is_missing_is_told_once_and_sizes_count() {
    let (_directory, storage) = scratch();
    runtime().block_on(async {
        let here = storage.add(Bytes::from_static(b"here")).await.unwrap();
        let gone = Digest::of(b"gone");
        let longer = Digest {
            size_bytes: 5,
            ..here
        };
        assert_eq!(storage.missing(&[gone, here, longer, gone]), [gone, longer]);
        let absent = storage.content(gone).await.unwrap_err();
        assert!(matches!(absent, CasStorageError::Absent { digest } if digest == gone));
    });
}

#[test]
fn wrong_bytes_and_wrong_lengths_leave_nothing() {
    let (_directory, storage) = scratch();
    runtime().block_on(async {
        let announced = Digest::of(b"announced");
        for content in [&b"denounced"[..], b"short", b"much too long"] {
            let blobs = vec![(announced, Bytes::copy_from_slice(content))];
            let refused = storage.add_all(blobs).await.unwrap().pop().unwrap();
            let status = Status::from(refused.unwrap_err());
            assert_eq!(status.code(), Code::InvalidArgument);
            let named = status.message().contains(&announced.to_string());
            assert!(named, "{}", status.message());
        }
        assert_eq!(storage.missing(&[announced]), [announced]);
        assert_eq!(unfinished(&storage), 0);

        // What is there already is compared as well.
        storage.add(Bytes::from_static(b"announced")).await.unwrap();
        let blobs = vec![(announced, Bytes::from_static(b"denounced"))];
        let refused = storage.add_all(blobs).await.unwrap().pop().unwrap();
        assert!(matches!(
            refused,
            Err(CasStorageError::Store(StoreError::Mismatch { .. }))
        ));
    });
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_and_one_that_restarts_succeeds() {
    let (_directory, storage) = scratch();
    let digest = Digest::of(b"content");
    let mut writer = storage.writer(digest).unwrap();
    writer.write(b"cont").unwrap();
    assert_eq!((writer.arrived_bytes(), unfinished(&storage)), (4, 1));
    drop(writer);
    assert_eq!(
        (storage.missing(&[digest]).len(), unfinished(&storage)),
        (1, 0)
    );

    let mut writer = storage.writer(digest).unwrap();
    writer.write(b"wrong").unwrap();
    writer.restart().unwrap();
    writer.write(b"content").unwrap();
    writer.finish().unwrap();
    assert_eq!(storage.missing(&[digest]), []);
}

#[test]
fn two_writers_of_one_blob_both_succeed() {
    let (_directory, storage) = scratch();
    let digest = Digest::of(b"content");
    let mut first = storage.writer(digest).unwrap();
    let mut second = storage.writer(digest).unwrap();
    first.write(b"con").unwrap();
    second.write(b"content").unwrap();
    second.finish().unwrap();
    first.write(b"tent").unwrap();
    first.finish().unwrap();
    assert_eq!(storage.usage().blobs, 1);
    assert_eq!(storage.usage().size_bytes, 7);
}

#[test]
fn a_flipped_bit_is_noticed_by_every_way_of_reading_to_the_end() {
    let (_directory, storage) = scratch();
    runtime().block_on(async {
        let content = bytes(2 * CHUNK_BYTES);
        for offset in [0, 1 + CHUNK_BYTES as u64] {
            let digest = storage.add(content.clone().into()).await.unwrap();
            flip_bit(&storage, &digest, 3);
            let mut reader = storage.read(digest, offset, None).await.unwrap();
            let mut given = offset;
            let error = loop {
                match reader.next().await {
                    Ok(Some(piece)) => given += piece.len() as u64,
                    Ok(None) => panic!("nobody noticed"),
                    Err(error) => break error,
                }
            };
            assert!(given < digest.size_bytes, "the last piece is held back");
            assert!(matches!(error, CasStorageError::Damaged { .. }), "{error}");
            assert_eq!(Status::from(error).code(), Code::NotFound);
            assert_eq!(storage.missing(&[digest]), [digest]);
            assert!(!file(&storage, &digest).exists());
        }
        let digest = storage.add(content.into()).await.unwrap();
        flip_bit(&storage, &digest, 3);
        let error = storage.content(digest).await.unwrap_err();
        assert!(matches!(error, CasStorageError::Damaged { .. }), "{error}");
        assert_eq!(storage.missing(&[digest]), [digest]);
        assert_eq!(storage.usage().damaged_blobs, 3);
    });
}

#[test]
fn a_torn_or_vanished_blob_counts_as_absent() {
    let (_directory, storage) = scratch();
    runtime().block_on(async {
        let torn = storage.add(Bytes::from_static(b"torn")).await.unwrap();
        std::fs::remove_file(file(&storage, &torn)).unwrap();
        std::fs::write(file(&storage, &torn), b"to").unwrap();
        let vanished = storage.add(Bytes::from_static(b"vanished")).await.unwrap();
        std::fs::remove_file(file(&storage, &vanished)).unwrap();
        for digest in [torn, vanished] {
            let error = storage.read(digest, 0, None).await.unwrap_err();
            assert!(matches!(error, CasStorageError::Damaged { .. }), "{error}");
            assert_eq!(storage.missing(&[digest]), [digest]);
        }
    });
}

#[test]
fn the_least_recently_used_go_and_pinned_ones_stay() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), 3000);
    runtime().block_on(async {
        let blob = |number: u8| Bytes::from(vec![number; 1000]);
        let mut digests = Vec::new();
        for number in 0..3 {
            digests.push(storage.add(blob(number)).await.unwrap());
        }
        let pinned = storage.pin([digests[1]]);
        assert!(storage.contains(&digests[0]));
        digests.push(storage.add(blob(3)).await.unwrap());
        assert_eq!(storage.missing(&digests), [digests[2]]);

        // Pinned before it comes.
        let early = storage.pin([Digest::of(&blob(4))]);
        for number in 4..8 {
            digests.push(storage.add(blob(number)).await.unwrap());
        }
        let there = [digests[1], digests[4], digests[7]];
        assert_eq!(storage.missing(&there), []);
        let usage = storage.usage();
        assert_eq!((usage.blobs, usage.pinned_bytes), (3, 2000));
        assert_eq!((usage.evicted_blobs, usage.evicted_bytes), (5, 5000));
        let on_disk = std::fs::read_dir(storage.root().join("blobs")).unwrap();
        assert_eq!(on_disk.count(), 3);

        drop((pinned, early));
        assert_eq!(storage.usage().pinned_bytes, 0);
        for number in 8..11 {
            storage.add(blob(number)).await.unwrap();
        }
        assert_eq!(storage.missing(&there), there);
    });
}

#[test]
fn pins_may_exceed_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), 10);
    runtime().block_on(async {
        let contents = [b"0123456789".as_slice(), b"abcdefghij"].map(Bytes::from_static);
        let digests = contents.clone().map(|content| Digest::of(&content));
        let _pinned = storage.pin(digests);
        for content in contents {
            storage.add(content).await.unwrap();
        }
        assert_eq!(storage.missing(&digests), []);
        assert_eq!(storage.usage().size_bytes, 20);
    });
}

#[test]
fn what_was_there_is_there_after_a_restart_up_to_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), NO_LIMIT);
    let digests = runtime().block_on(async {
        let first = storage.add(Bytes::from_static(b"first")).await.unwrap();
        let second = storage.add(Bytes::from_static(b"other")).await.unwrap();
        [first, second]
    });
    // What an upload leaves when its broker is killed.
    let left = storage.root().join("scratch/00000000000000ff");
    std::fs::write(left, "half").unwrap();
    drop(storage);

    let again = open(directory.path(), NO_LIMIT);
    assert_eq!(again.missing(&digests), []);
    assert_eq!(unfinished(&again), 0);
    drop(again);
    let smaller = open(directory.path(), 5);
    assert_eq!(smaller.usage().blobs, 1);
}

#[test]
fn a_directory_has_one_broker() {
    let (_directory, storage) = scratch();
    let error = CasStorage::open(&CasStorageOptions {
        root: storage.root().to_owned(),
        size_target_bytes: NO_LIMIT,
    })
    .unwrap_err();
    assert!(matches!(error, CasStorageError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("storage"), "{error}");
}
