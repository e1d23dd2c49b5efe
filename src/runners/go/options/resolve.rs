//! Resolves options into settings.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::go::run_pattern::{RunPattern, RunPatternError};
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::event::IsolationMode;
use maelstrom_spec::filter::{PatternError, TestSelection, vocabulary};

use super::timeout::GoTimeout;
use super::{
    GoBuildOptions, GoOptions, GoRunOptions, GoTestOptions, IsolationOption, PassingTestOutput,
    ReportOptions, SLOTS_MAX,
};
use crate::sandbox::cluster::RunnerClusterOptions;

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
    /// How many tests at a time, 1 to 1000.
    pub slots: u32,
    /// What keeps tests apart.
    pub isolation: IsolationMode,
    /// Whether tests see this machine's programs and toolchain.
    pub toolbox: Toolbox,
    /// How often each test runs.
    pub repeat: NonZeroU32,
    /// The number of failures after which the run stops.
    pub stop_after: Option<NonZeroU32>,
    /// After how long a test is ended from outside.
    pub timeout: Option<Duration>,
    /// The same as it was said, in seconds, 0 for no limit; it wins against the project's file.
    pub timeout_s: Option<u32>,
    /// In what tests run.
    pub containers: TestContainerOptions,
    /// Whether passing tests' output is shown.
    pub passing_output: PassingTestOutput,
    /// What is shown otherwise, and where.
    pub report: ReportOptions,
    /// Where it runs, if not only here.
    pub cluster: RunnerClusterOptions,
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
#[derive(Debug, thiserror::Error)]
pub enum GoOptionsError {
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error("the value of `-{option}` can't be used")]
    RunPattern {
        option: &'static str,
        #[source]
        source: RunPatternError,
    },
    /// A flag of `go test` that makes no sense with a process for each test.
    #[error("`{flag}` is not supported")]
    Refused { flag: String },
    /// The same in `GOFLAGS`.
    #[error("`{flag}`, which GOFLAGS says, is not supported")]
    RefusedVariable { flag: String },
    /// Something that only a container can keep from tests.
    #[error("`--strict` needs a container, and `--isolation=process` gives none")]
    StrictProcess,
}

impl GoOptionsError {
    /// What to do about it, if more can be said than what is wrong.
    pub fn help(&self) -> Option<String> {
        match self {
            GoOptionsError::Pattern(error) => error.help(),
            GoOptionsError::Refused { flag } => Some(instead(flag)),
            GoOptionsError::RefusedVariable { flag } => Some(format!(
                "{}; for everything else, set GOFLAGS without it",
                instead(flag)
            )),
            GoOptionsError::RunPattern { .. } | GoOptionsError::StrictProcess => None,
        }
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
        let isolation = match run.isolation {
            IsolationOption::Container => IsolationMode::Container,
            IsolationOption::Process => IsolationMode::Process,
        };
        let toolbox = match (run.strict, isolation) {
            (false, IsolationMode::Container | IsolationMode::Process) => Toolbox::Present,
            (true, IsolationMode::Container) => Toolbox::Absent,
            (true, IsolationMode::Process) => return Err(GoOptionsError::StrictProcess),
        };
        let slots_max = u32::try_from(SLOTS_MAX).unwrap_or(u32::MAX);
        Ok(GoSettings {
            goal: goal(&self.tests, &self.containers),
            containers: self.containers,
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
                Some(GoTimeout::Seconds(seconds)) if seconds > 0 => {
                    Some(Duration::from_secs(seconds.into()))
                }
                Some(GoTimeout::Seconds(_) | GoTimeout::Go(_)) | None => None,
            },
            test_flags: run.test_flag,
            extra_arguments: self.test_arguments,
            slots: run.slots.unwrap_or(cpus.get()).clamp(1, slots_max),
            isolation,
            toolbox,
            repeat: run.repeat,
            stop_after: match run.failfast {
                true => Some(NonZeroU32::MIN),
                false => run.stop_after,
            },
            passing_output: match run.verbose {
                true => PassingTestOutput::Shown,
                false => PassingTestOutput::Hidden,
            },
            report: self.report,
            cluster: self.cluster,
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
