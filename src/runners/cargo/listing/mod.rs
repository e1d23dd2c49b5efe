//! Parses the list of tests that a test binary prints.
//!
//! `--list --format terse` prints one line per test: `NAME: test` or `NAME: benchmark`. A name may
//! contain anything but a newline, so the output of a constructor or destructor can look like a
//! test, or become the beginning of a name. A third listing, of a test that doesn't exist, reveals
//! such output. It is made only if the other two are ambiguous; see [`is_doubtful`]. If tests
//! cannot be distinguished from other output, the whole binary becomes one test.

use std::collections::HashSet;
use std::time::Duration;

use maelstrom_model::framework::CapturedOutput;
use maelstrom_model::job::{ExitStatus, JobOutcome};

use super::target::TestHarness;

/// The timeout for libtest to list its tests. It takes milliseconds; the timeout is for a program
/// that hangs before it reaches libtest.
const LISTING_TIMEOUT: Duration = Duration::from_secs(60);

/// The timeout for a `main` of the project's own to list its tests. One that doesn't know `--list`
/// runs its tests instead, and one that exceeds the timeout is assumed to do so.
const OWN_LISTING_TIMEOUT: Duration = Duration::from_secs(10);

/// The arguments that make a test binary list its tests.
pub const LIST: [&str; 3] = ["--list", "--format", "terse"];

/// The argument that makes it list only ignored tests.
pub const IGNORED: &str = "--ignored";

/// The arguments that make it list nothing: no test has this name.
pub const NONE: [&str; 2] = ["--exact", "maelstrom: no test has this name"];

/// The name of the test for a program that runs as a whole.
pub const WHOLE: &str = "main";

/// The tests of a test binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinaryListing {
    Tests(Vec<ListedTest>),
    /// One test that runs the whole program.
    Whole,
}

/// A test from a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTest {
    pub name: String,
    /// Whether the test is marked as ignored.
    pub attention: IgnoreStatus,
    /// How many times the name is listed. Tests of the same name cannot run separately.
    pub count: u32,
}

/// Whether a test is marked as ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoreStatus {
    Wanted,
    /// Runs only on request (`#[ignore]`).
    Ignored,
}

/// The reason why a listing cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CargoListingError {
    /// The program could not be run.
    #[error("can't be listed: {0}")]
    NotRun(String),
    /// The program exceeded the timeout.
    #[error("did not list its tests in time")]
    TimedOut,
    #[error("was stopped while it listed its tests")]
    Cancelled,
    #[error("exited with code {0} while it listed its tests")]
    Failed(i32),
    #[error("was ended by signal {0} while it listed its tests")]
    Crashed(i32),
    /// The program printed a line that is not a test.
    #[error("printed a line that is not a test while it listed its tests: {0:?}")]
    Garbage(String),
}

/// The maximum number of ways that are tried to divide other output into the parts before and after
/// a list.
const SPLITS_MAX: usize = 1000;

/// The maximum number of characters of an unexpected line in an error message.
const GARBAGE_CHARACTERS_MAX: usize = 200;

/// Returns the timeout for a program to list its tests.
pub fn timeout(harness: TestHarness) -> Duration {
    match harness {
        TestHarness::Libtest => LISTING_TIMEOUT,
        TestHarness::Own => OWN_LISTING_TIMEOUT,
    }
}

/// Returns whether the listings of all tests and of the ignored tests may contain other output.
/// Such output is at the beginning or the end of both.
pub fn is_doubtful(harness: TestHarness, all: &CapturedOutput, ignored: &CapturedOutput) -> bool {
    let (Ok(all), Ok(ignored)) = (output(all), output(ignored)) else {
        return false;
    };
    let (Ok(names), Ok(of_ignored)) = (parse(all), parse(ignored)) else {
        // A `main` of the project's own that prints other output is not run a third time.
        return harness == TestHarness::Libtest;
    };
    let ends = |names: &[String]| (names.first().cloned(), names.last().cloned());
    let ((first, last), (first_ignored, last_ignored)) = (ends(&names), ends(&of_ignored));
    // Other output is in both listings, so an empty one proves that there is none.
    let (Some(first_ignored), Some(last_ignored)) = (first_ignored, last_ignored) else {
        return false;
    };
    let known: HashSet<&String> = names.iter().collect();
    first == Some(first_ignored)
        || last == Some(last_ignored)
        || of_ignored.iter().any(|name| !known.contains(name))
}

/// Combines the listings of all tests and of the ignored tests, without the output that is also in
/// the listing of none.
///
/// The whole program becomes one test in these cases: it has a `main` of its own that doesn't
/// answer like libtest; it has a `main` of its own and lists nothing, as would a program that
/// ignores its arguments and prints nothing; or its tests cannot be distinguished from its other
/// output.
pub fn combine(
    harness: TestHarness,
    all: &CapturedOutput,
    ignored: &CapturedOutput,
    none: Option<&CapturedOutput>,
) -> Result<BinaryListing, CargoListingError> {
    // A `main` of the project's own may not know that a name selects tests.
    let is_list = |none: &&CapturedOutput| {
        harness == TestHarness::Own && none.stdout == all.stdout && ignored.stdout != all.stdout
    };
    let noise = none.filter(|none| !is_list(none));
    let noise = noise.map_or(Ok(&b""[..]), output);
    let read = |captured| output(captured).and_then(|listing| read(listing, noise.clone()?));
    let read = read(all).and_then(|all| Ok((all, read(ignored)?)));
    match (harness, read) {
        (TestHarness::Own, Ok((all, _))) if all.is_empty() => Ok(BinaryListing::Whole),
        (TestHarness::Libtest | TestHarness::Own, Ok((all, ignored))) => {
            Ok(BinaryListing::Tests(merge(all, ignored)))
        }
        (TestHarness::Libtest, Err(CargoListingError::Garbage(_))) => Ok(BinaryListing::Whole),
        (TestHarness::Own, Err(error)) if error.is_an_answer() => Ok(BinaryListing::Whole),
        (TestHarness::Libtest | TestHarness::Own, Err(error)) => Err(error),
    }
}

