//! `maelstrom-go-test -json` against `go test -json` on the same project: test by test, and by what
//! `gotestsum` and `tparse` make of both.

use std::collections::BTreeMap;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::support::go::{EXECUTABLE, Project};

/// Go runs the tests of a package in one process, so what ends the process comes last.
const FILES: [(&str, &str); 9] = [
    (
        "a/a_test.go",
        r#"package a

import (
	"fmt"
	"strings"
	"testing"
)

func TestPasses(t *testing.T) { fmt.Println("printed"); t.Log("logged <&>") }

func TestFails(t *testing.T) { fmt.Print("half a line"); t.Error("why") }

func TestSkips(t *testing.T) { t.Skip("not here") }

func TestSubtests(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two words", func(t *testing.T) {
		t.Run("deep", func(t *testing.T) { t.Fatal("deep down") })
	})
	t.Run("skipped", func(t *testing.T) { t.SkipNow() })
}

func TestParallel(t *testing.T) {
	for _, name := range []string{"x", "y"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); t.Log("in " + t.Name()) })
	}
}

func TestLongLine(t *testing.T) { fmt.Println(strings.Repeat("é", 3000)) }

func TestPrintsWhatTheHarnessPrints(t *testing.T) {
	fmt.Println("--- FAIL: TestPasses (0.00s)\n=== RUN   TestNothing\nPASS")
}

func FuzzSeeds(f *testing.F) {
	f.Add("a")
	f.Add("b")
	f.Fuzz(func(t *testing.T, text string) {
		if text == "b" {
			t.Error("found b")
		}
	})
}

func Example_right() {
	fmt.Println("right")
	// Output: right
}

func Example_wrong() {
	fmt.Println("left")
	// Output: right
}
"#,
    ),
    (
        "panics/p_test.go",
        "package panics\n\nimport \"testing\"\n\nfunc TestFine(t *testing.T) {}\n\n\
         func TestPanics(t *testing.T) { panic(\"oh\") }\n",
    ),
    (
        "exits/p_test.go",
        "package exits\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestFine(t *testing.T) {}\n\n\
         func TestExits(t *testing.T) { os.Exit(3) }\n",
    ),
    ("untested/u.go", "package untested\n"),
    ("empty/e_test.go", "package empty\n"),
    (
        "broken/b_test.go",
        "package broken\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) { undefined() }\n",
    ),
    (
        "wrong/w.go",
        "package wrong\n\nfunc F() int { return \"\" }\n",
    ),
    (
        "needs/n_test.go",
        "package needs\n\nimport (\n\t\"testing\"\n\n\t\"example.com/m/wrong\"\n)\n\n\
         func TestIt(t *testing.T) { wrong.F() }\n",
    ),
    (
        "vetted/v_test.go",
        "package vetted\n\nimport (\n\t\"fmt\"\n\t\"testing\"\n)\n\n\
         func TestIt(t *testing.T) { fmt.Printf(\"%d\", \"x\") }\n",
    ),
];

/// What a stream says, by package and test.
#[derive(Debug, Default)]
struct Told {
    /// The last action about each, such as `pass`.
    ends: BTreeMap<(String, String), String>,
    elapsed: BTreeMap<(String, String), bool>,
    output: BTreeMap<(String, String), String>,
    /// The failed build of each package.
    failed_builds: BTreeMap<String, String>,
    /// The output of each build, and whether it failed.
    builds: BTreeMap<String, (String, bool)>,
}

fn told(stdout: &[u8]) -> Told {
    let mut told = Told::default();
    let text = String::from_utf8(stdout.to_vec()).unwrap();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let field = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let about = (field("Package"), field("Test"));
        match field("Action").as_str() {
            "build-output" => {
                let build = told.builds.entry(field("ImportPath")).or_default();
                build.0.push_str(&field("Output"));
            }
            "build-fail" => told.builds.entry(field("ImportPath")).or_default().1 = true,
            "output" => told
                .output
                .entry(about)
                .or_default()
                .push_str(&field("Output")),
            action @ ("run" | "start" | "pass" | "fail" | "skip") => {
                if !field("FailedBuild").is_empty() {
                    told.failed_builds
                        .insert(about.0.clone(), field("FailedBuild"));
                }
                let is_end = matches!(action, "pass" | "fail" | "skip");
                let has_elapsed = record["Elapsed"].is_number();
                assert_eq!(is_end, has_elapsed, "{line}");
                told.elapsed.insert(about.clone(), has_elapsed);
                told.ends.insert(about, action.to_owned());
            }
            "pause" | "cont" | "bench" | "attr" => {}
            other => panic!("{other}: {line}"),
        }
    }
    // Go says nothing of the end of a test that ends its process.
    for end in told.ends.values_mut().filter(|end| *end == "run") {
        "fail".clone_into(end);
    }
    told
}

