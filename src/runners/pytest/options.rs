//! The command line of `maelstrom-pytest`: [`PytestOptions`] as parsed, [`PytestSettings`] as
//! resolved.
//!
//! The command line is pytest's: its flags, and those of plugins, mean what they mean to pytest
//! ([`super::words`], [`super::peer_flags`]). The options of the original Maelstrom have their long
//! names, and the letters that pytest does not use.
//!
//! Invariant: resolving options touches neither the system nor the environment.

mod resolve;

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser};

use super::addopts::project_words;
use super::words::{OwnOptions, RunVariables, rewrite};
use crate::options::changed::CHANGED_VALUES;
use crate::options::policy::POLICY_VALUES;
use crate::options::profile::{ProfileRequest, chosen_name};
use crate::options::report::REPORT_VALUES;
use crate::options::{CommonOptions, REPEAT_VALUES, SLOT_VALUES, help_order, short_help};
use crate::sandbox::caches::CACHE_VALUES;
use crate::sandbox::cluster::{BROKER_VALUES, CLUSTER_VALUES};
use crate::sandbox::project_spec::files;
use maelstrom_spec::config::{
    self, ConfigDialect, ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind,
    ConfigSchema, KnownValues, LogLevel, ProjectValues, ResolvedConfig,
};

pub use self::resolve::{
    PytestAction, PytestArguments, PytestOptionsError, PytestSettings, TestProcessMode,
};

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
        &CHANGED_VALUES,
        &POLICY_VALUES,
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

/// The help text of `-q`, which is pytest's as well.
const QUIET_HELP: &str = "Print only failures and the summary; also -q, which pytest gets as well";

/// The help text of `--slots`, which is pytest-xdist's `-n`.
const SLOTS_HELP: &str =
    "Number of tests to run at a time; `auto` is the number of CPUs [default: auto]";

/// The command line of `maelstrom-pytest`, after [`rewrite`].
#[derive(Clone, Debug, Parser)]
#[command(
    name = "maelstrom-pytest",
    version,
    disable_version_flag = true,
    args_override_self = true,
    mut_arg("repeat", |repeat| repeat.short(None)),
    mut_arg("stop_after", |stop_after| stop_after.short(None)),
    mut_arg("quiet", |quiet| quiet.short(None).help(QUIET_HELP)),
    mut_arg("slots", |slots| slots.short('n').alias("numprocesses").help(SLOTS_HELP)),
    about = "Collects the tests of a Python project with pytest and runs each in its own container",
    after_help = "The flags of pytest, of pytest-xdist and of the project's plugins mean what they mean \
                  to pytest: --tb=short, -p no:cacheprovider, -W error, -o xfail_strict=true, \
                  --reruns 2, ... `python -m pytest --help` lists them. Flags in `addopts` and in \
                  PYTEST_ADDOPTS apply as well."
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

    /// Have pytest show more detail about failures
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// pytest's other words, each with its role
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pytest_word: Vec<OsString>,

    /// Flags of pytest's that nobody can use here
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pytest_refused: Vec<String>,

    /// Whether a flag of pytest's shows the output of passing tests
    #[arg(long, hide = true)]
    pytest_passing_output: bool,

    /// The selection of tests.
    #[command(flatten)]
    pub tests: PytestTestOptions,

    /// How the tests run.
    #[command(flatten)]
    pub run: PytestRunOptions,

    /// The options that all test programs share.
    #[command(flatten)]
    pub common: CommonOptions,

    /// What pytest reports of the tests.
    #[command(flatten)]
    pub reports: PytestReportOptions,

    /// The options of the configuration whose names are pytest's.
    #[command(flatten)]
    pub renamed: RenamedOptions,
}

/// What pytest reports of the tests.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reporting")]
pub struct PytestReportOptions {
    /// Write a JUnit report of pytest's own form to this file
    #[arg(
        long,
        visible_alias = "junit-xml",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub junitxml: Option<OsString>,

    /// Print this many of the slowest phases of tests at the end; 0 prints all
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub durations: Option<OsString>,
}

