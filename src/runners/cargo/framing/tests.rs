//! Tests with actual output of libtest, and with output of tests that resembles it.

use proptest::prelude::*;

use super::*;

fn framing() -> LibtestFraming {
    LibtestFraming::of(&RequestedTest {
        name: "io::reads".to_owned(),
        count: 1,
        others: Some(7),
        form: LibtestFormat::Pretty,
    })
    .unwrap()
}

fn shown_in_pieces(output: &[u8], mut pieces: impl Iterator<Item = usize>) -> String {
    let mut framing = framing();
    let mut shown = Vec::new();
    let mut rest = output;
    while !rest.is_empty() {
        let length = pieces.next().unwrap_or(rest.len()).min(rest.len());
        let (now, later) = rest.split_at(length);
        shown.extend(framing.wrote(now));
        rest = later;
    }
    shown.extend(framing.ended());
    String::from_utf8(shown).unwrap()
}

fn shown(output: &str) -> String {
    shown_in_pieces(output.as_bytes(), std::iter::empty())
}

const HEADER: &str = "\nrunning 1 test\n";

const OK: &str = "test io::reads ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; \
                  0 measured; 7 filtered out; finished in 0.00s\n\n";

const FAILED: &str = "test io::reads ... FAILED\n\nfailures:\n\nfailures:\n    io::reads\n\ntest \
                      result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out; \
                      finished in 0.00s\n\n";

/// libtest's output for a test with `#[should_panic]` that did not panic.
const CALM: &str = "test io::reads - should panic ... FAILED\n\nfailures:\n\n---- io::reads stdout \
                    ----\nnote: test did not panic as expected at src/lib.rs:3:4\n\nfailures:\n    \
                    io::reads\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; \
                    7 filtered out; finished in 0.00s\n\n";

#[test]
fn a_person_sees_what_the_test_wrote() {
    let panic = "\nthread 'io::reads' (7) panicked at src/lib.rs:3:5:\nno\n";
    let colored = OK.replace("ok", "\u{1b}[32mok\u{1b}(B\u{1b}[m");
    let other = OK.replace("io::reads", "io::writes");
    for (output, expected) in [
        (format!("{HEADER}{OK}"), String::new()),
        (
            format!("{HEADER}hello\nworld\n{OK}"),
            "hello\nworld\n".to_owned(),
        ),
        (format!("{HEADER}no newline{OK}"), "no newline".to_owned()),
        (format!("{HEADER}{panic}{FAILED}"), panic.to_owned()),
        (format!("{HEADER}{colored}"), String::new()),
        (
            format!("{HEADER}{CALM}"),
            "note: test did not panic as expected at src/lib.rs:3:4\n".to_owned(),
        ),
        (
            format!("{HEADER}no newline{CALM}"),
            "no newline\nnote: test did not panic as expected at src/lib.rs:3:4\n".to_owned(),
        ),
        // Output of constructors before, and of destructors and threads after the test.
        (
            format!("begins\n\n{HEADER}hello{OK}bye"),
            "begins\n\nhello\nbye".to_owned(),
        ),
        (format!("begins{HEADER}{OK}"), "begins\n".to_owned()),
        (
            format!("{HEADER}test io::reads has been running for over 60 seconds\n{OK}"),
            String::new(),
        ),
        // The test prints the output of another run, and that of a test with the same name.
        (
            format!("{HEADER}{HEADER}{other}{OK}"),
            format!("{HEADER}{other}"),
        ),
        (format!("{HEADER}{HEADER}{OK}{OK}"), format!("{HEADER}{OK}")),
        // Output that is not framing of a known form is shown completely.
        (
            "\nrunning 0 tests\n\ntest result: ok. 0 passed\n".to_owned(),
            "\nrunning 0 tests\n\ntest result: ok. 0 passed\n".to_owned(),
        ),
        ("running away".to_owned(), "running away".to_owned()),
        ("\n\n".to_owned(), "\n\n".to_owned()),
        (
            format!("{HEADER}test io::reads ... ok\n\nand exit"),
            "test io::reads ... ok\n\nand exit".to_owned(),
        ),
        (
            format!("{HEADER}test io::reads ... tick\nok\n\ntest result: ok."),
            "test io::reads ... tick\nok\n\ntest result: ok.".to_owned(),
        ),
    ] {
        assert_eq!(shown(&output), expected, "{output}");
    }
}

#[test]
fn what_a_test_writes_is_shown_at_once() {
    let mut framing = framing();
    let mut wrote = |text: &str| String::from_utf8(framing.wrote(text.as_bytes())).unwrap();
    assert_eq!(wrote("\nrunning 1"), "");
    assert_eq!(wrote(" test\nhello"), "hello");
    assert_eq!(wrote(" world: te"), " world: ");
    assert_eq!(wrote("n\ntest io::closes "), "ten\ntest io::closes ");
    assert_eq!(wrote("test io::reads"), "");
    assert_eq!(wrote(" is about to\n"), "test io::reads is about to\n");
}

#[test]
fn no_more_is_held_back_than_has_to_be() {
    let mut framing = framing();
    let mut shown = framing.wrote(format!("{HEADER}{OK}").as_bytes());
    assert_eq!(shown, b"");
    for _ in 0..100 {
        shown.extend(framing.wrote(&[b'x'; 10_000]));
        assert!(framing.pending.len() <= AFTER_BYTES_MAX + 10_000);
    }
    shown.extend(framing.ended());
    assert_eq!(shown.len(), OK.len() + 100 * 10_000);
    let unending = "test io::reads - should panic ... FAILED\n\nfailures:\n\n---- io::reads stdout \
                    ----\n";
    shown = framing.wrote(format!("{HEADER}{unending}").as_bytes());
    for _ in 0..20 {
        shown.extend(framing.wrote(&[b'x'; 10_000]));
        assert!(framing.pending.len() <= END_BYTES_MAX + 10_000);
    }
}

/// Pieces of output that a test may print.
fn words() -> impl Strategy<Value = String> {
    let known = [
        HEADER,
        OK,
        FAILED,
        CALM,
        "\n",
        "test io::reads",
        "ok\n",
        "failures:\n",
    ];
    let word = prop_oneof![
        proptest::sample::select(known.map(str::to_owned).to_vec()),
        "\\PC{0,20}\n?"
    ];
    proptest::collection::vec(word, 0..8).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn whatever_a_test_writes_all_of_it_is_shown(written in words()) {
        for end in [OK, FAILED] {
            prop_assert_eq!(shown(&format!("{HEADER}{written}{end}")), written.clone());
        }
    }

    #[test]
    fn it_makes_no_difference_in_which_pieces_it_comes(
        written in words(),
        pieces in proptest::collection::vec(1usize..40, 1..40),
    ) {
        for end in ["", OK, FAILED, CALM] {
            let output = format!("{HEADER}{written}{end}");
            let in_pieces = shown_in_pieces(output.as_bytes(), pieces.iter().copied());
            prop_assert_eq!(in_pieces, shown(&output));
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes: Vec<u8>) {
        let mut framing = framing();
        let mut shown = framing.wrote(&bytes);
        shown.extend(framing.ended());
        prop_assert_eq!(shown, bytes);
    }
}
