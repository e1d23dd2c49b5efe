//! The manifest of a materialized tree: the list of its entries.
//!
//! A manifest consists of one line of JSON, the summary, and one record per entry, in the order of
//! [`TreePath`]. The summary contains the hash of the records, which detects a truncated or
//! corrupted manifest. The records contain the kind, mode, size and time of every entry, so that
//! one `lstat` per entry detects lost, added or changed ones. They also contain the hash of every
//! file, for a full check.
//!
//! The format of the records is private to this module and may change with the store's layout
//! version.

use std::fs::{self, Metadata};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::path::TreePath;
use super::stamp::FileTime;
use super::whiteout::{self, DirectoryWhiteout};
use crate::digest::{ContentHash, Digest};
use crate::private;

/// The maximum length of the summary in bytes. A longer line is invalid and not read to its end.
const SUMMARY_BYTES_MAX: u64 = 4096;

/// The number of entries that are checked before a tree is used again. A larger tree is checked in
/// parts, over several uses, because an image has many layers, and its first job waits for all of
/// them.
const LOOKED_AT_MAX: u64 = 1024;

/// Files occupy whole blocks of this many bytes. For each entry, one more block is counted.
const BLOCK_BYTES: u64 = 4096;

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ManifestRecord {
    pub(super) path: TreePath,
    pub(super) kind: RecordKind,
    pub(super) mode: u32,
    pub(super) mtime: FileTime,
}

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    Directory(DirectoryWhiteout),
    File(Digest),
    /// A symbolic link, with the hash of its target.
    Symlink(ContentHash),
    /// The marker of the overlay file system for a removed entry: a character device 0:0.
    Whiteout,
}

/// The first line of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestSummary {
    /// The number of records.
    pub(super) entries: u64,
    /// The approximate disk usage of the tree, in bytes.
    pub(super) size_bytes: u64,
    /// The hash of the records.
    pub(super) records: ContentHash,
}

/// How thoroughly a tree is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeCheckLevel {
    /// Checks the kind, mode, size and time of each entry.
    Metadata,
    /// Also checks the content of every file and the target of every link.
    Content,
}

/// How an entry of the store differs from its original state.
#[derive(Debug, thiserror::Error)]
pub enum StoreDamage {
    /// The manifest is missing, truncated or invalid.
    #[error("its manifest is not readable: {reason}")]
    Manifest {
        /// The reason why it is invalid.
        reason: String,
    },
    /// An entry of the tree is missing or cannot be examined.
    #[error("`{path}` in it cannot be examined")]
    Examine {
        /// The path in the tree.
        path: TreePath,
        source: io::Error,
    },
    /// An entry of the tree differs from the manifest. Added entries are reported as a change of
    /// their directory.
    #[error("`{path}` in it was changed: {what} differs")]
    Changed {
        /// The path in the tree.
        path: TreePath,
        what: &'static str,
    },
}

impl ManifestSummary {
    fn of(records: &[ManifestRecord], encoded: &[u8]) -> Self {
        let size_bytes = records
            .iter()
            .map(|record| match &record.kind {
                RecordKind::File(digest) => digest.size_bytes.next_multiple_of(BLOCK_BYTES),
                RecordKind::Directory(_) | RecordKind::Symlink(_) | RecordKind::Whiteout => 0,
            })
            .fold(0, |total: u64, size| {
                total.saturating_add(size).saturating_add(BLOCK_BYTES)
            });
        ManifestSummary {
            entries: records.len() as u64,
            size_bytes,
            records: ContentHash::of(encoded),
        }
    }

    /// Reads only the summary.
    pub(super) fn read(manifest: &Path) -> Result<Self, StoreDamage> {
        ManifestSummary::read_from(&mut open(manifest)?)
    }