/// The options of the configuration whose usual names mean something else to pytest. The usual names
/// are aliases for variables and files; on a command line they are pytest's.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub struct RenamedOptions {
    /// Read only this configuration file of Maelstrom's; `-` reads none
    #[arg(
        id = "config-file",
        long = "maelstrom-config-file",
        alias = "config-file",
        value_name = "FILE"
    )]
    pub config_file: Option<PathBuf>,

    /// What Maelstrom logs: to standard error, or to log.txt beside the run's history while the
    /// dashboard is open
    #[arg(
        id = "log-level",
        short = 'L',
        long = "maelstrom-log-level",
        alias = "log-level",
        value_name = "LEVEL",
        value_enum,
        default_value = "info"
    )]
    pub log_level: LogLevel,
}

/// The selection of tests.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Tests")]
pub struct PytestTestOptions {
    /// Run only tests that match this pattern; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,

    /// Skip tests that match this pattern; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// Run only tests whose names match this pytest expression
    #[arg(short = 'k', value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub keyword: Option<OsString>,

    /// Run only tests whose markers match this pytest expression
    #[arg(short = 'm', value_name = "EXPRESSION", allow_hyphen_values = true)]
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
    #[arg(long, visible_aliases = ["collect-only", "co"], group = "goal")]
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

    /// Stop after the first failure
    #[arg(short = 'x', long, overrides_with = "maxfail", display_order = help_order::FIRST + 1)]
    pub exitfirst: bool,

    /// Stop after this many failures
    #[arg(
        long,
        value_name = "N",
        allow_hyphen_values = true,
        overrides_with = "exitfirst",
        display_order = help_order::FIRST + 2
    )]
    pub maxfail: Option<OsString>,

    /// Capture no output, and show that of passing tests as well
    #[arg(short = 's', display_order = help_order::FIRST + 3)]
    pub no_capture: bool,

    /// Stop a test that runs longer than this many seconds; 0 means no limit
    #[arg(short, long, value_name = "SECONDS", value_parser = whole_seconds)]
    pub timeout: Option<u32>,

    /// Give up on a file whose import takes longer than this many seconds; 0 means no limit
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub collection_timeout: u32,
}

/// Parses a number of seconds. Like pytest-timeout's, it may have a fraction, which counts as a whole
/// second.
fn whole_seconds(text: &str) -> Result<u32, String> {
    let expected = "a number of seconds is expected, such as 30";
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    match text.parse::<f64>() {
        // The range is checked, and the fraction is gone.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked"
        )]
        Ok(seconds) if (0.0..=f64::from(u32::MAX)).contains(&seconds) => Ok(seconds.ceil() as u32),
        Ok(_) | Err(_) => Err(expected.to_owned()),
    }
}

impl PytestOptions {
    /// Resolves the options from a command line (program name first), variables and files, for a
    /// machine with `cpus` CPUs. `directory` is the working directory.
    pub fn resolved<I>(
        arguments: I,
        system: &impl ConfigEnvironment,
        directory: &Path,
        cpus: NonZeroU32,
    ) -> Result<ResolvedConfig<PytestOptions>, ConfigError>
    where
        I: IntoIterator<Item = OsString>,
    {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let variable = |name: &str| system.variable(name)?.into_string().ok();
        let variables = RunVariables {
            project: project_words(system, directory, &arguments),
            added: variable("PYTEST_ADDOPTS").unwrap_or_default(),
            automatic: variable("PYTEST_XDIST_AUTO_NUM_WORKERS")
                .and_then(|number| number.parse().ok()),
            cpus: cpus.get(),
        };
        let words = rewrite(arguments, &own_options(), &variables);
        let dialect = ConfigDialect {
            command: PytestOptions::command(),
            variables: &[],
            project: Some(Box::new(|known| profile(known, system))),
        };
        let mut resolved: ResolvedConfig<PytestOptions> =
            config::resolve_dialect(&PROGRAM, dialect, &words, system)?;
        resolved.options.common.policy.origins = resolved.origins.clone();
        Ok(resolved)
    }

