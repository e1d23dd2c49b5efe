//! Tests with actual output of harnesses, and with output of tests that resembles it.

use proptest::prelude::*;

use super::*;

fn asked() -> RequestedTest {
    RequestedTest {
        name: "io::reads".to_owned(),
        count: 1,
        others: Some(7),
        form: LibtestFormat::Pretty,
    }
}

fn said_of(asked: RequestedTest, output: &[u8]) -> ReportedOutcome {
    let mut transcript = LibtestTranscript::new(asked);
    transcript.wrote(output);
    transcript.said()
}

fn said(output: &str) -> ReportedOutcome {
    said_of(asked(), output.as_bytes())
}

/// The end of libtest's output for a test that passed.
const OK: &str = "test io::reads ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; \
                  0 measured; 7 filtered out; finished in 0.00s\n\n";

/// Returns the end of libtest's output for other counts.
fn ended(how: &str, counts: &str) -> String {
    format!(
        "\nrunning 1 test\ntest io::reads ... {how}\n\ntest result: ok. {counts}; finished in 0s\n"
    )
}

const PASSED: &str = "1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out";

#[test]
fn a_test_passes_if_its_process_says_that_it_ran() {
    let rest = "\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out";
    let named = |named: &str| format!("\nrunning 1 test\n{named}{rest}\n");
    for output in [
        format!("\nrunning 1 test\n{OK}"),
        // Constructors before and destructors after, with and without a newline.
        format!("begins\nrunning 1 test\n{OK}bye: test\n"),
        format!("begins\n\nrunning 1 test\n{OK}bye"),
        format!("\nrunning 1 test (shuffle seed: 123)\n{OK}"),
        // Output of the test, with and without a newline at its end.
        format!("\nrunning 1 test\nhello\nworld{OK}"),
        named("test io::reads - should panic ... ok"),
        named("test io::reads ... ok <0.010s>"),
        named("test io::reads            ... ok"),
        named("test io::reads ... bench:         123 ns/iter (+/- 4)"),
        // Output before the test runs, in the middle of a line of libtest's.
        named("test io::reads ... hello\nok"),
        named("test io::reads ... hello, world: ok"),
        named("test io::reads has been running for over 60 seconds\ntest io::reads ... ok"),
        "\nrunning 1 test\ntest io::reads ... \u{1b}[32mok\u{1b}(B\u{1b}[m\n\ntest result: \
         \u{1b}[32mok\u{1b}(B\u{1b}[m. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out"
            .to_owned(),
        // A thread that continues to write.
        "\nrunning 1 test\ntest io::reads ... tick\ntick\nok\n\ntest result: tick\nok. 1 passed; \
         0 failed; 0 ignored; 0 measured; 7 filtered outtick\n; finished in 0.00s\n\n"
            .to_owned(),
        format!("\r\nrunning 1 test\r\n{}", OK.replace('\n', "\r\n")),
        ended(
            "bench",
            "0 passed; 0 failed; 0 ignored; 1 measured; 7 filtered out",
        ),
    ] {
        assert_eq!(said(&output), ReportedOutcome::Passed, "{output}");
    }
}

