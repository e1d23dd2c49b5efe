//! A cache of the digests of files outside the store, keyed by their stamps, so that only changed
//! files are read again.
//!
//! It is a text file with one record per line, to which every program that uses the store appends.
//! Lines that do not parse are skipped. Each line has a checksum, because a wrong digest would give
//! wrong content a valid name. When the file has more than [`RECORDS_MAX`] records, it is rewritten
//! with the newer half.
//!
//! If the file system's clock is coarse, a file that was just written may change again without a
//! change of its times. The digest of such a file is used but not cached.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::stamp::{FileStamp, FileTime};
use crate::digest::{ContentHash, Digest};
use crate::private;

/// The maximum number of records: about 5 MB of text, read in about 20 ms. Far more files than a
/// project's layers contain.
const RECORDS_MAX: usize = 32_768;

/// The number of hexadecimal digits of a line's checksum: enough to detect accidental damage.
const CHECK_DIGITS: usize = 8;

/// Caches the digests of files.
#[derive(Debug)]
pub struct DigestCache {
    /// The cache file. `None` for a cache in memory only.
    path: Option<PathBuf>,
    known: Mutex<Option<HashMap<FileStamp, Digest>>>,
}

/// The result of hashing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedFile {
    /// The stamp of the file, which was the same before and after hashing.
    pub stamp: FileStamp,
    /// The digest of the file's content.
    pub digest: Digest,
}

/// Why a file's digest cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file was written to while it was being read.
    #[error("`{}` changed while it was being read", path.display())]
    Changed { path: PathBuf },
}

impl DigestCache {
    /// Creates a cache with this file, which is read on the first request.
    pub fn new(path: PathBuf) -> Self {
        DigestCache {
            path: Some(path),
            known: Mutex::default(),
        }
    }

    /// Creates a cache in memory only.
    pub fn of_this_process() -> Self {
        DigestCache {
            path: None,
            known: Mutex::default(),
        }
    }

    /// Returns the digest of a file, following symbolic links.
    pub fn digest(&self, path: &Path) -> Result<HashedFile, HashError> {
        let read = |source| HashError::Read {
            path: path.to_owned(),
            source,
        };
        let stamp = FileStamp::of(&fs::metadata(path).map_err(read)?);
        if let Some(digest) = self.lookup(&stamp) {
            return Ok(HashedFile { stamp, digest });
        }
        let mut file = File::open(path).map_err(read)?;
        let before = FileStamp::of(&file.metadata().map_err(read)?);
        let digest = Digest::of_reader(&mut file).map_err(read)?;
        let stamp = FileStamp::of(&file.metadata().map_err(read)?);
        // If the file was written to meanwhile, the digest may match no content that it ever had.
        if before != stamp || digest.size_bytes != stamp.size_bytes {
            return Err(HashError::Changed {
                path: path.to_owned(),
            });
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a file's time is compared with it"
        )]
        if stamp.is_stable(SystemTime::now()) {
            self.remember(stamp, digest);
        }
        Ok(HashedFile { stamp, digest })
    }

    fn lookup(&self, stamp: &FileStamp) -> Option<Digest> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get_or_insert_with(|| self.path.as_deref().map(load).unwrap_or_default())
            .get(stamp)
            .copied()
    }

    /// Adds a digest. If it cannot be written to the file, it is computed again another time.
    fn remember(&self, stamp: FileStamp, digest: Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_with(HashMap::new).insert(stamp, digest);
        let Some(path) = &self.path else { return };
        let appended = private::appended(path)
            .and_then(|mut file| file.write_all(encode(&stamp, &digest).as_bytes()));
        if let Err(error) = appended {
            tracing::debug!(%error, path = %path.display(), "a digest is not remembered");
        }
    }
}

fn load(path: &Path) -> HashMap<FileStamp, Digest> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, path = %path.display(), "known digests cannot be read");
            }
            return HashMap::new();
        }
    };
    let records: Vec<(FileStamp, Digest)> = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| decode(std::str::from_utf8(line).ok()?))
        .collect();
    if records.len() > RECORDS_MAX {
        let newer = records.get(records.len() / 2..).unwrap_or_default();
        if let Err(error) = rewrite(path, newer) {
            tracing::debug!(%error, path = %path.display(), "known digests are not shortened");
        }
    }
    records.into_iter().collect()
}

/// Replaces the cache file. Lines that another program appends to the old file meanwhile are lost,
/// and the files are hashed again.
fn rewrite(path: &Path, records: &[(FileStamp, Digest)]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    for (stamp, digest) in records {
        file.write_all(encode(stamp, digest).as_bytes())?;
    }
    file.persist(path)?;
    Ok(())
}

fn encode(stamp: &FileStamp, digest: &Digest) -> String {
    let FileStamp {
        device,
        inode,
        size_bytes,
        modified,
        changed,
    } = stamp;
    let fields = format!(
        "{device} {inode} {size_bytes} {modified} {changed} {}",
        digest.hash
    );
    format!("{fields} {}\n", check(&fields))
}

