//! Tests with output of test binaries, split at arbitrary positions.

use super::*;
use proptest::prelude::*;
use std::path::Path;

fn reader() -> GoTestReader {
    reader_of("TestA")
}

fn reader_of(name: &str) -> GoTestReader {
    let places = FailureLocations::new(Path::new("/w/p"), Path::new("/w"), Path::new("/w"));
    let test = TestKey {
        package: "example.com/p".into(),
        artifact: "test".into(),
        name: name.to_owned(),
    };
    GoTestReader::new(&test, places)
}

fn read(stdout: &str, code: i32) -> (String, OutputAnalysis) {
    let mut reader = reader();
    let mut shown = reader.wrote(OutputStream::Stdout, stdout.as_bytes().to_vec());
    let followed = reader.ended(Some(ExitStatus::Code(code)));
    shown.extend(followed.held.map(|(_, held)| held).unwrap_or_default());
    (String::from_utf8(shown).unwrap(), followed.reading)
}

const FAILING: &str = "\x16=== RUN   TestA\n\x16=== RUN   TestA/one\nprinted\n    \
    a_test.go:7: no\n\x16--- FAIL: TestA/one (0.50s)\n\x16=== RUN   TestA/two\n\
    \x16=== NAME  TestA/two\n    a_test.go:9: not here\n\x16--- SKIP: TestA/two (0.00s)\n\
    no newline\x16--- FAIL: TestA (0.50s)\n\x16FAIL\n";

#[test]
fn a_person_sees_what_the_test_wrote_and_which_subtests_failed() {
    let (shown, reading) = read(FAILING, 1);
    assert_eq!(
        shown,
        "printed\n    a_test.go:7: no\n--- FAIL: TestA/one (0.50s)\n    a_test.go:9: not here\n\
         no newline"
    );
    assert_eq!(reading.judgement, FrameworkVerdict::ByStatus);
    let parts: Vec<_> = reading
        .parts
        .iter()
        .map(|part| (part.name.as_str(), &part.outcome, part.duration.as_millis()))
        .collect();
    let failed = TestOutcome::Failed {
        exit: None,
        reason: None,
    };
    let skipped = TestOutcome::Ignored {
        reason: Some("not here".to_owned()),
    };
    assert_eq!(parts, [("one", &failed, 500), ("two", &skipped, 0)]);
}

#[test]
fn how_a_test_did_is_what_its_binary_said_and_how_it_ended() {
    let failed = |reason: &str| FrameworkVerdict::Failed {
        reason: Some(reason.to_owned()),
    };
    let ignored = |reason: Option<&str>| FrameworkVerdict::Ignored {
        reason: reason.map(str::to_owned),
    };
    let unproven = || FrameworkVerdict::Error {
        message: "its process exited with 0, but did not say that the test ran; a TestMain that \
                  ends the process, or chooses tests by itself, does so. To run its package whole: \
                  go test example.com/p"
            .to_owned(),
    };
    let run = "\x16=== RUN   TestA\n";
    let ended = |how: &str| format!("{run}    a_test.go:3: why\n\x16--- {how}: TestA (0.00s)\n");
    for (stdout, code, expected) in [
        (ended("PASS"), 0, FrameworkVerdict::ByStatus),
        (ended("SKIP"), 0, ignored(Some("why"))),
        (ended("FAIL"), 1, FrameworkVerdict::ByStatus),
        (run.to_owned(), 2, FrameworkVerdict::ByStatus),
        (
            run.to_owned(),
            0,
            failed("the process ended in the middle of the test"),
        ),
        (
            ended("PASS"),
            1,
            failed("the test was over, but its process failed"),
        ),
        (
            ended("FAIL"),
            0,
            failed("the test failed, but its process succeeded"),
        ),
        // It never reported that the test runs.
        (String::new(), 0, unproven()),
        (
            "testing: warning: no tests to run\n\x16PASS\n".to_owned(),
            0,
            unproven(),
        ),
        (
            "\x16=== RUN   TestB\n\x16--- PASS: TestB (0.00s)\n".to_owned(),
            0,
            unproven(),
        ),
        (String::new(), 1, FrameworkVerdict::ByStatus),
        (
            format!("{run}\x16--- SKIP: TestA (0.00s)\n"),
            0,
            ignored(None),
        ),
    ] {
        assert_eq!(
            read(&stdout, code).1.judgement,
            expected,
            "{stdout:?} {code}"
        );
    }
}

