//! Judges the process of a doctest, and finds the location of its failure.
//!
//! The process runs one doctest, and nothing around it, so its output is shown as it is and its exit
//! status is the result: a doctest's own program has no harness, and a program of merged doctests
//! ends with the status of the one that it was started for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use maelstrom_engine::run::output_tail::StreamTails;
use maelstrom_model::event::{ExitStatus, IsolationMode, OutputStream};
use maelstrom_model::framework::{FrameworkVerdict, OutputAnalysis, OutputParser, ParsedOutput};
use maelstrom_model::job::TestKey;

use super::captured::PassCondition;
use super::place;
use crate::sandbox::hints::hint;
use crate::sandbox::project_spec::files;

/// The exit status of a process that panics.
const PANICKED: i32 = 101;

/// The loader's exit status if a library is missing.
const NOT_LOADED: i32 = 127;

/// The signal of the kernel if memory runs out.
const KILL: i32 = nix::libc::SIGKILL;

/// When each doctest has passed, for the readers of their output.
#[derive(Debug, Default)]
pub(in crate::cargo) struct DoctestConditions(Mutex<HashMap<TestKey, PassCondition>>);

impl DoctestConditions {
    /// Records a doctest.
    pub(in crate::cargo) fn note(&self, test: TestKey, passes: PassCondition) {
        self.known().insert(test, passes);
    }

    /// Returns when a test has passed, if it is a doctest.
    pub(in crate::cargo) fn of(&self, test: &TestKey) -> Option<PassCondition> {
        self.known().get(test).copied()
    }

    /// Forgets all doctests.
    pub(in crate::cargo) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TestKey, PassCondition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parses the output of one attempt of a doctest.
pub(in crate::cargo) struct DoctestReader {
    passes: PassCondition,
    name: String,
    tails: StreamTails,
    /// The directory where the compiler's relative paths start, and the working directory of the
    /// invocation.
    places: (PathBuf, PathBuf),
    isolation: IsolationMode,
}

impl DoctestReader {
    /// Returns the parser for a doctest. `places` are the directory where the compiler's relative
    /// paths start and the working directory of the invocation.
    pub(in crate::cargo) fn new(
        passes: PassCondition,
        name: &str,
        places: (PathBuf, PathBuf),
        isolation: IsolationMode,
    ) -> DoctestReader {
        DoctestReader {
            passes,
            name: name.to_owned(),
            tails: StreamTails::default(),
            places,
            isolation,
        }
    }

    /// Returns a hint about what the doctest's container may lack.
    fn hint(&self) -> Option<String> {
        match self.isolation {
            IsolationMode::Container => {
                let outputs = [self.tails.stdout(), self.tails.stderr()];
                hint(outputs, files::CARGO.name, |path| {
                    path.exists() && !path.starts_with(&self.places.0)
                })
            }
            IsolationMode::Process => None,
        }
    }
}

/// Returns the verdict on a doctest whose process ended like this.
fn judgement(passes: PassCondition, status: ExitStatus) -> FrameworkVerdict {
    let failed = |reason: &str| FrameworkVerdict::Failed {
        reason: Some(reason.to_owned()),
    };
    match (passes, status) {
        (PassCondition::Success, _) => FrameworkVerdict::ByStatus,
        (PassCondition::Failure | PassCondition::Panic, ExitStatus::Code(0)) => {
            failed("it is marked `should_panic`, but did not panic")
        }
        (PassCondition::Failure, ExitStatus::Code(NOT_LOADED)) => {
            failed("its program could not be loaded")
        }
        (PassCondition::Failure, ExitStatus::Signal { number: KILL, .. }) => {
            failed("it was killed")
        }
        (PassCondition::Panic, ExitStatus::Code(PANICKED)) | (PassCondition::Failure, _) => {
            FrameworkVerdict::Passed
        }
        (PassCondition::Panic, ExitStatus::Code(_) | ExitStatus::Signal { .. }) => {
            failed("it is marked `should_panic`, and failed without a panic")
        }
    }
}

impl OutputParser for DoctestReader {
    fn wrote(&mut self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8> {
        self.tails.push(stream, &bytes);
        bytes
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput {
        let Some(status) = status else {
            return ParsedOutput::default();
        };
        let mut judgement = judgement(self.passes, status);
        let is_failure = match (&judgement, status) {
            (FrameworkVerdict::ByStatus, ExitStatus::Code(0)) | (FrameworkVerdict::Passed, _) => {
                false
            }
            (FrameworkVerdict::ByStatus, _) => {
                if let Some(hint) = self.hint() {
                    judgement = FrameworkVerdict::Failed { reason: Some(hint) };
                }
                true
            }
            (
                FrameworkVerdict::Failed { .. }
                | FrameworkVerdict::Ignored { .. }
                | FrameworkVerdict::Error { .. },
                _,
            ) => true,
        };
        let (root, directory) = &self.places;
        let output = (self.tails.stdout(), self.tails.stderr());
        let location = is_failure.then(|| place::of_panic(&self.name, output, root, directory));
        ParsedOutput {
            held: None,
            reading: OutputAnalysis {
                judgement,
                location: location.flatten(),
                parts: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doctest_is_judged_as_rustdoc_does() {
        use ExitStatus::Code;
        use PassCondition::{Failure, Panic, Success};
        let signal = ExitStatus::Signal {
            number: 6,
            core_dumped: false,
        };
        let table = [
            (Success, Code(0), Some(true)),
            (Success, Code(101), Some(false)),
            (Success, signal, Some(false)),
            (Failure, Code(0), Some(false)),
            (Failure, Code(1), Some(true)),
            (Failure, Code(101), Some(true)),
            (Failure, signal, Some(true)),
            (Panic, Code(0), Some(false)),
            (Panic, Code(1), Some(false)),
            (Panic, Code(101), Some(true)),
            (Panic, signal, Some(false)),
        ];
        for (passes, status, expected) in table {
            let passed = match judgement(passes, status) {
                FrameworkVerdict::ByStatus => Some(status == Code(0)),
                FrameworkVerdict::Passed => Some(true),
                FrameworkVerdict::Failed { reason: Some(_) } => Some(false),
                _ => None,
            };
            assert_eq!(passed, expected, "{passes:?} {status:?}");
        }
    }

    #[test]
    fn a_failure_has_the_place_of_its_doctest() {
        let mut reader = DoctestReader::new(
            PassCondition::Success,
            "src/lib.rs - f (line 3)",
            ("/w".into(), "/w".into()),
            IsolationMode::Process,
        );
        assert_eq!(
            reader.wrote(OutputStream::Joined, b"no\n".to_vec()),
            b"no\n"
        );
        let location = reader.ended(Some(ExitStatus::Code(1))).reading.location;
        assert_eq!(location.unwrap().line, 3);
        assert_eq!(reader.ended(None), ParsedOutput::default());
    }
}
