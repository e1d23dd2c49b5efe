//! Tests the store as users see it: several handles, several processes, damage, and invalid
//! directories.

mod writer;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use miette::Diagnostic;

use super::*;
use crate::digest::{ContentHash, Digest};

const NO_LIMIT: u64 = u64::MAX;

fn store(root: &Path, size_target_bytes: u64) -> Store {
    Store::open(&StoreOptions {
        root: root.to_owned(),
        size_target_bytes,
    })
    .unwrap()
}

fn path(text: &str) -> TreePath {
    TreePath::parse(Path::new(text)).unwrap()
}

fn with_mode(mode: u32) -> FileAttributes {
    FileAttributes {
        mode,
        mtime: FileTime::NEUTRAL,
    }
}

fn name(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

/// Builds a tree with one entry of each kind.
fn build_sample(writer: &mut TreeWriter) -> Result<(), TreeWriteError> {
    writer.directory(&path("sealed"), with_mode(0o555))?;
    writer.file(
        &path("sealed/file"),
        with_mode(0o4755),
        &mut b"content".as_slice(),
    )?;
    writer.hard_link(&path("sealed/twin"), &path("sealed/file"))?;
    writer.symlink(&path("link"), Path::new("/somewhere"))?;
    writer.opaque(&path("opaque"))?;
    writer.whiteout(&path("removed"))
}

fn build_file(size: usize) -> impl Fn(&mut TreeWriter) -> Result<(), TreeWriteError> {
    move |writer| {
        writer
            .file(
                &path("file"),
                with_mode(0o644),
                &mut vec![7; size].as_slice(),
            )
            .map(drop)
    }
}

fn must_not_build(_: &mut TreeWriter) -> Result<(), TreeWriteError> {
    panic!("the tree is there and sound")
}

#[test]
fn a_tree_is_built_once_and_holds_what_was_written() {
    let cache = tempfile::tempdir().unwrap();
    let first = store(cache.path(), NO_LIMIT);
    let tree = first.tree_or_build(name("sample"), build_sample).unwrap();
    let root = tree.root();
    assert_eq!(fs::read(root.join("sealed/twin")).unwrap(), b"content");
    let sealed = fs::metadata(root.join("sealed")).unwrap();
    assert_eq!(sealed.mode() & 0o7777, 0o555);
    let file = fs::metadata(root.join("sealed/file")).unwrap();
    assert_eq!(file.mode() & 0o7777, 0o755, "without the set-user-id bit");
    assert_eq!(file.nlink(), 2);
    assert_eq!(file.mtime(), FileTime::NEUTRAL.seconds);
    assert_eq!(
        fs::read_link(root.join("link")).unwrap(),
        Path::new("/somewhere")
    );
    first.verify(&tree, TreeCheckLevel::Content).unwrap();

    drop(tree);
    let second = store(cache.path(), NO_LIMIT);
    second
        .tree_or_build(name("sample"), must_not_build)
        .unwrap();
    assert!(second.tree(name("other")).unwrap().is_none());
}

#[test]
fn a_build_that_fails_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), NO_LIMIT);
    let error = store
        .tree_or_build(name("sample"), |writer: &mut TreeWriter| {
            build_sample(writer)?;
            writer.symlink(&path("sealed/.."), Path::new("x"))
        })
        .unwrap_err();
    assert!(matches!(error, TreeWriteError::RootReplaced), "{error}");
    assert!(store.tree(name("sample")).unwrap().is_none());
    assert_eq!(
        fs::read_dir(cache.path().join("scratch")).unwrap().count(),
        0
    );
}

#[test]
fn every_kind_of_damage_is_noticed_and_rebuilt() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 10] = [
        ("manifest gone", |place| {
            fs::remove_file(place.join("manifest")).unwrap();
        }),
        ("manifest cut", |place| {
            let manifest = fs::read(place.join("manifest")).unwrap();
            fs::write(place.join("manifest"), &manifest[..manifest.len() - 9]).unwrap();
        }),
        ("manifest garbage", |place| {
            fs::write(place.join("manifest"), [0xff; 9000]).unwrap();
        }),
        ("tree gone", |place| {
            remove::remove_all(&place.join("root")).unwrap();
        }),
        ("garbage in its place", |place| {
            remove::remove_all(place).unwrap();
            fs::write(place, "garbage").unwrap();
        }),
        ("file gone", |place| {
            open(place);
            fs::remove_file(place.join("root/sealed/file")).unwrap();
        }),
        ("file added", |place| {
            fs::write(place.join("root/added"), "").unwrap();
        }),
        ("file cut", |place| {
            let file = place.join("root/sealed/file");
            fs::OpenOptions::new()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(1)
                .unwrap();
        }),
        ("mode changed", |place| open(place)),
        ("link replaced", |place| {
            fs::remove_file(place.join("root/link")).unwrap();
            symlink("/elsewhere", place.join("root/link")).unwrap();
        }),
    ];
    fn open(place: &Path) {
        fs::set_permissions(place.join("root/sealed"), Permissions::from_mode(0o755)).unwrap();
    }
    for (what, harm) in harms {
        let cache = tempfile::tempdir().unwrap();
        drop(store(cache.path(), NO_LIMIT).tree_or_build(name("sample"), build_sample));
        harm(&cache.path().join("trees").join(name("sample").to_string()));
        let store = store(cache.path(), NO_LIMIT);
        assert!(store.tree(name("sample")).unwrap().is_none(), "{what}");
        let tree = store.tree_or_build(name("sample"), build_sample).unwrap();
        store.verify(&tree, TreeCheckLevel::Content).unwrap();
    }
}