    fn read_from(reader: &mut impl BufRead) -> Result<Self, StoreDamage> {
        let mut line = Vec::new();
        io::Read::take(reader, SUMMARY_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(unreadable)?;
        serde_json::from_slice(&line).map_err(|error| StoreDamage::Manifest {
            reason: error.to_string(),
        })
    }
}

fn open(manifest: &Path) -> Result<BufReader<fs::File>, StoreDamage> {
    fs::File::open(manifest)
        .map(BufReader::new)
        .map_err(unreadable)
}

fn unreadable(error: io::Error) -> StoreDamage {
    StoreDamage::Manifest {
        reason: error.to_string(),
    }
}

/// Writes the manifest of a tree with these records.
pub(super) fn write(manifest: &Path, records: &[ManifestRecord]) -> io::Result<ManifestSummary> {
    let mut encoded = Vec::new();
    for record in records {
        encode(record, &mut encoded);
    }
    let summary = ManifestSummary::of(records, &encoded);
    let mut file = private::new_file(manifest)?;
    let mut line = serde_json::to_vec(&summary)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.write_all(&encoded)?;
    Ok(summary)
}

/// A manifest whose records match the hash in its summary.
#[derive(Debug)]
pub(super) struct TreeManifest {
    pub(super) summary: ManifestSummary,
    encoded: Vec<u8>,
}

/// The entries of a tree that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeCheckScope {
    All,
    /// The entries to check before a use of the tree: all entries, unless there are too many. Then
    /// all directories, whose times reveal missing and new entries, and a part of the other
    /// entries. Each turn checks another part.
    Turn(u64),
}

impl TreeManifest {
    pub(super) fn read(manifest: &Path) -> Result<Self, StoreDamage> {
        let mut reader = open(manifest)?;
        let summary = ManifestSummary::read_from(&mut reader)?;
        let mut encoded = Vec::new();
        io::Read::read_to_end(&mut reader, &mut encoded).map_err(unreadable)?;
        if ContentHash::of(&encoded) != summary.records {
            return Err(garbage("its records do not have the hash it names"));
        }
        Ok(TreeManifest { summary, encoded })
    }

    /// Returns the records of some entries. Others are not decoded, which would take longer than
    /// checking a part of a large tree.
    pub(super) fn records(
        &self,
        share: TreeCheckScope,
    ) -> Result<Vec<ManifestRecord>, StoreDamage> {
        let turns = self.summary.entries.div_ceil(LOOKED_AT_MAX).max(1);
        let mut count = 0;
        let mut due = Vec::new();
        for encoded in self.encoded.split_inclusive(|byte| *byte == 0) {
            let is_due = match share {
                TreeCheckScope::All => true,
                TreeCheckScope::Turn(turn) => {
                    count % turns == turn % turns || is_directory(encoded)
                }
            };
            if is_due {
                due.push(decode(encoded).ok_or_else(|| garbage("a record has no meaning"))?);
            }
            count += 1;
        }
        if count == self.summary.entries {
            Ok(due)
        } else {
            Err(garbage("its records are not as many as it says"))
        }
    }
}

fn garbage(reason: &str) -> StoreDamage {
    StoreDamage::Manifest {
        reason: reason.to_owned(),
    }
}

/// Compares a tree with the records of its manifest.
pub(super) fn check(
    root: &Path,
    records: &[ManifestRecord],
    check: TreeCheckLevel,
) -> Result<(), StoreDamage> {
    records
        .iter()
        .try_for_each(|record| check_record(root, record, check))
}

