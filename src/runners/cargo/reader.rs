//! Parses a test's output as it is written, and determines the result from what the test binary
//! reports ([`transcript`]).
//!
//! The user sees all output as it is written, except for libtest's framing ([`framing`]).
//!
//! [`transcript`]: super::transcript
//! [`framing`]: super::framing

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sandbox::hints::hint;
use crate::sandbox::project_spec::files;
use maelstrom_engine::run::output_tail::StreamTails;
use maelstrom_model::event::{ExitStatus, IsolationMode, OutputStream};
use maelstrom_model::framework::{FrameworkVerdict, OutputAnalysis, OutputParser, ParsedOutput};
use maelstrom_model::job::TestKey;

use super::framing::LibtestFraming;
use super::listing::BinaryListing;
use super::location;
use super::target::TestHarness;
use super::transcript::{LibtestFormat, LibtestTranscript, ReportedOutcome, RequestedTest};

/// What the listed test binaries said about their tests, for the parsers of the tests' output.
#[derive(Debug, Default)]
pub struct ListedBinaries(Mutex<HashMap<BinaryKey, ResultProtocol>>);

/// The names of a package and a target.
type BinaryKey = (Arc<str>, Arc<str>);

/// How the result of a test's process is determined.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ResultProtocol {
    /// By the exit status alone: the binary runs as a whole.
    ByStatus,
    InWords {
        /// The number of the binary's tests, if it is certain.
        count: Option<u32>,
        /// The number of tests for each name that several tests share.
        namesakes: HashMap<String, u32>,
        /// Whether the harness is libtest.
        harness: TestHarness,
    },
}

impl ListedBinaries {
    /// Records the listing of a binary. `plain` is false if the user passes extra arguments, which
    /// may change the tests that a binary filters out.
    pub fn note(
        &self,
        binary: BinaryKey,
        harness: TestHarness,
        listing: &BinaryListing,
        plain: bool,
    ) {
        let answers = match listing {
            BinaryListing::Whole => ResultProtocol::ByStatus,
            BinaryListing::Tests(tests) => {
                let all = tests.iter().map(|test| test.count);
                let all = all.fold(0u32, u32::saturating_add);
                let several = tests.iter().filter(|test| test.count != 1);
                ResultProtocol::InWords {
                    harness,
                    count: (harness == TestHarness::Libtest && plain).then_some(all),
                    namesakes: several
                        .map(|test| (test.name.clone(), test.count))
                        .collect(),
                }
            }
        };
        let mut known = self.known();
        let twins = known.get(&binary).is_some_and(|known| *known != answers);
        let answers = match (twins, answers) {
            // A different answer comes from another version of the package, or from an earlier
            // round.
            (
                true,
                ResultProtocol::InWords {
                    namesakes, harness, ..
                },
            ) => ResultProtocol::InWords {
                count: None,
                namesakes,
                harness,
            },
            (_, answers) => answers,
        };
        known.insert(binary, answers);
    }

    /// Returns what the parser has to know about a test before its process runs. Returns `None` for
    /// a binary that runs as a whole, whose output has no known format.
    pub fn asked(&self, test: &TestKey, form: LibtestFormat) -> Option<RequestedTest> {
        let binary = (test.package.clone(), test.artifact.clone());
        let (total, count) = match self.known().get(&binary) {
            Some(ResultProtocol::ByStatus) => return None,
            Some(ResultProtocol::InWords {
                count,
                namesakes,
                harness: _,
            }) => (*count, namesakes.get(&test.name).copied().unwrap_or(1)),
            None => (None, 1),
        };
        Some(RequestedTest {
            name: test.name.clone(),
            count,
            others: total.map(|total| total.saturating_sub(count)),
            form,
        })
    }

    /// Returns the framing of a test's output, if it has a known format.
    pub fn framing(&self, test: &TestKey, asked: &RequestedTest) -> Option<LibtestFraming> {
        let binary = (test.package.clone(), test.artifact.clone());
        match self.known().get(&binary) {
            Some(ResultProtocol::InWords {
                harness: TestHarness::Libtest,
                ..
            }) => LibtestFraming::of(asked),
            Some(ResultProtocol::InWords { .. } | ResultProtocol::ByStatus) | None => None,
        }
    }

