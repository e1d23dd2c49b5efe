//! `maelstrom-go-test` with the flags of `go test` that do more than choose tests: lists, binaries,
//! benchmarks and fuzzing. Go is needed.

use std::process::Command;

use regex::Regex;

use crate::support::go::Project;

const BENCHMARKS: &str = r#"package m

import "testing"

func TestIt(t *testing.T) {}

func BenchmarkSum(b *testing.B) {
	for i := 0; i < b.N; i++ {
		_ = i + i
	}
}

func BenchmarkSub(b *testing.B) {
	for _, name := range []string{"small", "big"} {
		b.Run(name, func(b *testing.B) {
			for i := 0; i < b.N; i++ {
			}
		})
	}
}

func BenchmarkFails(b *testing.B) { b.Fatal("cannot be measured") }
"#;

const FUZZ: &str = r#"package m

import "testing"

func FuzzFinds(f *testing.F) {
	f.Add("a")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1 {
			t.Fatalf("%q is long", text)
		}
	})
}

func FuzzFine(f *testing.F) {
	f.Add("a")
	f.Fuzz(func(t *testing.T, text string) {})
}
"#;

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let seconds = Regex::new(r"\d+\.\d+s").unwrap();
    seconds.replace_all(&text, "TIME").into_owned()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
#[ignore = "needs Go"]
fn a_list_is_gos() {
    let untested = ("u/u.go", "package u\n");
    let project = Project::of(&[("m_test.go", BENCHMARKS), ("f_test.go", FUZZ), untested]);
    for words in [&["-list", ".", "./..."][..], &["-list=Sum|It", "."]] {
        let ours = project.command(words).output().unwrap();
        let gos = project.go(&[&["test"], words].concat());
        assert_eq!(ours.status.code(), Some(0), "{ours:?}");
        assert_eq!(sorted(&text(&ours.stdout)), sorted(&text(&gos.stdout)));
    }
}

#[test]
#[ignore = "needs Go"]
fn binaries_are_written_where_go_writes_them() {
    let project = Project::of(&[
        ("m_test.go", BENCHMARKS),
        ("sub/s_test.go", "package sub\n"),
    ]);
    let run = |words: &[&str]| {
        let output = project.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    };
    // The binary of the current directory, which runs.
    run(&["-c"]);
    let mut binary = Command::new(project.path().join("m.test"));
    assert!(
        binary
            .arg("-test.run=TestIt")
            .output()
            .unwrap()
            .status
            .success()
    );
    run(&["-c", "-o", "out/", "./..."]);
    assert!(project.path().join("out/m.test").is_file());
    assert!(project.path().join("out/sub.test").is_file());
    // Without `-c`, the tests run as well.
    let ran = run(&["-o", "kept.test", "-run=TestIt", "--ui=plain"]);
    assert!(ran.contains("1 passed"), "{ran}");
    assert!(project.path().join("kept.test").is_file());
    let none = project.command(&["-count=0"]).output().unwrap();
    assert_eq!(none.status.code(), Some(0), "{none:?}");
    assert!(!text(&none.stdout).contains("passed"), "{none:?}");
    let told = text(&none.stderr);
    assert!(told.contains("none runs because of -count=0"), "{told}");
}

#[test]
#[ignore = "needs Go"]
fn each_benchmark_runs_and_its_result_is_shown() {
    let project = Project::of(&[("m_test.go", BENCHMARKS)]);
    let ran = project.run(&[
        "-run=^$",
        "-bench=S",
        "-benchtime=3x",
        "-benchmem",
        "-count=2",
    ]);
    assert_eq!(
        ran.titles(),
        ["example.com/m BenchmarkSub", "example.com/m BenchmarkSum"]
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let result = Regex::new(r"(?m)^ *BenchmarkSum(-\d+)?\s+3\t.* ns/op\t.* B/op\t.* allocs/op$");
    assert_eq!(
        result.unwrap().find_iter(&ran.stdout).count(),
        2,
        "{}",
        ran.stdout
    );
    let sub = Regex::new(r"(?m)^ *BenchmarkSub/(small|big)(-\d+)?\s+3\t.* ns/op").unwrap();
    assert_eq!(sub.find_iter(&ran.stdout).count(), 4, "{}", ran.stdout);
    let slots = ran
        .events
        .iter()
        .find(|event| event["event"] == "worker_joined");
    assert_eq!(slots.unwrap()["slots"], 1);
    // Tests run as well, and a part of a benchmark can be chosen.
    let ran = project.run(&["-bench=Sub/big|Fails", "-benchtime=1x"]);
    assert_eq!(ran.end("example.com/m TestIt"), "passed");
    assert_eq!(ran.end("example.com/m BenchmarkFails"), "failed");
    assert_eq!(ran.code, Some(1));
    let output = ran.output("example.com/m BenchmarkSub");
    assert!(
        output.contains("Sub/big") && !output.contains("Sub/small"),
        "{output}"
    );
    assert!(
        ran.output("example.com/m BenchmarkFails")
            .contains("cannot be measured")
    );
}

#[test]
#[ignore = "needs Go"]
fn fuzzing_finds_an_input_and_shows_it() {
    let project = Project::of(&[("m_test.go", FUZZ)]);
    let ran = project.run(&["-fuzz=Finds", "-fuzztime=60s", "-run=^$"]);
    let end = ran.end("example.com/m FuzzFinds");
    let discarded = "failed: the container discarded testdata/fuzz/FuzzFinds/";
    assert!(end.starts_with(discarded), "{end}");
    let output = ran.output("example.com/m FuzzFinds");
    assert!(
        output.contains("Failing input written to testdata/fuzz/FuzzFinds/"),
        "{output}"
    );
    assert!(output.contains("go test fuzz v1\nstring("), "{output}");
    assert!(!project.path().join("testdata").exists());
    let fine = project.run(&["-fuzz=Fine", "-fuzztime=20x", "-run=^$"]);
    assert_eq!(fine.end("example.com/m FuzzFine"), "passed");
    let two = project.run(&["-fuzz=Fuzz", "-fuzztime=20x", "-run=^$"]);
    let end = two.end("example.com/m");
    assert!(
        end.contains("-fuzz matches more than one fuzz test: FuzzFinds, FuzzFine"),
        "{end}"
    );
    let none = project.run(&["-fuzz=Nothing", "-run=^$"]);
    assert_eq!(none.code, Some(0));
    assert!(
        none.stdout.contains("no fuzz tests to fuzz"),
        "{}",
        none.stdout
    );
}
