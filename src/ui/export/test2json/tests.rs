//! Streams of small runs, in a short notation: the package and the test after the action, then the
//! output.

use super::*;
use maelstrom_model::event::{
    AttemptTimings, BackendInfo, ExitStatus, IsolationMode, OutputStream, OutputText,
    PreviousOutcome, RoundSummary, RunStarted, SCHEMA_VERSION,
};
use maelstrom_model::ids::{RunId, WorkerId};
use serde_json::Value;

/// A run whose stream is read.
struct Script {
    stream: Test2JsonStream,
    written: Vec<u8>,
    now_us: u64,
}

impl Script {
    fn new(stream: Test2JsonStream) -> Script {
        let mut script = Script {
            stream,
            written: Vec::new(),
            now_us: 0,
        };
        script.push(RunEvent::Started(RunStarted {
            schema: SCHEMA_VERSION,
            run: RunId::of(&[7; 16]),
            program: "maelstrom-go-test".to_owned(),
            version: "1".to_owned(),
            command: Vec::new(),
            directory: "/w".to_owned(),
            started_unix_ms: 1_700_000_000_000,
            backend: BackendInfo::Local,
            isolation: IsolationMode::Container,
        }));
        script
    }

    fn push(&mut self, kind: impl Into<EventKind>) {
        self.now_us += 1000;
        let event = Event {
            at_us: self.now_us,
            kind: kind.into(),
        };
        self.stream.apply(&event, &mut self.written).unwrap();
    }

    /// Tests with the ids from `first` on, each of which runs once.
    fn found(&mut self, first: u32, package: &str, names: &[&str]) {
        let ids = (first..).map(TestId);
        let tests: Vec<TestInfo> = ids
            .zip(names)
            .map(|(test, name)| TestInfo {
                test,
                package: package.to_owned(),
                artifact: "test".to_owned(),
                name: (*name).to_owned(),
                title: format!("{package} {name}"),
                expected_us: None,
                history: PreviousOutcome::New,
                ignored: false,
            })
            .collect();
        let ids: Vec<TestId> = tests.iter().map(|test| test.test).collect();
        self.push(TestEvent::Discovered { tests });
        for test in ids {
            self.queued(test, 1);
        }
    }

    fn queued(&mut self, test: TestId, attempt: u32) {
        self.push(AttemptEvent::Queued {
            test,
            attempt: Attempt(attempt),
            retry: None,
        });
    }

    fn known(&mut self, package: &str, state: PackageState) {
        self.push(BuildEvent::Package {
            package: package.to_owned(),
            state,
        });
    }

    fn started(&mut self, test: u32, attempt: u32) {
        self.push(AttemptEvent::Started {
            test: TestId(test),
            attempt: Attempt(attempt),
            worker: WorkerId(0),
            slot: 0,
        });
    }

    fn wrote(&mut self, test: u32, attempt: u32, text: &str) {
        self.push(AttemptEvent::Output {
            test: TestId(test),
            attempt: Attempt(attempt),
            stream: OutputStream::Joined,
            text: OutputText(text.into()),
        });
    }

    fn finished(&mut self, test: u32, attempt: u32, outcome: TestOutcome) {
        self.push(AttemptEvent::Finished(Box::new(AttemptFinished {
            timings: AttemptTimings {
                ran_us: 250_000,
                ..AttemptTimings::default()
            },
            ..AttemptFinished::new(TestId(test), Attempt(attempt), outcome)
        })));
    }

    /// A test whose process writes this and ends so.
    fn ran(&mut self, test: u32, text: &str, outcome: TestOutcome) {
        self.started(test, 1);
        self.wrote(test, 1, text);
        self.finished(test, 1, outcome);
    }

