//! Tests the division of libtest's output.

use super::*;
use proptest::prelude::*;

/// What follows from the output of a process that runs the tests `a`, `b` and `c`, if it is written in
/// chunks of this size.
fn divided(text: &str, status: ExitStatus, size: usize) -> Vec<String> {
    let names = ["a", "b", "c"].map(str::to_owned);
    let names = Arc::new(BTreeSet::from(names));
    let mut divider = LibtestProtocol { names }.divider();
    let chunks = text.as_bytes().chunks(size);
    let mut steps: Vec<GroupStep> = chunks
        .flat_map(|chunk| divider.wrote(OutputStream::Joined, chunk))
        .collect();
    let end = divider.ended(Some(status));
    steps.extend(end.steps);
    let mut shown: Vec<(String, String)> = Vec::new();
    for step in steps {
        let (what, text) = match step {
            GroupStep::Began { test } => (format!("{test} begins"), String::new()),
            GroupStep::Wrote { test, bytes, .. } => (
                format!("{}: ", test.as_deref().unwrap_or("nobody")),
                String::from_utf8_lossy(&bytes).into_owned(),
            ),
            GroupStep::Ended { test, status, .. } => (format!("{test} {status:?}"), String::new()),
        };
        match shown.last_mut() {
            Some((before, joined)) if *before == what => joined.push_str(&text),
            _ => shown.push((what, text)),
        }
    }
    let shown = shown.into_iter();
    let shown = shown.map(|(what, text)| format!("{what}{}", text.escape_debug()));
    let last = end.last.map(|last| format!("{last} is last"));
    shown.chain(last).chain(end.doubt).collect()
}

const OK: ExitStatus = ExitStatus::Code(0);

/// The output of three tests, of which the second one prints what the binary itself prints.
const THREE: &str = "before\n\nrunning 3 tests\ntest a ... one\nok\ntest b - should panic ... ok\n\
                     test x ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 \
                     filtered out\nFAILED\ntest c ... no newline ok\n\nfailures:\n\nfailures:\n    b\n\n\
                     test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; \
                     finished in 0.00s\n\n";

#[test]
fn each_test_has_its_output_and_its_outcome() {
    let steps = divided(THREE, ExitStatus::Code(101), 1000);
    insta::assert_snapshot!(steps.join("\n"), @r"
    nobody: before\n\n
    a begins
    a: one\n
    a Code(0)
    b begins
    b: ok\ntest x ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out\nnote: the test did not panic as `should_panic` expects\n
    b Code(101)
    c begins
    c: no newline 
    c Code(0)
    ");
}

/// The outcomes at the end of outputs that end early or lie.
#[test]
fn only_what_the_process_confirms_is_a_pass() {
    let begin = "running 3 tests\ntest a ... ok\ntest b ... ";
    let result = |counts: &str| {
        format!(
            "{begin}ok\ntest c ... ok\n\ntest result: ok. {counts}; 0 ignored; 0 measured; 0 filtered out\n"
        )
    };
    let rows = [
        ("a crash", begin.to_owned(), ExitStatus::Code(134)),
        ("exit(0)", begin.to_owned(), OK),
        ("nothing", String::new(), OK),
        (
            "nothing, and a failure",
            "oh\n".to_owned(),
            ExitStatus::Code(1),
        ),
        ("another number of tests", result("2 passed; 0 failed"), OK),
        ("a failure in the result", result("2 passed; 1 failed"), OK),
        ("a result that fits", result("3 passed; 0 failed"), OK),
        (
            "a failure after the tests",
            result("3 passed; 0 failed"),
            ExitStatus::Code(3),
        ),
        (
            "no result",
            format!("{begin}ok\ntest c ... ok\n\nfailures:\n"),
            OK,
        ),
        (
            "a forged test",
            format!(
                "{begin}ok\ntest c ... ok\ntest b ... FAILED\ntest c ... ok\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n"
            ),
            ExitStatus::Code(101),
        ),
    ];
    let table = rows.map(|(what, text, status)| {
        let steps = divided(&text, status, 1000);
        let end = steps
            .iter()
            .filter(|step| !step.contains(": ") && !step.ends_with("begins"));
        let end: Vec<&str> = end.map(String::as_str).collect();
        format!("{what}: {}\n", end.join(", "))
    });
    insta::assert_snapshot!(table.concat());
}

proptest! {
    #[test]
    fn chunks_make_no_difference(size in 1_usize..50) {
        let status = ExitStatus::Code(101);
        prop_assert_eq!(divided(THREE, status, size), divided(THREE, status, 1000));
    }

    #[test]
    fn no_output_makes_dividing_panic(
        pieces in prop::collection::vec(prop_oneof![
            Just("running 3 tests\n".to_owned()), Just("test a ... ".to_owned()),
            Just("test b ... ".to_owned()), Just("test c ... ".to_owned()), Just("ok\n".to_owned()),
            Just("FAILED\n".to_owned()), Just("\nfailures:\n".to_owned()), ".{0,5}",
        ], 0..20),
    ) {
        let text = pieces.concat();
        let steps = divided(&text, OK, 7);
        let begun = steps.iter().filter(|step| step.ends_with(" begins")).count();
        prop_assert!(begun <= 3);
    }
}
