//! The options and settings that all programs share: [`CommonOptions`] as parsed, [`RunSettings`]
//! as resolved.
//!
//! - [`changed`]: the options for the tests that depend on changed files.
//! - [`interactive`]: the options that run one test on the terminal.
//! - [`partition`]: the options for a part of the tests.
//! - [`policy`]: the options for how each test runs.
//! - [`profile`]: the options that a profile of the project's file sets.
//! - [`repeat`]: the options about repetitions and retries.
//! - [`report`]: the options for the user interface and reports. [`whole_run`]: those about a
//!   run as a whole.
//! - [`short_help`]: the options that `-h` shows.
//!
//! Each program combines them with its own options. Options for the cluster, for layers and images,
//! and for containers are in [`crate::sandbox`].
//!
//! Invariant: resolving options touches neither the system nor the environment.

pub mod changed;
pub(crate) mod help_order;
pub mod interactive;
pub mod partition;
pub mod policy;
pub(crate) mod profile;
pub mod repeat;
pub mod report;
pub mod short_help;
pub mod whole_run;

use std::num::NonZeroU32;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{Args, ValueEnum};

use self::changed::ChangedSettings;
use self::interactive::{InteractiveOptions, InteractiveRun};
use self::partition::PartitionOptions;
use self::policy::{ChosenProfile, PolicyOptions};
use self::repeat::RepeatOptions;
use self::report::ReportOptions;
use self::whole_run::WholeRunOptions;
use crate::sandbox::cluster::RunnerClusterOptions;
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_engine::run::message::{RepeatPlan, RetryPlacement};
use maelstrom_model::event::{IsolationMode, NoticeSeverity};
use maelstrom_spec::config::{ConfigOption, ConfigOptionKind};
use maelstrom_spec::policy::PolicyFields;

/// The maximum number of slots.
const SLOTS_MAX: u32 = 1000;

/// The options about concurrent tests that can also be set by variables and configuration files.
pub(crate) const SLOT_VALUES: [ConfigOption; 2] = [
    ConfigOption::new("slots", ConfigOptionKind::Number),
    ConfigOption::new("isolation", ConfigOptionKind::Text),
];

/// The options about repetition and timeouts that can also be set by variables and configuration
/// files.
pub(crate) const REPEAT_VALUES: [ConfigOption; 5] = [
    ConfigOption::new("repeat", ConfigOptionKind::NumberOrText),
    ConfigOption::new("stop-after", ConfigOptionKind::Number),
    ConfigOption::new("timeout", ConfigOptionKind::NumberOrText),
    ConfigOption::new("run-timeout", ConfigOptionKind::NumberOrText),
    ConfigOption::new("run-variables", ConfigOptionKind::Boolean),
];

/// The options that all test programs share.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Running")]
pub struct CommonOptions {
    /// Number of tests to run at a time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = slot_range(), display_order = help_order::SLOTS)]
    pub slots: Option<u32>,

    /// How tests are isolated from each other
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        display_order = help_order::ISOLATION
    )]
    pub isolation: IsolationOption,

    /// Stop the run after this many failures
    #[arg(short, long, value_name = "N", display_order = help_order::STOP_AFTER)]
    pub stop_after: Option<NonZeroU32>,

    /// Run only the tests that failed in the last run
    #[arg(long, visible_alias = "lf", alias = "last-failed", display_order = help_order::STOP_AFTER + 1)]
    pub failed: bool,

    /// What a run without tests is [default: that of the tool that the program replaces]
    #[arg(long, value_name = "WHAT", value_enum, display_order = help_order::STOP_AFTER + 2)]
    pub no_tests: Option<NoTestsOption>,

    /// Form of the list that --list prints [default: the titles of the tests, one per line]
    #[arg(long, value_name = "FORM", value_enum, display_order = help_order::STOP_AFTER + 3)]
    pub format: Option<ListFormatOption>,

    /// Repetitions and retries.
    #[command(flatten)]
    pub repeats: RepeatOptions,

    /// The run as a whole.
    #[command(flatten)]
    pub whole_run: WholeRunOptions,

    /// The part of the tests to run.
    #[command(flatten)]
    pub partition: PartitionOptions,

    /// The tests that depend on changed files.
    #[command(flatten)]
    pub changed: ChangedSettings,

    /// How each test runs.
    #[command(flatten)]
    pub policy: PolicyOptions,

    /// The containers of the tests.
    #[command(flatten)]
    pub containers: TestContainerOptions,

    /// One test on the terminal.
    #[command(flatten)]
    pub interactive: InteractiveOptions,

    /// The user interface and reports.
    #[command(flatten)]
    pub report: ReportOptions,

    /// The cluster to use, if any.
    #[command(flatten)]
    pub cluster: RunnerClusterOptions,
}

/// What a run without tests is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoTestsOption {
    /// A success
    Pass,
    /// A success, with a warning
    Warn,
    /// A failure, with the exit code of the tool that the program replaces
    Fail,
}

/// The form of a list of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormatOption {
    /// The titles of the tests, one per line
    Plain,
    /// The binary, package or file, and the name of the test: one test per line
    Oneline,
    /// One JSON object for all tests
    Json,
}

/// How tests are isolated from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IsolationOption {
    /// Each test runs in a container of its own
    #[default]
    Container,
    /// Each test runs in a plain process: tests share the machine and can interfere with each other
    Process,
}