    /// Ends the run, and returns its records.
    fn records(mut self) -> Vec<Value> {
        self.push(RoundEvent::Finished {
            round: 1,
            summary: RoundSummary::default(),
        });
        self.push(RunEvent::Finished { exit_code: 0 });
        let text = String::from_utf8(self.written).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Ends the run, and returns its records in the short notation.
    fn told(self) -> String {
        let lines = self.records().into_iter().map(|record| {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            let subject = [text("Package"), text("ImportPath"), text("Test")];
            let subject: Vec<String> = subject
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            let details = ["Output", "FailedBuild", "Key", "Value", "Path"]
                .map(text)
                .concat();
            let line = format!("{} {} {:?}", text("Action"), subject.join(" "), details);
            line.trim_end_matches(" \"\"").to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn failed() -> TestOutcome {
    TestOutcome::Failed {
        exit: Some(ExitStatus::Code(1)),
        reason: None,
    }
}

fn listed(selected: u32) -> PackageState {
    PackageState::Listed { selected }
}

#[test]
fn a_packages_tests_are_told_as_go_tells_them() {
    let mut script = Script::new(Test2JsonStream::default());
    script.found(0, "p", &["TestA", "TestB"]);
    script.known("p", listed(2));
    script.ran(
        0,
        "setup\n\x16=== RUN   TestA\n\x16=== RUN   TestA/one\nhalf\x16=== PAUSE TestA/one\n\
         \x16=== CONT  TestA/one\n\x16=== NAME  TestA/one\n    a_test.go:3: <why>\n\
         \x16--- FAIL: TestA/one (0.50s)\n\x16--- FAIL: TestA (0.51s)\n\x16FAIL\ncleanup\n",
        failed(),
    );
    script.ran(
        1,
        "\x16=== RUN   TestB\n\x16=== ATTR  TestB key a value\n    b_test.go:3: no\n\
         \x16--- SKIP: TestB (0.00s)\n\x16PASS\n",
        TestOutcome::Ignored { reason: None },
    );
    insta::assert_snapshot!(script.told(), @r#"
    start p
    output p "setup\n"
    run p TestA
    output p TestA "=== RUN   TestA\n"
    run p TestA/one
    output p TestA/one "=== RUN   TestA/one\n"
    output p TestA/one "half"
    output p TestA/one "=== PAUSE TestA/one\n"
    pause p TestA/one
    cont p TestA/one
    output p TestA/one "=== CONT  TestA/one\n"
    output p TestA/one "    a_test.go:3: <why>\n"
    output p TestA/one "--- FAIL: TestA/one (0.50s)\n"
    fail p TestA/one
    output p TestA "--- FAIL: TestA (0.51s)\n"
    output p "cleanup\n"
    fail p TestA
    run p TestB
    output p TestB "=== RUN   TestB\n"
    attr p TestB "keya value"
    output p TestB "=== ATTR  TestB key a value\n"
    output p TestB "    b_test.go:3: no\n"
    output p TestB "--- SKIP: TestB (0.00s)\n"
    skip p TestB
    output p "FAIL\n"
    output p "FAIL\tp\t0.005s\n"
    fail p
    "#);
}

#[test]
fn records_have_times_and_durations() {
    let mut script = Script::new(Test2JsonStream::default());
    script.found(0, "p", &["TestA"]);
    script.known("p", listed(1));
    let text = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.12s)\n\x16PASS\n";
    script.ran(0, text, TestOutcome::Passed);
    let records = script.records();
    assert_eq!(records[0]["Time"], "2023-11-14T22:13:20.005000Z");
    let end = |test: Value| {
        let mut ends = records.iter().filter(|record| record["Action"] == "pass");
        ends.find(|record| record["Test"] == test).unwrap()["Elapsed"].clone()
    };
    assert_eq!(end("TestA".into()), 0.12);
    assert_eq!(end(Value::Null), 0.002);
}

#[test]
fn what_a_process_does_not_say_of_its_test_is_said_for_it() {
    let mut script = Script::new(Test2JsonStream::default());
    let names = ["TestExits", "TestLeaks", "TestLate", "TestLost", "TestOff"];
    script.found(0, "p", &names);
    script.known("p", listed(5));
    script.ran(0, "\x16=== RUN   TestExits\nlast words", failed());
    let reason = "the test was over, but its process failed";
    let leak = TestOutcome::Failed {
        exit: Some(ExitStatus::Code(3)),
        reason: Some(reason.to_owned()),
    };
    let passed = "\x16=== RUN   TestLeaks\n\x16--- PASS: TestLeaks (0.00s)\n\x16PASS\n";
    script.ran(1, passed, leak);
    let late = TestOutcome::TimedOut {
        limit_us: 1_500_000,
    };
    script.ran(2, "\x16=== RUN   TestLate\n", late);
    let message = "no such file\nhelp".to_owned();
    script.finished(3, 1, TestOutcome::Error { message });
    script.finished(4, 1, TestOutcome::Ignored { reason: None });
    insta::assert_snapshot!(script.told(), @r#"
    start p
    run p TestExits
    output p TestExits "=== RUN   TestExits\n"
    output p TestExits "last words"
    output p TestExits "--- FAIL: TestExits (0.25s)\n"
    fail p TestExits
    run p TestLeaks
    output p TestLeaks "=== RUN   TestLeaks\n"
    output p TestLeaks "--- PASS: TestLeaks (0.00s)\n"
    output p TestLeaks "    maelstrom: the test was over, but its process failed\n"
    output p TestLeaks "--- FAIL: TestLeaks (0.25s)\n"
    fail p TestLeaks
    run p TestLate
    output p TestLate "=== RUN   TestLate\n"
    output p TestLate "    maelstrom: timed out after 1.5 s\n"
    output p TestLate "--- FAIL: TestLate (0.25s)\n"
    fail p TestLate
    run p TestLost
    output p TestLost "=== RUN   TestLost\n"
    output p TestLost "    maelstrom: no such file\n"
    output p TestLost "    maelstrom: help\n"
    output p TestLost "--- FAIL: TestLost (0.25s)\n"
    fail p TestLost
    run p TestOff
    output p TestOff "=== RUN   TestOff\n"
    output p TestOff "--- SKIP: TestOff (0.25s)\n"
    skip p TestOff
    output p "FAIL\n"
    output p "FAIL\tp\t0.010s\n"
    fail p
    "#);
}

#[test]
fn packages_without_tests_and_broken_ones_have_a_verdict() {
    let mut script = Script::new(Test2JsonStream::default());
    script.known("empty", PackageState::WithoutTestFiles);
    script.known("none", listed(0));
    let unit = "broken [broken.test]";
    script.push(BuildEvent::UnitOutput {
        unit: unit.to_owned(),
        text: OutputText(b"# broken [broken.test]\n./b_test.go:1:1: oh\n".to_vec()),
    });
    for package in ["broken", "needs"] {
        let reason = "build failed".to_owned();
        let unit = Some(unit.to_owned());
        script.known(package, PackageState::NotBuilt { reason, unit });
        script.found(0, package, &[""]);
        script.wrote(0, 1, "./b_test.go:1:1: oh\n");
        let message = "could not be built".to_owned();
        script.finished(0, 1, TestOutcome::Error { message });
    }
    script.known("init", PackageState::NotListed);
    script.found(1, "init", &[""]);
    script.wrote(1, 1, "panic: no\nmore");
    let message = "exited with code 2".to_owned();
    script.finished(1, 1, TestOutcome::Error { message });
    insta::assert_snapshot!(script.told(), @r##"
    start empty
    output empty "?   \tempty\t[no test files]\n"
    skip empty
    start none
    output none "testing: warning: no tests to run\n"
    output none "PASS\n"
    output none "ok  \tnone\t0.000s [no tests to run]\n"
    pass none
    build-output broken [broken.test] "# broken [broken.test]\n"
    build-output broken [broken.test] "./b_test.go:1:1: oh\n"
    build-fail broken [broken.test]
    start broken
    output broken "FAIL\tbroken [build failed]\n"
    fail broken "broken [broken.test]"
    start needs
    output needs "FAIL\tneeds [build failed]\n"
    fail needs "broken [broken.test]"
    start init
    output init "panic: no\n"
    output init "more"
    output init "maelstrom: exited with code 2\n"
    output init "FAIL\n"
    output init "FAIL\tinit\t0.001s\n"
    fail init
    "##);
}

#[test]
fn attempts_of_one_test_do_not_alternate() {
    let mut script = Script::new(Test2JsonStream::default());
    script.found(0, "p", &["TestA"]);
    script.queued(TestId(0), 2);
    script.known("p", listed(1));
    script.started(0, 1);
    script.started(0, 2);
    let run = "\x16=== RUN   TestA\n";
    let pass = "\x16--- PASS: TestA (0.00s)\n\x16PASS\n";
    script.wrote(0, 2, &format!("{run}second\n{pass}"));
    script.finished(0, 2, TestOutcome::Passed);
    script.wrote(0, 1, &format!("{run}first\n{pass}"));
    script.finished(0, 1, TestOutcome::Passed);
    let told = script.told();
    let names = ["first", "second"].map(|name| told.find(name).unwrap());
    assert!(names.is_sorted(), "{told}");
    assert_eq!(told.matches("run p TestA").count(), 2);
    assert_eq!(told.matches("pass p TestA").count(), 2);
    assert!(told.ends_with("\npass p"), "{told}");
}

#[test]
fn a_run_that_stops_ends_what_it_began() {
    let mut script = Script::new(Test2JsonStream::default());
    script.found(0, "begun", &["TestA", "TestB"]);
    script.known("begun", listed(2));
    script.found(2, "waiting", &["TestC"]);
    script.known("waiting", listed(1));
    let passed = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.00s)\n\x16PASS\n";
    script.ran(0, passed, TestOutcome::Passed);
    for test in [1, 2] {
        script.finished(test, 1, TestOutcome::Cancelled);
    }
    let told = script.told();
    assert!(
        told.contains("output begun \"FAIL\\tbegun [stopped]\\n\"\nfail begun"),
        "{told}"
    );
    assert!(
        !told.contains("TestB") && !told.contains("waiting"),
        "{told}"
    );
}

#[test]
fn lists_have_names_in_place_of_records_of_tests() {
    let mut script = Script::new(Test2JsonStream::of_list());
    script.push(TestEvent::Discovered { tests: Vec::new() });
    script.found(0, "p", &["TestA"]);
    script.known("p", listed(1));
    insta::assert_snapshot!(script.told(), @r#"
    start p
    output p "TestA\n"
    output p "ok  \tp\t0.003s\n"
    pass p
    "#);
}

#[test]
fn benchmarks_have_no_end_as_in_go() {
    let mut script = Script::new(Test2JsonStream::default());
    script.found(0, "p", &["BenchmarkA"]);
    script.known("p", listed(1));
    let text = "\x16=== RUN   BenchmarkA\nBenchmarkA\nBenchmarkA-2\t10\t3 ns/op\n\
                \x16--- BENCH: BenchmarkA-2\n    log\n\x16=== NAME  \n\x16PASS\n";
    script.ran(0, text, TestOutcome::Passed);
    insta::assert_snapshot!(script.told(), @r#"
    start p
    run p BenchmarkA
    output p BenchmarkA "=== RUN   BenchmarkA\n"
    output p BenchmarkA "BenchmarkA\n"
    output p BenchmarkA "BenchmarkA-2\t10\t3 ns/op\n"
    output p BenchmarkA-2 "--- BENCH: BenchmarkA-2\n"
    output p BenchmarkA-2 "    log\n"
    bench p BenchmarkA-2
    output p "PASS\n"
    output p "ok  \tp\t0.002s\n"
    pass p
    "#);
}
