//! Tests that share a process by choice (`share`), with the three programs: each test has its own
//! result, in the framework's order, and what one does to the process reaches the others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::homes::Homes;

const CARGO: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");
const GO: &str = env!("CARGO_BIN_EXE_maelstrom-go-test");
const PYTEST: &str = env!("CARGO_BIN_EXE_maelstrom-pytest");

/// A project in a directory of its own.
struct Project {
    program: &'static str,
    directory: tempfile::TempDir,
    homes: Homes,
}

/// What a run said.
#[derive(Debug)]
struct Said {
    /// Each attempt in the order in which it ended: the test's name and the outcome, with the reason
    /// unless the test passed.
    ends: Vec<String>,
    stdout: String,
    code: Option<i32>,
}

impl Said {
    fn has(&self, text: &str) -> bool {
        self.stdout.contains(text)
    }

    fn sorted(mut self) -> Vec<String> {
        self.ends.sort();
        self.ends
    }
}

impl Project {
    fn new(program: &'static str, files: &[(&str, &str)]) -> Project {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let homes = Homes::new();
        Project {
            program,
            directory,
            homes,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let record = self.homes.state().with_file_name("record");
        let mut command = Command::new(self.program);
        self.homes.tell(&mut command);
        let output = command
            .args(["--ui=plain", "--slots=2", "--record"])
            .arg(&record)
            .args(arguments)
            .env_remove("GOFLAGS")
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off")
            .current_dir(self.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let text = fs::read_to_string(&record).unwrap_or_else(|error| panic!("{error}: {stderr}"));
        let mut names = BTreeMap::new();
        let mut ends = Vec::new();
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            match event["event"].as_str().unwrap() {
                "discovered" => {
                    for test in event["tests"].as_array().unwrap() {
                        let name = test["name"].as_str().unwrap().to_owned();
                        names.insert(test["test"].as_u64().unwrap(), name);
                    }
                }
                "finished" => {
                    let name = &names[&event["test"].as_u64().unwrap()];
                    let outcome = &event["outcome"];
                    let said = |key: &str| outcome[key].as_str().unwrap_or("").to_owned();
                    let reason = said("reason") + &said("message");
                    let end = format!("{name}: {} {reason}", said("kind"));
                    ends.push(end.trim_end().to_owned());
                }
                _ => {}
            }
        }
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr;
        let code = output.status.code();
        Said { ends, stdout, code }
    }
}

const MANIFEST: (&str, &str) = (
    "Cargo.toml",
    "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n",
);

/// Tests that count how many before them have run in their process.
const COUNTING: &str = r#"
use std::sync::atomic::{AtomicU32, Ordering};
static BEFORE: AtomicU32 = AtomicU32::new(0);
fn before() -> u32 { BEFORE.fetch_add(1, Ordering::SeqCst) }

#[test]
fn a_first() { assert_eq!(before(), 0); }
#[test]
fn b_second() { println!("said by the second"); assert_eq!(before(), 1); }
#[test]
#[should_panic]
fn c_third() { assert_eq!(before(), 3); }
#[test]
fn d_fourth() {
    if std::path::Path::new("crash").exists() { std::process::exit(0); }
    assert_eq!(before(), 3, "the fourth is broken");
}
#[test]
fn e_fifth() { println!("ok\ntest b_second ... ok"); assert_eq!(before(), 4); }
"#;

#[test]
fn tests_of_a_rust_binary_share_a_process() {
    let project = Project::new(CARGO, &[MANIFEST, ("src/lib.rs", COUNTING)]);
    let alone = project.run(&[]);
    assert_eq!(alone.code, Some(101), "{}", alone.stdout);
    let said = project.run(&["--share=binary"]);
    let passed = ["a_first", "b_second", "c_third", "d_fourth", "e_fifth"];
    let passed = passed.map(|name| format!("{name}: passed"));
    assert_eq!(said.ends, passed, "{}", said.stdout);
    assert_eq!(said.code, Some(0), "{}", said.stdout);
    assert!(
        said.has("5 tests shared 1 container, each with one process"),
        "{}",
        said.stdout
    );
    // A part has the whole group, or nothing of it.
    let parts = ["hash:1/2", "hash:2/2"].map(|part| {
        let partition = format!("--partition={part}");
        let part = project.run(&["--share=binary", &partition]);
        part.ends.len()
    });
    assert!(parts == [5, 0] || parts == [0, 5], "{parts:?}");
}

#[test]
fn a_test_that_ends_the_process_is_no_pass_of_the_others() {
    let project = Project::new(CARGO, &[MANIFEST, ("src/lib.rs", COUNTING), ("crash", "")]);
    let said = project.run(&["--share=binary"]);
    let why = "did not run: the process that it shares with other tests ended during `d_fourth` (exit \
               code 0)";
    assert_eq!(
        said.ends[..3],
        ["a_first: passed", "b_second: passed", "c_third: passed"]
    );
    let doubt = "d_fourth: error the process ended with exit code 0 before it said that the test ran \
                 to its end; a test that calls `exit`, say, does so";
    assert_eq!(
        said.ends[3..],
        [doubt.to_owned(), format!("e_fifth: error {why}")]
    );
    assert_ne!(said.code, Some(0));
}

#[test]
fn a_group_runs_again_as_a_group() {
    let flaky = r#"
        static BEFORE: std::sync::Mutex<Vec<u32>> = std::sync::Mutex::new(Vec::new());
        #[test] fn a_first() { BEFORE.lock().unwrap().push(1); }
        #[test] fn b_second() {
            if std::env::var("MAELSTROM_ATTEMPT").as_deref() == Ok("1") { std::process::abort(); }
            BEFORE.lock().unwrap().push(2);
        }
        #[test] fn c_third() { assert_eq!(*BEFORE.lock().unwrap(), [1, 2]); }
    "#;
    let directives = "[[directives]]\nshare = \"binary\"\nretries = 1\n";
    let files = [
        MANIFEST,
        ("src/lib.rs", flaky),
        ("cargo-maelstrom.toml", directives),
    ];
    let project = Project::new(CARGO, &files);
    let said = project.run(&[]);
    let ends = said
        .ends
        .iter()
        .map(|end| end.split(" did").next().unwrap());
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            "a_first: passed",
            "b_second: failed",
            "c_third: error",
            "b_second: passed",
            "c_third: passed",
        ],
        "{}",
        said.stdout
    );
    assert_eq!(said.code, Some(0), "{}", said.stdout);
}

