//! The container store as others left it: manifests of trees, known digests, blobs that arrived in
//! part, and whatever stands between them.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use libfuzzer_sys::fuzz_target;
use maelstrom_container::digest::{ContentHash, Digest};
use maelstrom_container::store::{
    BlobLookup, FileAttributes, FileStamp, FileTime, Store, StoreError, StoreOptions,
    TreeCheckLevel, TreePath, TreeWriteError,
};
use maelstrom_fuzz::{Parts, file, scratch};
use maelstrom_model::error::help_of;

const ATTRIBUTES: FileAttributes = FileAttributes {
    mode: 0o755,
    mtime: FileTime::NEUTRAL,
};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A sound tree and what its manifest says.
static SOUND: LazyLock<(ContentHash, Vec<u8>)> = LazyLock::new(|| {
    let root = scratch("sound");
    let store = open(&root).expect("a store can be opened");
    let hash = ContentHash::of(b"tree");
    build(&store, hash);
    let manifest = root.join(format!("trees/{hash}/manifest"));
    (
        hash,
        std::fs::read(manifest).expect("a manifest can be read"),
    )
});

#[derive(Debug)]
enum Failed {
    Store,
    Tree,
}

impl From<StoreError> for Failed {
    fn from(_: StoreError) -> Self {
        Failed::Store
    }
}

impl From<TreeWriteError> for Failed {
    fn from(_: TreeWriteError) -> Self {
        Failed::Tree
    }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let root = scratch(&format!("store-{number}"));
    match parts.byte() % 6 {
        0 => tree(&root, parts.0),
        1 => scribbled(&root, parts),
        2 => records(&root, parts),
        3 => digests(&root, parts),
        4 => partial(&root, parts),
        _ => places(&root, parts),
    }
    drop(std::fs::remove_dir_all(&root));
});

fn open(root: &Path) -> Result<Store, StoreError> {
    let options = StoreOptions {
        root: root.to_owned(),
        size_target_bytes: 1 << 16,
    };
    Store::open(&options)
}

fn build(store: &Store, hash: ContentHash) {
    let made = store.tree_or_build(hash, |writer| {
        let path = |name: &str| TreePath::parse(Path::new(name)).expect("a path");
        writer.directory(&path("d"), ATTRIBUTES)?;
        writer.file(&path("d/file"), ATTRIBUTES, &mut &b"content"[..])?;
        writer.symlink(&path("link"), Path::new("d/file"))?;
        Ok::<_, Failed>(())
    });
    made.expect("a tree can be made");
}

/// A store with a tree whose manifest is this.
fn tree(root: &Path, manifest: &[u8]) {
    let hash = SOUND.0;
    let store = open(root).expect("a store can be opened");
    build(&store, hash);
    let path = root.join(format!("trees/{hash}/manifest"));
    std::fs::write(&path, manifest).expect("a manifest can be written");
    if let Ok(Some(tree)) = store.tree(hash) {
        if let Err(damage) = store.verify(&tree, TreeCheckLevel::Metadata) {
            drop(damage.to_string());
        }
        if let Err(damage) = store.verify(&tree, TreeCheckLevel::Content) {
            drop(damage.to_string());
        }
    }
    // Whatever it was, it can be had again.
    build(&store, hash);
    store
        .collect_garbage()
        .expect("a store can be made smaller");
}

/// The sound manifest with other bytes in some places.
fn scribbled(root: &Path, mut parts: Parts<'_>) {
    let mut manifest = SOUND.1.clone();
    while !parts.is_empty() {
        let place = usize::from(u16::from_le_bytes([parts.byte(), parts.byte()]));
        let length = manifest.len();
        for (byte, new) in manifest.iter_mut().skip(place % length).zip(parts.part()) {
            *byte = *new;
        }
    }
    tree(root, &manifest);
}

