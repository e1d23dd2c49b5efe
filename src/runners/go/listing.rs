//! Parses the list of tests that a binary prints with `-test.list`.
//!
//! `init` and `TestMain` run before the list is printed and may print anything: lines that look
//! like a test's name, and text without a newline right before the first name. So the list is
//! compared with the names that the package's sources define. Benchmarks are also listed; they count
//! if the user asks for them.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use maelstrom_model::framework::CapturedOutput;
use maelstrom_model::job::{ExitStatus, JobOutcome};

use super::packages::GoPackage;

/// The argument that makes a test binary list its tests.
pub const LIST: &str = "-test.list=.";

/// The prefixes of tests' names, and of benchmarks' names. Fuzz targets run their seed corpus.
const PREFIXES: [&str; 4] = ["Test", "Example", "Fuzz", BENCHMARK];

const BENCHMARK: &str = "Benchmark";

/// What is taken from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKinds {
    Tests,
    TestsAndBenchmarks,
}

/// Returns whether a listed name is that of a benchmark.
pub fn is_benchmark(name: &str) -> bool {
    name.starts_with(BENCHMARK)
}

/// The function that can run code before a package's tests, or skip them.
const MAIN: &str = "TestMain";

/// The reason why a binary could not be listed. The messages continue a sentence that begins with
/// the package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoListingError {
    /// The program failed, most likely in `init` or `TestMain`.
    #[error("exited with code {0} before it could list its tests")]
    Failed(i32),
    /// A signal terminated the program.
    #[error("was ended by signal {0} before it could list its tests")]
    Crashed(i32),
    /// The program exceeded the timeout.
    #[error("did not list its tests in time")]
    TimedOut,
    #[error("was stopped before it could list its tests")]
    Cancelled,
    /// The program could not be run.
    #[error("can't be listed: {0}")]
    NotRun(String),
}

/// The names of tests that a package's sources may define. Text in comments and strings is not
/// distinguished, so there may be a few names too many.
#[derive(Clone, Debug, Default)]
pub struct DefinedTests(HashSet<String>);

impl DefinedTests {
    /// Reads a package's test files. Returns `None` if there is none, or if one cannot be read, for
    /// example because the build uses another in its place: then the names are unknown.
    pub fn of(package: &GoPackage) -> Option<DefinedTests> {
        let mut defined = DefinedTests::default();
        let mut files = package.test_files().peekable();
        files.peek()?;
        for file in files {
            defined.add(&std::fs::read_to_string(file).ok()?);
        }
        Some(defined)
    }

    fn add(&mut self, source: &str) {
        /// `func`, whitespace or comments, and a name with a test's prefix.
        static FUNCTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(
                r"\bfunc(?:\s|/\*(?s:.*?)\*/|//[^\n]*\n)+((?:Test|Example|Fuzz|Benchmark)\w*)",
            )
            .ok()
        });
        let functions = FUNCTION
            .iter()
            .flat_map(|regex| regex.captures_iter(source));
        let names = functions.filter_map(|function| function.get(1));
        self.0.extend(names.map(|name| name.as_str().to_owned()));
    }

    /// Returns whether there is a `TestMain`, and a test that it may keep from being listed.
    pub fn is_main_with_tests(&self) -> bool {
        let is_other = |name: &String| name != MAIN && is_test(name) && !is_benchmark(name);
        self.0.contains(MAIN) && self.0.iter().any(is_other)
    }

    /// Returns the longest name at the end of the line.
    fn at_end_of<'a>(&self, line: &'a str) -> Option<&'a str> {
        PREFIXES
            .iter()
            .flat_map(|prefix| line.match_indices(prefix))
            .map(|(start, _)| &line[start..])
            .filter(|name| self.0.contains(*name) && is_test(name))
            .max_by_key(|name| name.len())
    }
}

/// Returns the names of the tests, in the order of the list, without duplicates. Without `defined`,
/// every line that looks like a name counts.
pub fn names(
    captured: &CapturedOutput,
    kinds: ListedKinds,
    defined: Option<&DefinedTests>,
) -> Result<Vec<String>, GoListingError> {
    match &captured.result.end {
        JobOutcome::Exited(ExitStatus::Code(0)) => {}
        JobOutcome::Exited(ExitStatus::Code(code)) => return Err(GoListingError::Failed(*code)),
        JobOutcome::Exited(ExitStatus::Signal { number, .. }) => {
            return Err(GoListingError::Crashed(*number));
        }
        JobOutcome::TimedOut => return Err(GoListingError::TimedOut),
        JobOutcome::Cancelled => return Err(GoListingError::Cancelled),
        JobOutcome::Error(message) => return Err(GoListingError::NotRun(message.clone())),
    }
    let text = String::from_utf8_lossy(&captured.stdout);
    let whole: HashSet<&str> = text.lines().filter(|line| is_test(line)).collect();
    let mut seen = HashSet::new();
    let names = text.lines().filter_map(|line| match defined {
        None => Some(line).filter(|line| is_test(line)),
        Some(defined) if is_test(line) => Some(line).filter(|name| defined.0.contains(*name)),
        // A name that also has a line of its own is only mentioned in this one.
        Some(defined) => defined.at_end_of(line).filter(|name| !whole.contains(name)),
    });
    Ok(names
        .filter(|name| kinds == ListedKinds::TestsAndBenchmarks || !is_benchmark(name))
        .filter(|name| seen.insert((*name).to_owned()))
        .map(str::to_owned)
        .collect())
}