#[test]
fn a_failure_says_what_the_container_may_lack() {
    let failing = "\x16=== RUN   TestA\n    a_test.go:3: lookup a.example on 127.0.0.1:53: refused\n\
                   \x16--- FAIL: TestA (0.00s)\n";
    let judged = |mut reader: GoTestReader, code| {
        reader.wrote(OutputStream::Stdout, failing.as_bytes().to_vec());
        reader.ended(Some(ExitStatus::Code(code))).reading.judgement
    };
    assert_eq!(judged(reader(), 1), FrameworkVerdict::ByStatus);
    let FrameworkVerdict::Failed { reason } = judged(reader().in_container("/w".into()), 1) else {
        panic!("not failed");
    };
    let reason = reason.unwrap();
    assert!(
        reason.contains("`network = \"local\"` in maelstrom-go-test.toml"),
        "{reason}"
    );
}

#[test]
fn what_a_test_runs_itself_is_a_part_of_it_whatever_its_name() {
    let inner = "\x16=== RUN   TestA\n\x16=== RUN   TestB\n\x16--- FAIL: TestB (0.00s)\n\
                 \x16=== RUN   TestA/one\n\x16--- FAIL: TestA/one (0.00s)\n\
                 \x16--- PASS: TestA (0.00s)\n\x16PASS\n";
    let (shown, reading) = read(inner, 0);
    assert_eq!(
        shown,
        "--- FAIL: TestB (0.00s)\n--- FAIL: TestA/one (0.00s)\n"
    );
    assert_eq!(reading.judgement, FrameworkVerdict::ByStatus);
    let parts: Vec<_> = reading.parts.iter().map(|part| &part.name).collect();
    assert_eq!(parts, ["TestB", "one"]);
    assert!(matches!(
        read("\x16=== RUN   TestB\n", 0).1.judgement,
        FrameworkVerdict::Error { .. }
    ));
}

#[test]
fn both_streams_in_one_are_read_as_their_order_is() {
    let mut reader = reader();
    let stack = "panic: no\n\ngoroutine 7 [running]:\nmain.f()\n\t/w/p/a.go:12 +0x1d\n";
    let written = format!(
        "\x16=== RUN   TestA\nout\nerr\n\x16=== RUN   TestA/one\n{stack}\x16--- FAIL: TestA/one (0.00s)\n"
    );
    let shown = reader.wrote(OutputStream::Joined, written.into_bytes());
    let expected = format!("out\nerr\n{stack}--- FAIL: TestA/one (0.00s)\n");
    assert_eq!(String::from_utf8(shown).unwrap(), expected);
    let held = reader.wrote(OutputStream::Joined, b"\x16odd".to_vec());
    assert_eq!(held, b"");
    let followed = reader.ended(Some(ExitStatus::Code(2)));
    assert_eq!(
        followed.held,
        Some((OutputStream::Joined, b"\x16odd".to_vec()))
    );
    let place = followed.reading.location.unwrap();
    assert_eq!((place.path.as_str(), place.line), ("p/a.go", 12));
}

#[test]
fn why_a_test_was_skipped_is_what_it_said_last_of_itself() {
    let skipped = |after: &str| {
        let text = format!(
            "\x16=== RUN   TestA\n    a_test.go:3: why\n{after}\x16--- SKIP: TestA (0.00s)\n"
        );
        read(&text, 0).1.judgement
    };
    let expected = FrameworkVerdict::Ignored {
        reason: Some("why".to_owned()),
    };
    // Cleanup functions may print to either stream.
    for after in ["", "closing\n", "no newline"] {
        assert_eq!(skipped(after), expected, "{after:?}");
    }
}

#[test]
fn control_characters_of_the_tested_code_are_its_own() {
    let (shown, reading) = read("a\x16b\n\x16--- odd\n\x16\n\x16=== RUN   TestA\nc\x16", 0);
    assert_eq!(shown, "a\x16b\n\x16--- odd\n\x16\nc\x16");
    assert_eq!(reading.parts, []);
}

