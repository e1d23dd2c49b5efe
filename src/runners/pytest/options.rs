//! The command line of `maelstrom-pytest`: [`PytestOptions`] as parsed, [`PytestSettings`] as
//! resolved.
//!
//! Options are named as in the original Maelstrom and in `pytest`: files, directories and node ids,
//! `-k` and `-m`. All other options of pytest go through the lists of extra arguments.
//!
//! Invariant: resolving options touches neither the system nor the environment.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use miette::Diagnostic;

use crate::options::report::REPORT_VALUES;
use crate::options::{
    CommonOptions, PassingTestOutput, REPEAT_VALUES, RunSettings, SLOT_VALUES, help_order,
    short_help, slots, time_limit,
};
use crate::sandbox::caches::CACHE_VALUES;
use crate::sandbox::cluster::{BROKER_VALUES, CLUSTER_VALUES};
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::config::{
    self, ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind, ConfigSchema,
    ResolvedConfig,
};
use maelstrom_spec::filter::{PatternError, TestPattern, TestSelection, vocabulary};

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "maelstrom-pytest",
    prefix: "MAELSTROM_PYTEST",
    directories: &["maelstrom/maelstrom-pytest", "maelstrom/pytest"],
    help: &short_help::PYTEST,
    values: &[
        &SLOT_VALUES,
        &[ConfigOption::new("fresh", ConfigOptionKind::Boolean)],
        &REPEAT_VALUES,
        &[
            ConfigOption::new("collection-timeout", ConfigOptionKind::NumberOrText),
            ConfigOption::new("python", ConfigOptionKind::Text),
        ],
        &CACHE_VALUES,
        &REPORT_VALUES,
        &BROKER_VALUES,
        &CLUSTER_VALUES,
        &[
            ConfigOption::new("together", ConfigOptionKind::List),
            ConfigOption::new("collect-from-module", ConfigOptionKind::Text),
            ConfigOption::new("extra-pytest-args", ConfigOptionKind::List),
            ConfigOption::new("extra-pytest-collect-args", ConfigOptionKind::List),
            ConfigOption::trailing("extra-pytest-test-args", "extra_pytest_test_args"),
        ],
    ],
};

/// The command line of `maelstrom-pytest`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "maelstrom-pytest",
    version,
    disable_version_flag = true,
    about = "Collects the tests of a Python project with pytest and runs each in its own container"
)]
pub struct PytestOptions {
    /// Files, directories or node ids to collect, as for pytest
    #[arg(value_name = "FILE")]
    pub paths: Vec<OsString>,

    /// Arguments for pytest: options, and more files, directories or node ids
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub extra_pytest_test_args: Vec<OsString>,

    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// Passed to pytest, which then shows more detail about failures
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// The selection of tests.
    #[command(flatten)]
    pub tests: PytestTestOptions,

    /// How the tests run.
    #[command(flatten)]
    pub run: PytestRunOptions,

    /// The options that all test programs share.
    #[command(flatten)]
    pub common: CommonOptions,
}

/// The selection of tests.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Tests")]
pub struct PytestTestOptions {
    /// Run only tests that match this pattern; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,

    /// Skip tests that match this pattern; may be repeated
    #[arg(short = 'x', long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// Run only tests whose names match this pytest expression
    #[arg(short = 'k', value_name = "EXPRESSION")]
    pub keyword: Option<OsString>,

    /// Run only tests whose markers match this pytest expression
    #[arg(short = 'm', value_name = "EXPRESSION")]
    pub markers: Option<OsString>,

    /// Collect the tests of this importable module or package, as with pytest's --pyargs
    #[arg(long, value_name = "MODULE")]
    pub collect_from_module: Option<OsString>,

    /// Extra argument for pytest, both to collect and to run tests; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub extra_pytest_args: Vec<OsString>,

    /// Extra argument for pytest to collect tests; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub extra_pytest_collect_args: Vec<OsString>,

    /// Collect, print the node ids of the tests, and exit
    #[arg(short, long, group = "goal")]
    pub list: bool,
}

/// How the tests run, besides [`CommonOptions`].
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Running", next_display_order = help_order::LAST)]
pub struct PytestRunOptions {
    /// Python interpreter to use [default: that of $VIRTUAL_ENV, else of the project's .venv or
    /// venv, else `python3` on PATH]
    #[arg(long, value_name = "PROGRAM", display_order = help_order::FIRST)]
    pub python: Option<PathBuf>,

