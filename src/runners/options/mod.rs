//! The options and settings that all programs share: [`CommonOptions`] as parsed, [`RunSettings`] as
//! resolved.
//!
//! - [`report`]: what is shown, and where.
//!
//! Each program embeds them beside those of its own. Options for the cluster, for layers and images,
//! and for containers are in [`crate::sandbox`].
//!
//! Invariant: resolving options touches neither the system nor the environment.

pub mod report;

use std::num::NonZeroU32;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{Args, ValueEnum};

use self::report::ReportOptions;
use crate::sandbox::cluster::RunnerClusterOptions;
use crate::sandbox::container::Toolbox;
use crate::sandbox::project_spec::TestContainerOptions;
use maelstrom_model::event::IsolationMode;
use maelstrom_spec::config::{ConfigOption, ConfigOptionKind};

/// The most slots there may be.
const SLOTS_MAX: u32 = 1000;

/// Which of the options about tests at a time are configuration values.
pub(crate) const SLOT_VALUES: [ConfigOption; 2] = [
    ConfigOption::new("slots", ConfigOptionKind::Number),
    ConfigOption::new("isolation", ConfigOptionKind::Text),
];

/// Which of the options about how often and how long tests run are configuration values.
pub(crate) const REPEAT_VALUES: [ConfigOption; 3] = [
    ConfigOption::new("repeat", ConfigOptionKind::Number),
    ConfigOption::new("stop-after", ConfigOptionKind::Number),
    ConfigOption::new("timeout", ConfigOptionKind::NumberOrText),
];

/// Where the help text shows a program's own options about running, among those of
/// [`CommonOptions`].
pub(crate) mod help_order {
    /// Before all of them.
    pub(crate) const FIRST: usize = 1000;
    pub(super) const SLOTS: usize = 1100;
    pub(super) const ISOLATION: usize = 1101;
    /// Between `--isolation` and `--repeat`.
    pub(crate) const AFTER_ISOLATION: usize = 1200;
    pub(super) const REPEAT: usize = 1300;
    pub(super) const STOP_AFTER: usize = 1301;
    /// After all of them.
    pub(crate) const LAST: usize = 1400;
}

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

    /// Run every test this many times
    #[arg(
        short,
        long,
        visible_alias = "loop",
        value_name = "N",
        default_value = "1",
        display_order = help_order::REPEAT
    )]
    pub repeat: NonZeroU32,

    /// Stop the run after this many failures
    #[arg(short, long, value_name = "N", display_order = help_order::STOP_AFTER)]
    pub stop_after: Option<NonZeroU32>,

    /// In what they run.
    #[command(flatten)]
    pub containers: TestContainerOptions,

    /// What is shown.
    #[command(flatten)]
    pub report: ReportOptions,

    /// Where it runs, if not only here.
    #[command(flatten)]
    pub cluster: RunnerClusterOptions,
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

/// What every program's settings say of its run.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// What keeps jobs apart, if the program has an option for it.
    pub chosen_isolation: Option<IsolationMode>,
    /// How many jobs at a time, 1 to 1000.
    pub slots: u32,
    /// How often each job runs.
    pub repeat: NonZeroU32,
    /// The number of failures after which the run stops.
    pub stop_after: Option<NonZeroU32>,
    /// Whether passing tests' output is shown.
    pub passing_output: PassingTestOutput,
    /// What is shown otherwise, and where.
    pub report: ReportOptions,
    /// Where it runs, if not only here.
    pub cluster: RunnerClusterOptions,
}

/// Whether passing tests' output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingTestOutput {
    /// It is kept to itself.
    Hidden,
    Shown,
}

/// `--strict` without a container: only a container can keep something from tests.
#[derive(Debug, thiserror::Error)]
#[error("`--strict` needs a container, and `--isolation=process` gives none")]
pub struct StrictProcessError;

impl CommonOptions {
    /// Settles what was typed, with so many slots and whatever the program's own options say of
    /// output.
    pub(crate) fn settle(
        self,
        slots: u32,
        passing_output: PassingTestOutput,
    ) -> (RunSettings, TestContainerOptions) {
        let settings = RunSettings {
            chosen_isolation: Some(self.isolation.mode()),
            slots,
            repeat: self.repeat,
            stop_after: self.stop_after,
            passing_output,
            report: self.report,
            cluster: self.cluster,
        };
        (settings, self.containers)
    }

    /// Whether tests see this machine's programs and toolchain.
    pub(crate) fn toolbox(&self, strict: bool) -> Result<Toolbox, StrictProcessError> {
        match (strict, self.isolation) {
            (false, IsolationOption::Container | IsolationOption::Process) => Ok(Toolbox::Present),
            (true, IsolationOption::Container) => Ok(Toolbox::Absent),
            (true, IsolationOption::Process) => Err(StrictProcessError),
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
    /// What keeps jobs apart.
    pub fn isolation(&self) -> IsolationMode {
        self.chosen_isolation.unwrap_or_default()
    }
}

/// Reads a number of slots.
pub(crate) fn slot_range() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(SLOTS_MAX))
}

/// A possible number of slots: the wanted one, or one for each CPU.
pub(crate) fn slots(wanted: Option<u32>, cpus: NonZeroU32) -> u32 {
    wanted.unwrap_or(cpus.get()).clamp(1, SLOTS_MAX)
}

/// What a time limit in seconds means, where 0 is none.
pub(crate) fn time_limit(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}