#[test]
fn a_process_that_says_anything_else_has_not_run_it() {
    let nothing = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 8 filtered out";
    let other = OK.replace("io::reads", "io::reads_twice");
    let another = OK.replace("7 filtered", "0 filtered");
    for (output, expected) in [
        (String::new(), ReportedOutcome::Nothing),
        ("all is well\n".to_owned(), ReportedOutcome::Nothing),
        (OK.to_owned(), ReportedOutcome::Nothing),
        (
            format!("\nrunning 0 tests\n\n{nothing}\n"),
            ReportedOutcome::NothingRan,
        ),
        // Output of the test itself about other tests.
        (
            format!("\nrunning 0 tests\n\n{nothing}\nrunning 1 test\n{OK}"),
            ReportedOutcome::NothingRan,
        ),
        (
            format!("\nrunning 3 tests\n{OK}"),
            ReportedOutcome::OthersRan(3),
        ),
        ("\nrunning 1 test\n".to_owned(), ReportedOutcome::Begun),
        ("\nrunning 1 test\nbye\n".to_owned(), ReportedOutcome::Begun),
        (
            format!("\nrunning 1 test\n{nothing}\n"),
            ReportedOutcome::Begun,
        ),
        // The test printed the output of another run and called `exit(0)`.
        (
            format!("\nrunning 1 test\n\nrunning 1 test\n{other}"),
            ReportedOutcome::Begun,
        ),
        (
            format!("\nrunning 1 test\n{another}"),
            ReportedOutcome::Begun,
        ),
        (
            format!("\nrunning 1 test\ntest io::reads ... running 1 test\n{another}"),
            ReportedOutcome::Begun,
        ),
        (
            format!("\nrunning 1 test\ntest result: ok. {PASSED}\n"),
            ReportedOutcome::Begun,
        ),
        // Harnesses that exit with 0 although a test failed.
        (
            ended(
                "FAILED",
                "0 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out",
            ),
            ReportedOutcome::Failed,
        ),
        (
            ended(
                "ignored, needs a disk",
                "0 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out",
            ),
            ReportedOutcome::Ignored {
                reason: Some("needs a disk".to_owned()),
            },
        ),
        (
            ended(
                "ignored",
                "0 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out",
            ),
            ReportedOutcome::Ignored { reason: None },
        ),
    ] {
        assert_eq!(said(&output), expected, "{output}");
    }
}

#[test]
fn names_may_hold_anything_but_a_newline() {
    for name in [
        "a b: c",
        "\u{1b}[31mred\u{1b}[m",
        "x ... ok",
        "- dash",
        "[kind]   padded",
        "日本語 ✓",
        "  spaces ",
        "test result: ok. 1 passed",
    ] {
        let asked = RequestedTest {
            name: name.to_owned(),
            ..asked()
        };
        let output = format!("\nrunning 1 test\n{}", OK.replace("io::reads", name));
        assert_eq!(
            said_of(asked, output.as_bytes()),
            ReportedOutcome::Passed,
            "{name}"
        );
    }
    // One test's name is a prefix of another's.
    let shorter = RequestedTest {
        name: "io::read".to_owned(),
        ..asked()
    };
    let output = format!("\nrunning 1 test\n{OK}");
    assert_eq!(said_of(shorter, output.as_bytes()), ReportedOutcome::Begun);
}

#[test]
fn tests_of_one_name_run_together() {
    let asked = RequestedTest {
        count: 2,
        others: None,
        ..asked()
    };
    let line = "test io::reads ... ok\n";
    let result = "\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 6 filtered out\n";
    let both = format!("\nrunning 2 tests\n{line}{line}{result}");
    assert_eq!(
        said_of(asked.clone(), both.as_bytes()),
        ReportedOutcome::Passed
    );
    let one = format!("\nrunning 1 test\n{OK}");
    assert_eq!(
        said_of(asked, one.as_bytes()),
        ReportedOutcome::OthersRan(1)
    );
}

