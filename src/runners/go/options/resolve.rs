//! Resolves options into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;

use crate::go::run_pattern::{RunPattern, RunPatternError};
use crate::options::{PassingTestOutput, RunSettings, StrictProcessError, slots, time_limit};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::{PatternError, TestSelection, vocabulary};

use super::timeout::GoTimeout;
use super::{GoBuildOptions, GoOptions, GoRunOptions, GoTestOptions};

/// All packages below the current directory, as Go writes it.
const ALL_PACKAGES: &str = "./...";

/// What a command line means.
#[derive(Clone, Debug)]
pub struct GoSettings {
    pub goal: GoAction,
    /// Where, if not here.
    pub directory: Option<PathBuf>,
    /// Which packages, as Go understands them.
    pub packages: Vec<String>,
    /// Which tests, by pattern.
    pub patterns: TestSelection,
    /// Which tests and subtests, by Go's expressions.
    pub run: Option<RunPattern>,
    /// Which tests and subtests not.
    pub skip: Option<RunPattern>,
    /// What Go is told for building; `go list` understands all of it.
    pub build_flags: Vec<String>,
    /// What Go's commands get as `GOFLAGS`, if not what they would find there.
    pub go_flags: Option<String>,
    /// What only `go test` is told.
    pub go_test_flags: Vec<String>,
    /// What the test binaries are told through `go test`.
    pub test_flags: Vec<String>,
    /// What every test binary gets in the end.
    pub extra_arguments: Vec<OsString>,
    /// What every program's settings have.
    pub common: RunSettings,
    /// Whether tests see this machine's programs and toolchain.
    pub toolbox: Toolbox,
    /// After how long a test is ended from outside.
    pub timeout: Option<Duration>,
    /// The same as it was said, in seconds, 0 for no limit; it wins against the project's file.
    pub timeout_s: Option<u32>,
    /// In what tests run.
    pub containers: TestContainerOptions,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoAction {
    /// Build, list and run.
    Run,
    /// Build and print the tests.
    ListTests,
    ListPackages,
    Build,
    /// Write a file to begin with.
    Init,
    /// Build, and print what a test gets.
    Explain,
}

/// Options that don't go together, or don't mean anything.
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
    /// A flag of `go test` that makes no sense with a process for each test.
    #[error("`{flag}` is not supported")]
    #[diagnostic(help("{}", instead(flag)))]
    Refused { flag: String },
    /// The same in `GOFLAGS`.
    #[error("`{flag}`, which GOFLAGS says, is not supported")]
    #[diagnostic(help("{}; for everything else, set GOFLAGS without it", instead(flag)))]
    RefusedVariable { flag: String },
    /// Something that only a container can keep from tests.
    #[error(transparent)]
    Strict(#[from] StrictProcessError),
}

impl ProgramError for GoOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// What to use instead of a flag that is refused.
fn instead(flag: &str) -> String {
    match flag {
        "-json" => "`--record=FILE` writes what happens as lines of JSON".to_owned(),
        "-exec" => "tests run in containers; `--isolation=process` runs them directly".to_owned(),
        "-c" | "-o" => format!("`--no-run` builds and stops; `go test {flag}` keeps the binary"),
        flag => format!("use `go test {flag}`"),
    }
}

impl GoOptions {
    /// Settles what was typed, on a machine with so many CPUs.
    pub fn resolve(self, cpus: NonZeroU32) -> Result<GoSettings, GoOptionsError> {
        if let Some(flag) = self.build.refused_flag.first().cloned() {
            return Err(GoOptionsError::Refused { flag });
        }
        if let Some(flag) = self.build.refused_go_flag.first().cloned() {
            return Err(GoOptionsError::RefusedVariable { flag });
        }
        let run = self.run;
        let toolbox = self.common.toolbox(run.strict)?;
        let slots = slots(self.common.slots, cpus);
        let passing_output = match run.verbose {
            true => PassingTestOutput::Shown,
            false => PassingTestOutput::Hidden,
        };
        let (mut common, containers) = self.common.settle(slots, passing_output);
        if run.failfast {
            common.stop_after = Some(NonZeroU32::MIN);
        }
        Ok(GoSettings {
            goal: goal(&self.tests, &containers),
            containers,
            timeout_s: match run.timeout {
                Some(GoTimeout::Seconds(seconds)) => Some(seconds),
                Some(GoTimeout::Go(_)) | None => None,
            },
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
            packages: match self.packages.is_empty() {
                true => vec![ALL_PACKAGES.to_owned()],
                false => self.packages,
            },
            go_test_flags: go_test_flags(&self.build, &run),
            directory: self.build.directory,
            build_flags: self.build.build_flag,
            go_flags: self.build.go_flags,
            timeout: match run.timeout {
                Some(GoTimeout::Seconds(seconds)) => time_limit(seconds),
                Some(GoTimeout::Go(_)) | None => None,
            },
            test_flags: run.test_flag,
            extra_arguments: self.test_arguments,
            common,
            toolbox,
        })
    }
}

fn goal(tests: &GoTestOptions, containers: &TestContainerOptions) -> GoAction {
    if containers.init {
        return GoAction::Init;
    }
    if containers.explain.is_some() {
        return GoAction::Explain;
    }
    let lists_tests = tests.list_tests || listed(tests).is_some();
    match (lists_tests, tests.list_packages, tests.no_run) {
        (true, _, _) => GoAction::ListTests,
        (_, true, _) => GoAction::ListPackages,
        (_, _, true) => GoAction::Build,
        (false, false, false) => GoAction::Run,
    }
}

/// What `-list` names; nothing if it is empty, as for Go.
fn listed(tests: &GoTestOptions) -> Option<&str> {
    let pattern = tests.list_matching.as_deref();
    pattern.filter(|pattern| !pattern.is_empty())
}

fn run_pattern(
    option: &'static str,
    pattern: Option<&str>,
) -> Result<Option<RunPattern>, GoOptionsError> {
    // An empty one says nothing, as for Go; of `-skip` it would leave out every test.
    pattern
        .filter(|pattern| !pattern.is_empty())
        .map(RunPattern::parse)
        .transpose()
        .map_err(|source| GoOptionsError::RunPattern { option, source })
}

fn go_test_flags(build: &GoBuildOptions, run: &GoRunOptions) -> Vec<String> {
    let mut flags = Vec::new();
    flags.extend(build.parallel_steps.map(|steps| format!("-p={steps}")));
    flags.extend(build.vet.as_ref().map(|list| format!("-vet={list}")));
    flags.extend(run.short.then(|| "-short".to_owned()));
    flags.extend(run.fullpath.then(|| "-fullpath".to_owned()));
    flags.extend(run.timeout.as_ref().map(|timeout| match timeout {
        // Somebody else keeps it.
        GoTimeout::Seconds(_) => "-timeout=0".to_owned(),
        GoTimeout::Go(duration) => format!("-timeout={duration}"),
    }));
    flags
}
