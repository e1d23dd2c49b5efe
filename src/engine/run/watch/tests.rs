//! Tests with real directories and the real kernel. The events of a finished system call have been
//! queued by then, so no test waits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use maelstrom_model::error::help_of;
use tempfile::TempDir;

use super::debouncer::FileEventKind;
use super::directories::WatchError;
use super::*;

struct Project {
    root: TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Project {
        let root = tempfile::tempdir().unwrap();
        let project = Project { root };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn list(&self) -> WatchPaths {
        WatchPaths {
            directories: vec![self.path().to_owned()],
            without: vec![self.path().join("target")],
            ..WatchPaths::default()
        }
    }

    fn open(&self) -> Watched<'_> {
        Watched {
            project: self,
            directories: DirectoryWatcher::open(&self.list()).unwrap(),
        }
    }
}

struct Watched<'a> {
    project: &'a Project,
    directories: DirectoryWatcher,
}

impl Watched<'_> {
    /// Returns the events since the last call, only the last one of each file.
    fn happened(&mut self) -> BTreeMap<String, FileEventKind> {
        let root = fs::canonicalize(self.project.path()).unwrap();
        let mut all = BTreeMap::new();
        while let Some(happenings) = self.directories.read_now().unwrap() {
            for (path, what) in happenings {
                let below = path.strip_prefix(&root).unwrap();
                all.insert(below.to_str().unwrap().to_owned(), what);
            }
        }
        all
    }

    fn written(&mut self) -> Vec<String> {
        let happened = self.happened().into_iter();
        let written = happened.filter(|(_, what)| *what == FileEventKind::Written);
        written.map(|(path, _)| path).collect()
    }
}

/// Runs a test in a Tokio runtime, which watching directories requires.
fn with_runtime(test: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    test();
}

#[test]
fn files_that_the_version_control_ignores_do_not_count() {
    with_runtime(|| {
        let project = Project::new(&[
            (".git/HEAD", "ref: refs/heads/main"),
            (".git/info/exclude", "private.rs\n"),
            (".gitignore", "*.log\n/out/\n"),
            ("src/lib.rs", ""),
            ("src/.gitignore", "!kept.log\n"),
            ("out/deep/result", ""),
            ("target/debug/deps/x", ""),
            ("cache/CACHEDIR.TAG", ""),
            ("cache/entry", ""),
            ("venv/pyvenv.cfg", ""),
            ("venv/lib/module.py", ""),
        ]);
        let mut watched = project.open();
        assert_eq!(watched.directories.count(), 2, "the root and src");
        for path in [
            ".git/index",
            "run.log",
            "src/private.rs",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "src/4913",
            "out/deep/result",
            "target/debug/deps/x",
            "cache/entry",
            "venv/lib/module.py",
        ] {
            project.write(path, "changed");
        }
        assert_eq!(watched.happened(), BTreeMap::new());
        project.write("src/lib.rs", "changed");
        project.write("src/kept.log", "changed");
        assert_eq!(watched.written(), ["src/kept.log", "src/lib.rs"]);
    });
}

#[test]
fn reading_is_no_change_and_neither_is_what_is_still_being_written() {
    with_runtime(|| {
        let project = Project::new(&[("a", "text")]);
        let mut watched = project.open();
        fs::read(project.path().join("a")).unwrap();
        fs::read_dir(project.path()).unwrap().for_each(drop);
        let open = fs::File::create(project.path().join("log")).unwrap();
        assert_eq!(watched.written(), [""; 0]);
        drop(open);
        assert_eq!(watched.written(), ["log"]);
    });
}

