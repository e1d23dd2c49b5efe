//! A Python project with a file that describes its tests' containers, through the whole program.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::homes::Homes;

const TESTS: &str = r#"
import os
import sys

import pytest

COLLECTED_BY = os.getpid()


def test_plain():
    assert os.path.exists("maelstrom-pytest.toml")
    assert "PLACE" not in os.environ


@pytest.mark.told
@pytest.mark.parametrize("number", range(3))
def test_told(number):
    assert os.environ["PLACE"] == "told"
    assert os.path.exists("/srv/tests/test_own.py")
    assert os.getpid() != COLLECTED_BY, "it is no fork"


def test_bare():
    # Without those that Python and pytest set themselves.
    own = {"LC_CTYPE", "PYTEST_CURRENT_TEST", "PYTEST_VERSION"}
    known = {name: value for name, value in os.environ.items() if name not in own}
    assert known == {"PATH": "/usr/bin", "PLACE": "bare"}
    assert os.getcwd() == "/" and __file__ == "/tests/test_own.py"
    assert sys.executable == "/usr/bin/python3"
    assert not os.path.exists("maelstrom-pytest.toml")
    assert os.getpid() == COLLECTED_BY, "it is a fork"


def test_ignored():
    raise AssertionError("it ran")
"#;

const FILE: &str = r#"
[containers.bare]
layers = [
    { glob = "**.py" },
    { stubs = ["/usr/", "/proc/", "/tmp/", "/dev/{null,urandom}"] },
    { symlinks = [
        { link = "/bin", target = "usr/bin" },
        { link = "/lib", target = "usr/lib" },
        { link = "/lib64", target = "usr/lib64" },
    ] },
]
mounts = [
    { type = "bind", mount_point = "/usr", local_path = "/usr", read_only = true },
    { type = "proc", mount_point = "/proc" },
    { type = "tmp", mount_point = "/tmp" },
    { type = "devices", devices = ["null", "urandom"] },
]
environment = { PATH = "/usr/bin", PLACE = "bare" }

[[directives]]
parent = "default"

[[directives]]
filter = "markers.contains(told) && node_id.starts_with(tests/)"
added_layers = [{ paths = ["tests/test_own.py"], prepend_prefix = "/srv" }]
added_environment = { PLACE = "told" }

[[directives]]
filter = "name.equals(test_bare) && file.equals(tests/test_own.py)"
parent = "bare"

[[directives]]
filter = "name.equals(test_ignored)"
ignore = true
"#;

fn run(project: &Path, arguments: &[&str]) -> (String, i32) {
    let homes = Homes::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    homes.tell(&mut command);
    let output = command
        .args(["--no-tui", "--color=never"])
        .args(arguments)
        .current_dir(project)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text, output.status.code().unwrap())
}

fn project() -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    let path = |name: &str| project.path().join(name);
    fs::create_dir(path("tests")).unwrap();
    fs::write(path("tests/test_own.py"), TESTS).unwrap();
    fs::write(path("pytest.ini"), "[pytest]\nmarkers = told\n").unwrap();
    project
}

#[test]
fn python_tests_get_what_the_file_says() {
    let project = project();
    let write = |text: &str| fs::write(project.path().join("maelstrom-pytest.toml"), text).unwrap();
    write(FILE);
    let (text, code) = run(project.path(), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("5 passed, 0 failed, 1 ignored"), "{text}");

    // Without containers there is still what to ignore.
    let words = ["--isolation=process", "-k", "ignored or plain"];
    let (text, code) = run(project.path(), &words);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 passed, 0 failed, 1 ignored"), "{text}");
    assert!(text.contains("only `ignore` and `timeout` count"), "{text}");

    for (file, expected) in [
        (
            "[[directives]]\nfilter = \"nam\"\n",
            "maelstrom-pytest.toml:2:11: ",
        ),
        (
            "[[directives]]\nparent = \"default\"\ntoolbox = false\n",
            "`toolbox = false` has no meaning here",
        ),
    ] {
        write(file);
        let (text, code) = run(project.path(), &[]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_file_is_begun_and_explained() {
    let project = project();
    let (text, code) = run(project.path(), &["--init"]);
    assert_eq!(code, 0, "{text}");
    let node = "--explain=tests/test_own.py::test_told[1]";
    let (text, code) = run(project.path(), &[node]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("maelstrom-pytest.toml:9:1  every test"),
        "{text}"
    );
    let (text, code) = run(project.path(), &["--explain=test_nothing"]);
    assert_eq!(code, 2, "{text}");
}
