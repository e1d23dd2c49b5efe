//! The options for a cluster: [`BrokerOptions`] for anything that connects to a broker,
//! [`RunnerClusterOptions`] for clients that run jobs there.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use maelstrom_engine::local::MemoryBudget;
use maelstrom_spec::config::{Address, ConfigOption, ConfigOptionKind};
use maelstrom_wire::connection::ClientSecurity;

/// The options in [`BrokerOptions`] that can also be set in configuration files and environment
/// variables.
pub const BROKER_VALUES: [ConfigOption; 6] = [
    ConfigOption::new("broker", ConfigOptionKind::Text),
    ConfigOption::new("broker-ca", ConfigOptionKind::Text),
    ConfigOption::new("broker-certificate", ConfigOptionKind::Text),
    ConfigOption::new("broker-key", ConfigOptionKind::Text),
    ConfigOption::new("broker-token-file", ConfigOptionKind::Text),
    ConfigOption::new("cluster-communication-strategy", ConfigOptionKind::Text),
];

/// The options that [`RunnerClusterOptions`] adds to [`BROKER_VALUES`] for configuration files and
/// environment variables.
pub const CLUSTER_VALUES: [ConfigOption; 4] = [
    ConfigOption::new("local-slots", ConfigOptionKind::Number),
    ConfigOption::new("forward-environment", ConfigOptionKind::List),
    SCRATCH_MEMORY,
    MEMORY_BUDGET,
];

/// The first option in [`MachineOptions`] for configuration files and environment variables.
pub const SCRATCH_MEMORY: ConfigOption =
    ConfigOption::new("scratch-memory", ConfigOptionKind::Text);

/// The second option in [`MachineOptions`] for configuration files and environment variables.
pub const MEMORY_BUDGET: ConfigOption = ConfigOption::new("memory-budget", ConfigOptionKind::Text);

/// Options for running jobs on a cluster in addition to, or instead of, this machine.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct RunnerClusterOptions {
    /// The cluster.
    #[command(flatten)]
    pub broker: BrokerOptions,

    /// With a broker: number of jobs to run at a time on this machine as well. Jobs that can run
    /// nowhere else always run here
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub local_slots: u32,

    /// With a broker: also send this environment variable to workers; a `*` at the end matches
    /// every variable that begins so; may be repeated
    #[arg(long, value_name = "NAME")]
    pub forward_environment: Vec<String>,

    /// What of this machine jobs may take.
    #[command(flatten)]
    pub machine: MachineOptions,
}

/// Limits on the resources of this machine that jobs may use.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "This machine")]
pub struct MachineOptions {
    /// Maximum memory for all files that jobs write: a size, or a percentage of the machine's
    /// memory [default: 50%]
    #[arg(long, value_name = "SIZE")]
    pub scratch_memory: Option<MemoryBudget>,

    /// Start jobs only while the memory that running jobs are known to need fits into this: a size,
    /// or a percentage of the machine's memory [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<MemoryBudget>,
}

/// The broker's address and the credentials for it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct BrokerOptions {
    /// Connect to the broker at this address
    #[arg(short, long, value_name = "HOST:PORT")]
    pub broker: Option<Address>,

    /// Use TLS, and trust a broker whose certificate this certificate authority has signed
    #[arg(long, value_name = "PEM-FILE")]
    pub broker_ca: Option<PathBuf>,

    /// Authenticate to the broker with this certificate
    #[arg(
        long,
        value_name = "PEM-FILE",
        requires = "broker_key",
        requires = "broker_ca"
    )]
    pub broker_certificate: Option<PathBuf>,

    /// Private key of that certificate
    #[arg(long, value_name = "PEM-FILE", requires = "broker_certificate")]
    pub broker_key: Option<PathBuf>,

    /// Authenticate to the broker with the token in this file
    #[arg(long, value_name = "FILE")]
    pub broker_token_file: Option<PathBuf>,

    /// How members of a cluster reach one another
    #[arg(long, value_name = "WAY", default_value = "tcp", hide = true)]
    pub cluster_communication_strategy: CommunicationStrategy,
}

/// The transport between the members of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CommunicationStrategy {
    /// By TCP.
    #[default]
    Tcp,
}

impl BrokerOptions {
    /// Returns the certificate authority to trust and the certificate and token to present.
    pub fn security(&self) -> ClientSecurity {
        ClientSecurity {
            authority: self.broker_ca.clone(),
            certificate: self.broker_certificate.clone().zip(self.broker_key.clone()),
            token: self.broker_token_file.clone(),
        }
    }
}
