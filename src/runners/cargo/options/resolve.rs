//! Resolves options into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::time::Duration;

use miette::Diagnostic;

use crate::options::{
    self, EventStreamFormat, PassingTestOutput, RunSettings, StrictProcessError, time_limit,
};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{
    PatternError, PatternVocabulary, TestPattern, TestSelection, vocabulary,
};

use super::harness::{HarnessArguments, HarnessError, HarnessFlag};
use super::{
    CargoBuildOptions, CargoMessageFormat, CargoOptions, CargoTestOptions, PackageOptions,
    TargetOptions,
};

/// The vocabulary of cargo's patterns.
pub(in crate::cargo) const VOCABULARY: &PatternVocabulary = &vocabulary::CARGO;

/// The options, resolved.
#[derive(Clone, Debug)]
pub struct CargoSettings {
    pub goal: CargoAction,
    pub packages: PackageChoice,
    /// The patterns that select tests.
    pub patterns: TestSelection,
    /// Values of `--exclude` next to `--workspace`: names of packages, or else patterns. Which of
    /// them a value is depends on the packages of the workspace.
    pub exclude_undecided: Vec<String>,
    /// The patterns of test binaries that run as one test.
    pub whole: Vec<TestPattern>,
    /// The names that select tests.
    pub names: NameFilter,
    /// How ignored tests are handled.
    pub ignored: IgnoredTests,
    /// The targets that cargo builds.
    pub targets: TargetOptions,
    pub build: CargoBuildOptions,
    /// Arguments for every test binary besides those that select its test.
    pub extra_arguments: Vec<OsString>,
    /// The settings that all programs share.
    pub common: RunSettings,
    /// Whether tests see this machine's programs and toolchain.
    pub toolbox: Toolbox,
    /// The timeout of a test; `None` means no timeout.
    pub timeout: Option<Duration>,
    /// The value of `--timeout` in seconds, 0 for none. It takes precedence over the container
    /// file.
    pub timeout_s: Option<u32>,
    /// The options for the tests' containers.
    pub containers: TestContainerOptions,
}

/// The purpose of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CargoAction {
    /// Builds, lists and runs the tests.
    Run,
    /// Builds the tests and prints their names.
    ListTests,
    /// Prints the targets that have tests.
    ListBinaries,
    ListPackages,
    Build,
    /// Writes the project's starter file.
    Init,
    /// Builds the tests, and explains the container of one.
    Explain,
}

/// The packages that are tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageChoice {
    /// The packages that `cargo test` tests; the whole workspace if there are include patterns.
    Default,
    /// All packages of the workspace.
    Workspace,
    /// The named packages, as package specifications of cargo.
    Named(Vec<String>),
}

/// Selects tests by name, as libtest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFilter {
    /// A test's name must match one of these, unless there are none.
    pub names: Vec<String>,
    /// A test's name must match none of these.
    pub skip: Vec<String>,
    pub matching: NameMatch,
}

/// How a text is compared with a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatch {
    /// The name contains the text.
    #[default]
    Part,
    /// The name equals the text.
    Whole,
}

/// How tests that their author ignores are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredTests {
    /// They are reported as ignored.
    Report,
    /// Only they are run.
    Only,
    /// They are run like the others.
    Run,
}

/// The error of options that contradict each other or are invalid.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CargoOptionsError {
    /// An invalid argument after `--`.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Harness(#[from] HarnessError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    #[error("`--jobs` must not be 0")]
    JobsZero,
    /// Both `--ignored` and `--include-ignored`.
    #[error("`--ignored` and `--include-ignored` exclude one another")]
    IgnoredTwice,
    /// Names of tests together with `--print-config`, which runs none.
    #[error("`--print-config` (`-P`) runs no tests, so `{name}` would mean nothing")]
    #[diagnostic(help(
        "leave `-P` out to run tests; there are no profiles as in nextest, whose `-P` chooses \
         one: options and configuration values say the same"
    ))]
    PrintsOnly { name: String },
    /// `--strict` without a container.
    #[error(transparent)]
    Strict(#[from] StrictProcessError),
}

impl ProgramError for CargoOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl CargoSettings {
    /// Returns the exit code for a run that selects no test: an error if the user named tests or
    /// gave patterns, and none matches.
    pub fn without_tests(&self) -> Option<u8> {
        let names = !self.names.names.is_empty() || !self.names.skip.is_empty();
        let patterns = !self.patterns.include.is_empty() || !self.patterns.exclude.is_empty();
        let wanted = self.goal == CargoAction::Run && (names || patterns);
        wanted.then_some(exit_code::NO_TESTS)
    }
}

impl NameFilter {
    /// Returns the equivalent arguments of libtest.
    pub fn to_arguments(&self) -> Vec<OsString> {
        let exact = match self.matching {
            NameMatch::Part => None,
            NameMatch::Whole => Some("--exact".into()),
        };
        let skip = self.skip.iter().map(|name| format!("--skip={name}").into());
        // All words after `--` are names.
        let names = self.names.iter().map(OsString::from);
        let end = (!self.names.is_empty()).then(|| "--".into());
        exact
            .into_iter()
            .chain(skip)
            .chain(end)
            .chain(names)
            .collect()
    }

    /// Returns whether a test of this name is selected.
    pub fn selects(&self, name: &str) -> bool {
        let matches = |text: &String| match self.matching {
            NameMatch::Part => name.contains(text.as_str()),
            NameMatch::Whole => name == text,
        };
        (self.names.is_empty() || self.names.iter().any(matches)) && !self.skip.iter().any(matches)
    }
}