    /// Start a new Python for every test instead of forking one that has already collected the
    /// tests
    #[arg(long, display_order = help_order::AFTER_ISOLATION)]
    pub fresh: bool,

    /// Run the tests that match this pattern together, in one session of pytest; may be repeated
    #[arg(long, value_name = "PATTERN", display_order = help_order::AFTER_ISOLATION + 1)]
    pub together: Vec<String>,

    /// Stop a test that runs longer than this many seconds; 0 means no limit
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u32>,

    /// Give up on a file whose import takes longer than this many seconds; 0 means no limit
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub collection_timeout: u32,
}

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
    /// Arguments for both collection and tests.
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
}

impl ProgramError for PytestOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl PytestOptions {
    /// Resolves the options from a command line (program name first), variables and files.
    pub fn resolved(
        arguments: &[OsString],
        system: &impl ConfigEnvironment,
    ) -> Result<ResolvedConfig<PytestOptions>, ConfigError> {
        config::resolve(&PROGRAM, arguments, system)
    }

    /// Parses only a command line, program name first.
    pub fn read<I>(arguments: I) -> Result<PytestOptions, clap::Error>
    where
        I: IntoIterator<Item = OsString>,
    {
        PytestOptions::try_parse_from(arguments)
    }

    /// Turns the options into settings for a machine with `cpus` CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<PytestSettings, PytestOptionsError> {
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
        let together = self.run.together.into_iter().map(|text| {
            let pattern = TestPattern::parse(&text, &vocabulary::PYTEST)?;
            Ok((text, pattern))
        });
        let slots = slots(self.common.slots, cpus);
        let (common, containers) = self.common.settle(slots, PassingTestOutput::Hidden);
        Ok(PytestSettings {
            goal: goal(&containers, list),
            common,
            containers,
            patterns: TestSelection::parse(&include, &exclude, &vocabulary::PYTEST)?,
            pytest: PytestArguments {
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

fn goal(containers: &TestContainerOptions, list: bool) -> PytestAction {
    match (containers.init, &containers.explain, list) {
        (true, _, _) => PytestAction::Init,
        (false, Some(_), _) => PytestAction::Explain,
        (false, None, true) => PytestAction::List,
        (false, None, false) => PytestAction::Run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::IsolationMode;

    fn resolve(words: &[&str]) -> PytestSettings {
        let words = ["maelstrom-pytest"].iter().chain(words).map(OsString::from);
        let options = PytestOptions::read(words).unwrap();
        options.resolve(NonZeroU32::new(3).unwrap()).unwrap()
    }

    #[test]
    fn nothing_said_means_everything() {
        let settings = resolve(&[]);
        assert_eq!(settings.goal, PytestAction::Run);
        assert_eq!(settings.pytest, PytestArguments::default());
        assert_eq!(settings.common.slots, 3);
        assert_eq!(settings.timeout, None);
        assert_eq!(settings.collection_timeout, Some(Duration::from_secs(60)));
        assert_eq!(settings.common.isolation(), IsolationMode::Container);
    }

    #[test]
    fn pytests_own_options_select_and_the_others_pass_through() {
        let settings = resolve(&[
            "tests/unit",
            "-k",
            "a or b",
            "-m",
            "not slow",
            "--extra-pytest-args=-p",
            "--extra-pytest-args=no:x",
            "--extra-pytest-collect-args",
            "--ignore=y",
            "--collect-from-module=pkg.tests",
            "--timeout=7",
            "--collection-timeout=0",
            "-vv",
            "--",
            "--tb=short",
        ]);
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            settings.pytest,
            PytestArguments {
                always: words(&["-p", "no:x", "--tb=short", "-v", "-v"]),
                collecting: words(&["--ignore=y", "-k", "a or b", "-m", "not slow", "--pyargs"]),
                paths: words(&["tests/unit", "pkg.tests"]),
            }
        );
        assert_eq!(settings.timeout, Some(Duration::from_secs(7)));
        assert_eq!(settings.collection_timeout, None);
    }

    #[test]
    fn a_pattern_of_another_runner_is_refused() {
        let words = ["x", "-i", "library"].map(OsString::from);
        let error = PytestOptions::read(words).unwrap().resolve(NonZeroU32::MIN);
        assert!(matches!(error, Err(PytestOptionsError::Pattern(_))));
    }

    #[test]
    fn the_help_text_is_complete() {
        use clap::CommandFactory;
        insta::assert_snapshot!(PytestOptions::command().term_width(100).render_help());
    }
}