fn check_record(
    root: &Path,
    record: &ManifestRecord,
    check: TreeCheckLevel,
) -> Result<(), StoreDamage> {
    let path = record.path.below(root);
    let examine = |source| StoreDamage::Examine {
        path: record.path.clone(),
        source,
    };
    let changed = |what| StoreDamage::Changed {
        path: record.path.clone(),
        what,
    };
    let metadata = fs::symlink_metadata(&path).map_err(examine)?;
    if !kind_matches(&record.kind, &metadata) {
        return Err(changed("kind"));
    }
    if let RecordKind::File(digest) = &record.kind
        && digest.size_bytes != metadata.len()
    {
        return Err(changed("size"));
    }
    if metadata.mode() & 0o7777 != record.mode {
        return Err(changed("mode"));
    }
    if FileTime::modified(&metadata) != record.mtime {
        return Err(changed("modification time"));
    }
    match (check, &record.kind) {
        (TreeCheckLevel::Content, RecordKind::File(digest)) => {
            let actual = Digest::of_file(&path).map_err(examine)?;
            if actual == *digest {
                Ok(())
            } else {
                Err(changed("content"))
            }
        }
        (TreeCheckLevel::Content, RecordKind::Symlink(target)) => {
            let actual = fs::read_link(&path).map_err(examine)?;
            if ContentHash::of(actual.as_os_str().as_bytes()) == *target {
                Ok(())
            } else {
                Err(changed("target"))
            }
        }
        (TreeCheckLevel::Content, RecordKind::Directory(opacity)) => {
            if whiteout::of(&path).map_err(examine)? == *opacity {
                Ok(())
            } else {
                Err(changed("opacity"))
            }
        }
        (TreeCheckLevel::Content, RecordKind::Whiteout) | (TreeCheckLevel::Metadata, _) => Ok(()),
    }
}

fn kind_matches(kind: &RecordKind, metadata: &Metadata) -> bool {
    match kind {
        RecordKind::Directory(_) => metadata.is_dir(),
        RecordKind::File(_) => metadata.is_file(),
        RecordKind::Symlink(_) => metadata.is_symlink(),
        RecordKind::Whiteout => metadata.file_type().is_char_device() && metadata.rdev() == 0,
    }
}

/// Encodes a record: fields separated by spaces, the path last, terminated by a NUL byte, which no
/// path contains.
fn encode(record: &ManifestRecord, into: &mut Vec<u8>) {
    let ManifestRecord {
        path,
        kind,
        mode,
        mtime,
    } = record;
    let kind = match kind {
        RecordKind::Directory(DirectoryWhiteout::Transparent) => "d 0 -".to_owned(),
        RecordKind::Directory(DirectoryWhiteout::Opaque) => "o 0 -".to_owned(),
        RecordKind::File(digest) => format!("f {} {}", digest.size_bytes, digest.hash),
        RecordKind::Symlink(target) => format!("l 0 {target}"),
        RecordKind::Whiteout => "w 0 -".to_owned(),
    };
    into.extend_from_slice(format!("{kind} {mode:o} {mtime} ").as_bytes());
    into.extend_from_slice(path.as_bytes());
    into.push(0);
}

fn is_directory(record: &[u8]) -> bool {
    matches!(record.first(), Some(b'd' | b'o'))
}

