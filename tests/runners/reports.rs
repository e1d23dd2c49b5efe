//! Reports for machines of whole runs: JUnit, libtest's JSON and lists, as files and as other programs
//! read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::EXECUTABLE;
use serde_json::Value;
use tempfile::TempDir;

const MAELSTROM_RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// A project with a test for each outcome, in two binaries.
fn project() -> TempDir {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "Cargo.toml",
        "[package]\nname = \"two-parts\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    write(
        "src/lib.rs",
        r#"
        #[cfg(test)] mod inner {
            #[test] fn passes() { println!("of no interest"); }
            #[test] #[ignore = "slow"] fn ignored() {}
        }
        #[test] fn fails() {
            println!("to stdout <&> \u{1b}[31mred\u{7}");
            eprintln!("to stderr \"quoted\"");
            panic!("the reason");
        }
        "#,
    );
    write(
        "tests/cli.rs",
        "#[test] fn passes() {}\n#[test] fn aborts() { std::process::abort() }\n",
    );
    directory
}

fn maelstrom(directory: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(EXECUTABLE);
    command
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null());
    command.env_remove("GITHUB_ACTIONS").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_report_has_every_test_and_a_recording_gives_the_same() {
    let project = project();
    let output = maelstrom(
        &project,
        &["--quiet", "--junit", "a.xml", "--record", "run"],
    );
    assert!(!output.status.success(), "{output:?}");
    let report = fs::read_to_string(project.path().join("a.xml")).unwrap();
    for part in [
        r#"<testsuites name="cargo-maelstrom" tests="5" failures="2" errors="0""#,
        r#"<testsuite name="two-parts" tests="3" failures="1" errors="0""#,
        r#"<testsuite name="two-parts::cli" tests="2" failures="1" errors="0""#,
        r#"<testcase name="inner::passes" classname="two-parts""#,
        r#"<skipped/>"#,
        r#"file="src/lib.rs" line="9""#,
        r#"message="exit code 101""#,
        r#"message="signal 6 (SIGABRT)"#,
        "to stdout &lt;&amp;&gt; red\nto stderr &quot;quoted&quot;\n",
        "the reason",
    ] {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
    assert!(!report.contains("of no interest"), "{report}");
    let output = maelstrom(
        &project,
        &["--quiet", "--replay", "run", "--junit", "b.xml"],
    );
    assert!(output.status.success(), "{output:?}");
    let again = fs::read_to_string(project.path().join("b.xml")).unwrap();
    assert_eq!(again, report);
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_before_the_build() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("kept"), "kept").unwrap();
    let variable = |name: &str, value: &str, arguments: &[&str]| {
        let mut command = Command::new(EXECUTABLE);
        command
            .args(arguments)
            .current_dir(directory.path())
            .env(name, value);
        command.output().unwrap()
    };
    for (output, message) in [
        (
            maelstrom(&directory, &["--junit", "absent/report.xml"]),
            "cannot write the report absent/report.xml",
        ),
        (
            maelstrom(&directory, &["--junit", "."]),
            "cannot write the report .",
        ),
        (
            maelstrom(&directory, &["--record", "absent/run.ndjson"]),
            "cannot write the recording absent/run.ndjson",
        ),
        (
            maelstrom(&directory, &["--list", "--record", "."]),
            "cannot write the recording .",
        ),
        (
            maelstrom(&directory, &["--junit", "kept", "--record", "./kept"]),
            "--record and --junit name the same file",
        ),
        (
            variable("CARGO_MAELSTROM_JUNIT", "kept", &["--replay", "kept"]),
            "--junit and --replay name the same file",
        ),
    ] {
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains(message) && stderr.contains("help:"),
            "{stderr}"
        );
    }
    assert_eq!(
        fs::read_to_string(directory.path().join("kept")).unwrap(),
        "kept"
    );
}