    /// Forgets all listings.
    pub fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<BinaryKey, ResultProtocol>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parses the output of one attempt of a test.
pub(super) struct CargoTestReader {
    /// What the binary says of the test; `None` if the test shares a process, whose output has been
    /// divided: then the status is the test's own.
    transcript: Option<LibtestTranscript>,
    framing: Option<LibtestFraming>,
    /// The stream on which the binary reports results.
    answers: OutputStream,
    tails: StreamTails,
    /// The pattern for `--whole` that selects the test's binary.
    pattern: String,
    /// The directory where the compiler's relative paths start.
    root: PathBuf,
    /// The working directory of the invocation.
    directory: PathBuf,
    /// Whether the test runs in a container.
    isolation: IsolationMode,
}

impl CargoTestReader {
    /// Returns the parser for a test; `asked` is `None` for one that shares a process. `pattern` selects the test's binary. `places` are the
    /// directory where the compiler's relative paths start and the working directory of the
    /// invocation.
    pub(super) fn new(
        asked: Option<RequestedTest>,
        framing: Option<LibtestFraming>,
        pattern: String,
        places: (PathBuf, PathBuf),
        isolation: IsolationMode,
    ) -> CargoTestReader {
        let (root, directory) = places;
        CargoTestReader {
            transcript: asked.map(LibtestTranscript::new),
            framing,
            answers: OutputStream::Stdout,
            tails: StreamTails::default(),
            pattern,
            root,
            directory,
            isolation,
        }
    }