/// The settings of a run that all programs share.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The isolation mode, for programs with `--isolation`; `None` means containers.
    pub chosen_isolation: Option<IsolationMode>,
    /// The number of jobs that run at a time, 1 to 1000.
    pub slots: u32,
    /// How often each test runs.
    pub repeat: RepeatPlan,
    /// Where retries of failed tests run.
    pub retry_placement: RetryPlacement,
    /// The number of failures after which the run stops.
    pub stop_after: Option<NonZeroU32>,
    /// The time after which the run is cancelled.
    pub run_limit: Option<Duration>,
    /// Whether variables tell tests the id of the run and their slot.
    pub tells_run: bool,
    /// Whether only the tests that failed in the last run are selected.
    pub failed_only: bool,
    /// What a run without tests is, if the user says so.
    pub no_tests: Option<NoTestsOption>,
    /// The part of the tests to run, and the files of the tests' times.
    pub partition: PartitionOptions,
    /// The tests that depend on changed files.
    pub changed: ChangedSettings,
    /// The machine-readable stream on standard output, in place of the lines for people.
    pub stream: Option<EventStreamFormat>,
    /// The form of a list of tests, if the user says so.
    pub list_format: Option<ListFormatOption>,
    /// How the one test that is selected runs on the terminal, if the user wants that.
    pub interactive: Option<InteractiveRun>,
    /// Whether passing tests' output is shown.
    pub passing_output: PassingTestOutput,
    /// What the user says about how each test runs. It comes before what files say.
    pub policy: PolicyFields,
    /// The profile of the project's file.
    pub profile: ChosenProfile,
    /// The options for the user interface and reports.
    pub report: ReportOptions,
    /// The cluster to use, if any.
    pub cluster: RunnerClusterOptions,
}

/// A machine-readable stream of a run's events on standard output. Each program chooses by its own
/// option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStreamFormat {
    /// The lines of libtest's `--format json`.
    LibtestJson,
    /// The same with nextest's further fields.
    LibtestJsonPlus,
    /// The lines of `go test -json`.
    Test2Json,
    /// The lines of `go test -list`.
    GoList,
}

/// Whether and when passing tests' output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingTestOutput {
    /// Their output is not shown.
    Hidden,
    /// All tests' output is shown while they run.
    Shown,
    /// Their output is shown when they have ended.
    ShownAtEnd,
}

/// The error of `--strict` without containers: only a container can hide files from tests.
#[derive(Debug, thiserror::Error)]
#[error("`--strict` needs a container, and `--isolation=process` gives none")]
pub struct StrictProcessError;

impl CommonOptions {
    /// Turns the options into settings with `slots` slots. `timeout_s` is the program's own option
    /// for the time limit of a test.
    pub(crate) fn settle(
        self,
        slots: u32,
        timeout_s: Option<u32>,
        passing_output: PassingTestOutput,
    ) -> (RunSettings, TestContainerOptions) {
        let settings = RunSettings {
            chosen_isolation: Some(self.isolation.mode()),
            slots,
            repeat: self.repeats.plan(),
            retry_placement: self.repeats.retry_placement(),
            stop_after: self.repeats.stop_after(self.stop_after),
            run_limit: self.whole_run.limit(),
            tells_run: self.whole_run.tells_run(),
            failed_only: self.failed,
            no_tests: self.no_tests,
            partition: self.partition,
            changed: self.changed,
            stream: None,
            list_format: self.format,
            interactive: self.interactive.interactive(),
            passing_output,
            policy: self.policy.fields(timeout_s),
            profile: self.policy.profile(),
            report: self.report,
            cluster: self.cluster,
        };
        (settings, self.containers)
    }

    /// Returns whether tests see this machine's programs and toolchain.
    pub(crate) fn toolbox(&self, strict: bool) -> Result<Toolbox, StrictProcessError> {
        match (strict, self.isolation) {
            (false, IsolationOption::Container | IsolationOption::Process) => Ok(Toolbox::Present),
            (true, IsolationOption::Container) => Ok(Toolbox::Absent),
            (true, IsolationOption::Process) => Err(StrictProcessError),
        }
    }
}

impl NoTestsOption {
    /// Returns how serious a run without tests is.
    pub fn severity(self) -> NoticeSeverity {
        match self {
            NoTestsOption::Pass => NoticeSeverity::Info,
            NoTestsOption::Warn => NoticeSeverity::Warning,
            NoTestsOption::Fail => NoticeSeverity::Error,
        }
    }
}

impl IsolationOption {
    fn mode(self) -> IsolationMode {
        match self {
            IsolationOption::Container => IsolationMode::Container,
            IsolationOption::Process => IsolationMode::Process,
        }
    }
}

impl RunSettings {
    /// Returns the isolation mode; containers are the default.
    pub fn isolation(&self) -> IsolationMode {
        self.chosen_isolation.unwrap_or_default()
    }
}

/// Returns the parser of a number of slots.
pub(crate) fn slot_range() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(SLOTS_MAX))
}

/// Returns the number of slots: `wanted`, or one per CPU, limited to 1 to 1000.
pub(crate) fn slots(wanted: Option<u32>, cpus: NonZeroU32) -> u32 {
    wanted.unwrap_or(cpus.get()).clamp(1, SLOTS_MAX)
}

/// Returns the timeout for a number of seconds, where 0 means none.
pub(crate) fn time_limit(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}
