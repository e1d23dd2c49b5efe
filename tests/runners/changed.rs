//! `--changed-since` with repositories of git: which tests run, which packages are built, and what is
//! told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::EXECUTABLE;
use crate::support::homes::Homes;

/// A project in a repository of git.
struct Repository {
    directory: TempDir,
    homes: Homes,
}

impl Repository {
    /// These files are committed on the branch `main`.
    fn of(files: &[(&str, &str)]) -> Repository {
        let repository = Repository {
            directory: tempfile::tempdir().unwrap(),
            homes: Homes::new(),
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        for (name, text) in files {
            repository.write(name, text);
        }
        repository.commit();
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        git(self.directory.path(), words);
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=a"]);
    }

    /// Back to what was committed.
    fn reset(&self) {
        self.git(&["reset", "--quiet", "--hard", "main"]);
        self.git(&["clean", "--quiet", "-d", "--force"]);
    }

    /// What a program says in a directory of the repository, and its exit code.
    fn run(&self, program: &str, at: &str, words: &[&str]) -> (String, i32) {
        self.run_with(program, at, words, |_| {})
    }

    fn run_with(
        &self,
        program: &str,
        at: &str,
        words: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> (String, i32) {
        let mut command = Command::new(program);
        self.homes.tell(&mut command);
        command
            .args(["--ui=plain", "--color=never"])
            .args(words)
            .current_dir(self.path(at))
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off")
            .stdin(Stdio::null());
        change(&mut command);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        (text, output.status.code().unwrap())
    }
}

fn git(directory: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=u", "-c", "user.email=e"])
        .args(["-c", "protocol.file.allow=always"])
        .args(words)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The packages of a workspace whose tests ran, by the tests' names.
fn ran(told: &str, tests: &[&str]) -> String {
    let passed = |test: &&&str| told.lines().any(|line| line.contains(**test));
    tests
        .iter()
        .filter(passed)
        .copied()
        .collect::<Vec<_>>()
        .join(" ")
}

fn manifest(name: &str, rest: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\ndoctest = false\n{rest}"
    )
}

/// `top` uses `base`, and `kit` in its tests; `alone` uses nothing, and reads a file with a line break in
/// its name. `base` uses `ext`, which is outside the workspace.
fn cargo_repository() -> Repository {
    let source = |name: &str| format!("#[test]\nfn in_{name}() {{}}\n");
    let top = manifest(
        "top",
        "[dependencies]\nbase = { path = \"../base\" }\n[dev-dependencies]\nkit = { path = \"../kit\" }\n",
    );
    let base = manifest("base", "[dependencies]\next = { path = \"../../ext\" }\n");
    let members = ["top", "base", "kit", "alone"];
    let workspace =
        "[workspace]\nresolver = \"3\"\nmembers = [\"top\", \"base\", \"kit\", \"alone\"]\n";
    let repository = Repository::of(&[
        ("ws/Cargo.toml", workspace),
        ("ws/top/Cargo.toml", &top),
        ("ws/base/Cargo.toml", &base),
        ("ws/kit/Cargo.toml", &manifest("kit", "")),
        ("ws/alone/Cargo.toml", &manifest("alone", "")),
        ("ws/alone/a\nb", ""),
        ("ext/Cargo.toml", &(manifest("ext", "") + "[workspace]\n")),
        ("ext/src/lib.rs", ""),
        (".gitignore", "target\nignored\n"),
        ("README.md", ""),
    ]);
    for name in members {
        repository.write(&format!("ws/{name}/src/lib.rs"), &source(name));
    }
    let mut lock = Command::new("cargo");
    lock.args(["generate-lockfile", "--offline"])
        .current_dir(repository.path("ws"));
    assert!(lock.output().unwrap().status.success());
    repository.commit();
    repository
}

const CARGO_TESTS: [&str; 4] = ["in_top", "in_base", "in_kit", "in_alone"];

#[test]
fn only_packages_that_depend_on_changed_files_are_built_and_tested() {
    let repository = cargo_repository();
    let run = |words: &[&str]| {
        let words = [&["--offline", "--changed-since=main"], words].concat();
        repository.run(EXECUTABLE, "ws", &words)
    };
    let (told, code) = run(&[]);
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("no test depends on what changed since main"),
        "{told}"
    );
    assert!(!repository.path("ws/target/debug").exists(), "{told}");
    let (told, code) = run(&["--no-tests=fail"]);
    assert_eq!(code, 4, "{told}");
    // Broken, so that it would be noticed if it were built.
    repository.write("ws/alone/src/lib.rs", "broken");
    repository.commit();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("ws/kit/src/more.rs", "");
    let (told, code) = run(&[]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(ran(&told, &CARGO_TESTS), "in_top in_kit", "{told}");
    let counts = "2 of 4 packages are tested: they depend on what changed since main";
    assert!(told.contains(counts), "{told}");
    // Committed on this branch, and in a package outside the workspace.
    repository.reset();
    repository.git(&["mv", "ext/src/lib.rs", "ext/src/main.rs"]);
    repository.write("ext/src/lib.rs", "pub fn new() {}\n");
    repository.commit();
    let (told, code) = run(&[]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(ran(&told, &CARGO_TESTS), "in_top in_base", "{told}");
    let (told, code) = run(&["--package=kit", "--package=base"]);
    assert_eq!(
        (ran(&told, &CARGO_TESTS).as_str(), code),
        ("in_base", 0),
        "{told}"
    );
    let (told, code) = run(&["--list-packages"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(
        told.split_whitespace().collect::<Vec<_>>(),
        ["top", "base"],
        "{told}"
    );
}

#[test]
fn what_changes_everything_is_told() {
    let repository = cargo_repository();
    let run = |words: &[&str]| {
        let words = [&["--offline", "--changed-since=main", "--list"], words].concat();
        repository.run(
            EXECUTABLE,
            "ws/top",
            &[&words[..], &["--workspace"]].concat(),
        )
    };
    repository.write("README.md", "changed");
    let everything = "everything is tested because";
    let (told, _) = run(&[]);
    let reason = format!("{everything} README.md changed since main, and is in no package");
    assert!(told.contains(&reason), "{told}");
    assert_eq!(ran(&told, &CARGO_TESTS), CARGO_TESTS.join(" "));
    let (told, code) = run(&["--changed-ignore=*.md"]);
    assert_eq!((ran(&told, &CARGO_TESTS).as_str(), code), ("", 0), "{told}");
    fs::remove_file(repository.path("ws/alone/a\nb")).unwrap();
    let (told, _) = run(&["--changed-ignore=*.md"]);
    assert_eq!(ran(&told, &CARGO_TESTS), "in_alone", "{told}");
    repository.write("ws/rust-toolchain", "stable");
    fs::remove_file(repository.path("ws/rust-toolchain")).unwrap();
    repository.write("ws/.config/nextest.toml", "");
    let (told, _) = run(&[]);
    let reason = format!("{everything} ws/.config/nextest.toml changed since main\n");
    assert!(told.contains(&reason), "{told}");
    // git ignores it, so it counts for nothing.
    repository.reset();
    repository.write("ignored", "");
    let (told, _) = run(&[]);
    assert_eq!(ran(&told, &CARGO_TESTS), "", "{told}");
}

#[test]
fn a_submodule_and_a_linked_worktree_are_seen_as_their_files() {
    let library = Repository::of(&[
        ("one/Cargo.toml", &manifest("one", "")),
        ("one/src/lib.rs", "#[test]\nfn in_one() {}\n"),
        ("two/Cargo.toml", &manifest("two", "")),
        ("two/src/lib.rs", "#[test]\nfn in_two() {}\n"),
    ]);
    let repository = Repository::of(&[
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"sub/*\"]\n",
        ),
        (".gitignore", "target\n"),
    ]);
    let from = library.directory.path().to_str().unwrap();
    repository.git(&["submodule", "--quiet", "add", from, "sub"]);
    let mut lock = Command::new("cargo");
    lock.args(["generate-lockfile", "--offline"])
        .current_dir(repository.path("."));
    assert!(lock.output().unwrap().status.success());
    repository.commit();
    repository.git(&["worktree", "add", "--quiet", "-b", "other", "linked"]);
    let linked = repository.path("linked");
    git(&linked, &["submodule", "--quiet", "update", "--init"]);
    for at in [".", "linked"] {
        let tested = || {
            let words = ["--offline", "--changed-since=main", "--list"];
            let (told, code) = repository.run(EXECUTABLE, at, &words);
            assert_eq!(code, 0, "{told}");
            ran(&told, &["in_one", "in_two"])
        };
        // The worktree is no part of the repository that it lies in.
        fs::write(repository.path(".git/info/exclude"), "linked\n").unwrap();
        assert_eq!(tested(), "", "{at}");
        let sub = repository.path(at).join("sub");
        fs::write(sub.join("one/new.txt"), "").unwrap();
        assert_eq!(tested(), "in_one", "{at}");
        git(&sub, &["add", "--all"]);
        git(&sub, &["commit", "--quiet", "--message=b"]);
        assert_eq!(tested(), "in_one", "{at}");
    }
}

#[test]
fn what_git_does_not_know_is_an_error() {
    let repository = Repository::of(&[
        ("Cargo.toml", &(manifest("victim", "") + "[workspace]\n")),
        ("src/lib.rs", "#[test]\nfn runs() {}\n"),
    ]);
    repository.git(&["update-ref", "refs/remotes/origin/topic", "main"]);
    let run = |reference: &str| {
        let since = format!("--changed-since={reference}");
        repository.run(EXECUTABLE, ".", &["--offline", &since])
    };
    let (told, code) = run("gone");
    assert_eq!(code, 2, "{told}");
    assert!(
        told.contains("`--changed-since gone`: the repository has no such commit"),
        "{told}"
    );
    let (told, code) = run("topic");
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("there is `origin/topic`"), "{told}");
    let (told, code) = run("--help");
    assert_eq!(code, 2, "{told}");
    let from = format!("file://{}", repository.directory.path().display());
    repository.write("src/lib.rs", "#[test]\nfn runs() {} // changed\n");
    repository.commit();
    let around = tempfile::tempdir().unwrap();
    git(
        around.path(),
        &["clone", "--quiet", "--depth=1", &from, "shallow"],
    );
    let in_shallow = |words: &[&str]| {
        let at = around.path().join("shallow");
        repository.run_with(EXECUTABLE, ".", words, |command| {
            command.current_dir(at);
        })
    };
    let (told, code) = in_shallow(&["--offline", "--changed-since=main~1"]);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("the clone is shallow"), "{told}");
    fs::remove_dir_all(repository.path(".git")).unwrap();
    let (told, code) = run("main");
    assert_eq!(code, 2, "{told}");
    assert!(
        told.contains("`--changed-since` needs a git work tree"),
        "{told}"
    );
    let (told, code) = repository.run_with(
        EXECUTABLE,
        ".",
        &["--offline", "--changed-since=main"],
        |command| {
            let cargo = which("cargo");
            let place = around.path().join("bin");
            fs::create_dir(&place).unwrap();
            std::os::unix::fs::symlink(&cargo, place.join("cargo")).unwrap();
            command.env("PATH", place).env("CARGO", &cargo);
        },
    );
    assert_eq!(code, 125, "{told}");
    assert!(told.contains("can't start `git`"), "{told}");
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|place| place.join(program));
    places.find(|place| place.is_file()).unwrap()
}

const GO: &str = env!("CARGO_BIN_EXE_maelstrom-go-test");
const GO_TESTS: [&str; 3] = ["TestA", "TestB", "TestC"];

#[test]
#[ignore = "needs Go and git"]
fn only_go_packages_that_depend_on_changed_files_are_tested() {
    let test = |package: &str, name: &str| {
        format!("package {package}\n\nimport \"testing\"\n\nfunc Test{name}(t *testing.T) {{}}\n")
    };
    let repository = Repository::of(&[
        ("go.mod", "module example.com/m\n\ngo 1.20\n"),
        (
            "a/a.go",
            "package a\n\nimport \"example.com/m/b\"\n\nfunc A() int { return b.B() }\n",
        ),
        ("a/a_test.go", &test("a", "A")),
        ("b/b.go", "package b\n\nfunc B() int { return 1 }\n"),
        ("b/b_test.go", &test("b", "B")),
        ("b/testdata/x", ""),
        ("c/c.go", "package c\n"),
        ("m.go", "package m\n"),
        ("c/c_test.go", &test("c", "C")),
        ("README.md", ""),
    ]);
    let run = |at: &str, words: &[&str]| {
        let words = [&["--changed-since=main", "-v"], words].concat();
        let (told, code) = repository.run(GO, at, &words);
        assert_eq!(code, 0, "{told}");
        (ran(&told, &GO_TESTS), told)
    };
    let (tested, told) = run(".", &[]);
    assert_eq!(tested, "", "{told}");
    assert!(
        told.contains("no test depends on what changed since main"),
        "{told}"
    );
    for (name, text, expected) in [
        (
            "b/b.go",
            "package b\n\nfunc B() int { return 2 }\n",
            "TestA TestB",
        ),
        ("b/b2_test.go", "package b\n", "TestB"),
        ("b/testdata/y z", "", "TestA TestB"),
        ("c/new.go", "package c\n", "TestC"),
    ] {
        repository.write(name, text);
        let (tested, told) = run(".", &[]);
        assert_eq!(tested, expected, "{name}: {told}");
        repository.reset();
    }
    fs::remove_dir_all(repository.path("b")).unwrap();
    let words = ["--changed-since=main", "--list-packages"];
    let (told, _) = repository.run(GO, ".", &words);
    let listed = |name: &str| told.lines().any(|line| line == name);
    assert!(listed("example.com/m/a"), "{told}");
    assert!(!listed("example.com/m/c"), "{told}");
    repository.reset();
    // Changes outside of the packages on the command line are known to be theirs or not.
    repository.write("c/new.go", "package c\n");
    assert_eq!(run("a", &["."]).0, "");
    repository.write("go.mod", "module example.com/m\n\ngo 1.20\n\n// changed\n");
    let (tested, told) = run("a", &["."]);
    assert_eq!(tested, "TestA", "{told}");
    assert!(
        told.contains("everything is tested because go.mod changed since main"),
        "{told}"
    );
}

const PYTEST: &str = env!("CARGO_BIN_EXE_maelstrom-pytest");

#[test]
#[ignore = "needs Python with pytest"]
fn only_python_files_that_import_changed_files_are_tested() {
    let repository = Repository::of(&[
        ("pytest.ini", "[pytest]\npythonpath = src\n"),
        ("src/app/__init__.py", ""),
        ("src/app/one.py", "from . import two\n"),
        ("src/app/two.py", "X = 1\n"),
        ("src/app/lazy.py", ""),
        ("src/app/named.py", ""),
        ("src/app/unused.py", ""),
        ("src/other.py", ""),
        ("src/models.py", ""),
        // As a framework does whose settings name modules.
        (
            "tests/conftest.py",
            "import helper\n__import__('mod' + 'els')\n",
        ),
        ("tests/helper.py", ""),
        (
            "tests/test_one.py",
            "from app import one\nimport models\ndef test_one(): pass\n",
        ),
        (
            "tests/test_lazy.py",
            "def test_lazy():\n    import app.lazy\n    __import__('importlib').import_module('app.named')\n",
        ),
        (
            "tests/test_plain.py",
            "import other\ndef test_plain(): pass\n",
        ),
        ("tests/data/a.txt", ""),
        (".gitignore", "__pycache__\n.maelstrom*\n"),
    ]);
    let all = "test_one.py test_lazy.py test_plain.py";
    let tests: Vec<&str> = all.split(' ').collect();
    let together = "--together=name.equals(test_one) || name.equals(test_plain)";
    for (name, arguments, expected) in [
        ("src/app/two.py", &[][..], "test_one.py"),
        ("src/app/two.py", &["--fresh"], "test_one.py"),
        ("src/app/__init__.py", &[], "test_one.py test_lazy.py"),
        ("src/app/lazy.py", &[], "test_lazy.py"),
        ("src/app/named.py", &[], "test_lazy.py"),
        ("tests/helper.py", &[], all),
        ("src/models.py", &[], all),
        ("src/models.py", &["--fresh"], all),
        ("src/app/two.py", &[together], "test_one.py test_plain.py"),
        ("src/app/lazy.py", &[together], "test_lazy.py"),
        ("src/app/template.html", &[], "test_one.py test_lazy.py"),
        ("tests/data/b.txt", &["--isolation=process"], all),
    ] {
        let before = fs::read_to_string(repository.path(name)).unwrap_or_default();
        repository.write(name, &(before + "\n"));
        let words = [&["--changed-since=main"], arguments].concat();
        let (told, code) = repository.run(PYTEST, ".", &words);
        assert_eq!(code, 0, "{told}");
        let lines = told.lines().filter(|line| line.contains("::"));
        let ended = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(ran(&ended, &tests), expected, "{name}: {told}");
        repository.reset();
    }
    let run = |words: &[&str]| repository.run(PYTEST, ".", words);
    let (told, code) = run(&["--changed-since=main"]);
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("no test depends on what changed since main"),
        "{told}"
    );
    assert_eq!(run(&["--changed-since=main", "--no-tests=fail"]).1, 5);
    repository.write("src/app/unused.py", "X = 1\n");
    let (told, code) = run(&["--changed-since=main", "-k", "plain"]);
    assert_eq!(code, 0, "{told}");
    let reason = "everything is tested because src/app/unused.py changed since main";
    assert!(told.contains(reason), "{told}");
}