#[test]
fn a_full_check_sees_what_times_and_sizes_hide() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), NO_LIMIT);
    let tree = store.tree_or_build(name("sample"), build_sample).unwrap();
    let file = tree.root().join("sealed/file");
    let before = fs::metadata(&file).unwrap();
    fs::write(&file, "CONTENT").unwrap();
    fs::File::open(&file)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    store.verify(&tree, TreeCheckLevel::Metadata).unwrap();
    let damage = store.verify(&tree, TreeCheckLevel::Content).unwrap_err();
    assert!(damage.to_string().contains("/sealed/file"), "{damage}");
    drop(tree);
    assert!(store.tree(name("sample")).unwrap().is_none());
}

#[test]
fn the_least_recently_used_go_and_those_in_use_stay() {
    let cache = tempfile::tempdir().unwrap();
    // Three of these trees fit, four do not.
    let store = store(cache.path(), 130_000);
    let build = |text: &str| store.tree_or_build(name(text), build_file(30_000)).unwrap();
    let used_at = |text: &str, seconds: u64| {
        let place = cache.path().join("trees").join(name(text).to_string());
        let manifest = fs::File::open(place.join("manifest")).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        manifest.set_modified(time).unwrap();
    };
    let in_use = build("in use");
    used_at("in use", 1);
    drop(build("used again"));
    used_at("used again", 2);
    drop(build("not used again"));
    used_at("not used again", 3);
    assert!(store.tree(name("used again")).unwrap().is_some());
    drop(build("new"));

    assert!(in_use.root().join("file").exists());
    assert!(store.tree(name("not used again")).unwrap().is_none());
    assert!(store.tree(name("used again")).unwrap().is_some());
    assert!(store.tree(name("new")).unwrap().is_some());
}

#[test]
fn garbage_among_the_entries_is_removed() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), NO_LIMIT);
    fs::create_dir_all(cache.path().join("trees/garbage/more")).unwrap();
    fs::write(cache.path().join("blobs/garbage"), "").unwrap();
    store.collect_garbage().unwrap();
    assert!(!cache.path().join("trees/garbage").exists());
    assert!(!cache.path().join("blobs/garbage").exists());
}

fn partial(store: &Store, digest: Digest) -> PartialBlob {
    match store.want_blob(digest).unwrap() {
        BlobLookup::Partial(partial) => partial,
        BlobLookup::Whole(blob) => panic!("{blob:?} is there"),
    }
}

#[test]
fn a_blob_arrives_in_parts_and_is_what_was_announced() {
    let cache = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"some bytes");
    let first = store(cache.path(), NO_LIMIT);
    partial(&first, digest).write(b"some").unwrap();
    drop(first);

    let second = store(cache.path(), NO_LIMIT);
    let mut rest = partial(&second, digest);
    assert_eq!(rest.arrived_bytes(), 4);
    rest.write(b" bytes").unwrap();
    let blob = rest.finish().unwrap();
    assert_eq!(fs::read(blob.path()).unwrap(), b"some bytes");
    assert!(matches!(second.want_blob(digest), Ok(BlobLookup::Whole(_))));
    assert_eq!(
        fs::read_dir(cache.path().join("partial")).unwrap().count(),
        0
    );
}

#[test]
fn a_blob_that_is_not_what_was_announced_is_thrown_away() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), NO_LIMIT);
    let digest = Digest::of(b"some bytes");
    let mut wrong = partial(&store, digest);
    wrong.write(b"other byte").unwrap();
    let error = wrong.finish().unwrap_err();
    assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
    assert!(store.blob(digest).unwrap().is_none());
    assert_eq!(partial(&store, digest).arrived_bytes(), 0);

    partial(&store, digest)
        .write(b"more than was announced")
        .unwrap();
    assert_eq!(partial(&store, digest).arrived_bytes(), 0, "starts anew");
}

#[test]
fn a_part_that_nobody_completes_is_evicted() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), 1);
    let mut waiting = partial(&store, Digest::of(b"never arrives"));
    waiting.write(b"never").unwrap();
    assert_eq!(store.collect_garbage().unwrap().removed, 0);
    drop(waiting);
    assert_eq!(store.collect_garbage().unwrap().removed, 1);
}