fn decode(line: &str) -> Option<(FileStamp, Digest)> {
    let (fields, sum) = line.rsplit_once(' ')?;
    if check(fields) != sum {
        return None;
    }
    let mut fields = fields.split(' ');
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (device, inode, size_bytes) = (number()?, number()?, number()?);
    let mut time = || fields.next()?.parse::<FileTime>().ok();
    let stamp = FileStamp {
        device,
        inode,
        size_bytes,
        modified: time()?,
        changed: time()?,
    };
    let hash = fields.next()?.parse().ok()?;
    Some((stamp, Digest { hash, size_bytes }))
}

fn check(fields: &str) -> String {
    let mut sum = ContentHash::of(fields.as_bytes()).to_string();
    sum.truncate(CHECK_DIGITS);
    sum
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use proptest::prelude::*;

    /// Creates a file that is old enough to be cached.
    fn old_file(path: &Path, content: &str) {
        fs::write(path, content).unwrap();
    }

    fn stamp(seconds: i64, nanoseconds: u32) -> FileStamp {
        let time = FileTime {
            seconds,
            nanoseconds,
        };
        FileStamp {
            device: 1,
            inode: 2,
            size_bytes: 3,
            modified: time,
            changed: time,
        }
    }

    #[test]
    fn a_remembered_digest_is_taken_without_reading_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        old_file(&file, "content");
        let cache = DigestCache::new(directory.path().join("digests"));
        let stamp = FileStamp::of(&fs::metadata(&file).unwrap());
        let made_up = Digest {
            hash: ContentHash::of(b"not what the file holds"),
            size_bytes: stamp.size_bytes,
        };
        cache.remember(stamp, made_up);
        assert_eq!(cache.digest(&file).unwrap().digest, made_up);

        let another_program = DigestCache::new(directory.path().join("digests"));
        assert_eq!(another_program.digest(&file).unwrap().digest, made_up);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        old_file(&file, "first");
        let cache = DigestCache::new(directory.path().join("digests"));
        let first = cache.digest(&file).unwrap();
        cache.remember(first.stamp, first.digest);
        assert_eq!(first.digest, Digest::of(b"first"));
        old_file(&file, "second");
        assert_eq!(cache.digest(&file).unwrap().digest, Digest::of(b"second"));
    }

    #[test]
    fn only_settled_files_are_remembered() {
        let at = |seconds, nanoseconds| UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        assert!(stamp(100, 5).is_stable(at(100, 50_000_000)));
        assert!(!stamp(100, 5).is_stable(at(100, 9_000_000)));
        assert!(!stamp(100, 0).is_stable(at(102, 0)));
        assert!(stamp(100, 0).is_stable(at(104, 0)));
        assert!(!stamp(100, 5).is_stable(at(50, 0)));
        assert!(stamp(-1, 5).is_stable(at(50, 0)));
    }

    #[test]
    fn garbage_between_good_lines_is_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("digests");
        let digest = Digest {
            hash: ContentHash::of(b"x"),
            size_bytes: 3,
        };
        let line = encode(&stamp(7, 8), &digest);
        let scribbled = line.replace("1 2 3", "1 2 4");
        let cut = &line[..line.len() / 2];
        fs::write(&path, format!("\u{fffd}\n{scribbled}{cut}\n{line}")).unwrap();
        assert_eq!(load(&path), HashMap::from([(stamp(7, 8), digest)]));
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("digests");
        let digest = Digest {
            hash: ContentHash::of(b"x"),
            size_bytes: 3,
        };
        let text: String = (0..=RECORDS_MAX as i64)
            .map(|second| encode(&stamp(second, 1), &digest))
            .collect();
        fs::write(&path, text).unwrap();
        assert_eq!(load(&path).len(), RECORDS_MAX + 1);
        let kept = load(&path);
        assert_eq!(kept.len(), RECORDS_MAX / 2 + 1);
        assert!(kept.contains_key(&stamp(RECORDS_MAX as i64, 1)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let cache = DigestCache::new(directory.path().join("digests"));
        let error = cache.digest(&directory.path().join("missing")).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }

    proptest! {
        #[test]
        fn records_survive_and_garbage_is_harmless(
            numbers in any::<(u64, u64, u64, i64, u32, i64)>(),
            garbage in "\\PC{0,200}",
        ) {
            let (device, inode, size_bytes, seconds, nanoseconds, changed) = numbers;
            let nanoseconds = nanoseconds % 1_000_000_000;
            let stamp = FileStamp {
                device,
                inode,
                size_bytes,
                modified: FileTime { seconds, nanoseconds },
                changed: FileTime { seconds: changed, nanoseconds },
            };
            let digest = Digest { hash: ContentHash::of(b"x"), size_bytes };
            prop_assert_eq!(decode(encode(&stamp, &digest).trim_end()), Some((stamp, digest)));
            let _ = decode(&garbage);
        }
    }
}
