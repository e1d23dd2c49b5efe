//! `--watch` as a person uses it: the real program over a real project, whose files change.
//!
//! Nothing here waits for time to pass: each step reads what the program prints until the line that
//! the step is about. That something causes no round is seen from the next round, which another
//! change causes: it is the next in number and names that change alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::watched::{Watched, assert_has};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");

/// A package beside another one that it depends on.
struct Project {
    around: TempDir,
}

impl Project {
    fn new() -> Project {
        let project = Project {
            around: tempfile::tempdir().unwrap(),
        };
        project.write(
            "Cargo.toml",
            "[package]\nname = \"pond\"\nedition = \"2024\"\n\
             [lib]\ndoctest = false\n\
             [dependencies]\nreeds = { path = \"../reeds\" }\n",
        );
        project.write("src/lib.rs", &library(&["depth"], "2"));
        project.write(".gitignore", "*.txt\n");
        project.write(
            "../reeds/Cargo.toml",
            "[package]\nname = \"reeds\"\nedition = \"2024\"\n",
        );
        project.write("../reeds/src/lib.rs", "pub const COUNT: u32 = 2;\n");
        project
    }

    fn root(&self) -> PathBuf {
        self.around.path().join("pond")
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.root()).unwrap();
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn watched(&self, arguments: &[&str]) -> Watched {
        let mut command = Command::new(PROGRAM);
        command.args(["maelstrom", "--offline", "--watch"]);
        command.args(arguments).current_dir(self.root());
        Watched::start(command)
    }
}

/// A library in which every test asks for so many reeds.
fn library(tests: &[&str], count: &str) -> String {
    let tests = tests
        .iter()
        .map(|name| format!("#[test] fn {name}() {{ assert_eq!(reeds::COUNT, {count}); }}\n"));
    tests.collect()
}

#[test]
fn rounds_follow_the_files() {
    let project = Project::new();
    let mut watched = project.watched(&["--no-tui"]);
    let first = watched.round();
    assert_has(&first, &["1 passed, 0 failed", "watching "]);

    // A test appears, and fails.
    project.write("src/lib.rs", &library(&["depth", "width"], "3"));
    let second = watched.round();
    let told = [
        "src/lib.rs changed:",
        "round 2\n",
        "2 tests found",
        "pond width",
        "0 passed, 2 failed",
    ];
    assert_has(&second, &told);

    // What the version control ignores causes nothing, nor does what was built.
    project.write("notes.txt", "nobody asks for these\n");
    project.write("target/something", "neither for this\n");
    project.write("../reeds/src/lib.rs", "pub const COUNT: u32 = 3;\n");
    let third = watched.round();
    assert_has(&third, &["reeds/src/lib.rs changed:", "round 3\n"]);
    assert_has(&third, &["2 passed, 0 failed"]);
    assert!(!third.contains("notes.txt") && !third.contains("something"));

    // A compile error is shown and cured; the first test is gone.
    project.write("src/lib.rs", "fn broken(");
    let fourth = watched.round();
    assert_has(&fourth, &["round 4\n", "the build failed"]);
    project.write("src/lib.rs", &library(&["width"], "3"));
    let fifth = watched.round();
    let told = ["round 5\n", "1 test found", "1 passed, 0 failed"];
    assert_has(&fifth, &told);

    // So is a manifest that is none; a file in a directory that has just been made counts.
    project.write("Cargo.toml.new", "[package\n");
    fs::rename(
        project.root().join("Cargo.toml.new"),
        project.root().join("Cargo.toml"),
    )
    .unwrap();
    assert_has(&watched.round(), &["Cargo.toml changed:", "round 6\n"]);
    project.write(
        "Cargo.toml",
        "[package]\nname = \"pond\"\nedition = \"2024\"\n",
    );
    let seventh = watched.round();
    assert_has(&seventh, &["round 7\n", "the build failed"]);
    project.write("src/lib.rs", "");
    assert_has(
        &watched.round(),
        &["round 8\n", "there are no tests to run"],
    );
    project.write("tests/deep.rs", "#[test] fn dives() {}");
    let ninth = watched.round();
    assert_has(
        &ninth,
        &["tests/deep.rs", "round 9\n", "1 passed, 0 failed"],
    );

    let (rest, code) = watched.interrupt();
    assert_eq!((rest.as_str(), code), ("", Some(0)));
}

#[test]
fn a_change_during_a_round_ends_it_and_the_exit_code_is_the_last_rounds() {
    let project = Project::new();
    // A test that lasts until somebody ends it.
    let endless = "#[test] fn depth() { loop { std::thread::park(); } }\n";
    project.write("src/lib.rs", endless);
    let log = project.around.path().join("log");
    let recording = log.display().to_string();
    let mut watched = project.watched(&["--quiet", "--record", &recording]);
    wait_for_start(&log, "\"event\":\"started\"");
    project.write("src/lib.rs", &library(&["depth"], "3"));
    let told = watched.until("changed:");
    assert_has(&told, &["src/lib.rs changed: this round is out of date"]);
    let both = watched.round();
    assert_has(&both, &["1 cancelled", "0 passed, 1 failed"]);
    let (_, code) = watched.interrupt();
    assert_eq!(code, Some(101));
}

/// Follows a file, which somebody else writes, until a line has this text.
fn wait_for_start(path: &Path, text: &str) {
    while !fs::read_to_string(path).is_ok_and(|written| written.contains(text)) {
        std::thread::yield_now();
    }
}

#[test]
fn a_broken_project_is_watched_from_the_start() {
    let project = Project::new();
    let manifest = fs::read_to_string(project.root().join("Cargo.toml")).unwrap();
    project.write("Cargo.toml", "[package\n");
    let mut watched = project.watched(&["--no-tui"]);
    watched.round();
    project.write("Cargo.toml", &manifest);
    assert_has(&watched.round(), &["round 2\n", "1 passed, 0 failed"]);
    project.write("../reeds/src/lib.rs", "pub const COUNT: u32 = 7;\n");
    assert_has(&watched.round(), &["round 3\n", "0 passed, 1 failed"]);
}

#[test]
fn a_project_that_vanishes_ends_the_wait_with_its_name() {
    let project = Project::new();
    let mut watched = project.watched(&["--no-tui"]);
    watched.round();
    let elsewhere = project.around.path().join("elsewhere");
    fs::rename(project.root(), elsewhere).unwrap();
    let (rest, code) = watched.end();
    assert_has(&rest, &["pond was watched and is there no more"]);
    assert_eq!(code, Some(125));
}

#[test]
fn a_list_is_printed_once() {
    let project = Project::new();
    let (printed, code) = project.watched(&["--list"]).end();
    assert_eq!((printed.as_str(), code), ("pond depth\n", Some(0)));
}

/// The limit of a user namespace of its own stands for the machine's.
#[test]
fn too_many_directories_are_an_error_that_names_the_setting() {
    let project = Project::new();
    let script = "echo 1 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    command.args([PROGRAM, "maelstrom", "--offline", "--watch", "--no-tui"]);
    command
        .arg("--isolation=process")
        .current_dir(project.root());
    let (printed, code) = Watched::start(command).end();
    let told = [
        "may not watch more directories",
        "fs.inotify.max_user_watches",
    ];
    assert_has(&printed, &told);
    assert_has(&printed, &["1 passed, 0 failed"]);
    assert_eq!(code, Some(125));
}