#[test]
fn directories_that_come_are_watched_and_those_that_go_are_told() {
    with_runtime(|| {
        let project = Project::new(&[("src/lib.rs", ""), ("src/deep/a.rs", "")]);
        let mut watched = project.open();
        project.write("new/deep/b.rs", "");
        // Either the walk or the kernel reports it.
        assert!(watched.written().contains(&"new/deep/b.rs".to_owned()));
        project.write("new/deep/c.rs", "");
        assert_eq!(watched.written(), ["new/deep/c.rs"]);

        fs::rename(project.path().join("src"), project.path().join("moved")).unwrap();
        let happened = watched.happened();
        assert_eq!(happened.get("src"), Some(&FileEventKind::Removed));
        assert_eq!(
            happened.get("moved/deep/a.rs"),
            Some(&FileEventKind::Written)
        );
        project.write("moved/deep/a.rs", "again");
        assert_eq!(watched.written(), ["moved/deep/a.rs"]);

        fs::remove_dir_all(project.path().join("moved")).unwrap();
        let happened = watched.happened();
        assert_eq!(happened.get("moved/lib.rs"), Some(&FileEventKind::Removed));
        assert_eq!(watched.directories.count(), 3);
    });
}

#[test]
fn a_directory_that_declares_itself_a_cache_counts_no_more() {
    with_runtime(|| {
        let project = Project::new(&[("a", "")]);
        let mut watched = project.open();
        // Cargo creates its target directory like this, under a name that is not known beforehand.
        project.write("other123/entry", "");
        watched.happened();
        assert_eq!(watched.directories.count(), 2);
        project.write("other123/CACHEDIR.TAG", "Signature");
        let happened = watched.happened();
        assert_eq!(happened.get("other123"), Some(&FileEventKind::Discounted));
        assert_eq!(watched.directories.count(), 1);
        let path = |name: &str| project.path().join(name);
        fs::rename(path("other123"), path("other")).unwrap();
        project.write("other/debug/x", "");
        assert_eq!(watched.happened(), BTreeMap::new());
    });
}

#[test]
fn a_changed_ignore_file_is_heeded_at_once() {
    with_runtime(|| {
        let project = Project::new(&[("data/a", ""), ("src/b", ""), (".gitignore", "/src/\n")]);
        let mut watched = project.open();
        project.write(".gitignore", "/data/\n");
        assert_eq!(watched.written(), [".gitignore"]);
        project.write("data/a", "changed");
        project.write("src/b", "changed");
        assert_eq!(watched.written(), ["src/b"]);
    });
}

#[test]
fn a_file_replaced_by_a_rename_and_a_link_count() {
    with_runtime(|| {
        let project = Project::new(&[("a", "old"), ("b", "old")]);
        let mut watched = project.open();
        let path = |name: &str| project.path().join(name);
        fs::write(path("a.new"), "new").unwrap();
        fs::rename(path("a.new"), path("a")).unwrap();
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        fs::hard_link(path("b"), path("other")).unwrap();
        fs::remove_file(path("b")).unwrap();
        let happened = watched.happened();
        let what = |name: &str| happened.get(name).copied();
        assert_eq!(what("a"), Some(FileEventKind::Written));
        assert_eq!(what("a.new"), Some(FileEventKind::Removed));
        assert_eq!(what("link"), Some(FileEventKind::Written));
        assert_eq!(what("b"), Some(FileEventKind::Removed));
        // By the time it is examined, it may be the file's only name.
        assert!(what("other").is_some());
    });
}

#[test]
fn a_linked_working_tree_has_the_excludes_of_its_repository() {
    with_runtime(|| {
        let main = Project::new(&[
            (".git/info/exclude", "private\n"),
            (".git/worktrees/other/commondir", "../..\n"),
        ]);
        let own = main.path().join(".git/worktrees/other");
        let link = format!("gitdir: {}\n", own.display());
        let project = Project::new(&[(".git", &link)]);
        let mut watched = project.open();
        project.write("private", "");
        project.write("public", "");
        assert_eq!(watched.written(), ["public"]);
    });
}

#[test]
fn a_watched_directory_that_vanishes_is_an_error_that_names_it() {
    with_runtime(|| {
        for how in ["removed", "moved"] {
            let around = tempfile::tempdir().unwrap();
            let root = fs::canonicalize(around.path()).unwrap().join("project");
            fs::create_dir(&root).unwrap();
            let list = WatchPaths {
                directories: vec![root.clone()],
                ..WatchPaths::default()
            };
            let mut directories = DirectoryWatcher::open(&list).unwrap();
            match how {
                "removed" => fs::remove_dir(&root).unwrap(),
                _ => fs::rename(&root, root.with_extension("moved")).unwrap(),
            }
            let error = directories.read_now().unwrap_err();
            assert!(matches!(&error, WatchError::Vanished { path } if *path == root));
            assert!(error.to_string().contains(root.to_str().unwrap()));
            assert!(help_of(&error).is_some());
            let error = DirectoryWatcher::open(&list).unwrap_err();
            assert!(matches!(&error, WatchError::Directory { path, .. } if *path == root));
        }
    });
}

