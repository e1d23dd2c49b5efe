//! The JUnit report of `maelstrom-pytest --junitxml` beside pytest's own of the same project.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::files::copy;
use crate::support::pytest::{FIXTURES, said};

/// Reads a report and prints it as JSON: the attributes of the suite, its properties, and each test
/// with its attributes and children. Addresses and times differ from run to run.
const READER: &str = r#"
import json, re, sys
import xml.etree.ElementTree as ElementTree

def settled(text):
    return re.sub("0x[0-9a-f]+", "0x", text or "")

def element(found):
    attributes = {name: settled(value) for name, value in found.attrib.items()}
    if "time" in attributes:
        attributes["time"] = str(float(attributes["time"]) >= 0)
    if "timestamp" in attributes:
        attributes["timestamp"] = re.sub("[0-9]", "9", attributes["timestamp"])[:19]
    children = [element(child) for child in found if child.tag != "testcase"]
    return [found.tag, attributes, settled(found.text), children]

root = ElementTree.parse(sys.argv[1]).getroot()
suite = root.find("testsuite")
tests = [element(child) for child in suite.iter("testcase")]
print(json.dumps({"root": root.attrib, "suite": element(suite), "tests": tests}))
"#;

fn read(path: &Path) -> Value {
    let output = Command::new("python3")
        .args(["-c", READER])
        .arg(path)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", path.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A copy of the fixture, and the reports of both.
fn both(settings: &str, arguments: &[&str], ours: &[&str]) -> (Value, Value) {
    let project = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("junit"), project.path());
    fs::write(project.path().join("pytest.ini"), settings).unwrap();
    let theirs = Command::new("python3")
        .args(["-m", "pytest", "-p", "no:cacheprovider"])
        .args([
            "--continue-on-collection-errors",
            "--junitxml=reports/theirs.xml",
        ])
        .args(arguments)
        .current_dir(project.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(theirs.status.code(), Some(1), "{theirs:?}");
    let words = [&["--junitxml", "reports/ours.xml"], arguments, ours].concat();
    let (told, code) = said(project.path(), &words, |_| {});
    assert_eq!(code, Some(1), "{told}");
    let reports = project.path().join("reports");
    (
        read(&reports.join("theirs.xml")),
        read(&reports.join("ours.xml")),
    )
}

#[test]
#[ignore = "needs Python with pytest"]
fn it_has_what_pytests_own_has_test_by_test() {
    let all = "[pytest]\njunit_family = xunit1\njunit_logging = all\njunit_suite_name = box\n";
    let some = "[pytest]\njunit_logging = system-out\njunit_log_passing_tests = false\n\
                junit_duration_report = call\n";
    for (settings, arguments, ours) in [
        ("[pytest]\n", &[][..], &[][..]),
        ("[pytest]\n", &["--junit-prefix=pre"], &["--fresh"]),
        (all, &["-q"], &["--together=all"]),
        (some, &["-k", "not parameters"], &[]),
    ] {
        let (theirs, ours) = both(settings, arguments, ours);
        assert_eq!(ours["root"], theirs["root"]);
        assert_eq!(ours["suite"], theirs["suite"], "{settings}");
        let tests = |report: &Value| report["tests"].as_array().unwrap().clone();
        let (theirs, ours) = (tests(&theirs), tests(&ours));
        for (their, our) in theirs.iter().zip(&ours) {
            assert_eq!(our, their, "{settings}");
        }
        assert_eq!(ours.len(), theirs.len(), "{settings}");
    }
}

/// What has no result of pytest's is an error.
#[test]
#[ignore = "needs Python with pytest"]
fn tests_that_end_without_a_result_are_in_it() {
    let project = tempfile::tempdir().unwrap();
    let tests = "import os, signal\n\n\ndef test_exits():\n    os._exit(0)\n\n\n\
                 def test_hangs():\n    while True:\n        signal.pause()\n\n\ndef test_passes():\n    pass\n";
    fs::write(project.path().join("test_it.py"), tests).unwrap();
    fs::write(
        project.path().join("test_gone.py"),
        "import os\nos._exit(3)\n",
    )
    .unwrap();
    // Only the test that hangs has a limit: the others take as long as the machine needs.
    let limit = "[[directives]]\nparent = \"default\"\n\n\
                 [[directives]]\nfilter = \"name.equals(test_hangs)\"\ntimeout = 1\n";
    fs::write(project.path().join("maelstrom-pytest.toml"), limit).unwrap();
    let (told, code) = said(project.path(), &["--junitxml=r.xml", "--repeat=2"], |_| {});
    assert_eq!(code, Some(1), "{told}");
    let report = read(&project.path().join("r.xml"));
    let found: Vec<(String, String)> = report["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| {
            let name = format!(
                "{}::{}",
                text(&test[1]["classname"]),
                text(&test[1]["name"])
            );
            (name, text(&test[3][0][1]["message"]).to_owned())
        })
        .collect();
    let mut counts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, message) in &found {
        counts.entry(name).or_default().push(message);
    }
    assert_eq!(counts["::test_gone"], ["collection failure"]);
    assert_eq!(counts["test_it::test_passes"], ["", ""]);
    let reason = "its process ended before pytest had a result";
    assert_eq!(counts["test_it::test_exits"], [reason, reason]);
    let hung = &counts["test_it::test_hangs"];
    assert!(
        hung.len() == 2 && hung[0].contains("time limit"),
        "{hung:?}"
    );
    assert_eq!(report["suite"][1]["tests"], "7");
    assert_eq!(report["suite"][1]["errors"], "5");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_file_that_cannot_be_written_is_told_before_any_test_runs() {
    let project = tempfile::tempdir().unwrap();
    fs::write(
        project.path().join("test_it.py"),
        "def test_it():\n    pass\n",
    )
    .unwrap();
    fs::write(project.path().join("file"), "").unwrap();
    for (file, code, expected) in [
        ("file/r.xml", 125, "can't write the report"),
        (".", 2, "--junitxml must be a filename, given: ."),
    ] {
        let (told, ended) = said(project.path(), &["--junitxml", file], |_| {});
        assert!(told.contains(expected), "{file}: {told}");
        assert!(!told.contains("1 passed"), "{file}: {told}");
        assert_eq!(ended, Some(code), "{file}: {told}");
    }
    // The settings of the project may ask for it as well.
    fs::write(
        project.path().join("pytest.ini"),
        "[pytest]\naddopts = --junitxml=r.xml\n",
    )
    .unwrap();
    let (told, code) = said(project.path(), &[], |_| {});
    assert_eq!(code, Some(0), "{told}");
    let tests = read(&project.path().join("r.xml"))["tests"].clone();
    assert_eq!(tests[0][1]["name"], "test_it");
}
