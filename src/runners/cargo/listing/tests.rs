//! Tests of listings with and without other output of the program.

use super::*;
use maelstrom_model::job::{JobResult, ResourceUsage};
use proptest::prelude::*;
use std::time::Duration;

fn captured(end: JobOutcome, stdout: &[u8]) -> CapturedOutput {
    CapturedOutput {
        result: JobResult {
            end,
            usage: ResourceUsage::default(),
            prepared: Duration::ZERO,
            ran: Duration::ZERO,
            leaked: Default::default(),
        },
        stdout: stdout.to_vec(),
        stderr: Vec::new(),
    }
}

fn listed(stdout: &str) -> CapturedOutput {
    captured(JobOutcome::Exited(ExitStatus::Code(0)), stdout.as_bytes())
}

fn test(name: &str, attention: IgnoreStatus, count: u32) -> ListedTest {
    ListedTest {
        name: name.to_owned(),
        attention,
        count,
    }
}

#[test]
fn names_may_hold_anything_and_ignored_ones_are_marked() {
    let all =
        listed("a::b: test\nmit Leerzeichen: äöü: test\nbench_it: benchmark\nx: test: test\n");
    let ignored = listed("a::b: test\n");
    assert_eq!(
        combine(TestHarness::Libtest, &all, &ignored, None),
        Ok(BinaryListing::Tests(vec![
            test("a::b", IgnoreStatus::Ignored, 1),
            test("mit Leerzeichen: äöü", IgnoreStatus::Wanted, 1),
            test("bench_it", IgnoreStatus::Wanted, 1),
            test("x: test", IgnoreStatus::Wanted, 1),
        ]))
    );
}

#[test]
fn a_name_that_is_listed_twice_is_one_test() {
    let all = listed("twice: test\nonce: test\ntwice: test\n");
    assert_eq!(
        combine(TestHarness::Own, &all, &listed(""), None),
        Ok(BinaryListing::Tests(vec![
            test("twice", IgnoreStatus::Wanted, 2),
            test("once", IgnoreStatus::Wanted, 1),
        ]))
    );
}