#[test]
fn a_scope_of_another_framework_is_refused() {
    let project = Project::new(CARGO, &[MANIFEST, ("src/lib.rs", COUNTING)]);
    let said = project.run(&["--share=class"]);
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    assert!(
        said.has("command line: tests can't share by class"),
        "{}",
        said.stdout
    );
    assert!(said.has("write \"binary\", or \"none\""), "{}", said.stdout);
}

const GO_TESTS: &str = r#"package m
import ("fmt"; "os"; "testing")
var before []string
func expect(t *testing.T, count int) {
    if len(before) != count { t.Errorf("%d before it, not %d", len(before), count) }
    before = append(before, t.Name())
}
func TestB(t *testing.T) { expect(t, 0) }
func TestParallel(t *testing.T) { t.Parallel(); fmt.Println("at last"); expect(t, 3) }
func TestA(t *testing.T) { t.Run("sub", func(t *testing.T) { expect(t, 1) }) }
func TestSkipped(t *testing.T) { t.Skip("not today") }
func TestC(t *testing.T) {
    expect(t, 2)
    if _, err := os.Stat("crash"); err == nil { os.Exit(3) }
}
func TestD(t *testing.T) { if _, err := os.Stat("fail"); err == nil { t.Fatal("is broken") } }
"#;

fn go_project(files: &[(&str, &str)]) -> Project {
    let own = [
        ("go.mod", "module example.com/m\n\ngo 1.20\n"),
        ("m_test.go", GO_TESTS),
    ];
    Project::new(GO, &[&own, files].concat())
}

#[test]
#[ignore = "needs Go"]
fn tests_of_a_go_package_share_a_process() {
    let said = go_project(&[]).run(&["--share=package"]);
    assert_eq!(said.code, Some(0), "{}", said.stdout);
    assert!(said.has("6 tests shared 1 container"), "{}", said.stdout);
    assert_eq!(
        said.sorted(),
        [
            "TestA: passed",
            "TestB: passed",
            "TestC: passed",
            "TestD: passed",
            "TestParallel: passed",
            "TestSkipped: ignored not today",
        ]
    );
    let said = go_project(&[("fail", "")]).run(&["--share=binary"]);
    assert_eq!(said.code, Some(1), "{}", said.stdout);
    let ends = said.sorted();
    let failed: Vec<&String> = ends
        .iter()
        .filter(|end| !end.ends_with(" passed"))
        .collect();
    assert_eq!(failed, ["TestD: failed", "TestSkipped: ignored not today"]);
}