impl CargoListingError {
    /// Returns whether the program ran and behaved like one that doesn't know these arguments.
    fn is_an_answer(&self) -> bool {
        match self {
            CargoListingError::TimedOut
            | CargoListingError::Failed(_)
            | CargoListingError::Crashed(_)
            | CargoListingError::Garbage(_) => true,
            CargoListingError::NotRun(_) | CargoListingError::Cancelled => false,
        }
    }
}

/// Returns the stdout of a program that exited with 0.
fn output(captured: &CapturedOutput) -> Result<&[u8], CargoListingError> {
    match &captured.result.end {
        JobOutcome::Exited(ExitStatus::Code(0)) => Ok(&captured.stdout),
        JobOutcome::Exited(ExitStatus::Code(code)) => Err(CargoListingError::Failed(*code)),
        JobOutcome::Exited(ExitStatus::Signal { number, .. }) => {
            Err(CargoListingError::Crashed(*number))
        }
        JobOutcome::TimedOut => Err(CargoListingError::TimedOut),
        JobOutcome::Cancelled => Err(CargoListingError::Cancelled),
        JobOutcome::Error(message) => Err(CargoListingError::NotRun(message.clone())),
    }
}

/// Returns the names in a listing. `noise` is the program's output when it lists nothing.
fn read(listing: &[u8], noise: &[u8]) -> Result<Vec<String>, CargoListingError> {
    let alike = |one: &[u8], other: &[u8]| {
        let pairs = one.iter().zip(other);
        pairs.take_while(|(one, other)| one == other).count()
    };
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
    let before = alike(listing, noise);
    let after = alike(&reversed(listing), &reversed(noise));
    // Part of it may be before the list and the rest after it.
    let splits = (noise.len().saturating_sub(after)..=before).rev();
    let lists = splits.filter_map(|split| {
        let after = listing.len().checked_sub(noise.len() - split)?;
        listing.get(split..after)
    });
    let read = lists.take(SPLITS_MAX).find_map(|list| parse(list).ok());
    match read {
        Some(names) => Ok(names),
        None if noise.is_empty() => parse(listing),
        None => parse(&without_lines_of(noise, listing)?),
    }
}

/// Returns the listing without the lines that are not tests, if there are as many of them as in the
/// noise. Other output may differ from run to run, for example because it contains the time.
fn without_lines_of(noise: &[u8], listing: &[u8]) -> Result<Vec<u8>, CargoListingError> {
    let lines = |bytes: &'_ [u8]| -> Vec<Vec<u8>> {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    };
    let is_tests = |line: &Vec<u8>| parse(line).is_ok_and(|names| !names.is_empty());
    let (of_noise, of_listing) = (lines(noise), lines(listing));
    let others = of_listing.iter().filter(|line| !is_tests(line)).count();
    let whole = of_noise.last().is_none_or(|last| last.ends_with(b"\n"));
    if others != of_noise.len() || !whole || of_noise.iter().any(is_tests) {
        let first =
            String::from_utf8_lossy(of_noise.first().map_or(b"", Vec::as_slice)).into_owned();
        return Err(CargoListingError::Garbage(shortened(first.trim_end())));
    }
    let tests = of_listing.into_iter().filter(is_tests);
    Ok(tests.flatten().collect())
}

/// Parses a listing into names.
fn parse(stdout: &[u8]) -> Result<Vec<String>, CargoListingError> {
    let text = std::str::from_utf8(stdout).map_err(|error| {
        let line = stdout
            .split(|byte| *byte == b'\n')
            .find(|line| std::str::from_utf8(line).is_err())
            .map(String::from_utf8_lossy);
        CargoListingError::Garbage(line.map_or_else(|| error.to_string(), |line| shortened(&line)))
    })?;
    // libtest prints `benchmark`, libtest-mimic prints `bench`.
    let kinds = [": test", ": benchmark", ": bench"];
    text.split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let named = kinds.iter().find_map(|kind| line.strip_suffix(kind));
            named
                .map(str::to_owned)
                .ok_or_else(|| CargoListingError::Garbage(shortened(line)))
        })
        .collect()
}

fn shortened(line: &str) -> String {
    line.chars().take(GARBAGE_CHARACTERS_MAX).collect()
}

/// Returns each name once, in the order of the listing.
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
                    true => IgnoreStatus::Ignored,
                    false => IgnoreStatus::Wanted,
                },
                name,
                count: 1,
            }),
        }
    }
    tests
}

#[cfg(test)]
mod tests;
