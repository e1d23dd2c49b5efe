//! `--watch` over projects of Go and of Python. What holds for all languages is in `watch.rs`; here
//! is what differs: which files count, and that files are built or imported anew.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::homes::Homes;
use crate::support::watched::{Watched, assert_has};

fn write(project: &Path, name: &str, text: &str) {
    let path = project.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn watched(program: &str, homes: &Homes, project: &Path) -> Watched {
    let mut command = Command::new(program);
    homes.tell(&mut command);
    command
        .args(["--watch", "--no-tui", "--color=never"])
        .current_dir(project);
    Watched::start(command)
}

const GO_TEST: &str = "package pond\n\nimport \"testing\"\n\nfunc TestDepth(t *testing.T) {\n\
                       \tif depth() != 2 {\n\t\tt.Fatal(depth())\n\t}\n}\n";

#[test]
#[ignore = "needs Go"]
fn rounds_follow_the_files_of_a_module() {
    let (directory, homes) = (tempfile::tempdir().unwrap(), Homes::new());
    let project = directory.path();
    write(project, "go.mod", "module example.com/pond\n\ngo 1.20\n");
    write(project, "pond_test.go", GO_TEST);
    write(
        project,
        "pond.go",
        "package pond\n\nfunc depth() int { return 2 }\n",
    );
    let mut watched = watched(env!("CARGO_BIN_EXE_maelstrom-go-test"), &homes, project);
    assert_has(&watched.round(), &["1 passed, 0 failed"]);

    write(
        project,
        "pond.go",
        "package pond\n\nfunc depth() int { return 3 }\n",
    );
    let second = watched.round();
    assert_has(
        &second,
        &["pond.go changed:", "round 2\n", "0 passed, 1 failed"],
    );

    // What cannot be compiled is told, and a package in a new directory is found.
    write(project, "pond.go", "package pond\n\nfunc depth(");
    assert_has(&watched.round(), &["round 3\n", "pond.go:3:"]);
    write(
        project,
        "pond.go",
        "package pond\n\nfunc depth() int { return 2 }\n",
    );
    assert_has(&watched.round(), &["round 4\n", "1 passed, 0 failed"]);
    let other = "package reeds\n\nimport \"testing\"\n\nfunc TestReeds(t *testing.T) {}\n";
    write(project, "reeds/reeds_test.go", other);
    assert_has(
        &watched.round(),
        &["reeds", "round 5\n", "2 passed, 0 failed"],
    );

    // Of all that was built so far, what the last round uses is left.
    let own = fs::read_dir(homes.cache().join("maelstrom/maelstrom-go-test")).unwrap();
    let own = own.map(|entry| entry.unwrap().path().join("test-binaries"));
    let binaries = own.filter_map(|path| fs::read_dir(path).ok()).flatten();
    assert_eq!(binaries.count(), 1);

    let (rest, code) = watched.interrupt();
    assert_eq!((rest.as_str(), code), ("", Some(0)));
}

#[test]
#[ignore = "needs Python with pytest"]
fn rounds_follow_the_files_of_a_python_project() {
    let (directory, homes) = (tempfile::tempdir().unwrap(), Homes::new());
    let project = directory.path();
    write(project, "conftest.py", "");
    write(project, "pond.py", "DEPTH = 2\n");
    let test = "import pond\n\n\ndef test_depth():\n    assert pond.DEPTH == 2\n";
    write(project, "test_pond.py", test);
    let mut watched = watched(env!("CARGO_BIN_EXE_maelstrom-pytest"), &homes, project);
    assert_has(&watched.round(), &["1 passed, 0 failed"]);

    // What Python and pytest write themselves causes no round. A fork of what was imported before
    // would not see the new module.
    write(project, "__pycache__/pond.cpython-399.pyc", "");
    write(project, ".pytest_cache/README.md", "");
    write(project, "pond.py", "DEPTH = 3\n");
    let second = watched.round();
    assert_has(
        &second,
        &["pond.py changed:", "round 2\n", "0 passed, 1 failed"],
    );
    assert!(!second.contains("cache"), "{second}");

    write(project, "test_pond.py", "def test_depth(:\n");
    assert_has(&watched.round(), &["round 3\n", "could not collect"]);
    let more =
        "import pytest\n\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_both(n):\n    pass\n";
    write(project, "test_pond.py", more);
    assert_has(&watched.round(), &["round 4\n", "2 passed, 0 failed"]);

    // The file that describes containers counts as well.
    let file = "[[directives]]\nparent = \"default\"\nignore = true\n";
    write(project, "maelstrom-pytest.toml", file);
    let fifth = watched.round();
    assert_has(&fifth, &["maelstrom-pytest.toml", "round 5\n", "2 ignored"]);

    let (rest, code) = watched.interrupt();
    assert_eq!((rest.as_str(), code), ("", Some(0)));
}