/// Durations, and lengths of what differs from run to run, as one text.
fn without_durations(text: &str) -> String {
    let seconds = Regex::new(r"\d+\.\d+s").unwrap();
    seconds.replace_all(text, "TIME").into_owned()
}

fn project() -> Project {
    Project::of(&FILES)
}

#[test]
#[ignore = "needs Go"]
fn every_test_is_told_as_go_tells_it() {
    let project = project();
    let gos = project.go(&["test", "-json", "-count=1", "./..."]);
    let ours = project.command(&["-json", "./..."]).output().unwrap();
    assert_eq!(ours.status.code(), gos.status.code());
    assert_eq!(String::from_utf8_lossy(&ours.stderr), "");
    let (gos, ours) = (told(&gos.stdout), told(&ours.stdout));
    assert_eq!(ours.ends, gos.ends);
    assert_eq!(ours.failed_builds, gos.failed_builds);
    assert_eq!(ours.builds, gos.builds);
    for (about, output) in &gos.output {
        let theirs = without_durations(output);
        let own = without_durations(&ours.output[about]);
        // A stack has other addresses and goroutines.
        let stack = theirs.find("goroutine ").unwrap_or(theirs.len());
        for line in theirs[..stack].lines() {
            // Go says once for the package how its process ended.
            let is_exit = line.starts_with("exit status") || line.starts_with("FAIL\t");
            let is_contained = own.lines().any(|own| own == line);
            assert!(is_contained || is_exit, "{about:?}: {line} in {own}");
        }
    }
}

#[test]
#[ignore = "needs Go"]
fn a_list_is_told_as_go_tells_it() {
    let project = project();
    let words = ["-json", "-list", "Fails|right|Seeds", "./a", "./untested"];
    let gos = project.go(&[&["test"], &words[..]].concat());
    let ours = project.command(&words).output().unwrap();
    let (gos, ours) = (told(&gos.stdout), told(&ours.stdout));
    assert_eq!(ours.ends, gos.ends);
    let texts = |told: &Told| -> Vec<String> {
        told.output
            .values()
            .map(|text| without_durations(text))
            .collect()
    };
    assert_eq!(texts(&ours), texts(&gos));
}

#[test]
#[ignore = "needs Go"]
fn repeated_tests_and_failing_fast_end_each_record() {
    let project = project();
    let twice = project
        .command(&["-json", "-count=2", "./a"])
        .output()
        .unwrap();
    let text = String::from_utf8(twice.stdout).unwrap();
    let count = |needle: &str| text.matches(needle).count();
    assert_eq!(
        count(r#""Action":"run","Package":"example.com/m/a","Test":"TestPasses""#),
        2
    );
    assert_eq!(
        count(r#""Action":"pass","Package":"example.com/m/a","Test":"TestPasses""#),
        2
    );
    let fast = project
        .command(&["-json", "-failfast", "-j1", "./a"])
        .output()
        .unwrap();
    let fast = told(&fast.stdout);
    let end = &fast.ends[&("example.com/m/a".to_owned(), String::new())];
    assert_eq!(end, "fail");
}

/// The line with which `gotestsum` ends, without its duration.
fn done(output: &std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("DONE"));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    line.split(" in ").next().unwrap().to_owned()
}

#[test]
#[ignore = "needs gotestsum and tparse"]
fn gotestsum_counts_the_same() {
    let project = project();
    let run = |words: &[&str]| {
        let mut command = Command::new("gotestsum");
        command
            .args(["--format=standard-quiet", "--no-color"])
            .args(words)
            .current_dir(project.path())
            .env("GOTOOLCHAIN", "local");
        project.homes.tell(&mut command);
        command.output().unwrap()
    };
    let gos = run(&["--", "-count=1", "./..."]);
    let ours = run(&["--raw-command", "--", EXECUTABLE, "-json", "./..."]);
    assert_eq!(done(&ours), done(&gos), "{ours:?}");
}

#[test]
#[ignore = "needs gotestsum and tparse"]
fn tparse_counts_the_same() {
    let project = project();
    let counts = |stdout: &[u8]| {
        let file = project.path().join("stream.json");
        std::fs::write(&file, stdout).unwrap();
        let mut command = Command::new("tparse");
        command
            .args(["-nocolor", "-format=plain", "-file"])
            .arg(file);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // The rows of packages that ran, without durations.
        let rows = text.lines().filter(|line| line.contains("example.com/m/"));
        let mut rows: Vec<String> = rows
            .map(|row| {
                let row = without_durations(row);
                row.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .filter(|row| {
                ["PASS", "FAIL", "NOTEST"]
                    .iter()
                    .any(|end| row.starts_with(end))
            })
            .collect();
        rows.sort();
        assert!(!rows.is_empty(), "{text}");
        rows
    };
    let gos = project.go(&["test", "-json", "-count=1", "./..."]);
    let ours = project.command(&["-json", "./..."]).output().unwrap();
    assert_eq!(counts(&ours.stdout), counts(&gos.stdout));
}