impl IgnoredTests {
    /// Returns the equivalent argument of libtest.
    pub fn to_argument(self) -> Option<OsString> {
        match self {
            IgnoredTests::Report => None,
            IgnoredTests::Only => Some("--ignored".into()),
            IgnoredTests::Run => Some("--include-ignored".into()),
        }
    }
}

impl CargoOptions {
    /// Returns an error if the command line names tests, because printing the configuration runs
    /// none.
    pub fn only_print(&self) -> Result<(), CargoOptionsError> {
        match self.names.first() {
            None => Ok(()),
            Some(name) => Err(CargoOptionsError::PrintsOnly { name: name.clone() }),
        }
    }

    /// Turns the options into settings for a machine with `cpus` CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<CargoSettings, CargoOptionsError> {
        let harness = HarnessArguments::read(&self.test_arguments)?;
        // Next to `--workspace` a value may be a package, which is known only once the workspace
        // is.
        let (exclude, exclude_undecided) = match self.packages.workspace {
            true => (Vec::new(), self.tests.exclude.clone()),
            false => (self.tests.exclude.clone(), Vec::new()),
        };
        let toolbox = self.common.toolbox(self.run.strict)?;
        let selected = TestSelection::parse(&self.tests.include, &exclude, VOCABULARY)?;
        let whole = patterns(&self.tests.whole)?;
        let ignored = ignored(&self.tests, &harness)?;
        let slots = slots(self.common.slots, &harness, self.build.jobs, cpus)?;
        let passing_output = match harness.has(HarnessFlag::ShowOutput) {
            true => PassingTestOutput::Shown,
            false => PassingTestOutput::Hidden,
        };
        let (mut common, containers) = self.common.settle(slots, passing_output);
        common.stream = self.tests.message_format.map(|format| match format {
            CargoMessageFormat::LibtestJson => EventStreamFormat::LibtestJson,
            CargoMessageFormat::LibtestJsonPlus => EventStreamFormat::LibtestJsonPlus,
        });
        Ok(CargoSettings {
            goal: goal(&self.tests, &containers, &harness),
            packages: packages(&self.packages),
            patterns: selected,
            exclude_undecided,
            whole,
            ignored,
            names: names(self.names, self.tests, &harness),
            targets: self.targets,
            build: self.build,
            common,
            toolbox,
            timeout_s: self.run.timeout,
            timeout: self.run.timeout.and_then(time_limit),
            containers,
            extra_arguments: harness.extra,
        })
    }
}

fn goal(
    tests: &CargoTestOptions,
    containers: &TestContainerOptions,
    harness: &HarnessArguments,
) -> CargoAction {
    if containers.init {
        CargoAction::Init
    } else if containers.explain.is_some() {
        CargoAction::Explain
    } else if tests.list_tests {
        CargoAction::ListTests
    } else if tests.list_binaries {
        CargoAction::ListBinaries
    } else if tests.list_packages {
        CargoAction::ListPackages
    } else if tests.no_run {
        CargoAction::Build
    } else if harness.has(HarnessFlag::List) {
        CargoAction::ListTests
    } else {
        CargoAction::Run
    }
}

fn patterns(texts: &[String]) -> Result<Vec<TestPattern>, PatternError> {
    let texts = texts.iter();
    texts
        .map(|text| TestPattern::parse(text, VOCABULARY))
        .collect()
}

fn packages(options: &PackageOptions) -> PackageChoice {
    if !options.package.is_empty() {
        PackageChoice::Named(options.package.clone())
    } else if options.workspace {
        PackageChoice::Workspace
    } else {
        PackageChoice::Default
    }
}

fn ignored(
    tests: &CargoTestOptions,
    harness: &HarnessArguments,
) -> Result<IgnoredTests, CargoOptionsError> {
    let only = tests.ignored || harness.has(HarnessFlag::Ignored);
    let include = tests.include_ignored || harness.has(HarnessFlag::IncludeIgnored);
    match (only, include) {
        (false, false) => Ok(IgnoredTests::Report),
        (true, false) => Ok(IgnoredTests::Only),
        (false, true) => Ok(IgnoredTests::Run),
        (true, true) => Err(CargoOptionsError::IgnoredTwice),
    }
}

fn names(names: Vec<String>, tests: CargoTestOptions, harness: &HarnessArguments) -> NameFilter {
    let joined =
        |own: Vec<String>, after: &[String]| own.into_iter().chain(after.to_vec()).collect();
    NameFilter {
        names: joined(names, &harness.names),
        skip: joined(tests.skip, &harness.skip),
        matching: match tests.exact || harness.has(HarnessFlag::Exact) {
            true => NameMatch::Whole,
            false => NameMatch::Part,
        },
    }
}

fn slots(
    slots: Option<u32>,
    harness: &HarnessArguments,
    jobs: Option<i32>,
    cpus: NonZeroU32,
) -> Result<u32, CargoOptionsError> {
    // Cargo rejects this as well, but only once it builds.
    if jobs == Some(0) {
        return Err(CargoOptionsError::JobsZero);
    }
    let wanted = slots.or(harness.test_threads.map(NonZeroU32::get));
    let wanted = wanted.or(jobs.map(|jobs| match u32::try_from(jobs) {
        Ok(jobs) => jobs,
        Err(_) => cpus.get().saturating_sub(jobs.unsigned_abs()),
    }));
    Ok(options::slots(wanted, cpus))
}
