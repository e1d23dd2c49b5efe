//! A Python project with a file that describes its tests' containers, through the whole program.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::images::real::{Access, Layout, Registry, Wire};
use crate::support::homes::Homes;

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
    run_at(&Homes::new(), project, arguments)
}

fn run_at(homes: &Homes, project: &Path, arguments: &[&str]) -> (String, i32) {
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
#[ignore = "needs Python with pytest"]
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
    assert!(
        text.contains("only `ignore` and how tests run count"),
        "{text}"
    );

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
#[ignore = "needs Python with pytest"]
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

/// The distribution's Python with pip and pytest, the libraries it needs, and a package `needle` to
/// be installed, as an image.
const IMAGE: &str = r#"
mkdir -p proc tmp root dev etc run usr/bin usr/local/bin wheels usr/lib/python3/dist-packages
cp -a /usr/bin/python3* usr/bin/
ln -s /usr/bin/python3 usr/local/bin/python3
lib=$(dirname "$(/usr/bin/python3 -c 'import os; print(os.__file__)')")
cp -a "$lib" "./$lib"
rm -rf "./$lib/test" "./$lib/idlelib" "./$lib"/config-*
for name in pip pytest _pytest pluggy iniconfig packaging attr attrs py tomli exceptiongroup; do
    for path in /usr/lib/python3/dist-packages/"$name" /usr/lib/python3/dist-packages/"$name"[-.]*; do
        if [ -e "$path" ]; then cp -a "$path" "./$path"; fi
    done
done
for file in usr/bin/python3 "./$lib"/lib-dynload/*.so; do ldd "$file"; done |
    grep -o '/[^ ]*' | sort -u | while read -r path; do
        mkdir -p ".$(dirname "$path")"
        if [ -e "$path" ]; then cp -L "$path" ".$path"; fi
    done
/usr/bin/python3 - <<END
import zipfile
with zipfile.ZipFile("wheels/needle-1.0-py3-none-any.whl", "w") as wheel:
    info = "needle-1.0.dist-info/"
    wheel.writestr("needle.py", "POINT = 'sharp'\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: needle\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
END
"#;

const IMAGE_TESTS: &str = r#"
import os
import sys


def test_in_the_image():
    import needle

    assert needle.POINT == "sharp"
    assert os.environ["GREETING"] == "hello"
    assert os.path.exists("/etc/one") and not os.path.exists("/etc/passwd")
    assert os.getcwd() == "/srv" and __file__ == "/srv/test_image.py"
    assert sys.prefix == "/run/maelstrom/python"


def test_here():
    assert not os.path.exists("/etc/one")
"#;

#[test]
#[ignore = "needs Python with pytest, docker-registry, skopeo, umoci and a static busybox"]
fn packages_are_installed_once_for_an_image_of_python() {
    let layout = Layout::new();
    layout.edit(IMAGE);
    let registry = Registry::start(Access::Everybody, Wire::Http);
    registry.push(&layout.uri(), "team/python:3", &[]);
    let image = registry.image("team/python:3");
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    write("test_image.py", IMAGE_TESTS);
    let file = format!(
        "[[directives]]\nparent = \"default\"\n\n\
         [[directives]]\nfilter = \"name.equals(test_in_the_image)\"\nimage = \"{image}\"\n\
         added_layers = [{{ glob = \"*.py\", prepend_prefix = \"/srv\" }},\n    \
         {{ stubs = [\"/dev/null\"] }}]\n\
         mounts = [{{ type = \"devices\", devices = [\"null\"] }},\n    \
         {{ type = \"tmp\", mount_point = \"/tmp\" }}]\n"
    );
    write("maelstrom-pytest.toml", &file);
    let homes = Homes::new();
    let told = |expected: &str, wanted: i32| {
        let (text, code) = run_at(&homes, project.path(), &[]);
        assert_eq!(code, wanted, "{text}");
        assert!(text.contains(expected), "{text}");
        text.contains("installing the packages of test-requirements.txt")
    };
    assert!(!told("test-requirements.txt, which can't be read", 2));
    write("test-requirements.txt", "needle\n");
    assert!(!told("test-requirements.txt does not name pytest", 2));
    let requirements = "--no-index\n--find-links=/wheels\npytest\n";
    write("test-requirements.txt", &format!("{requirements}absent\n"));
    assert!(told("No matching distribution found for absent", 125));
    write("test-requirements.txt", &format!("{requirements}needle\n"));
    assert!(told("2 passed, 0 failed", 0));
    assert!(!told("2 passed, 0 failed", 0));
}