#[test]
fn a_damaged_blob_is_removed() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), NO_LIMIT);
    let digest = Digest::of(b"some bytes");
    let damaged = |content: &str| {
        let blob = store.add_content(b"some bytes").unwrap();
        let sound = store.content(digest.hash).unwrap();
        assert_eq!(sound.as_deref(), Some(&b"some bytes"[..]));
        fs::set_permissions(blob.path(), Permissions::from_mode(0o600)).unwrap();
        fs::write(blob.path(), content).unwrap();
        blob.path().to_owned()
    };
    let cut = damaged("some");
    assert!(store.blob(digest).unwrap().is_none());
    assert!(!cut.exists());
    let scribbled = damaged("same_bytes");
    assert!(store.content(digest.hash).unwrap().is_none());
    assert!(!scribbled.exists());
}

/// Runs one test of this binary in another process, with the variable `ROLE` set.
fn other_process(test: &str, role: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

const ROLE: &str = "MAELSTROM_STORE_TEST_ROLE";

#[test]
fn a_pin_of_another_process_holds_until_it_dies() {
    if let Some(cache) = std::env::var_os(ROLE) {
        let store = store(Path::new(&cache), NO_LIMIT);
        let _tree = store.tree(name("shared")).unwrap().unwrap();
        println!("\npinned");
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let store = store(cache.path(), 0);
    drop(store.tree_or_build(name("shared"), build_sample).unwrap());
    let mut child = other_process(
        "store::tests::a_pin_of_another_process_holds_until_it_dies",
        cache.path(),
    )
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "pinned"));

    assert_eq!(store.collect_garbage().unwrap().removed, 0);
    assert!(store.tree(name("shared")).unwrap().is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store.collect_garbage().unwrap().removed, 1);
    assert!(store.tree(name("shared")).unwrap().is_none());
}

#[test]
fn of_many_that_want_a_tree_one_builds_it() {
    let cache = tempfile::tempdir().unwrap();
    let builds = std::sync::atomic::AtomicUsize::new(0);
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = store(cache.path(), NO_LIMIT);
                start.wait();
                let tree = store
                    .tree_or_build(name("sample"), |writer| {
                        builds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        build_sample(writer)
                    })
                    .unwrap();
                assert!(tree.root().join("sealed/file").exists());
            });
        }
    });
    assert_eq!(builds.into_inner(), 1);
}

/// In its own user namespace an unprivileged user may mount a file system that is small enough to
/// fill.
#[test]
fn a_full_file_system_is_reported_as_such() {
    let test = "store::tests::a_full_file_system_is_reported_as_such";
    if let Some(cache) = std::env::var_os(ROLE) {
        let store = store(Path::new(&cache), NO_LIMIT);
        let error = store
            .tree_or_build(name("large"), build_file(1 << 20))
            .unwrap_err();
        let error = match error {
            TreeWriteError::Store(error @ StoreError::Full { .. }) => error,
            other => panic!("{other:?}"),
        };
        assert!(
            error.to_string().contains(cache.to_str().unwrap()),
            "{error}"
        );
        assert!(error.help().unwrap().to_string().contains("make room"));
        let error = store.add_content(&vec![0; 1 << 20]).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=512k tmpfs \"$0\" && exec \"$@\"";
    let inner = other_process(test, place.path());
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(place.path())
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(ROLE, place.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Uses sysfs, where even root cannot create anything.
#[test]
fn a_directory_that_cannot_be_written_is_reported_as_such() {
    let error = Store::open(&StoreOptions {
        root: "/sys/kernel".into(),
        size_target_bytes: 0,
    })
    .unwrap_err();
    assert!(matches!(error, StoreError::NotACache { .. }), "{error}");
    let error = Store::open(&StoreOptions {
        root: "/sys/kernel/cache".into(),
        size_target_bytes: 0,
    })
    .unwrap_err();
    assert!(
        matches!(error, StoreError::CreateDirectory { .. }),
        "{error}"
    );
}

/// Works as for containers: without privileges, in a user namespace.
#[test]
fn trees_are_lower_directories_of_an_ordinary_users_overlay() {
    let cache = tempfile::tempdir().unwrap();
    let mount_point = tempfile::tempdir().unwrap();
    let store = store(cache.path(), NO_LIMIT);
    let below = store
        .tree_or_build(name("below"), |writer: &mut TreeWriter| {
            for file in ["removed", "opaque/hidden", "sealed/shown"] {
                writer.file(&path(file), with_mode(0o644), &mut &b"below"[..])?;
            }
            Ok::<_, TreeWriteError>(())
        })
        .unwrap();
    let above = store.tree_or_build(name("sample"), build_sample).unwrap();
    let script = "mount -t overlay -o \"userxattr,lowerdir=$1:$2\" overlay \"$0\" \
                  && cd \"$0\" && find . | sort && cat sealed/file";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .args([mount_point.path(), above.root(), below.root()])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        ".\n./link\n./opaque\n./sealed\n./sealed/file\n./sealed/shown\n./sealed/twin\ncontent",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
