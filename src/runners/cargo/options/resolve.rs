//! Resolves options into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::time::Duration;

use miette::Diagnostic;

use crate::options::{self, PassingTestOutput, RunSettings, StrictProcessError, time_limit};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{
    PatternError, PatternVocabulary, TestPattern, TestSelection, vocabulary,
};

use super::harness::{HarnessArguments, HarnessError, HarnessFlag};
use super::{CargoBuildOptions, CargoOptions, CargoTestOptions, PackageOptions, TargetOptions};

/// The words of cargo's patterns.
pub(in crate::cargo) const VOCABULARY: &PatternVocabulary = &vocabulary::CARGO;

/// What a command line means.
#[derive(Clone, Debug)]
pub struct CargoSettings {
    pub goal: CargoAction,
    pub packages: PackageChoice,
    /// Which tests, by pattern.
    pub patterns: TestSelection,
    /// Values of `--exclude` next to `--workspace`: names of packages, or else patterns. Only the
    pub exclude_undecided: Vec<String>,
    /// Which test binaries run whole.
    pub whole: Vec<TestPattern>,
    /// Which tests, by name.
    pub names: NameFilter,
    /// What happens to tests that their author ignores.
    pub ignored: IgnoredTests,
    /// Which targets cargo builds.
    pub targets: TargetOptions,
    pub build: CargoBuildOptions,
    /// What every test binary gets besides the arguments that select its test.
    pub extra_arguments: Vec<OsString>,
    /// What every program's settings have.
    pub common: RunSettings,
    /// Whether tests see this machine's programs and toolchain.
    pub toolbox: Toolbox,
    /// How long a test may take; `None` means as long as it likes.
    pub timeout: Option<Duration>,
    /// The same as it was said, in seconds, 0 for no limit; it wins against the project's file.
    pub timeout_s: Option<u32>,
    /// In what tests run.
    pub containers: TestContainerOptions,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CargoAction {
    /// Build, list and run.
    Run,
    /// Build and print the tests.
    ListTests,
    /// Print the targets that have tests.
    ListBinaries,
    ListPackages,
    Build,
    /// Write a file to begin with.
    Init,
    /// Build, and print what a test gets.
    Explain,
}

/// Which packages are tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageChoice {
    /// Those that `cargo test` tests; all of the workspace as soon as a pattern includes some.
    Default,
    /// All of the workspace.
    Workspace,
    /// Those that were named, as cargo understands package specifications.
    Named(Vec<String>),
}

/// Selects tests by their names, as libtest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFilter {
    /// A test's name must match one of these, if there are any.
    pub names: Vec<String>,
    /// And none of these.
    pub skip: Vec<String>,
    pub matching: NameMatch,
}

/// When a text matches a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatch {
    /// When the name holds it.
    #[default]
    Part,
    /// When it is the name.
    Whole,
}

/// What happens to tests that their author ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredTests {
    /// They are reported as ignored.
    Report,
    /// Nothing but them is run.
    Only,
    /// They are run like the others.
    Run,
}

/// Options that don't go together, or don't mean anything.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CargoOptionsError {
    /// An argument after `--`.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Harness(#[from] HarnessError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    #[error("`--jobs` must not be 0")]
    JobsZero,
    /// Ignored tests alone, and ignored tests too.
    #[error("`--ignored` and `--include-ignored` exclude one another")]
    IgnoredTwice,
    /// The names of tests, where nothing would run.
    #[error("`--print-config` (`-P`) runs no tests, so `{name}` would mean nothing")]
    #[diagnostic(help(
        "leave `-P` out to run tests; there are no profiles as in nextest, whose `-P` chooses \
         one: options and configuration values say the same"
    ))]
    PrintsOnly { name: String },
    /// Something that only a container can keep from tests.
    #[error(transparent)]
    Strict(#[from] StrictProcessError),
}

impl ProgramError for CargoOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl CargoSettings {
    /// With which code the program is to end if no test is wanted: one that is no success if somebody
    /// named what was to run, and there is no such thing.
    pub fn without_tests(&self) -> Option<u8> {
        let names = !self.names.names.is_empty() || !self.names.skip.is_empty();
        let patterns = !self.patterns.include.is_empty() || !self.patterns.exclude.is_empty();
        let wanted = self.goal == CargoAction::Run && (names || patterns);
        wanted.then_some(exit_code::NO_TESTS)
    }
}

impl NameFilter {
    /// The arguments of libtest that say the same.
    pub fn to_arguments(&self) -> Vec<OsString> {
        let exact = match self.matching {
            NameMatch::Part => None,
            NameMatch::Whole => Some("--exact".into()),
        };
        let skip = self.skip.iter().map(|name| format!("--skip={name}").into());
        // After `--` everything is a name.
        let names = self.names.iter().map(OsString::from);
        let end = (!self.names.is_empty()).then(|| "--".into());
        exact
            .into_iter()
            .chain(skip)
            .chain(end)
            .chain(names)
            .collect()
    }

    /// Whether a test of this name is wanted.
    pub fn selects(&self, name: &str) -> bool {
        let matches = |text: &String| match self.matching {
            NameMatch::Part => name.contains(text.as_str()),
            NameMatch::Whole => name == text,
        };
        (self.names.is_empty() || self.names.iter().any(matches)) && !self.skip.iter().any(matches)
    }
}

impl IgnoredTests {
    /// The argument of libtest that says the same.
    pub fn to_argument(self) -> Option<OsString> {
        match self {
            IgnoredTests::Report => None,
            IgnoredTests::Only => Some("--ignored".into()),
            IgnoredTests::Run => Some("--include-ignored".into()),
        }
    }
}

impl CargoOptions {
    /// Whether printing the configuration alone is what was meant.
    pub fn only_print(&self) -> Result<(), CargoOptionsError> {
        match self.names.first() {
            None => Ok(()),
            Some(name) => Err(CargoOptionsError::PrintsOnly { name: name.clone() }),
        }
    }

    /// Settles what was typed, on a machine with so many CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<CargoSettings, CargoOptionsError> {
        let harness = HarnessArguments::read(&self.test_arguments)?;
        // Next to `--workspace` a value may be a package, which only the workspace can tell.
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
        let (common, containers) = self.common.settle(slots, passing_output);
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
    // Cargo refuses this as well, but only once it builds.
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