#[test]
fn a_frame_that_does_not_end_is_let_go() {
    let mut reader = reader();
    let mut shown = reader.wrote(OutputStream::Stdout, vec![MARKER]);
    shown.extend(reader.wrote(OutputStream::Stdout, vec![b'x'; FRAME_BYTES_MAX + 1]));
    assert_eq!(shown.len(), FRAME_BYTES_MAX + 2);
}

#[test]
fn a_benchmark_has_run_if_its_process_succeeds() {
    let read = |output: &str, code: i32| {
        let mut reader = reader_of("BenchmarkA");
        let shown = reader.wrote(OutputStream::Joined, output.as_bytes().to_vec());
        let judgement = reader.ended(Some(ExitStatus::Code(code))).reading.judgement;
        (String::from_utf8(shown).unwrap(), judgement)
    };
    let run = "\x16=== RUN   BenchmarkA\nBenchmarkA\n";
    let passed = format!("{run}BenchmarkA-2\t10\t3 ns/op\n\x16--- BENCH: BenchmarkA-2\n    log\n");
    assert_eq!(
        read(&passed, 0),
        (
            "BenchmarkA\nBenchmarkA-2\t10\t3 ns/op\n--- BENCH: BenchmarkA-2\n    log\n".to_owned(),
            FrameworkVerdict::ByStatus
        )
    );
    let failed = format!("{run}\x16--- FAIL: BenchmarkA-2\n    a_test.go:3: no\n\x16FAIL\n");
    let (shown, judgement) = read(&failed, 1);
    assert!(
        shown.ends_with("--- FAIL: BenchmarkA-2\n    a_test.go:3: no\n"),
        "{shown}"
    );
    assert_eq!(judgement, FrameworkVerdict::ByStatus);
    assert!(matches!(read("", 0).1, FrameworkVerdict::Error { .. }));
}

#[test]
fn a_stream_of_records_gets_everything_and_the_verdict_is_the_same() {
    let mut reader = reader().with_framing();
    let (first, rest) = FAILING.as_bytes().split_at(20);
    let mut shown = reader.wrote(OutputStream::Joined, first.to_vec());
    shown.extend(reader.wrote(OutputStream::Joined, rest.to_vec()));
    let followed = reader.ended(Some(ExitStatus::Code(1)));
    assert_eq!(followed.held, None);
    assert_eq!(shown, FAILING.as_bytes());
    assert_eq!(followed.reading.judgement, FrameworkVerdict::ByStatus);
    assert_eq!(followed.reading.parts.len(), 2);
}

#[test]
fn a_failing_input_that_the_container_discards_is_named() {
    let failing = "\x16=== RUN   TestA\n    Failing input written to testdata/fuzz/TestA/12\n\
                   \x16--- FAIL: TestA (0.00s)\n";
    let mut reader = reader().in_container("/w".into());
    reader.wrote(OutputStream::Joined, failing.as_bytes().to_vec());
    let judged = reader.ended(Some(ExitStatus::Code(1))).reading.judgement;
    let reason = "the container discarded testdata/fuzz/TestA/12; `--isolation=process` keeps it";
    assert_eq!(
        judged,
        FrameworkVerdict::Failed {
            reason: Some(reason.to_owned())
        }
    );
}

proptest! {
    #[test]
    fn pieces_make_no_difference(cuts in prop::collection::vec(0..FAILING.len(), 0..20)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut reader = reader();
        let mut shown = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([FAILING.len()]) {
            shown.extend(reader.wrote(OutputStream::Stdout, FAILING.as_bytes()[from..cut].to_vec()));
            from = cut;
        }
        let followed = reader.ended(Some(ExitStatus::Code(1)));
        let (whole, reading) = read(FAILING, 1);
        prop_assert_eq!(String::from_utf8(shown).unwrap(), whole);
        prop_assert_eq!(followed.reading, reading);
    }

    #[test]
    fn any_output_is_shown_but_for_frames(bytes: Vec<u8>) {
        let mut reader = reader();
        let without: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != MARKER).collect();
        prop_assert_eq!(reader.wrote(OutputStream::Stdout, without.clone()), without);
        reader.wrote(OutputStream::Stdout, bytes.clone());
        reader.wrote(OutputStream::Stderr, bytes);
        reader.ended(None);
    }
}