#[test]
fn the_kernels_limits_are_named() {
    let used_up = || std::io::Error::from_raw_os_error(28);
    let path = || "/project/src".into();
    let too_many = WatchError::TooMany {
        path: path(),
        source: used_up(),
    };
    assert!(too_many.to_string().contains("/project/src"));
    let help = help_of(&too_many).unwrap();
    assert!(help.contains("fs.inotify.max_user_watches"), "{help}");
    let help = help_of(&WatchError::Instance(used_up())).unwrap();
    assert!(help.contains("fs.inotify.max_user_instances"), "{help}");
}

#[test]
fn a_sentinel_that_is_off_watches_nothing_and_one_that_is_on_tells_how_much() {
    with_runtime(|| {
        let project = Project::new(&[("src/lib.rs", "")]);
        let base = project.path().to_owned();
        let mut off = FileWatcher::new(WatchMode::Off, base.clone());
        assert!(off.watch(project.list()).is_none());
        let mut on = FileWatcher::new(WatchMode::On, base);
        let told = on.watch(project.list());
        assert!(
            matches!(told, Some(RunInput::Watched { directories: 2 })),
            "{told:?}"
        );
        assert!(on.watch(project.list()).is_none(), "it knows that already");
        let mut nowhere = project.list();
        nowhere.directories.push(project.path().join("nowhere"));
        let told = on.watch(nowhere);
        let Some(RunInput::Unwatched { message, help: _ }) = told else {
            panic!("{told:?}")
        };
        assert!(message.contains("nowhere"), "{message}");
    });
}

#[test]
fn a_project_that_is_named_by_a_link_is_watched_where_it_is() {
    let project = Project::new(&[("a", "")]);
    let around = tempfile::tempdir().unwrap();
    let link = around.path().join("link");
    std::os::unix::fs::symlink(project.path(), &link).unwrap();
    let list = resolved(&WatchPaths {
        directories: vec![link.clone()],
        without: vec![link.join("target/maelstrom"), link.join("target")],
        written: vec![link.join("a"), link.join("Cargo.lock")],
        generated: &[],
    });
    let root = fs::canonicalize(project.path()).unwrap();
    assert_eq!(list.without[1], root.join("target"));
    assert_eq!(list.written, [root.join("a"), root.join("Cargo.lock")]);
}

#[test]
fn what_a_round_writes_itself_is_told_only_between_rounds() {
    let root = Path::new("/project");
    let mut sentinel = FileWatcher::new(WatchMode::On, root.to_owned());
    sentinel.written = vec![root.join("Cargo.lock")];
    // A burst ends some time after its events, when the round that wrote the file may be over.
    let mut told = |names: &[&str], state: RunState| {
        let written = |name: &&str| (root.join(name), FileEventKind::Written);
        sentinel.note(names.iter().map(written).collect(), RoundPhase::of(state));
        let over = Instant::now() + debouncer::QUIET;
        let burst = sentinel.coalescer.take(over)?;
        let ChangedFiles { paths, more } = sentinel.changes(&burst);
        Some((paths.join(" "), more))
    };
    let lock = ["Cargo.lock"];
    let in_rounds = [
        RunState::Open,
        RunState::Closed,
        RunState::Stopping,
        RunState::Killing,
    ];
    for state in in_rounds {
        assert_eq!(told(&lock, state), None, "{state:?}");
    }
    let between = Some(("Cargo.lock".to_owned(), 0));
    assert_eq!(told(&lock, RunState::Idle), between);
    assert_eq!(
        told(&["Cargo.lock", "a", "b", "c", "d"], RunState::Closed),
        Some(("a b c".to_owned(), 1))
    );
}
