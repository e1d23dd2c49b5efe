//! Writes the tree of a digest, of a `Directory` or of a file, to the store.
//!
//! A tree's directories are fetched level by level, then all of its files, and then it is written.
//! Its size is limited before its files are fetched: equal directories are described once and may
//! occur many times, so a few kilobytes could describe more files than any disk has room for.

use std::collections::{BTreeSet, HashMap};

use super::super::content_fetcher::{ContentFetcher, FetchError};
use super::directory::{self, DIRECTORY_BYTES_MAX, DirectoryListing};
use super::error::WorkerInputError;
use maelstrom_container::digest::{ContentHash, Digest, DigestHasher};
use maelstrom_container::store::{
    Blob, FileAttributes, FileTime, Store, Tree, TreePath, TreeWriter,
};
use maelstrom_wire::from_proto::container::ExecutePermission;

/// Limits on a tree. A large image has some 100,000 files.
#[derive(Clone, Copy, Debug)]
pub struct TreeLimits {
    /// The number of files, directories and symlinks.
    pub entries_max: u64,
    /// The maximum depth: the kernel's paths have no room for more.
    pub depth_max: usize,
    /// The total size of all files.
    pub bytes_max: u64,
}

impl Default for TreeLimits {
    fn default() -> TreeLimits {
        TreeLimits {
            entries_max: 1_000_000,
            depth_max: 1024,
            bytes_max: 64 << 30,
        }
    }
}

/// The file's name in its tree. It is not visible, because the file itself is mounted.
pub(super) const FILE_NAME: &str = "file";

/// Part of the name of a tree of a single file.
const FILE_FORMAT: &[u8] = b"maelstrom single file 1";

const DIRECTORY: FileAttributes = FileAttributes {
    mode: 0o755,
    mtime: FileTime::NEUTRAL,
};

/// An entry of a tree that is yet to be written.
#[derive(Debug)]
enum InputTreeEntry {
    Directory,
    File(Digest, ExecutePermission),
    Link(String),
}

/// Returns the tree of a `Directory`.
pub(super) async fn directory(
    contents: &impl ContentFetcher,
    store: &Store,
    limits: TreeLimits,
    root: Digest,
) -> Result<Tree, WorkerInputError> {
    if let Some(tree) = known(store, root.hash).await? {
        return Ok(tree);
    }
    let listings = describe(contents, store, limits, root).await?;
    let entries = unfold(&listings, limits, root)?;
    let files = entries.iter().filter_map(|(_, entry)| match entry {
        InputTreeEntry::File(digest, _) => Some(*digest),
        InputTreeEntry::Directory | InputTreeEntry::Link(_) => None,
    });
    let blobs = fetch(contents, store, files.collect()).await?;
    write(store, root.hash, entries, blobs).await
}

/// Returns the tree of a single file, which is [`FILE_NAME`] in it.
pub(super) async fn file(
    contents: &impl ContentFetcher,
    store: &Store,
    digest: Digest,
    execution: ExecutePermission,
) -> Result<Tree, WorkerInputError> {
    let name = file_tree(digest, execution);
    if let Some(tree) = known(store, name).await? {
        return Ok(tree);
    }
    let blobs = fetch(contents, store, BTreeSet::from([digest])).await?;
    let path = TreePath::parse(FILE_NAME.as_ref())?;
    let entries = vec![(path, InputTreeEntry::File(digest, execution))];
    write(store, name, entries, blobs).await
}

fn file_tree(digest: Digest, execution: ExecutePermission) -> ContentHash {
    let mut hasher = DigestHasher::default();
    hasher.update_framed(FILE_FORMAT);
    hasher.update_framed(digest.to_string().as_bytes());
    hasher.update_framed(match execution {
        ExecutePermission::Allowed => b"executable",
        ExecutePermission::Refused => b"data",
    });
    hasher.finish().hash
}

async fn known(store: &Store, name: ContentHash) -> Result<Option<Tree>, WorkerInputError> {
    let store = store.clone();
    blocking(move || Ok(store.tree(name)?)).await
}

/// Fetches blobs. Empty ones are skipped.
async fn fetch(
    contents: &impl ContentFetcher,
    store: &Store,
    wanted: BTreeSet<Digest>,
) -> Result<HashMap<Digest, Blob>, WorkerInputError> {
    let empty = Digest::of(b"");
    let wanted: Vec<Digest> = wanted.into_iter().filter(|one| *one != empty).collect();
    let blobs = contents.fetch(&wanted, store).await?;
    let blobs: HashMap<Digest, Blob> = blobs
        .into_iter()
        .map(|blob| (blob.digest(), blob))
        .collect();
    match wanted.iter().find(|digest| !blobs.contains_key(digest)) {
        Some(digest) => Err(FetchError::Missing { digest: *digest }.into()),
        None => Ok(blobs),
    }
}