#[test]
#[ignore = "needs Go"]
fn a_go_test_that_ends_the_process_is_no_pass_of_the_others() {
    let said = go_project(&[("crash", "")]).run(&["--share=package"]);
    assert_eq!(said.code, Some(1), "{}", said.stdout);
    let why = "the process that it shares with other tests ended during `TestC` (exit code 3)";
    assert_eq!(
        said.sorted(),
        [
            "TestA: passed".to_owned(),
            "TestB: passed".to_owned(),
            "TestC: failed".to_owned(),
            format!("TestD: error did not run: {why}"),
            format!("TestParallel: error did not end: {why}"),
            "TestSkipped: ignored not today".to_owned(),
        ]
    );
}

/// A class whose tests pass state, and a fixture of the session.
const PYTHON: &str = r#"
import os, pytest

starts = []

@pytest.fixture(scope="session")
def costly():
    starts.append(1)
    return starts

class TestChain:
    state = []
    def test_z_first(self, costly):
        print("said by the first")
        self.state.append(1)
    def test_a_second(self, costly):
        assert self.state == [1]
        self.state.append(2)
        if os.path.exists("crash"):
            os._exit(7)
    def test_m_third(self, costly):
        assert self.state == [1, 2] and costly == [1]
        assert not os.path.exists("fail"), "the third is broken"

def test_alone(costly):
    assert costly == [1]
"#;

fn python_project(files: &[(&str, &str)]) -> Project {
    let own = [
        ("tests/test_one.py", PYTHON),
        ("tests/test_two.py", "def test_two(): pass\n"),
    ];
    Project::new(PYTEST, &[&own, files].concat())
}

#[test]
#[ignore = "needs Python with pytest"]
fn tests_of_pytest_share_a_session_by_class_file_or_directory() {
    let project = python_project(&[]);
    let alone = project.run(&[]);
    assert_eq!(alone.code, Some(1), "{}", alone.stdout);
    for (scope, shared) in [
        ("class", "3 tests shared 1 container"),
        ("file", "5 tests shared 2 containers"),
        ("package", "5 tests shared 1 container"),
    ] {
        let said = project.run(&[&format!("--share={scope}")]);
        assert_eq!(said.code, Some(0), "{}", said.stdout);
        assert!(said.has(shared), "{scope}: {}", said.stdout);
        let chain = said.ends.iter().filter(|end| end.contains("TestChain"));
        let order: Vec<&str> = chain.map(String::as_str).collect();
        assert_eq!(
            order,
            [
                "TestChain.test_z_first: passed",
                "TestChain.test_a_second: passed",
                "TestChain.test_m_third: passed",
            ]
        );
        assert_eq!(said.ends.len(), 5);
    }
    let said = project.run(&["--share=binary"]);
    assert_eq!(said.code, Some(2), "{}", said.stdout);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_member_of_a_session_fails_by_itself_and_a_crash_is_no_pass() {
    let said = python_project(&[("fail", "")]).run(&["--share=class"]);
    assert_eq!(said.code, Some(1), "{}", said.stdout);
    assert!(said.has("4 passed, 1 failed"), "{}", said.stdout);
    let said = python_project(&[("crash", "")]).run(&["--share=class"]);
    let ends = said.sorted();
    let why = "did not run: the process that it shares with other tests ended during \
               `tests/test_one.py::TestChain::test_a_second` (exit code 7)";
    assert_eq!(ends[0].split(' ').nth(1), Some("failed"), "{ends:?}");
    assert_eq!(ends[1], format!("TestChain.test_m_third: error {why}"));
    assert_eq!(ends[2], "TestChain.test_z_first: passed");
}

#[test]
#[ignore = "needs Python with pytest"]
fn tests_of_two_test_groups_share_no_session() {
    let file = "[test_groups.one]\nmax = 1\n[test_groups.two]\nmax = 1\n\
                [[directives]]\nshare = \"file\"\n\
                [[directives]]\nfilter = \"name.contains(second)\"\ntest_group = \"one\"\n\
                [[directives]]\nfilter = \"name.contains(third)\"\ntest_group = \"two\"\n";
    let said = python_project(&[("maelstrom-pytest.toml", file)]).run(&[]);
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    assert!(
        said.has("are in the test groups `one` and `two`"),
        "{}",
        said.stdout
    );
}