    fn judge(&mut self, status: Option<ExitStatus>) -> FrameworkVerdict {
        match status {
            Some(ExitStatus::Code(0)) => match &mut self.transcript {
                Some(transcript) => judgement(transcript.said(), &self.pattern),
                None => FrameworkVerdict::ByStatus,
            },
            Some(ExitStatus::Code(_) | ExitStatus::Signal { .. }) => match self.hint() {
                Some(hint) => FrameworkVerdict::Failed { reason: Some(hint) },
                None => FrameworkVerdict::ByStatus,
            },
            None => FrameworkVerdict::ByStatus,
        }
    }
}

impl CargoTestReader {
    /// Returns a hint about what the test's container may lack.
    fn hint(&self) -> Option<String> {
        match self.isolation {
            IsolationMode::Container => {
                let outputs = [self.tails.stdout(), self.tails.stderr()];
                hint(outputs, files::CARGO.name, |path| {
                    path.exists() && !path.starts_with(&self.root)
                })
            }
            IsolationMode::Process => None,
        }
    }
}

impl OutputParser for CargoTestReader {
    fn wrote(&mut self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8> {
        self.tails.push(stream, &bytes);
        match stream {
            OutputStream::Stdout | OutputStream::Joined => {
                self.answers = stream;
                if let Some(transcript) = &mut self.transcript {
                    transcript.wrote(&bytes);
                }
                match &mut self.framing {
                    Some(framing) => framing.wrote(&bytes),
                    None => bytes,
                }
            }
            OutputStream::Stderr => bytes,
        }
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput {
        let judgement = self.judge(status);
        // A test that passed, or that was stopped from outside, may have caught panics.
        let location = match (status, &judgement) {
            (None | Some(ExitStatus::Code(0)), FrameworkVerdict::ByStatus) => None,
            _ => location::failure_location(
                self.tails.stdout(),
                self.tails.stderr(),
                &self.root,
                &self.directory,
            ),
        };
        let held = self.framing.as_mut().map(LibtestFraming::ended);
        ParsedOutput {
            held: held.map(|held| (self.answers, held)),
            reading: OutputAnalysis {
                judgement,
                location,
                parts: Vec::new(),
            },
        }
    }
}

/// Returns the pattern that selects a test's binary.
pub(super) fn whole_pattern(test: &TestKey) -> String {
    let package = &test.package;
    let artifact = test.artifact.strip_suffix(')');
    match artifact.and_then(|artifact| artifact.rsplit_once('(')) {
        None | Some((_, "library")) => format!("package.equals({package}) && library"),
        Some((name, kind)) => format!("package.equals({package}) && {kind}.equals({name})"),
    }
}

/// Returns the verdict on a test whose process exited with 0 and reported `said`. `pattern` selects
/// the test's binary.
fn judgement(said: ReportedOutcome, pattern: &str) -> FrameworkVerdict {
    let whole = format!("To run its binary whole: --whole '{pattern}'");
    let unproven = |why: &str| FrameworkVerdict::Error {
        message: format!("its process exited with 0, but {why}. {whole}"),
    };
    match said {
        ReportedOutcome::Passed => FrameworkVerdict::ByStatus,
        ReportedOutcome::Ignored { reason } => FrameworkVerdict::Ignored { reason },
        ReportedOutcome::Failed => FrameworkVerdict::Failed {
            reason: Some("the test failed, but its process exited with 0".to_owned()),
        },
        ReportedOutcome::NothingRan => unproven(
            "said that it ran no test (`running 0 tests`); a name must be the same whenever the \
             binary is started",
        ),
        ReportedOutcome::OthersRan(count) => unproven(&format!(
            "said that it ran {count} tests where it was to run this one"
        )),
        ReportedOutcome::Begun => unproven(
            "did not say that the test ran to its end; a test that calls `exit`, say, ends before \
             it has passed",
        ),
        ReportedOutcome::Nothing => unproven(
            "did not say that the test ran (`running 1 test`, then `test result: ok. 1 passed`)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::listing::{IgnoreStatus, ListedTest};

    fn key(name: &str) -> TestKey {
        TestKey {
            package: "p".into(),
            artifact: "p(library)".into(),
            name: name.to_owned(),
        }
    }

    fn binary() -> BinaryKey {
        ("p".into(), "p(library)".into())
    }

    fn listing(counts: &[(&str, u32)]) -> BinaryListing {
        let tests = counts.iter().map(|(name, count)| ListedTest {
            name: (*name).to_owned(),
            attention: IgnoreStatus::Wanted,
            count: *count,
        });
        BinaryListing::Tests(tests.collect())
    }

    #[test]
    fn how_many_others_there_are_is_known_where_it_is_certain() {
        let asked = |listed: &ListedBinaries, name: &str| {
            let asked = listed.asked(&key(name), LibtestFormat::Pretty);
            asked.map(|asked| (asked.count, asked.others))
        };
        let both = listing(&[("a", 1), ("b", 2)]);
        let listed = ListedBinaries::default();
        assert_eq!(asked(&listed, "a"), Some((1, None)));
        listed.note(binary(), TestHarness::Libtest, &both, true);
        assert_eq!(asked(&listed, "a"), Some((1, Some(2))));
        assert_eq!(asked(&listed, "b"), Some((2, Some(1))));
        listed.note(binary(), TestHarness::Libtest, &listing(&[("a", 1)]), true);
        assert_eq!(asked(&listed, "a"), Some((1, None)));
        for (harness, plain) in [(TestHarness::Own, true), (TestHarness::Libtest, false)] {
            let listed = ListedBinaries::default();
            listed.note(binary(), harness, &both, plain);
            assert_eq!(asked(&listed, "b"), Some((2, None)));
        }
        let listed = ListedBinaries::default();
        listed.note(binary(), TestHarness::Own, &BinaryListing::Whole, true);
        assert_eq!(asked(&listed, "main"), None);
    }

    #[test]
    fn an_exit_code_of_0_is_no_pass_by_itself() {
        let texts: Vec<String> = [
            ReportedOutcome::NothingRan,
            ReportedOutcome::OthersRan(3),
            ReportedOutcome::Begun,
            ReportedOutcome::Nothing,
        ]
        .map(|said| match judgement(said, "package.equals(p)") {
            FrameworkVerdict::Error { message } => message,
            other => panic!("{other:?}"),
        })
        .to_vec();
        insta::assert_snapshot!(texts.join("\n"), @"
        its process exited with 0, but said that it ran no test (`running 0 tests`); a name must be the same whenever the binary is started. To run its binary whole: --whole 'package.equals(p)'
        its process exited with 0, but said that it ran 3 tests where it was to run this one. To run its binary whole: --whole 'package.equals(p)'
        its process exited with 0, but did not say that the test ran to its end; a test that calls `exit`, say, ends before it has passed. To run its binary whole: --whole 'package.equals(p)'
        its process exited with 0, but did not say that the test ran (`running 1 test`, then `test result: ok. 1 passed`). To run its binary whole: --whole 'package.equals(p)'
        ");
        assert_eq!(
            judgement(ReportedOutcome::Passed, ""),
            FrameworkVerdict::ByStatus
        );
    }

    #[test]
    fn what_fails_by_itself_is_not_judged_and_its_place_is_found() {
        let asked = ListedBinaries::default()
            .asked(&key("a"), LibtestFormat::Pretty)
            .unwrap();
        let mut reader = CargoTestReader::new(
            Some(asked),
            None,
            String::new(),
            ("/w".into(), "/w".into()),
            IsolationMode::Process,
        );
        let panic = b"thread 'a' (7) panicked at src/lib.rs:7:9:\nno\n".to_vec();
        assert_eq!(reader.wrote(OutputStream::Stderr, panic.clone()), panic);
        let reading = reader.ended(Some(ExitStatus::Code(101))).reading;
        assert_eq!(reading.judgement, FrameworkVerdict::ByStatus);
        assert_eq!(reading.location.unwrap().path, "src/lib.rs");
    }
}
