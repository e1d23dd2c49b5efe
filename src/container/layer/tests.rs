//! Tests every type of layer as specified in a project's configuration, and every error.

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use proptest::prelude::*;

use super::*;
use maelstrom_container::store::{Store, StoreOptions, Tree, TreeCheckLevel};

/// A project and a cache in separate directories.
struct Bench {
    project: tempfile::TempDir,
    cache: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench {
            project: tempfile::tempdir().unwrap(),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.project.path().join(path)
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn store(&self) -> Store {
        Store::open(&StoreOptions {
            root: self.cache.path().to_owned(),
            size_target_bytes: u64::MAX,
        })
        .unwrap()
    }

    fn builder(&self) -> LayerBuilder {
        LayerBuilder::new(self.store(), self.project.path().to_owned())
    }

    fn build(&self, spec: &LayerSpec) -> Tree {
        let tree = self.builder().build(spec).unwrap();
        self.store().verify(&tree, TreeCheckLevel::Content).unwrap();
        tree
    }

    /// Returns the entries of a layer, one per line.
    fn list(&self, spec: &LayerSpec) -> Vec<String> {
        let LayerContent::Listing(listing) = self.builder().resolve(spec).unwrap().content else {
            panic!("an archive is not listed")
        };
        let line = |(path, entry): (&_, &LayerEntry)| match entry {
            LayerEntry::Directory { mode } => format!("{path}/ {mode:o}"),
            LayerEntry::Stub => format!("{path} stub"),
            LayerEntry::File { source, .. } => {
                format!("{path} {}", fs::read_to_string(&source.path).unwrap())
            }
            LayerEntry::Symlink { target } => format!("{path} -> {}", target.display()),
        };
        listing.entries().map(line).collect()
    }

    /// Returns an error's text with its causes, without the project's path.
    fn error(&self, spec: &LayerSpec) -> String {
        let error = self.builder().build(spec).unwrap_err();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        let place = self.project.path().display().to_string();
        format!(
            "{}; {}",
            text.replace(&place, "PROJECT"),
            error.help().unwrap()
        )
    }
}

fn paths(paths: &[&str], prefix: PrefixOptions) -> LayerSpec {
    LayerSpec::Paths {
        paths: paths.iter().map(PathBuf::from).collect(),
        prefix,
    }
}

fn plain_paths(list: &[&str]) -> LayerSpec {
    paths(list, PrefixOptions::default())
}

fn glob(pattern: &str) -> LayerSpec {
    LayerSpec::Glob {
        pattern: pattern.to_owned(),
        prefix: PrefixOptions::default(),
    }
}

fn stubs(stubs: &[&str]) -> LayerSpec {
    LayerSpec::Stubs {
        stubs: stubs.iter().map(|stub| (*stub).to_owned()).collect(),
    }
}

fn following() -> PrefixOptions {
    PrefixOptions {
        links: SymlinkMode::Follow,
        ..PrefixOptions::default()
    }
}

#[test]
fn stubs_are_files_and_directories_with_their_parents() {
    let bench = Bench::new();
    let spec = stubs(&["/{proc,sys,tmp}/", "dev/{null, full}", "/plain"]);
    assert_eq!(
        bench.list(&spec),
        [
            "/dev/ full stub",
            "/dev/null stub",
            "/plain stub",
            "/proc/ 555",
            "/sys/ 555",
            "/tmp/ 555"
        ]
    );
    let tree = bench.build(&spec);
    let mode = |path: &str| fs::metadata(tree.root().join(path)).unwrap().mode() & 0o7777;
    assert_eq!(
        (mode("proc"), mode("dev"), mode("dev/null")),
        (0o555, 0o755, 0o444)
    );
}

#[test]
fn symlinks_lead_where_they_are_told() {
    let bench = Bench::new();
    let spec = LayerSpec::Symlinks {
        symlinks: vec![SymlinkSpec {
            link: "/a/b/link".into(),
            target: "../nowhere".into(),
        }],
    };
    let tree = bench.build(&spec);
    assert_eq!(
        fs::read_link(tree.root().join("a/b/link")).unwrap(),
        Path::new("../nowhere")
    );
}

#[test]
fn paths_keep_name_mode_and_time_and_directories_are_empty() {
    let bench = Bench::new();
    bench.file("bin/tool", "tool").file("dir/inside", "");
    fs::set_permissions(bench.path("bin/tool"), Permissions::from_mode(0o4750)).unwrap();
    fs::set_permissions(bench.path("dir"), Permissions::from_mode(0o700)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 5_000_000);
    fs::File::open(bench.path("bin/tool"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    let absolute = bench.path("dir/inside");
    let spec = plain_paths(&["bin/tool", "./dir", absolute.to_str().unwrap()]);
    let tree = bench.build(&spec);
    let tool = fs::metadata(tree.root().join("bin/tool")).unwrap();
    assert_eq!(tool.mode() & 0o7777, 0o750);
    assert_eq!(tool.modified().unwrap(), time);
    let directory = tree.root().join("dir");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, 0o700);
    assert!(
        tree.root()
            .join(absolute.strip_prefix("/").unwrap())
            .exists()
    );
}

#[test]
fn links_are_kept_followed_or_resolved() {
    let bench = Bench::new();
    bench.file("real/file", "content");
    symlink("real", bench.path("dir")).unwrap();
    symlink("dir/file", bench.path("link")).unwrap();
    let list = ["link", "dir"];
    assert_eq!(
        bench.list(&plain_paths(&list)),
        ["/dir -> real", "/link -> dir/file"]
    );
    assert_eq!(
        bench.list(&paths(&list, following())),
        ["/dir/ 755", "/link content"]
    );
    let project = bench.project.path().canonicalize().unwrap();
    let canonical = PrefixOptions {
        form: PathForm::Canonical,
        strip_prefix: Some(project),
        prepend_prefix: Some("app".into()),
        ..PrefixOptions::default()
    };
    assert_eq!(
        bench.list(&paths(&list, canonical)),
        ["/app/real/ 755", "/app/real/file content"]
    );
}

#[test]
fn of_two_entries_with_one_name_the_later_counts() {
    let bench = Bench::new();
    bench.file("one/file", "1").file("two/file", "2");
    let prefix = PrefixOptions {
        strip_prefix: Some("one".into()),
        ..PrefixOptions::default()
    };
    assert_eq!(bench.list(&paths(&["one/file"], prefix)), ["/file 1"]);
    assert_eq!(bench.list(&stubs(&["/a/", "/a"])), ["/a stub"]);
}

#[test]
fn globs_take_what_matches_and_pass_over_what_no_layer_holds() {
    let bench = Bench::new();
    bench
        .file("src/a.py", "a")
        .file("src/sub/b.py", "b")
        .file("c.txt", "c");
    symlink("a.py", bench.path("src/link.py")).unwrap();
    let _socket = UnixListener::bind(bench.path("src/socket.py")).unwrap();
    assert_eq!(
        bench.list(&glob("**.py")),
        ["/src/a.py a", "/src/link.py -> a.py", "/src/sub/b.py b"]
    );
    assert!(bench.list(&glob("nothing*")).is_empty());
    assert_eq!(
        fs::read_dir(bench.build(&glob("/**")).root())
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_cache_inside_the_project_is_not_copied_into_itself() {
    let bench = Bench::new();
    bench.file("a", "a");
    let options = StoreOptions {
        root: bench.path("target/cache"),
        size_target_bytes: u64::MAX,
    };
    let builder = LayerBuilder::new(
        Store::open(&options).unwrap(),
        bench.project.path().to_owned(),
    );
    let first = builder.resolve(&glob("**")).unwrap();
    builder.materialize(&first).unwrap();
    assert_eq!(builder.resolve(&glob("**")).unwrap().hash, first.hash);
}

#[test]
fn libraries_come_without_the_program_and_their_links_lead_to_them() {
    let bench = Bench::new();
    let program = std::env::current_exe().unwrap();
    let libraries = |prefix| LayerSpec::SharedLibraryDependencies {
        binaries: vec![program.clone()],
        prefix,
    };
    for prefix in [PrefixOptions::default(), following()] {
        let tree = bench.build(&libraries(prefix));
        let loader = elf::closure(&program, &[]).unwrap().remove(0);
        let mut place = tree.root().join(loader.strip_prefix("/").unwrap());
        // Resolves the link like a container whose root is this tree.
        while let Ok(target) = fs::read_link(&place) {
            place = match target.strip_prefix("/") {
                Ok(target) => tree.root().join(target),
                Err(_) => place.parent().unwrap().join(target),
            };
        }
        assert_eq!(fs::read(&place).unwrap(), fs::read(&loader).unwrap());
        let program = tree.root().join(program.strip_prefix("/").unwrap());
        assert!(!program.exists());
    }
}

#[test]
fn an_archive_is_named_by_its_content() {
    let bench = Bench::new();
    let tarball = |name: &str, content: &[u8]| {
        let mut builder = tar::Builder::new(fs::File::create(bench.path(name)).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, "file", content).unwrap();
        builder.finish().unwrap();
        LayerSpec::Tar { path: name.into() }
    };
    let (one, same, other) = (
        tarball("one.tar", b"1"),
        tarball("same.tar", b"1"),
        tarball("other.tar", b"2"),
    );
    let hash = |spec| bench.builder().resolve(spec).unwrap().hash;
    assert_eq!(hash(&one), hash(&same));
    assert_ne!(hash(&one), hash(&other));
    assert_eq!(
        fs::read(bench.build(&other).root().join("file")).unwrap(),
        b"2"
    );
}

#[test]
fn a_changed_file_makes_another_tree() {
    let bench = Bench::new();
    bench.file("file", "one");
    let spec = plain_paths(&["file"]);
    let first = bench.build(&spec);
    bench.file("file", "two two");
    let second = bench.build(&spec);
    assert_ne!(first.hash(), second.hash());
    assert_eq!(fs::read(first.root().join("file")).unwrap(), b"one");
    assert_eq!(fs::read(second.root().join("file")).unwrap(), b"two two");
}

#[test]
fn a_file_that_changes_in_between_is_not_taken_for_what_it_was() {
    let bench = Bench::new();
    bench.file("file", "one");
    let layer = bench.builder().resolve(&plain_paths(&["file"])).unwrap();
    bench.file("file", "two two");
    let error = bench.builder().materialize(&layer).unwrap_err();
    assert!(error.to_string().contains("changed while"), "{error}");
    assert!(bench.store().tree(layer.hash).unwrap().is_none());
}

#[test]
fn every_bad_layer_is_an_error_that_says_what_to_do() {
    let bench = Bench::new();
    bench
        .file("file", "")
        .file("script", "#!/bin/sh\n")
        .file("text.tar", "text");
    symlink("gone", bench.path("dangling")).unwrap();
    symlink("dir", bench.path("linked")).unwrap();
    bench.file("dir/inside", "");
    let _socket = UnixListener::bind(bench.path("socket")).unwrap();
    let tar = |path: &str| LayerSpec::Tar { path: path.into() };
    let libraries = |path: &str| LayerSpec::SharedLibraryDependencies {
        binaries: vec![path.into()],
        prefix: PrefixOptions::default(),
    };
    let errors: Vec<String> = [
        plain_paths(&["gone"]),
        plain_paths(&["file/below"]),
        paths(&["dangling"], following()),
        plain_paths(&["socket"]),
        plain_paths(&["/dev/null"]),
        plain_paths(&["dir/../.."]),
        plain_paths(&["linked", "linked/inside"]),
        stubs(&["/a", "/a/b"]),
        stubs(&["/{a,b"]),
        stubs(&["/../a"]),
        glob("[a"),
        tar("gone.tar"),
        tar("dir"),
        tar("text.tar"),
        libraries("gone"),
        libraries("script"),
    ]
    .iter()
    .map(|spec| bench.error(spec))
    .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn what_may_not_be_read_is_named() {
    // The file system refuses this even for root.
    let bench = Bench::new();
    let error = bench.error(&plain_paths(&["/proc/self/mem"]));
    assert!(error.starts_with("cannot read `/proc/self/mem`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The same files result in the same layer, wherever, whenever and in whatever order they were
    /// created.
    #[test]
    fn resolving_is_deterministic(
        files in prop::collection::btree_map("[a-d]{1,3}(/[a-d]{1,2})?", "[xy]{0,3}", 1..8),
        shuffle in any::<u64>(),
    ) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let make = |order: Vec<(&String, &String)>| {
            let bench = Bench::new();
            for (name, content) in order {
                // A name that is already a directory, or is below a file, is skipped on both sides.
                let path = bench.path(&format!("{name}.f"));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, content).unwrap();
                fs::File::open(&path).unwrap().set_modified(time).unwrap();
            }
            bench
        };
        let forward: Vec<_> = files.iter().collect();
        let mut shuffled = forward.clone();
        let middle = shuffle as usize % shuffled.len();
        shuffled.rotate_left(middle);
        let (first, second) = (make(forward), make(shuffled));
        let resolve = |bench: &Bench| bench.builder().resolve(&glob("**")).unwrap();
        let (one, two) = (resolve(&first), resolve(&second));
        prop_assert_eq!(one.hash, two.hash);
        prop_assert_eq!(resolve(&first).hash, one.hash);
        let tree = first.builder().materialize(&one).unwrap();
        for (name, content) in &files {
            let copy = fs::read_to_string(tree.root().join(format!("{name}.f"))).unwrap();
            prop_assert_eq!(&copy, content);
        }
    }
}