/// Fetches the messages of all directories of a tree.
async fn describe(
    contents: &impl ContentFetcher,
    store: &Store,
    limits: TreeLimits,
    root: Digest,
) -> Result<HashMap<Digest, DirectoryListing>, WorkerInputError> {
    let mut listings = HashMap::new();
    let mut level = BTreeSet::from([root]);
    for _ in 0..=limits.depth_max {
        if level.is_empty() {
            return Ok(listings);
        }
        if (listings.len() + level.len()) as u64 > limits.entries_max {
            return Err(too_much(root, "directories", limits.entries_max));
        }
        if let Some(long) = level
            .iter()
            .find(|one| one.size_bytes > DIRECTORY_BYTES_MAX)
        {
            let what = "bytes in one directory's description";
            return Err(too_much(*long, what, DIRECTORY_BYTES_MAX));
        }
        let blobs = fetch(contents, store, level.clone()).await?;
        let read = read(store, level, blobs).await?;
        level = read
            .values()
            .flat_map(|listing| listing.directories.iter().map(|(_, digest)| *digest))
            .collect();
        listings.extend(read);
        level.retain(|digest| !listings.contains_key(digest));
    }
    Err(too_much(root, "levels", limits.depth_max as u64))
}

/// Reads the messages of one level.
async fn read(
    store: &Store,
    level: BTreeSet<Digest>,
    blobs: HashMap<Digest, Blob>,
) -> Result<HashMap<Digest, DirectoryListing>, WorkerInputError> {
    let store = store.clone();
    blocking(move || {
        let mut listings = HashMap::new();
        for digest in level {
            let content = match blobs.contains_key(&digest) {
                true => store.content(digest.hash)?,
                false => Some(Vec::new()),
            };
            let content = content.ok_or_else(|| FetchError::Damaged {
                digest,
                reason: "this machine's disk has lost it".to_owned(),
            })?;
            let listing = directory::parse(&content);
            let listing =
                listing.map_err(|source| WorkerInputError::Directory { digest, source })?;
            listings.insert(digest, listing);
        }
        Ok(listings)
    })
    .await
}

/// Returns all entries of a tree, parents first.
fn unfold(
    listings: &HashMap<Digest, DirectoryListing>,
    limits: TreeLimits,
    root: Digest,
) -> Result<Vec<(TreePath, InputTreeEntry)>, WorkerInputError> {
    let mut entries = Vec::new();
    let mut bytes = 0u64;
    let mut waiting = vec![(TreePath::root(), root)];
    while let Some((place, digest)) = waiting.pop() {
        let Some(listing) = listings.get(&digest) else {
            return Err(FetchError::Missing { digest }.into());
        };
        for (name, digest) in &listing.directories {
            let path = place.join(name.as_ref())?;
            entries.push((path.clone(), InputTreeEntry::Directory));
            waiting.push((path, *digest));
        }
        for (name, digest, execution) in &listing.files {
            bytes = bytes.saturating_add(digest.size_bytes);
            let entry = InputTreeEntry::File(*digest, *execution);
            entries.push((place.join(name.as_ref())?, entry));
        }
        for (name, target) in &listing.links {
            let entry = InputTreeEntry::Link(target.clone());
            entries.push((place.join(name.as_ref())?, entry));
        }
        // Pending directories already count as entries, so neither list exceeds the limit by more
        // than one directory's entries.
        if entries.len() as u64 > limits.entries_max {
            return Err(too_much(root, "entries", limits.entries_max));
        }
        if bytes > limits.bytes_max {
            return Err(too_much(root, "bytes", limits.bytes_max));
        }
    }
    Ok(entries)
}

fn too_much(root: Digest, what: &'static str, max: u64) -> WorkerInputError {
    WorkerInputError::TooMuch { root, what, max }
}

async fn write(
    store: &Store,
    name: ContentHash,
    entries: Vec<(TreePath, InputTreeEntry)>,
    mut blobs: HashMap<Digest, Blob>,
) -> Result<Tree, WorkerInputError> {
    let store = store.clone();
    blocking(move || {
        let written = store.tree_or_build(name, |writer| {
            let mut entries = entries.iter();
            entries.try_for_each(|(path, entry)| write_entry(writer, path, entry, &blobs))
        });
        if let Err(WorkerInputError::Fetch(FetchError::Damaged { digest, .. })) = &written
            && let Some(blob) = blobs.remove(digest)
        {
            // Otherwise the next attempt would find the same damaged blob, and not fetch it again.
            store.discard_blob(blob)?;
        }
        written
    })
    .await
}

fn write_entry(
    writer: &mut TreeWriter,
    path: &TreePath,
    entry: &InputTreeEntry,
    blobs: &HashMap<Digest, Blob>,
) -> Result<(), WorkerInputError> {
    let (digest, mode) = match entry {
        InputTreeEntry::Directory => return Ok(writer.directory(path, DIRECTORY)?),
        InputTreeEntry::Link(target) => return Ok(writer.symlink(path, target.as_ref())?),
        InputTreeEntry::File(digest, ExecutePermission::Allowed) => (*digest, 0o755),
        InputTreeEntry::File(digest, ExecutePermission::Refused) => (*digest, 0o644),
    };
    let mtime = FileTime::NEUTRAL;
    let attributes = FileAttributes { mode, mtime };
    let written = match blobs.get(&digest) {
        Some(blob) => writer.file(path, attributes, &mut blob.open()?)?,
        None => writer.file(path, attributes, &mut std::io::empty())?,
    };
    if written != digest {
        // It was verified when it was fetched, so it was damaged on disk since.
        let reason = format!("this machine's disk has {written}");
        return Err(FetchError::Damaged { digest, reason }.into());
    }
    Ok(())
}

/// Runs blocking work on a blocking thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WorkerInputError> + Send + 'static,
) -> Result<T, WorkerInputError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(WorkerInputError::Interrupted))
}
