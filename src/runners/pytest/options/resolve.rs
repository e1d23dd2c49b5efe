//! Turns the options of `maelstrom-pytest` into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;

use super::{PytestOptions, PytestReportOptions, PytestTestOptions};
use crate::options::{PassingTestOutput, RunSettings, slots, time_limit};
use crate::peers::PeerSupport;
use crate::pytest::peer_flags::flag;
use crate::pytest::words::{PytestWord, WordRole};
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{PatternError, TestPattern, TestSelection, vocabulary};

/// The options, resolved.
#[derive(Clone, Debug)]
pub struct PytestSettings {
    /// The purpose of the invocation.
    pub goal: PytestAction,
    /// The patterns that select tests.
    pub patterns: TestSelection,
    /// The patterns of tests that run in one session, each with its text.
    pub together: Vec<(String, TestPattern)>,
    /// Arguments for pytest.
    pub pytest: PytestArguments,
    /// The Python to use, if the user names one.
    pub python: Option<PathBuf>,
    /// The settings that all programs share.
    pub common: RunSettings,
    /// How each test gets its process.
    pub processes: TestProcessMode,
    /// The timeout of a test; `None` means no timeout.
    pub timeout: Option<Duration>,
    /// The value of `--timeout` in seconds, if set; 0 means no timeout.
    pub timeout_s: Option<u32>,
    /// The timeout of importing one file; `None` means no timeout.
    pub collection_timeout: Option<Duration>,
    /// The options for the tests' containers.
    pub containers: TestContainerOptions,
}

/// The arguments for pytest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PytestArguments {
    /// The words of the command line that are pytest's, in their order.
    pub typed: Vec<PytestWord>,
    /// Further arguments for both collection and tests.
    pub always: Vec<OsString>,
    /// Arguments for collection only.
    pub collecting: Vec<OsString>,
    /// Paths to collect; empty means those of pytest's configuration.
    pub paths: Vec<OsString>,
}

/// The purpose of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PytestAction {
    /// Collects and runs the tests.
    Run,
    /// Collects the tests and prints their node ids.
    List,
    /// Writes the project's starter file.
    Init,
    /// Collects the tests, and explains the container of one.
    Explain,
}

/// How each test gets its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestProcessMode {
    /// Forked from a process that has collected the tests, where that is equivalent.
    Forked,
    /// A new Python process for each test.
    Fresh,
}

/// The error of invalid options.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum PytestOptionsError {
    /// An invalid pattern of a filter.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    /// A flag of pytest's that has no meaning here.
    #[error("{flag} of pytest is not possible here")]
    #[diagnostic(help("{instead}"))]
    Refused { flag: String, instead: &'static str },
}

impl ProgramError for PytestOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl PytestOptions {
    /// Turns the options into settings for a machine with `cpus` CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<PytestSettings, PytestOptionsError> {
        if let Some(flag) = self.pytest_refused.into_iter().next() {
            return Err(refused(flag));
        }
        let PytestTestOptions {
            include,
            exclude,
            keyword,
            markers,
            collect_from_module,
            extra_pytest_args,
            extra_pytest_collect_args,
            list,
        } = self.tests;
        let mut collecting = extra_pytest_collect_args;
        // Tests run by node id, so only the collection needs the selection.
        for (option, value) in [("-k", keyword), ("-m", markers)] {
            collecting.extend(value.into_iter().flat_map(|value| [option.into(), value]));
        }
        let mut paths = self.paths;
        if let Some(module) = collect_from_module {
            collecting.push("--pyargs".into());
            paths.push(module);
        }
        let mut always = extra_pytest_args;
        always.extend(self.extra_pytest_test_args);
        always.extend((0..self.verbose).map(|_| "-v".into()));
        always.extend(self.run.no_capture.then(|| "-s".into()));
        always.extend(self.run.exitfirst.then(|| "-x".into()));
        let PytestReportOptions {
            junitxml,
            durations,
        } = self.reports;
        let valued = [
            ("--maxfail=", self.run.maxfail),
            ("--junitxml=", junitxml),
            ("--durations=", durations),
        ];
        always.extend(valued.into_iter().filter_map(|(option, value)| {
            let mut word = OsString::from(option);
            word.push(value?);
            Some(word)
        }));
        let passing_output = match self.run.no_capture || self.pytest_passing_output {
            true => PassingTestOutput::Shown,
            false => PassingTestOutput::Hidden,
        };
        let together = self.run.together.into_iter().map(|text| {
            let pattern = TestPattern::parse(&text, &vocabulary::PYTEST)?;
            Ok((text, pattern))
        });
        let slots = slots(self.common.slots, cpus);
        let mut common = self.common;
        // `-q --co` is how pytest prints node ids alone; there is no other list.
        common.report.quiet &= !list;
        let (common, containers) = common.settle(slots, self.run.timeout, passing_output);
        Ok(PytestSettings {
            goal: goal(&containers, list),
            common,
            containers,
            patterns: TestSelection::parse(&include, &exclude, &vocabulary::PYTEST)?,
            pytest: PytestArguments {
                typed: self
                    .pytest_word
                    .iter()
                    .map(|word| PytestWord::read(word))
                    .collect(),
                always,
                collecting,
                paths,
            },
            together: together.collect::<Result<_, PatternError>>()?,
            python: self.run.python,
            processes: match self.run.fresh {
                true => TestProcessMode::Fresh,
                false => TestProcessMode::Forked,
            },
            timeout: self.run.timeout.and_then(time_limit),
            timeout_s: self.run.timeout,
            collection_timeout: time_limit(self.run.collection_timeout),
        })
    }
}

impl PytestArguments {
    /// Returns the typed words of some roles.
    pub fn typed(&self, roles: &[WordRole]) -> impl Iterator<Item = &OsString> {
        let words = self.typed.iter().filter(|word| roles.contains(&word.role));
        words.map(|word| &word.text)
    }
}

fn refused(spelling: String) -> PytestOptionsError {
    let instead = match flag(&spelling).map(|flag| flag.support) {
        Some(PeerSupport::Refused(instead)) => instead,
        Some(PeerSupport::Same | PeerSupport::Differs(_) | PeerSupport::NoEffect(_)) | None => {
            "use `--failed --no-tests=pass` for `--lf --lfnf=none`"
        }
    };
    PytestOptionsError::Refused {
        flag: spelling,
        instead,
    }
}

fn goal(containers: &TestContainerOptions, list: bool) -> PytestAction {
    match (containers.init, containers.asked().0, list) {
        (true, _, _) => PytestAction::Init,
        (false, Some(_), _) => PytestAction::Explain,
        (false, None, true) => PytestAction::List,
        (false, None, false) => PytestAction::Run,
    }
}
