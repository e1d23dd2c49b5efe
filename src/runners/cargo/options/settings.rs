//! The options of `cargo maelstrom` as meant: [`CargoSettings`].

use std::ffi::OsString;
use std::time::Duration;

use crate::options::{NoTestsOption, RunSettings};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{TestPattern, TestSelection};
use maelstrom_spec::filterset::{FiltersetPlatform, TestFilterset};

use crate::cargo::nextest_config::NextestSettings;

use super::peer::CargoGrammar;
use super::{CargoBuildOptions, TargetOptions};

/// The options, resolved.
#[derive(Clone, Debug)]
pub struct CargoSettings {
    pub goal: CargoAction,
    pub packages: PackageChoice,
    /// The patterns that select tests.
    pub patterns: TestSelection,
    /// The filtersets that select tests: those in any of them, or all tests if there are none.
    pub filtersets: Vec<TestFilterset>,
    /// The platform for which the selected test binaries are built; `None` means any.
    pub platform: Option<FiltersetPlatform>,
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
    pub doctests: DoctestChoice,
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
    /// The tool in whose words the command line is written.
    pub grammar: CargoGrammar,
    /// What nextest's configuration says about tests.
    pub nextest: NextestSettings,
}

/// Whether doctests are among the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoctestChoice {
    Without,
    /// They are tested besides the targets.
    Also,
    /// They alone are tested.
    Only,
}

/// A run without a test that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NothingToRun {
    /// Options leave out all tests that there are.
    LeftOut,
    /// No test depends on a changed file.
    Unchanged,
    /// There are no tests, or all are ignored.
    NoneFound,
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

impl CargoSettings {
    /// Returns the exit code for a run in which no test runs; `None` if that is a success.
    ///
    /// Without `--no-tests`, it is an error if the user named tests or gave patterns, and none
    /// matches; for `cargo nextest run` it always is. It is none if no test depends on a changed file.
    pub fn without_tests(&self, nothing: NothingToRun) -> Option<u8> {
        let names = !self.names.names.is_empty() || !self.names.skip.is_empty();
        let patterns = !self.patterns.include.is_empty() || !self.patterns.exclude.is_empty();
        let filtersets = !self.filtersets.is_empty() || self.platform.is_some();
        let specific = names || patterns || filtersets;
        let fails = match (self.common.no_tests, self.grammar) {
            (Some(NoTestsOption::Pass | NoTestsOption::Warn), _) => false,
            (Some(NoTestsOption::Fail), _) => true,
            (None, _) if nothing == NothingToRun::Unchanged => false,
            (None, CargoGrammar::NextestRun) => true,
            (None, CargoGrammar::CargoTest | CargoGrammar::NextestList) => {
                specific && nothing == NothingToRun::LeftOut
            }
        };
        (self.goal == CargoAction::Run && fails).then_some(exit_code::NO_TESTS)
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