/// Records that their summary vouches for.
fn records(root: &Path, mut parts: Parts<'_>) {
    let entries = match parts.byte() {
        255 => u64::MAX,
        0 => parts.0.iter().filter(|byte| **byte == 0).count() as u64,
        other => u64::from(other) * u64::from(parts.byte()),
    };
    let records = ContentHash::of(parts.0);
    let summary =
        format!(r#"{{"entries":{entries},"size_bytes":{entries},"records":"{records}"}}"#);
    let manifest = [summary.as_bytes(), b"\n", parts.0].concat();
    tree(root, &manifest);
}

/// Lines of the file of known digests, whose sums are right or not.
fn digests(root: &Path, mut parts: Parts<'_>) {
    drop(open(root).expect("a store can be opened"));
    let known = file("known", b"content");
    let metadata = std::fs::metadata(&known).expect("it is there");
    let stamp = FileStamp::of(&metadata);
    let mut text = Vec::new();
    while !parts.is_empty() {
        let choice = parts.byte();
        let line = String::from_utf8_lossy(parts.part());
        let line = line.replace("@S", &format!("{} {}", stamp.device, stamp.inode));
        let line = line.replace(
            "@T",
            &format!("{} {} {}", stamp.size_bytes, stamp.modified, stamp.changed),
        );
        text.extend(line.as_bytes());
        if choice % 4 != 0 {
            let sum = ContentHash::of(line.as_bytes()).to_string();
            text.extend(format!(" {}", &sum[..8]).as_bytes());
        }
        text.push(b'\n');
    }
    std::fs::write(root.join("digests"), text).expect("a file can be written");
    let store = open(root).expect("a store can be opened");
    let hashed = store.digests().digest(&known).expect("it can be read");
    assert_eq!(hashed.digest.size_bytes, 7);
}

/// A blob of which something has arrived that may be no part of it.
fn partial(root: &Path, mut parts: Parts<'_>) {
    let store = open(root).expect("a store can be opened");
    let content = parts.part();
    let digest = Digest::of(content);
    let path = root.join(format!("partial/{}", digest.hash));
    std::fs::write(&path, parts.0).expect("a file can be written");
    match store.want_blob(digest).expect("it can be asked for") {
        BlobLookup::Whole(_) => panic!("it has not been checked"),
        BlobLookup::Partial(mut partial) => {
            let arrived = usize::try_from(partial.arrived_bytes()).expect("it is short");
            let rest = content
                .get(arrived..)
                .expect("no more than all of it has arrived");
            partial.write(rest).expect("it can be written");
            if partial.finish().is_ok() {
                let kept = store.content(digest.hash).expect("it can be read");
                assert_eq!(kept.as_deref(), Some(content));
            }
        }
    }
}

/// Files and directories where there may be others.
fn places(root: &Path, mut parts: Parts<'_>) {
    const NAMES: [&str; 12] = [
        "CACHEDIR.TAG",
        "version",
        "digests",
        "pins",
        "builds",
        "scratches",
        "blobs",
        "partial",
        "trees",
        "scratch",
        "trees/0",
        "maelstrom.lock",
    ];
    let hash = SOUND.0;
    if parts.byte() % 2 == 0 {
        build(&open(root).expect("a store can be opened"), hash);
    }
    drop(std::fs::create_dir_all(root));
    while !parts.is_empty() {
        let name = match usize::from(parts.byte()) {
            number @ 0..12 => PathBuf::from(NAMES[number]),
            number => {
                let below = ["blobs", "partial", "trees", "scratch"][number % 4];
                let name = parts.text().replace("@H", &hash.to_string());
                // It stays there.
                Path::new(below).join(name.replace(['.', '/', '\0'], "_"))
            }
        };
        let path = root.join(name);
        match parts.byte() % 4 {
            0 => drop(std::fs::remove_file(&path)),
            1 => drop(std::fs::create_dir(&path)),
            2 => drop(std::fs::remove_dir_all(&path)),
            _ => drop(std::fs::write(&path, parts.part())),
        }
    }
    match open(root) {
        Ok(store) => {
            drop(store.tree(hash).map_err(|error| error.to_string()));
            drop(store.blobs().map_err(|error| error.to_string()));
            drop(store.collect_garbage().map_err(|error| error.to_string()));
        }
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
}
