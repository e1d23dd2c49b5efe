//! Tests valid and malicious archives of all kinds.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use proptest::prelude::*;
use rustix::fs::lgetxattr;
use tar::{Builder, Header};

use super::*;
use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{Store, StoreOptions, Tree};

/// Builds an archive.
struct Tarball {
    builder: Builder<Vec<u8>>,
}

impl Tarball {
    fn new() -> Self {
        Tarball {
            builder: Builder::new(Vec::new()),
        }
    }

    /// Adds an entry with exactly this name, even if it is malicious.
    fn raw(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(1_000_000_000);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.builder.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.raw(EntryType::Regular, name, "", content.as_bytes())
    }

    fn bytes(self) -> Vec<u8> {
        self.builder.into_inner().unwrap()
    }

    fn unpacked(self) -> Unpacked {
        unpack_bytes(&self.bytes()).unwrap()
    }

    fn error(self) -> LayerError {
        unpack_bytes(&self.bytes()).map(drop).unwrap_err()
    }
}

/// An unpacked tree and the cache that contains it.
struct Unpacked {
    tree: Tree,
    _cache: tempfile::TempDir,
}

impl Unpacked {
    fn path(&self, path: &str) -> PathBuf {
        self.tree.root().join(path)
    }
}

fn unpack_bytes(bytes: &[u8]) -> Result<Unpacked, LayerError> {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions {
        root: cache.path().to_owned(),
        size_target_bytes: u64::MAX,
    })?;
    let tree = store.tree_or_build(ContentHash::of(b"tree"), |writer| {
        unpack(Path::new("some.tar"), bytes, SpecialFiles::Refuse, writer)
    })?;
    Ok(Unpacked {
        tree,
        _cache: cache,
    })
}

#[test]
fn all_kinds_of_entries_are_unpacked() {
    let long = format!("deep/{}/file", "x".repeat(150));
    let mut tarball = Tarball::new()
        .raw(EntryType::Directory, "./", "", b"")
        .raw(EntryType::Directory, "empty/", "", b"")
        .file("a/file", "content")
        .raw(EntryType::Link, "a/twin", "./a/file", b"")
        .raw(EntryType::Symlink, "a/link", "/elsewhere", b"")
        .raw(EntryType::new(b'7'), "contiguous", "", b"old");
    let mut header = Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o600);
    tarball
        .builder
        .append_data(&mut header, &long, &b"long"[..])
        .unwrap();
    let unpacked = tarball.unpacked();

    assert_eq!(fs::read(unpacked.path("a/twin")).unwrap(), b"content");
    assert_eq!(fs::read(unpacked.path("contiguous")).unwrap(), b"old");
    assert_eq!(fs::read(unpacked.path(&long)).unwrap(), b"long");
    let file = fs::metadata(unpacked.path("a/file")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.mtime()), (0o640, 1_000_000_000));
    assert_eq!(file.nlink(), 2);
    let root = fs::metadata(unpacked.path("")).unwrap();
    // The owner can always list the contents.
    assert_eq!(root.mode() & 0o7777, 0o740);
    assert_eq!(
        fs::read_link(unpacked.path("a/link")).unwrap(),
        Path::new("/elsewhere")
    );
}

#[test]
fn whiteouts_become_the_marks_of_the_overlay() {
    let unpacked = Tarball::new()
        .file("etc/.wh.passwd", "")
        .file("var/.wh..wh..opq", "")
        .file("var/kept", "")
        .file("srv/.wh..wh.aufs", "")
        .unpacked();
    let mark = fs::symlink_metadata(unpacked.path("etc/passwd")).unwrap();
    assert!(mark.file_type().is_char_device());
    assert_eq!(mark.rdev(), 0);
    let mut value = [0; 8];
    let length = lgetxattr(unpacked.path("var"), "user.overlay.opaque", &mut value).unwrap();
    assert_eq!(&value[..length], b"y");
    assert!(unpacked.path("var/kept").exists());
    assert!(!unpacked.path("srv").exists());
}

#[test]
fn hostile_names_stay_inside_or_are_refused() {
    for name in [
        "../up",
        "a/../../up",
        "/../up",
        ".wh...",
        "a/.wh...",
        ".wh.",
        ".wh..",
    ] {
        let error = Tarball::new().file(name, "").error();
        assert!(
            matches!(
                error,
                LayerError::Unpack { .. } | LayerError::TarEntry { .. }
            ),
            "{name}: {error}"
        );
    }
    let unpacked = Tarball::new().file("/etc/../absolute", "in").unpacked();
    assert_eq!(fs::read(unpacked.path("absolute")).unwrap(), b"in");
}

#[test]
fn what_cannot_be_unpacked_is_named() {
    let error = Tarball::new()
        .raw(EntryType::Char, "dev/null", "", b"")
        .error();
    insta::assert_snapshot!(
        error,
        @"the entry `/dev/null` of `some.tar` is a device or pipe, which layers do not hold"
    );
    let error = Tarball::new().raw(EntryType::Symlink, "a", "", b"").error();
    insta::assert_snapshot!(error, @"the entry `/a` of `some.tar` is a link that leads nowhere");
    let error = Tarball::new()
        .raw(EntryType::Link, "a", "gone", b"")
        .error();
    insta::assert_snapshot!(error, @"`some.tar` cannot be unpacked");
    let source = std::error::Error::source(&error).unwrap();
    insta::assert_snapshot!(source, @"`/a` is a hard link to `/gone`, which is not a file of this layer");
}

#[test]
fn an_archive_may_end_with_its_last_content() {
    let whole = Tarball::new().file("file", "content").bytes();
    for end in [512 + 7, 512 + 8, 1024] {
        let unpacked = unpack_bytes(&whole[..end]).unwrap();
        assert_eq!(fs::read(unpacked.path("file")).unwrap(), b"content");
    }
}

#[test]
fn a_cut_or_foreign_file_is_no_archive() {
    let whole = Tarball::new().file("file", &"x".repeat(2000)).bytes();
    let cuts = [100, 512, 1000, 2511].map(|end| &whole[..end]);
    for bytes in cuts.into_iter().chain([&b"plain text"[..], &[0xff; 4096]]) {
        let error = unpack_bytes(bytes).map(drop).unwrap_err();
        assert!(matches!(error, LayerError::Tar { .. }), "{error}");
        assert_eq!(error.to_string(), "`some.tar` is not a readable tar file");
    }
}

proptest! {
    #[test]
    fn scribbled_archives_never_panic_nor_reach_outside(
        names in prop::collection::vec("(\\.wh\\.|\\.\\.|/|a|b|c){1,6}", 1..6),
        kinds in prop::collection::vec("[0-7gxLKS]", 6),
        links in prop::collection::vec("(\\.\\.|/|a|b){1,4}", 6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut tarball = Tarball::new();
        for ((name, kind), link) in names.iter().zip(&kinds).zip(&links) {
            tarball = tarball.raw(EntryType::new(kind.as_bytes()[0]), name, link, b"content");
        }
        let mut bytes = tarball.bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = unpack_bytes(&bytes);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = unpack_bytes(&bytes);
    }
}