fn decode(record: &[u8]) -> Option<ManifestRecord> {
    let mut fields = record.strip_suffix(b"\0")?.splitn(6, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let (kind, size, hash, mode, mtime) = (text()?, text()?, text()?, text()?, text()?);
    let kind = match kind {
        "d" => RecordKind::Directory(DirectoryWhiteout::Transparent),
        "o" => RecordKind::Directory(DirectoryWhiteout::Opaque),
        "f" => RecordKind::File(Digest {
            hash: hash.parse().ok()?,
            size_bytes: size.parse().ok()?,
        }),
        "l" => RecordKind::Symlink(hash.parse().ok()?),
        "w" => RecordKind::Whiteout,
        _ => return None,
    };
    let path = Path::new(std::ffi::OsStr::from_bytes(fields.next()?));
    Some(ManifestRecord {
        path: TreePath::parse(path).ok()?,
        kind,
        mode: u32::from_str_radix(mode, 8).ok()?,
        mtime: mtime.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = ManifestRecord> {
        let kind = prop_oneof![
            Just(RecordKind::Directory(DirectoryWhiteout::Transparent)),
            Just(RecordKind::Directory(DirectoryWhiteout::Opaque)),
            any::<Vec<u8>>().prop_map(|bytes| RecordKind::File(Digest::of(&bytes))),
            any::<Vec<u8>>().prop_map(|bytes| RecordKind::Symlink(ContentHash::of(&bytes))),
            Just(RecordKind::Whiteout),
        ];
        let path = prop::collection::vec("[a-z \\n\u{e9}]{1,4}", 0..4);
        (path, kind, 0u32..0o10000, any::<i64>(), 0u32..1_000_000_000).prop_map(
            |(path, kind, mode, seconds, nanoseconds)| ManifestRecord {
                path: TreePath::parse(Path::new(&path.join("/"))).unwrap(),
                kind,
                mode,
                mtime: FileTime {
                    seconds,
                    nanoseconds,
                },
            },
        )
    }

    /// Creates a manifest with this many files around one directory.
    fn manifest(files: u64) -> TreeManifest {
        let record = |name: String, kind| ManifestRecord {
            path: TreePath::parse(Path::new(&name)).unwrap(),
            kind,
            mode: 0o644,
            mtime: FileTime::NEUTRAL,
        };
        let file = RecordKind::File(Digest::of(b""));
        let directory = RecordKind::Directory(DirectoryWhiteout::Transparent);
        let mut records: Vec<ManifestRecord> = (0..files)
            .map(|number| record(format!("f{number}"), file.clone()))
            .collect();
        records.insert(records.len() / 2, record("directory".to_owned(), directory));
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("manifest");
        write(&path, &records).unwrap();
        TreeManifest::read(&path).unwrap()
    }

    #[test]
    fn of_a_large_tree_all_directories_and_in_turn_all_files_are_looked_at() {
        let few = manifest(LOOKED_AT_MAX - 1);
        let due = few.records(TreeCheckScope::Turn(7)).unwrap();
        assert_eq!(due.len() as u64, LOOKED_AT_MAX);

        let many = manifest(5 * LOOKED_AT_MAX / 2);
        let mut seen = std::collections::BTreeSet::new();
        for turn in 100..103 {
            let due = many.records(TreeCheckScope::Turn(turn)).unwrap();
            assert!(due.len() as u64 <= LOOKED_AT_MAX + 1);
            assert!(
                due.iter()
                    .any(|record| record.path.as_bytes() == b"directory")
            );
            seen.extend(due.into_iter().map(|record| record.path));
        }
        assert_eq!(seen.len() as u64, many.summary.entries);
    }

    proptest! {
        #[test]
        fn records_survive_a_round_trip(records in prop::collection::vec(record(), 0..8)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("manifest");
            let summary = write(&path, &records).unwrap();
            prop_assert_eq!(ManifestSummary::read(&path).unwrap(), summary);
            let read = TreeManifest::read(&path).unwrap();
            prop_assert_eq!(read.summary, summary);
            prop_assert_eq!(read.records(TreeCheckScope::All).unwrap(), records);
        }

        #[test]
        fn any_cut_or_flipped_byte_is_noticed(
            records in prop::collection::vec(record(), 1..4),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("manifest");
            write(&path, &records).unwrap();
            let summary = ManifestSummary::read(&path).unwrap();
            let whole = fs::read(&path).unwrap();

            let cut = at.index(whole.len());
            fs::write(&path, &whole[..cut]).unwrap();
            prop_assert!(TreeManifest::read(&path).is_err());

            let mut scribbled = whole.clone();
            scribbled[cut] ^= flip;
            fs::write(&path, &scribbled).unwrap();
            // A flipped bit in the summary may result in equivalent JSON, or in another size, which
            // only the eviction policy reads.
            if let Ok(read) = TreeManifest::read(&path) {
                prop_assert_eq!(read.summary.records, summary.records);
                if let Ok(read_records) = read.records(TreeCheckScope::All) {
                    prop_assert_eq!(read_records, records);
                }
            }
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
            let _ = ManifestSummary::read_from(&mut bytes.as_slice());
        }
    }
}
