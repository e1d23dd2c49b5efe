//! The command line of `maelstrom-worker`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};

use super::lending::LendOption;
use crate::program::help::short_help;
use crate::program::logging::LogOptions;
use maelstrom_cluster::worker::allowance::JobAllowance;
use maelstrom_model::job::DevicePattern;
use maelstrom_runners::sandbox::cluster::{
    BROKER_VALUES, BrokerOptions, MEMORY_BUDGET, MachineOptions, SCRATCH_MEMORY,
};
use maelstrom_spec::config::{ByteSize, ConfigOption, ConfigOptionKind, ConfigSchema};

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "maelstrom-worker",
    prefix: "MAELSTROM_WORKER",
    directories: &["maelstrom/worker"],
    help: &short_help::WORKER,
    values: &[
        &BROKER_VALUES,
        &[
            ConfigOption::new("name", ConfigOptionKind::Text),
            ConfigOption::new("slots", ConfigOptionKind::Number),
            ConfigOption::new("drain-timeout", ConfigOptionKind::Number),
            ConfigOption::new("lend", ConfigOptionKind::List),
            ConfigOption::new("allow", ConfigOptionKind::List),
            ConfigOption::new("offer-device", ConfigOptionKind::List),
            ConfigOption::new("cache-root", ConfigOptionKind::Text),
            ConfigOption::new("cache-size", ConfigOptionKind::Size),
            ConfigOption::new("inline-limit", ConfigOptionKind::Size),
            ConfigOption::new("log-format", ConfigOptionKind::Text),
            SCRATCH_MEMORY,
            MEMORY_BUDGET,
        ],
    ],
};

/// The command line of `maelstrom-worker`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "maelstrom-worker",
    version,
    disable_version_flag = true,
    about = "Runs jobs for a broker",
    long_about = "Runs the jobs of a broker (maelstrom-broker), each in its own container on this \
                  machine. It needs no privileges."
)]
pub struct WorkerOptions {
    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// The broker's address, and the credentials to present.
    #[command(flatten)]
    pub cluster: BrokerOptions,

    /// The worker's name, slots and permissions.
    #[command(flatten)]
    pub offer: OfferOptions,

    /// Location and size of the cache.
    #[command(flatten)]
    pub cache: WorkerCacheOptions,

    /// The machine's resources that jobs may use.
    #[command(flatten)]
    pub machine: MachineOptions,

    /// The format of the log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// What the worker offers to the broker.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Jobs")]
pub struct OfferOptions {
    /// Name of this worker [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Number of jobs to run at a time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub slots: Option<u32>,

    /// Seconds that running jobs have to finish when the worker is told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub drain_timeout: u64,

    /// Path on this machine that jobs may see if they ask for it; may be repeated. `default` means
    /// the machine's programs, libraries and toolchains, `none` means nothing [default: default]
    #[arg(long, value_name = "PATH")]
    pub lend: Vec<LendOption>,

    /// Let jobs have this beyond what every job gets, if they ask for it; may be repeated [default:
    /// nothing]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub allow: Vec<AllowOption>,

    /// Device that jobs may have if they ask for it, such as /dev/kvm or '/dev/nvidia*'; may be
    /// repeated [default: none]
    #[arg(long, value_name = "DEVICE")]
    pub offer_device: Vec<DevicePattern>,
}

/// A privilege that a worker may allow jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AllowOption {
    /// All capabilities over their own namespaces
    FullPrivileges,
    /// `/dev/fuse`
    Fuse,
    /// The machine's own `/dev/shm`, which all jobs on it share
    SharedMemory,
}

impl From<AllowOption> for JobAllowance {
    fn from(allowed: AllowOption) -> JobAllowance {
        match allowed {
            AllowOption::FullPrivileges => JobAllowance::FullPrivileges,
            AllowOption::Fuse => JobAllowance::Fuse,
            AllowOption::SharedMemory => JobAllowance::SharedMemory,
        }
    }
}

/// Location and target size of the worker's cache.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cache")]
pub struct WorkerCacheOptions {
    /// Directory for the inputs of jobs [default: $XDG_CACHE_HOME/maelstrom/worker]
    #[arg(long, value_name = "DIRECTORY")]
    pub cache_root: Option<PathBuf>,

    /// Maximum size of the stored inputs; those of current jobs may exceed it
    #[arg(long, value_name = "SIZE", default_value = "1 GB")]
    pub cache_size: ByteSize,

    /// How much of a job's output is kept: scripts that say it go on working, and all of it is kept
    /// anyway
    #[arg(long, value_name = "SIZE", default_value = "1 MB", hide = true)]
    pub inline_limit: ByteSize,
}

impl OfferOptions {
    /// Returns how long running jobs may continue once the worker drains.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_timeout)
    }
}