#[test]
fn every_form_that_can_be_asked_for_is_read() {
    let form = |arguments: &[&str]| {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        LibtestFormat::asked_for(&arguments)
    };
    assert_eq!(form(&["--color", "always"]), LibtestFormat::Pretty);
    assert_eq!(form(&["-q"]), LibtestFormat::Terse);
    assert_eq!(
        form(&["-Zunstable-options", "--format", "json"]),
        LibtestFormat::Json
    );
    assert_eq!(form(&["--format=junit"]), LibtestFormat::Junit);
    assert_eq!(form(&["--quiet", "--format=pretty"]), LibtestFormat::Pretty);

    let said = |form, output: &str| said_of(RequestedTest { form, ..asked() }, output.as_bytes());
    let result = format!("test result: ok. {PASSED}; finished in 0.00s\n\n");
    assert_eq!(
        said(
            LibtestFormat::Terse,
            &format!("\nrunning 1 test\nhello.\n{result}")
        ),
        ReportedOutcome::Passed
    );
    assert_eq!(
        said(LibtestFormat::Terse, "\nrunning 1 test\nhello"),
        ReportedOutcome::Begun
    );
    let suite = |passed: u32, name: &str| {
        format!(
            "{{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 1 }}\n\
             {{ \"type\": \"test\", \"event\": \"started\", \"name\": \"{name}\" }}\nhello\n\
             {{ \"type\": \"test\", \"name\": \"{name}\", \"event\": \"ok\" }}\n\
             {{ \"type\": \"suite\", \"event\": \"ok\", \"passed\": {passed}, \"failed\": 0, \
             \"ignored\": 0, \"measured\": 0, \"filtered_out\": 7, \"exec_time\": 0.1 }}\n"
        )
    };
    assert_eq!(
        said(LibtestFormat::Json, &suite(1, "io::reads")),
        ReportedOutcome::Passed
    );
    assert_eq!(
        said(LibtestFormat::Json, &suite(1, "io::writes")),
        ReportedOutcome::Begun
    );
    assert_eq!(
        said(LibtestFormat::Json, &suite(0, "io::reads")),
        ReportedOutcome::Begun
    );
    let junit = |tests: u32, failures: u32| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"test\" \
             package=\"test\" id=\"0\" errors=\"0\" failures=\"{failures}\" tests=\"{tests}\" \
             skipped=\"0\" ><testcase classname=\"io\" name=\"reads\" time=\"0.1\"/></testsuite>"
        )
    };
    assert_eq!(
        said(LibtestFormat::Junit, &junit(1, 0)),
        ReportedOutcome::Passed
    );
    assert_eq!(
        said(LibtestFormat::Junit, &junit(1, 1)),
        ReportedOutcome::Failed
    );
    assert_eq!(
        said(LibtestFormat::Junit, &junit(0, 0)),
        ReportedOutcome::NothingRan
    );
}

#[test]
fn criterion_says_that_a_benchmark_works_in_its_own_way() {
    assert_eq!(
        said("Testing io::reads\nhello\nSuccess\n\n"),
        ReportedOutcome::Passed
    );
    assert_eq!(said("Testing io::reads\n"), ReportedOutcome::Nothing);
    assert_eq!(
        said("Testing io::writes\nSuccess\n"),
        ReportedOutcome::Nothing
    );
    assert_eq!(said("Success\n"), ReportedOutcome::Nothing);
}

/// If both streams are one pipe, writes to stderr come between those to stdout. Each of libtest's
/// writes stays whole.
#[test]
fn what_standard_error_says_neither_passes_nor_fails_a_test() {
    let noises = [
        "a line\n",
        "no newline",
        "\nthread 'x' panicked at src/lib.rs:1:1:\nexpected\n",
        "test io::reads ... FAILED\n",
        "io::reads FAILED",
        "FAILED\n",
        "ignored\n",
        "ok\n",
        "ok",
        "test io::reads ... ",
        "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out\n",
        "\u{1b}[31merror\u{1b}[m",
    ];
    let parts = [
        "\nrunning 1 test\n",
        "test io::reads ... ",
        "ok",
        "\n",
        "\ntest result: ",
        "ok",
        ". 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out",
        "; finished in 0.00s",
        "\n\n",
    ];
    for noise in noises {
        // Before libtest has reported the result.
        for before in 0..=parts.len() {
            let (earlier, later) = parts.split_at(before);
            let output = format!("{}{noise}{}", earlier.concat(), later.concat());
            // A complete result after libtest's own (a destructor's, for instance) cannot be
            // detected.
            let misleads = before > 6 && noise.starts_with("test result");
            let expected = if misleads {
                ReportedOutcome::Failed
            } else {
                ReportedOutcome::Passed
            };
            assert_eq!(said(&output), expected, "{noise:?} before part {before}");
            // Without libtest's own result, the test has not passed.
            let without = output.replace("1 passed; 0 failed", "");
            assert_ne!(
                said(&without),
                ReportedOutcome::Passed,
                "{noise:?} before part {before}"
            );
            let none = output.replace("running 1 test", "running 0 tests");
            assert_eq!(
                said(&none),
                ReportedOutcome::NothingRan,
                "{noise:?} before part {before}"
            );
        }
    }
    // The same for JSON.
    let suite = "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 1 }\n";
    let test = "{ \"type\": \"test\", \"name\": \"io::reads\", \"event\": \"ok\" }";
    let result = "{ \"type\": \"suite\", \"event\": \"ok\", \"passed\": 1, \"failed\": 0, \
                  \"ignored\": 0, \"measured\": 0, \"filtered_out\": 7 }\n";
    let asked = RequestedTest {
        form: LibtestFormat::Json,
        ..asked()
    };
    for noise in ["no newline", "{braces}", "{", "a line\n"] {
        let output = format!("{noise}{suite}{noise}{test}{noise}\n{noise}{result}");
        let said = said_of(asked.clone(), output.as_bytes());
        assert_eq!(said, ReportedOutcome::Passed, "{output}");
    }
}