/// Returns whether a line is the name of a test according to Go's rule: an identifier with a test's
/// prefix, not followed by a lower-case letter.
fn is_test(line: &str) -> bool {
    let rest = PREFIXES.iter().find_map(|prefix| line.strip_prefix(prefix));
    rest.is_some_and(|rest| {
        !rest.starts_with(char::is_lowercase)
            && rest.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::job::{JobResult, ResourceUsage};
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

    #[test]
    fn tests_are_told_from_what_a_main_writes() {
        let stdout = "Testing connection\nTestA\nTest\nTest_b\nTestÄ\nBenchmarkC\nExample\n\
                      ExampleType_method\nFuzzD\nTestify me\nTesting\nTestA\nok  \tp\t0.01s\n";
        let listed = captured(JobOutcome::Exited(ExitStatus::Code(0)), stdout.as_bytes());
        assert_eq!(
            names(&listed, ListedKinds::Tests, None).unwrap(),
            [
                "TestA",
                "Test",
                "Test_b",
                "TestÄ",
                "Example",
                "ExampleType_method",
                "FuzzD"
            ]
        );
        let all = names(&listed, ListedKinds::TestsAndBenchmarks, None).unwrap();
        assert!(all.contains(&"BenchmarkC".to_owned()), "{all:?}");
    }

    #[test]
    fn the_list_is_held_against_the_sources() {
        let mut defined = DefinedTests::default();
        defined.add(
            "func TestA(t *testing.T) {}\nfunc\tTestB (t *T) {}\nfunc /* odd */ TestC(t *T) {}\n\
             // func ExampleX() is not one\nfunc TestAB(t *T) {}\nfunc FuzzD(f *testing.F) {}\n\
             func TestDB(t *T) {}\nfunc TestMain(m *testing.M) {}\n",
        );
        for (stdout, expected) in [
            // Written without a newline right before the list.
            (
                "setting up...TestA\nTestB\nTestC\n",
                vec!["TestA", "TestB", "TestC"],
            ),
            ("\u{1b}[32mTestAB\nTestA\n", vec!["TestAB", "TestA"]),
            // Lines printed by `TestMain` that look like names.
            ("Test\nTestSetup\nTestA\nTestTeardown\n", vec!["TestA"]),
            // A name that is mentioned before it is listed.
            (
                "connecting to TestDB\nTestA\nTestDB\n",
                vec!["TestA", "TestDB"],
            ),
            ("TestA\nTestA\nFuzzD", vec!["TestA", "FuzzD"]),
            ("setup of nothing\n", vec![]),
        ] {
            let listed = captured(JobOutcome::Exited(ExitStatus::Code(0)), stdout.as_bytes());
            assert_eq!(
                names(&listed, ListedKinds::Tests, Some(&defined)).unwrap(),
                expected,
                "{stdout:?}"
            );
        }
    }

    #[test]
    fn a_main_that_may_hide_tests_is_known() {
        for (source, expected) in [
            (
                "func TestMain(m *testing.M) {}\nfunc TestA(t *testing.T) {}",
                true,
            ),
            (
                "func TestMain(m *testing.M) {}\nfunc BenchmarkA(b *testing.B) {}",
                false,
            ),
            ("func TestA(t *testing.T) {}", false),
            ("", false),
        ] {
            let mut defined = DefinedTests::default();
            defined.add(source);
            assert_eq!(defined.is_main_with_tests(), expected, "{source}");
        }
    }

    #[test]
    fn each_way_to_fail_is_told() {
        let errors = [
            JobOutcome::Exited(ExitStatus::Code(2)),
            JobOutcome::Exited(ExitStatus::Signal {
                number: 11,
                core_dumped: false,
            }),
            JobOutcome::TimedOut,
            JobOutcome::Cancelled,
            JobOutcome::Error("no such file".to_owned()),
        ]
        .map(|end| {
            let listed = captured(end, b"");
            let error = names(&listed, ListedKinds::Tests, None).unwrap_err();
            error.to_string()
        });
        insta::assert_snapshot!(errors.join("\n"), @"
    exited with code 2 before it could list its tests
    was ended by signal 11 before it could list its tests
    did not list its tests in time
    was stopped before it could list its tests
    can't be listed: no such file
    ");
    }
}
