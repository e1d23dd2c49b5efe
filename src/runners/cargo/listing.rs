//! What a test binary says its tests are.
//!
//! `--list --format terse` prints one line a test: `NAME: test` or `NAME: benchmark`. A name may
//! hold anything but a newline.

use std::collections::HashSet;
use std::time::Duration;

use crate::engine::framework::Captured;
use crate::engine::job::{ExitStatus, JobEnd};

use super::target::Harness;

/// How long libtest may take to list its tests. It takes milliseconds; a program that hangs before
/// it reaches libtest should not hang the run.
const LISTING_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a `main` of the project's own may take to answer. One that doesn't know `--list` runs
/// its tests instead; what takes longer than this is taken to do just that.
const OWN_LISTING_TIMEOUT: Duration = Duration::from_secs(10);

/// The arguments that make a test binary list its tests.
pub const LIST: [&str; 3] = ["--list", "--format", "terse"];

/// The argument that makes it list only those that their author ignores.
pub const IGNORED: &str = "--ignored";

/// The name of the only test of a program that can't list its tests.
pub const WHOLE: &str = "main";

/// What a test binary holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// These tests.
    Tests(Vec<ListedTest>),
    /// One test: the whole program.
    Whole,
}

/// A test in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTest {
    /// Its name.
    pub name: String,
    /// Whether its author ignores it.
    pub attention: Attention,
    /// How often it is listed. Tests of one name can't be run one by one.
    pub count: u32,
}

/// Whether a test's author wants it run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Always.
    Wanted,
    /// Only on demand (`#[ignore]`).
    Ignored,
}

/// Why a listing can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// The program could not be run.
    #[error("can't be listed: {0}")]
    NotRun(String),
    /// It took too long.
    #[error("did not list its tests in time")]
    TimedOut,
    /// Somebody stopped it.
    #[error("was stopped while it listed its tests")]
    Cancelled,
    /// It failed.
    #[error("exited with code {0} while it listed its tests")]
    Failed(i32),
    /// It crashed.
    #[error("was ended by signal {0} while it listed its tests")]
    Crashed(i32),
    /// It printed something else.
    #[error("printed a line that is no test's while it listed its tests: {0:?}")]
    Garbage(String),
}

/// So much of a garbage line is shown.
const GARBAGE_CHARACTERS_MAX: usize = 200;

/// How long a program may take to list its tests.
pub fn timeout(harness: Harness) -> Duration {
    match harness {
        Harness::Libtest => LISTING_TIMEOUT,
        Harness::Own => OWN_LISTING_TIMEOUT,
    }
}

/// Puts the two listings of a test binary together: that of all its tests, and that of the ignored.
///
/// A program with a `main` of its own that doesn't answer like libtest is one test. So is one that
/// lists nothing, since a program that ignores its arguments and prints nothing looks just so.
pub fn combine(
    harness: Harness,
    all: &Captured,
    ignored: &Captured,
) -> Result<Listing, ListingError> {
    let read = read(all).and_then(|all| Ok((all, self::read(ignored)?)));
    match (harness, read) {
        (Harness::Own, Ok((all, _))) if all.is_empty() => Ok(Listing::Whole),
        (Harness::Libtest | Harness::Own, Ok((all, ignored))) => {
            Ok(Listing::Tests(merge(all, ignored)))
        }
        (Harness::Own, Err(error)) if error.is_an_answer() => Ok(Listing::Whole),
        (Harness::Libtest | Harness::Own, Err(error)) => Err(error),
    }
}

impl ListingError {
    /// Whether the program ran, and did what a program may do that doesn't know these arguments.
    fn is_an_answer(&self) -> bool {
        match self {
            ListingError::TimedOut
            | ListingError::Failed(_)
            | ListingError::Crashed(_)
            | ListingError::Garbage(_) => true,
            ListingError::NotRun(_) | ListingError::Cancelled => false,
        }
    }
}

/// The names in a listing.
fn read(captured: &Captured) -> Result<Vec<String>, ListingError> {
    match &captured.result.end {
        JobEnd::Exited(ExitStatus::Code(0)) => parse(&captured.stdout),
        JobEnd::Exited(ExitStatus::Code(code)) => Err(ListingError::Failed(*code)),
        JobEnd::Exited(ExitStatus::Signal { number, .. }) => Err(ListingError::Crashed(*number)),
        JobEnd::TimedOut => Err(ListingError::TimedOut),
        JobEnd::Cancelled => Err(ListingError::Cancelled),
        JobEnd::Error(message) => Err(ListingError::NotRun(message.clone())),
    }
}

/// Reads a listing.
fn parse(stdout: &[u8]) -> Result<Vec<String>, ListingError> {
    let text = std::str::from_utf8(stdout).map_err(|error| {
        let line = stdout
            .split(|byte| *byte == b'\n')
            .find(|line| std::str::from_utf8(line).is_err())
            .map(String::from_utf8_lossy);
        ListingError::Garbage(line.map_or_else(|| error.to_string(), |line| shortened(&line)))
    })?;
    text.split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.strip_suffix(": test")
                .or_else(|| line.strip_suffix(": benchmark"))
                .map(str::to_owned)
                .ok_or_else(|| ListingError::Garbage(shortened(line)))
        })
        .collect()
}