#[test]
fn jobs_have_a_report_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("jobs.xml");
    let jobs = directory.path().join("jobs");
    let job = |script: &str| {
        format!(r#"{{"program": "/bin/sh", "arguments": ["-c", "{script}"], "parent": "default"}}"#)
    };
    fs::write(
        &jobs,
        [job("echo fine"), job("echo bad; exit 3")].join("\n"),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(MAELSTROM_RUN);
        command
            .args(["--junit", report.to_str().unwrap()])
            .args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        (
            output.status.code(),
            fs::read_to_string(&report).unwrap_or_default(),
        )
    };
    let (code, xml) = run(&["--file", jobs.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{xml}");
    for part in [
        r#"<testsuites name="maelstrom-run" tests="2" failures="1""#,
        r#"name="job 1: /bin/sh -c &apos;echo fine&apos;" classname="jobs""#,
        r#"message="exit code 3""#,
        "<system-out>bad\n</system-out>",
    ] {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
    let (code, xml) = run(&["--", "/bin/sh", "-c", "echo one >&2; exit 4"]);
    assert_eq!(code, Some(4), "{xml}");
    assert!(xml.contains(r#"tests="1" failures="1""#), "{xml}");
    assert!(xml.contains("<system-err>one\n</system-err>"), "{xml}");
}

#[test]
fn lists_are_for_people_or_for_programs() {
    let project = project();
    let list = |format: &str| {
        let output = maelstrom(&project, &["--list", "--format", format]);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    let mut lines: Vec<String> = list("oneline").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "two-parts fails",
            "two-parts inner::ignored",
            "two-parts inner::passes",
            "two-parts::cli aborts",
            "two-parts::cli passes",
        ]
    );
    let object: Value = serde_json::from_str(&list("json")).unwrap();
    assert_eq!(object["test-count"], 5);
    let suite = &object["rust-suites"]["two-parts"];
    assert_eq!(suite["binary-name"], "two_parts");
    assert_eq!(suite["testcases"]["inner::ignored"]["ignored"], true);
    assert_eq!(suite["testcases"]["fails"]["ignored"], false);
    let output = maelstrom(&project, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// What a stream says of each test: the last event about it.
fn results(stdout: &str) -> BTreeMap<String, Value> {
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ends = lines.filter(|line| line["type"] == "test" && line["event"] != "started");
    ends.map(|line| (line["name"].as_str().unwrap().to_owned(), line))
        .collect()
}

fn nextest(project: &TempDir, format: &str) -> String {
    let mut command = Command::new("cargo");
    command
        .args([
            "nextest",
            "run",
            "--no-fail-fast",
            "--message-format",
            format,
        ])
        .env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1")
        .env("CARGO_TARGET_DIR", project.path().join("target"))
        .current_dir(project.path())
        .stdin(Stdio::null());
    text(&command.output().unwrap().stdout)
}

#[test]
#[ignore = "needs cargo-nextest"]
fn libtests_lines_are_those_of_nextest() {
    let project = project();
    for format in ["libtest-json", "libtest-json-plus"] {
        let theirs = nextest(&project, format);
        let output = maelstrom(&project, &["--message-format", format]);
        assert!(!output.status.success(), "{output:?}");
        let ours = text(&output.stdout);
        let (theirs_by_name, ours_by_name) = (results(&theirs), results(&ours));
        assert_eq!(theirs_by_name.len(), 5, "{theirs}");
        let names = |results: &BTreeMap<String, Value>| -> Vec<String> {
            results.keys().cloned().collect()
        };
        assert_eq!(names(&ours_by_name), names(&theirs_by_name));
        for (name, theirs) in &theirs_by_name {
            let ours = &ours_by_name[name];
            assert_eq!(ours["event"], theirs["event"], "{name}");
            assert_eq!(
                ours["exec_time"].is_f64(),
                theirs["exec_time"].is_f64(),
                "{name}"
            );
            assert_eq!(
                ours["stdout"].is_string(),
                theirs["stdout"].is_string(),
                "{name}"
            );
        }
        for (said, name) in [
            ("the reason", "two-parts::two_parts$fails"),
            ("to stdout", "two-parts::two_parts$fails"),
        ] {
            for results in [&ours_by_name, &theirs_by_name] {
                assert!(
                    results[name]["stdout"].as_str().unwrap().contains(said),
                    "{results:?}"
                );
            }
        }
        // The lines of suites have the same fields. Counts differ: nextest begins a suite again
        // after an ignored test.
        assert_eq!(suites(&ours), suites(&theirs));
    }
}

/// The fields of the lines about suites, and what `plus` adds to them.
fn suites(stdout: &str) -> BTreeSet<String> {
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["type"] == "suite")
        .map(|line| {
            let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
            format!("{fields:?} {}", line["nextest"])
        })
        .collect()
}

/// The interpreter of the environment into which `.ci/run` installs the readers.
fn readers() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    target.join("python-reports/bin/python")
}

#[test]
#[ignore = "needs tests/fixtures/reports/requirements.txt in target/python-reports"]
fn other_programs_read_the_same_from_a_report() {
    let project = project();
    let report = project.path().join("report.xml");
    let path = report.to_str().unwrap();
    let read = || {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
        let output = Command::new(readers())
            .arg(fixtures.join("read_junit.py"))
            .arg(&report)
            .arg(fixtures.join("junit-10.xsd"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    maelstrom(&project, &["--quiet", "--repeat", "2", "--junit", path]);
    insta::assert_snapshot!(read());
    // What does not compile is an error in a valid report as well.
    fs::write(
        project.path().join("tests/cli.rs"),
        "fn f() -> u8 { \"x\" }",
    )
    .unwrap();
    maelstrom(&project, &["--quiet", "--junit", path]);
    // Which tests have run by then depends on how fast they and the compiler are.
    let rows = read();
    let of_build = rows.lines().filter(|row| row.starts_with("build"));
    insta::assert_snapshot!(of_build.collect::<Vec<_>>().join("\n"));
}