    /// Parses only a command line, program name first.
    pub fn read<I>(arguments: I) -> Result<PytestOptions, clap::Error>
    where
        I: IntoIterator<Item = OsString>,
    {
        let variables = RunVariables {
            cpus: 1,
            ..RunVariables::default()
        };
        PytestOptions::try_parse_from(rewrite(arguments, &own_options(), &variables))
    }
}

/// Returns what the project's own file says about the run.
fn profile(
    known: &dyn KnownValues,
    system: &impl ConfigEnvironment,
) -> Result<ProjectValues, ConfigError> {
    let request = ProfileRequest {
        schema: &PROGRAM,
        system,
        file: system.directory().map(|here| here.join(files::PYTEST.name)),
        name: &chosen_name(known),
    };
    request.alone()
}

/// Returns this program's own options.
fn own_options() -> OwnOptions {
    let booleans = |value: &&ConfigOption| match value.kind {
        ConfigOptionKind::Boolean | ConfigOptionKind::List | ConfigOptionKind::Words => true,
        ConfigOptionKind::Text
        | ConfigOptionKind::Number
        | ConfigOptionKind::NumberOrText
        | ConfigOptionKind::Size
        | ConfigOptionKind::Character => false,
    };
    let negatable = PROGRAM.values().filter(booleans).map(|value| value.name);
    OwnOptions::of(&PytestOptions::command(), negatable)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use miette::Diagnostic;

    use super::*;
    use crate::options::PassingTestOutput;
    use crate::pytest::words::{PytestWord, WordRole};
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
            "--cov",
            "src",
            "-x",
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
        let word = |role, text: &str| PytestWord {
            role,
            text: text.into(),
        };
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            settings.pytest,
            PytestArguments {
                typed: vec![
                    word(WordRole::Path, "tests/unit"),
                    word(WordRole::Always, "--cov"),
                    word(WordRole::Always, "src"),
                ],
                always: words(&["-p", "no:x", "--tb=short", "-v", "-v", "-x"]),
                collecting: words(&["--ignore=y", "-k", "a or b", "-m", "not slow", "--pyargs"]),
                paths: words(&["pkg.tests"]),
            }
        );
        assert_eq!(settings.timeout, Some(Duration::from_secs(7)));
        assert_eq!(settings.collection_timeout, None);
    }

    #[test]
    fn flags_of_pytest_have_their_effect_on_the_run() {
        let settings = resolve(&["-n", "7", "-q", "--lf", "--color=yes"]);
        assert_eq!(settings.common.slots, 7);
        assert!(settings.common.report.quiet && settings.common.failed_only);
        let settings = resolve(&["--co", "-qq"]);
        assert_eq!(settings.goal, PytestAction::List);
        assert!(!settings.common.report.quiet);
        for (words, shown) in [
            (&["-s"][..], PassingTestOutput::Shown),
            (&["--capture=tee-sys"], PassingTestOutput::Shown),
            (&["-rA"], PassingTestOutput::Shown),
            (&["-ra", "-v"], PassingTestOutput::Hidden),
        ] {
            assert_eq!(resolve(words).common.passing_output, shown, "{words:?}");
        }
        let ones = [("-x", "-x"), ("--maxfail=2", "--maxfail=2")];
        for ((first, _), (last, word)) in [(ones[0], ones[1]), (ones[1], ones[0])] {
            assert_eq!(resolve(&[first, last]).pytest.always, [word]);
        }
        assert_eq!(
            resolve(&["--timeout=0.5"]).timeout,
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_refused_flag_says_what_to_use() {
        for (flag, instead) in [
            ("--pdb", "--tty NODEID -- --pdb"),
            ("--lfnf=none", "--no-tests=pass"),
        ] {
            let words = ["x", flag].map(OsString::from);
            let error = PytestOptions::read(words).unwrap().resolve(NonZeroU32::MIN);
            let help = error.unwrap_err().help().unwrap().to_string();
            assert!(help.contains(instead), "{help}");
        }
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