fn shortened(line: &str) -> String {
    line.chars().take(GARBAGE_CHARACTERS_MAX).collect()
}

/// Each name once, in the order of the listing.
fn merge(all: Vec<String>, ignored: Vec<String>) -> Vec<ListedTest> {
    let ignored: HashSet<String> = ignored.into_iter().collect();
    let mut places = std::collections::HashMap::new();
    let mut tests: Vec<ListedTest> = Vec::with_capacity(all.len());
    for name in all {
        let place = *places.entry(name.clone()).or_insert(tests.len());
        match tests.get_mut(place) {
            Some(known) => known.count += 1,
            None => tests.push(ListedTest {
                attention: match ignored.contains(&name) {
                    true => Attention::Ignored,
                    false => Attention::Wanted,
                },
                name,
                count: 1,
            }),
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::job::{JobResult, ResourceUsage};
    use proptest::prelude::*;
    use std::time::Duration;

    fn captured(end: JobEnd, stdout: &[u8]) -> Captured {
        Captured {
            result: JobResult {
                end,
                usage: ResourceUsage::default(),
                prepared: Duration::ZERO,
                ran: Duration::ZERO,
            },
            stdout: stdout.to_vec(),
            stderr: Vec::new(),
        }
    }

    fn listed(stdout: &str) -> Captured {
        captured(JobEnd::Exited(ExitStatus::Code(0)), stdout.as_bytes())
    }

    fn test(name: &str, attention: Attention, count: u32) -> ListedTest {
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
            combine(Harness::Libtest, &all, &ignored),
            Ok(Listing::Tests(vec![
                test("a::b", Attention::Ignored, 1),
                test("mit Leerzeichen: äöü", Attention::Wanted, 1),
                test("bench_it", Attention::Wanted, 1),
                test("x: test", Attention::Wanted, 1),
            ]))
        );
    }

    #[test]
    fn a_name_that_is_listed_twice_is_one_test() {
        let all = listed("twice: test\nonce: test\ntwice: test\n");
        assert_eq!(
            combine(Harness::Own, &all, &listed("")),
            Ok(Listing::Tests(vec![
                test("twice", Attention::Wanted, 2),
                test("once", Attention::Wanted, 1),
            ]))
        );
    }

    #[test]
    fn libtest_may_hold_nothing_but_must_answer() {
        let ends = |end| combine(Harness::Libtest, &captured(end, b""), &listed(""));
        assert_eq!(
            combine(Harness::Libtest, &listed(""), &listed("")),
            Ok(Listing::Tests(Vec::new()))
        );
        let errors = [
            ends(JobEnd::Exited(ExitStatus::Code(101))),
            ends(JobEnd::Exited(ExitStatus::Signal {
                number: 11,
                core_dumped: true,
            })),
            ends(JobEnd::TimedOut),
            ends(JobEnd::Cancelled),
            ends(JobEnd::Error("no such file: /x/y".to_owned())),
            combine(
                Harness::Libtest,
                &listed("fine: test\nhello\n"),
                &listed(""),
            ),
            combine(
                Harness::Libtest,
                &captured(
                    JobEnd::Exited(ExitStatus::Code(0)),
                    b"fine: test\nhe\xffo\n",
                ),
                &listed(""),
            ),
        ]
        .map(|error| error.unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @r#"
        exited with code 101 while it listed its tests
        was ended by signal 11 while it listed its tests
        did not list its tests in time
        was stopped while it listed its tests
        can't be listed: no such file: /x/y
        printed a line that is no test's while it listed its tests: "hello"
        printed a line that is no test's while it listed its tests: "he�o"
        "#);
    }

    #[test]
    fn a_main_of_its_own_that_does_not_understand_is_one_test() {
        for all in [
            listed(""),
            listed("all 3 checks passed\n"),
            captured(JobEnd::Exited(ExitStatus::Code(2)), b"usage: ...\n"),
            captured(JobEnd::TimedOut, b""),
        ] {
            assert_eq!(combine(Harness::Own, &all, &listed("")), Ok(Listing::Whole));
        }
        let lost = captured(JobEnd::Error("gone".to_owned()), b"");
        assert_eq!(
            combine(Harness::Own, &lost, &listed("")),
            Err(ListingError::NotRun("gone".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn any_output_is_a_listing_or_garbage(stdout: Vec<u8>) {
            let all = captured(JobEnd::Exited(ExitStatus::Code(0)), &stdout);
            match combine(Harness::Libtest, &all, &listed("")) {
                Ok(_) | Err(ListingError::Garbage(_)) => {}
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn what_is_listed_is_read_back(names in proptest::collection::vec("[^\n]+", 0..20)) {
            let stdout: String = names.iter().map(|name| format!("{name}: test\n")).collect();
            prop_assert_eq!(parse(stdout.as_bytes()), Ok(names));
        }
    }
}
