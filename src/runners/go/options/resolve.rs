//! Resolves options into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;

use crate::go::run_pattern::{RunPattern, RunPatternError};
use crate::options::{
    EventStreamFormat, PassingTestOutput, RunSettings, StrictProcessError, slots, time_limit,
};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{PatternError, TestSelection, vocabulary};

use super::flags::instead;
use super::timeout::GoTimeout;
use super::{GoBuildOptions, GoOptions, GoRunOptions, GoTestOptions};

/// Go's pattern for all packages below the current directory.
const ALL_PACKAGES: &str = "./...";

/// Go's pattern for the package in the current directory.
const ONE_PACKAGE: &str = ".";

/// The options, resolved.
#[derive(Clone, Debug)]
pub struct GoSettings {
    pub goal: GoAction,
    /// The directory to change to, if any.
    pub directory: Option<PathBuf>,
    /// The packages to test, in Go's notation.
    pub packages: Vec<String>,
    /// The patterns that select tests.
    pub patterns: TestSelection,
    /// Go's expression that selects tests and subtests.
    pub run: Option<RunPattern>,
    /// Go's expression that excludes tests and subtests.
    pub skip: Option<RunPattern>,
    /// Go's expression that selects benchmarks; `None` for none.
    pub bench: Option<RunPattern>,
    /// Go's expression that selects the test to fuzz.
    pub fuzz: Option<RunPattern>,
    /// Whether nothing runs because of `-count=0`.
    pub count_is_zero: bool,
    /// Flags for the build, all of which `go list` accepts as well.
    pub build_flags: Vec<String>,
    /// The value of `GOFLAGS` for Go's commands, if it differs from the environment's.
    pub go_flags: Option<String>,
    /// Flags that only `go test` accepts.
    pub go_test_flags: Vec<String>,
    /// Flags that `go test` passes to the test binaries.
    pub test_flags: Vec<String>,
    /// Arguments that are appended to those of every test binary.
    pub extra_arguments: Vec<OsString>,
    /// The settings that all programs share.
    pub common: RunSettings,
    /// Whether tests see this machine's programs and toolchain.
    pub toolbox: Toolbox,
    /// The timeout of a test, enforced by the engine.
    pub timeout: Option<Duration>,
    /// The value of `--timeout` in seconds, 0 for none. It takes precedence over the container
    /// file.
    pub timeout_s: Option<u32>,
    /// The options for the tests' containers.
    pub containers: TestContainerOptions,
}

/// The purpose of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoAction {
    /// Builds, lists and runs the tests.
    Run,
    /// Builds the tests and prints their names.
    ListTests,
    ListPackages,
    Build,
    /// Writes the project's starter file.
    Init,
    /// Builds the tests, and explains the container of one.
    Explain,
}