/// Lines that a test prints and that look like the harness's.
fn imitations() -> impl Strategy<Value = String> {
    let lines = [
        "running 0 tests\n",
        "running 1 test\n",
        "\n",
        "test io::writes ... ok\n",
        "test io::reads ... FAILED\n",
        "test io::reads ... ",
        "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 8 filtered out\n",
        "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out\n",
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        "ok\n",
        "without a newline",
    ];
    let line = prop_oneof![
        proptest::sample::select(lines.map(str::to_owned).to_vec()),
        "\\PC{0,20}\n?"
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn whatever_a_test_writes_its_end_counts(written in imitations(), after in "\\PC{0,20}\n?") {
        let output = format!("\nrunning 1 test\n{written}{OK}{after}");
        prop_assert_eq!(said(&output), ReportedOutcome::Passed);
    }

    #[test]
    fn whatever_a_test_writes_it_does_not_pass_without_an_end(written in imitations()) {
        let output = format!("\nrunning 1 test\n{written}");
        prop_assert_ne!(said(&output), ReportedOutcome::Passed);
        let output = format!("\nrunning 0 tests\n{written}{OK}");
        prop_assert_eq!(said(&output), ReportedOutcome::NothingRan);
    }

    #[test]
    fn it_makes_no_difference_in_which_pieces_it_comes(
        written in imitations(),
        pieces in proptest::collection::vec(1usize..40, 1..40),
    ) {
        let output = format!("\nrunning 1 test\n{written}{OK}");
        let mut transcript = LibtestTranscript::new(asked());
        let mut rest = output.as_bytes();
        for piece in pieces {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            transcript.wrote(now);
            rest = later;
        }
        transcript.wrote(rest);
        prop_assert_eq!(transcript.said(), ReportedOutcome::Passed);
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, name: String) {
        for form in [LibtestFormat::Pretty, LibtestFormat::Terse, LibtestFormat::Json, LibtestFormat::Junit] {
            let asked = RequestedTest { name: name.clone(), form, ..asked() };
            prop_assert_ne!(said_of(asked, &bytes), ReportedOutcome::Passed);
        }
    }
}

#[test]
fn a_line_without_end_is_not_held() {
    let mut transcript = LibtestTranscript::new(asked());
    transcript.wrote(b"\nrunning 1 test\n");
    for _ in 0..100 {
        transcript.wrote(&[b'x'; 10_000]);
        assert!(transcript.line.len() <= 3 * LINE_BYTES_MAX);
    }
    transcript.wrote(OK.as_bytes());
    assert_eq!(transcript.said(), ReportedOutcome::Passed);
}