#[test]
fn libtest_may_hold_nothing_but_must_answer() {
    let ends = |end| combine(TestHarness::Libtest, &captured(end, b""), &listed(""), None);
    assert_eq!(
        combine(TestHarness::Libtest, &listed(""), &listed(""), None),
        Ok(BinaryListing::Tests(Vec::new()))
    );
    let errors = [
        ends(JobOutcome::Exited(ExitStatus::Code(101))),
        ends(JobOutcome::Exited(ExitStatus::Signal {
            number: 11,
            core_dumped: true,
        })),
        ends(JobOutcome::TimedOut),
        ends(JobOutcome::Cancelled),
        ends(JobOutcome::Error("no such file: /x/y".to_owned())),
    ]
    .map(|error| error.unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
    exited with code 101 while it listed its tests
    was ended by signal 11 while it listed its tests
    did not list its tests in time
    was stopped while it listed its tests
    can't be listed: no such file: /x/y
    "#);
}

#[test]
fn a_main_of_its_own_that_does_not_understand_is_one_test() {
    for all in [
        listed(""),
        listed("all 3 checks passed\n"),
        captured(JobOutcome::Exited(ExitStatus::Code(2)), b"usage: ...\n"),
        captured(JobOutcome::TimedOut, b""),
    ] {
        assert_eq!(
            combine(TestHarness::Own, &all, &listed(""), None),
            Ok(BinaryListing::Whole)
        );
    }
    let lost = captured(JobOutcome::Error("gone".to_owned()), b"");
    assert_eq!(
        combine(TestHarness::Own, &lost, &listed(""), None),
        Err(CargoListingError::NotRun("gone".to_owned()))
    );
}

/// Returns the output of a program that lists these tests, the last of them ignored, and prints
/// this before and after.
fn noisy(harness: TestHarness, tests: &[&str], before: &str, after: &str) -> BinaryListing {
    let lines = |names: &[&str]| -> CapturedOutput {
        let lines = names.iter().map(|name| format!("{name}: test\n"));
        listed(&format!("{before}{}{after}", lines.collect::<String>()))
    };
    let last = tests.len().saturating_sub(1);
    let (all, ignored, none) = (lines(tests), lines(&tests[last..]), lines(&[]));
    let none = is_doubtful(harness, &all, &ignored).then_some(&none);
    combine(harness, &all, &ignored, none).unwrap()
}

fn quiet(tests: &[&str]) -> BinaryListing {
    let last = tests.len().saturating_sub(1);
    let tests = tests.iter().enumerate().map(|(at, name)| match at == last {
        true => test(name, IgnoreStatus::Ignored, 1),
        false => test(name, IgnoreStatus::Wanted, 1),
    });
    BinaryListing::Tests(tests.collect())
}

#[test]
fn what_a_program_prints_besides_its_list_is_told_apart() {
    for (before, after) in [
        ("", ""),
        ("initializing\n", ""),
        ("initializing\ntwice\n\n", "over\n"),
        ("without a newline ", ""),
        ("", "bye"),
        ("", "bye: test\n"),
        ("mode: test\n", "mode: test\n"),
        ("a: test\n", ""),
        ("", "b::c: test\n"),
        ("hello ", "a: test\n"),
        ("\u{1b}[1mcolors\u{1b}[m\n", "\u{1b}[m"),
    ] {
        for tests in [&["a", "b::c", "d: e"][..], &["only"], &[]] {
            let listing = noisy(TestHarness::Libtest, tests, before, after);
            // If both begin alike, they cannot be distinguished.
            let names = |listing| match listing {
                BinaryListing::Tests(mut tests) => {
                    tests.sort_by(|one, other| one.name.cmp(&other.name));
                    tests
                }
                BinaryListing::Whole => Vec::new(),
            };
            let case = format!("{before:?} {after:?} {tests:?}");
            assert_eq!(names(listing), names(quiet(tests)), "{case}");
        }
    }
}

#[test]
fn noise_that_is_never_the_same_is_told_apart_by_lines_or_not_at_all() {
    let combined = |all: &str, none: &str| {
        combine(
            TestHarness::Libtest,
            &listed(all),
            &listed(none),
            Some(&listed(none)),
        )
    };
    let one = Ok(BinaryListing::Tests(vec![test(
        "a",
        IgnoreStatus::Wanted,
        1,
    )]));
    assert_eq!(
        combined("pid 1234\na: test\nafter 5 ms\n", "pid 77\nafter 3 ms\n"),
        one
    );
    for (all, none) in [
        ("pid 1234 a: test\n", "pid 77 "),
        ("pid 12: test\na: test\nb\n", "pid 7: test\nc\n"),
        ("pid 12\na: test\n", ""),
        ("pid 12\na: test\n", "pid 1\nlonger\n"),
    ] {
        assert_eq!(
            combined(all, none),
            Ok(BinaryListing::Whole),
            "{all:?} {none:?}"
        );
    }
    let bytes = captured(
        JobOutcome::Exited(ExitStatus::Code(0)),
        b"fine: test\nhe\xffo\n",
    );
    let ends = combine(TestHarness::Libtest, &bytes, &bytes, Some(&listed("")));
    assert_eq!(ends, Ok(BinaryListing::Whole));
}

#[test]
fn a_third_listing_is_asked_for_only_in_doubt() {
    let doubtful =
        |harness, all: &str, ignored: &str| is_doubtful(harness, &listed(all), &listed(ignored));
    let all = "a: test\nb: test\nc: test\n";
    assert!(!doubtful(TestHarness::Libtest, all, ""));
    assert!(!doubtful(TestHarness::Libtest, all, "b: test\n"));
    assert!(doubtful(TestHarness::Libtest, all, "a: test\n"));
    assert!(doubtful(
        TestHarness::Libtest,
        "hi a: test\nb: test\nc: test\n",
        "hi b: test\n"
    ));
    assert!(doubtful(TestHarness::Libtest, "hi\na: test\n", "hi\n"));
    assert!(!doubtful(TestHarness::Own, "hi\n", "hi\n"));
    assert!(doubtful(TestHarness::Own, "mode: test\n", "mode: test\n"));
}

#[test]
fn a_main_of_its_own_that_knows_only_some_of_the_arguments() {
    let (all, one) = ("a: test\nb: test\n", "a: test\n");
    let combined = |ignored: &str, none: &str| {
        combine(
            TestHarness::Own,
            &listed(all),
            &listed(ignored),
            Some(&listed(none)),
        )
    };
    // It lists all its tests for any name.
    let listing = vec![
        test("a", IgnoreStatus::Ignored, 1),
        test("b", IgnoreStatus::Wanted, 1),
    ];
    assert_eq!(combined(one, all), Ok(BinaryListing::Tests(listing)));
    // It prints the same for all arguments.
    assert_eq!(combined(all, all), Ok(BinaryListing::Whole));
}

proptest! {
    #[test]
    fn any_output_is_a_listing_or_one_test(stdout: Vec<u8>) {
        let all = captured(JobOutcome::Exited(ExitStatus::Code(0)), &stdout);
        for harness in [TestHarness::Libtest, TestHarness::Own] {
            prop_assert!(combine(harness, &all, &all, None).is_ok());
            prop_assert!(combine(harness, &all, &listed(""), Some(&all)).is_ok());
        }
    }

    #[test]
    fn what_is_listed_is_read_back(names in proptest::collection::vec("[^\n]+", 0..20)) {
        let stdout: String = names.iter().map(|name| format!("{name}: test\n")).collect();
        prop_assert_eq!(parse(stdout.as_bytes()), Ok(names));
    }
}