/// The error of options that contradict each other or are invalid.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum GoOptionsError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    #[error("the value of `-{option}` can't be used")]
    RunPattern {
        option: &'static str,
        #[source]
        source: RunPatternError,
    },
    /// A flag of `go test` that this program does not support.
    #[error("`{flag}` is not supported")]
    #[diagnostic(help("{}", instead(flag).unwrap_or("use `go test`")))]
    Refused { flag: String },
    /// The same flag in `GOFLAGS`.
    #[error("`{flag}` in GOFLAGS is not supported")]
    #[diagnostic(help(
        "{}; for everything else, set GOFLAGS without it",
        instead(flag).unwrap_or("use `go test`")
    ))]
    RefusedVariable { flag: String },
    /// A letter that means something else in `go test`.
    #[error("`{letter}` is a flag of `go test` and takes no value")]
    #[diagnostic(help("use `{long}`"))]
    ReusedLetter { letter: String, long: &'static str },
    /// `--strict` without a container.
    #[error(transparent)]
    Strict(#[from] StrictProcessError),
}

impl ProgramError for GoOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl GoOptions {
    /// Turns the options into settings for a machine with `cpus` CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<GoSettings, GoOptionsError> {
        if let Some(flag) = self.build.refused_flag.first().cloned() {
            return Err(GoOptionsError::Refused { flag });
        }
        if let Some(flag) = self.build.refused_go_flag.first().cloned() {
            return Err(GoOptionsError::RefusedVariable { flag });
        }
        if let Some(letter) = self.build.reused_letter.first().cloned() {
            let long = match letter.as_str() {
                "-x" => "--exclude PATTERN",
                _ => "--config-file FILE",
            };
            return Err(GoOptionsError::ReusedLetter { letter, long });
        }
        let run = self.run;
        let bench = run_pattern("bench", self.tests.bench.as_deref())?;
        let fuzz = run_pattern("fuzz", self.tests.fuzz.as_deref())?;
        // Others would disturb the measurement.
        let runs_alone = bench.is_some() || fuzz.is_some();
        let toolbox = self.common.toolbox(run.strict)?;
        let slots = slots(self.common.slots.or(runs_alone.then_some(1)), cpus);
        let passing_output = match run.verbose || runs_alone {
            true => PassingTestOutput::Shown,
            false => PassingTestOutput::Hidden,
        };
        let timeout_s = match run.timeout {
            Some(GoTimeout::Seconds(seconds)) => Some(seconds),
            Some(GoTimeout::Go(_)) | None => None,
        };
        let (mut common, containers) = self.common.settle(slots, timeout_s, passing_output);
        if run.failfast {
            common.stop_after = Some(NonZeroU32::MIN);
        }
        common.stream = match (run.json, listed(&self.tests)) {
            (true, _) => Some(EventStreamFormat::Test2Json),
            (false, Some(_)) => Some(EventStreamFormat::GoList),
            (false, None) => None,
        };
        let about_one = self.build.compile || self.build.output.is_some() || fuzz.is_some();
        let go_test_flags = go_test_flags(&self.build, &run, fuzz.as_ref());
        Ok(GoSettings {
            goal: goal(&self.tests, &self.build, &containers),
            containers,
            timeout_s,
            patterns: TestSelection::parse(
                &self.tests.include,
                &self.tests.exclude,
                &vocabulary::GO,
            )?,
            run: match listed(&self.tests) {
                Some(pattern) => run_pattern("list", Some(pattern))?,
                None => run_pattern("run", self.tests.run.as_deref())?,
            },
            skip: run_pattern("skip", self.tests.skip.as_deref())?,
            bench,
            fuzz,
            count_is_zero: self.tests.no_runs,
            packages: match self.packages.is_empty() {
                true if about_one => vec![ONE_PACKAGE.to_owned()],
                true => vec![ALL_PACKAGES.to_owned()],
                false => self.packages,
            },
            go_test_flags,
            directory: self.build.directory,
            build_flags: self.build.build_flag,
            go_flags: self.build.go_flags,
            timeout: timeout_s.and_then(time_limit),
            test_flags: run.test_flag,
            extra_arguments: self.test_arguments,
            common,
            toolbox,
        })
    }
}

fn goal(
    tests: &GoTestOptions,
    build: &GoBuildOptions,
    containers: &TestContainerOptions,
) -> GoAction {
    if containers.init {
        return GoAction::Init;
    }
    if containers.asked().0.is_some() {
        return GoAction::Explain;
    }
    let lists_tests = tests.list_tests || listed(tests).is_some();
    let only_builds = tests.no_run || tests.no_runs || build.compile;
    match (lists_tests, tests.list_packages, only_builds) {
        (true, _, _) => GoAction::ListTests,
        (_, true, _) => GoAction::ListPackages,
        (_, _, true) => GoAction::Build,
        (false, false, false) => GoAction::Run,
    }
}

/// Returns the value of `-list`. Like Go, ignores an empty one.
fn listed(tests: &GoTestOptions) -> Option<&str> {
    let pattern = tests.list_matching.as_deref();
    pattern.filter(|pattern| !pattern.is_empty())
}

fn run_pattern(
    option: &'static str,
    pattern: Option<&str>,
) -> Result<Option<RunPattern>, GoOptionsError> {
    // Like Go, ignores an empty pattern; an empty `-skip` would exclude every test.
    pattern
        .filter(|pattern| !pattern.is_empty())
        .map(RunPattern::parse)
        .transpose()
        .map_err(|source| GoOptionsError::RunPattern { option, source })
}

fn go_test_flags(
    build: &GoBuildOptions,
    run: &GoRunOptions,
    fuzz: Option<&RunPattern>,
) -> Vec<String> {
    let mut flags = Vec::new();
    flags.extend(build.compile.then(|| "-c".to_owned()));
    flags.extend(build.output.as_ref().map(|file| format!("-o={file}")));
    // Go instruments the package for it.
    flags.extend(fuzz.map(|pattern| format!("-fuzz={}", pattern.as_written())));
    flags.extend(build.parallel_steps.map(|steps| format!("-p={steps}")));
    flags.extend(build.vet.as_ref().map(|list| format!("-vet={list}")));
    flags.extend(run.short.then(|| "-short".to_owned()));
    flags.extend(run.fullpath.then(|| "-fullpath".to_owned()));
    flags.extend(run.timeout.as_ref().map(|timeout| match timeout {
        // Go's own timeout is disabled, because the engine enforces this one.
        GoTimeout::Seconds(_) => "-timeout=0".to_owned(),
        GoTimeout::Go(duration) => format!("-timeout={duration}"),
    }));
    flags
}
