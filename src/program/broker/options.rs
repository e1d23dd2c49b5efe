//! The command line of `maelstrom-broker`: [`BrokerServerOptions`] as parsed, [`BrokerSettings`] as
//! resolved.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use miette::Diagnostic;

use super::admin::broker_address::BrokerAddressOptions;
use super::security::{CredentialsCommand, SecurityOptions};
use crate::program::help::short_help;
use crate::program::logging::LogOptions;
use maelstrom_cluster::broker::core::BrokerConfig;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::config::{ByteSize, ConfigOption, ConfigOptionKind, ConfigSchema, ShortHelp};

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "maelstrom-broker",
    prefix: "MAELSTROM_BROKER",
    directories: &["maelstrom/broker"],
    help: &short_help::BROKER,
    values: &[&[
        ConfigOption::new("listen", ConfigOptionKind::Text),
        ConfigOption::new("port", ConfigOptionKind::Number),
        ConfigOption::new("http-listen", ConfigOptionKind::Text),
        ConfigOption::new("http-port", ConfigOptionKind::Number),
        ConfigOption::new("tls-certificate", ConfigOptionKind::Text),
        ConfigOption::new("tls-key", ConfigOptionKind::Text),
        ConfigOption::new("client-ca", ConfigOptionKind::Text),
        ConfigOption::new("tokens", ConfigOptionKind::Text),
        ConfigOption::new("insecure-listen", ConfigOptionKind::Boolean),
        ConfigOption::new("open-action-cache", ConfigOptionKind::Boolean),
        ConfigOption::new("cache-root", ConfigOptionKind::Text),
        ConfigOption::new("cache-size", ConfigOptionKind::Size),
        ConfigOption::new("lease", ConfigOptionKind::Number),
        ConfigOption::new("heartbeat", ConfigOptionKind::Number),
        ConfigOption::new("client-timeout", ConfigOptionKind::Number),
        ConfigOption::new("log-format", ConfigOptionKind::Text),
    ]],
};

/// The schema of the subcommands, which talk to a running broker or create credentials. It has no
/// values: those of the broker itself, which may be set in the environment of all programs, do not
/// apply to them.
pub static COMMANDS: ConfigSchema = ConfigSchema {
    name: "maelstrom-broker",
    prefix: "MAELSTROM_BROKER",
    directories: &[],
    help: &ShortHelp::NONE,
    values: &[],
};

/// The command line of `maelstrom-broker`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "maelstrom-broker",
    version,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    about = "Distributes the jobs of many clients to many workers",
    long_about = "Accepts jobs from clients (`--broker HOST:PORT` of the test runners and of \
                  maelstrom-run), leases them to workers (maelstrom-worker), and stores their \
                  inputs. Without a command, starts the broker; the commands talk to a running one."
)]
pub struct BrokerServerOptions {
    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// The command to run instead of the broker.
    #[command(subcommand)]
    pub command: Option<BrokerCommand>,

    /// The addresses to listen on.
    #[command(flatten)]
    pub network: NetworkOptions,

    /// Access control and TLS.
    #[command(flatten)]
    pub security: SecurityOptions,

    /// Location and size of the stored files.
    #[command(flatten)]
    pub storage: BrokerStorageOptions,

    /// Timeouts for workers and clients.
    #[command(flatten)]
    pub patience: BrokerTimeoutOptions,

    /// The format of the log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// The addresses that the broker listens on.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,

    /// The port to listen on; 0 chooses a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,

    /// Serve `/metrics`, `/healthz` and `/readyz` over HTTP on this port; 0 chooses a free one
    /// [default: off]
    #[arg(short = 'H', long, value_name = "PORT")]
    pub http_port: Option<u16>,

    /// The address of the HTTP port, which requires no credential
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub http_listen: IpAddr,
}

/// Location and target size of the broker's stored files.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Storage")]
pub struct BrokerStorageOptions {
    /// Directory for contents and accepted jobs [default: $XDG_CACHE_HOME/maelstrom/broker]
    #[arg(long, value_name = "DIRECTORY")]
    pub cache_root: Option<PathBuf>,

    /// Maximum size of the stored contents; those of waiting and running jobs may exceed it
    #[arg(long, value_name = "SIZE", default_value = "1 GB")]
    pub cache_size: ByteSize,
}

/// How long the broker waits for workers and clients.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Timeouts")]
pub struct BrokerTimeoutOptions {
    /// Seconds of silence after which a worker's jobs go to other workers
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub lease: u64,

    /// Seconds between two heartbeats of a worker
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub heartbeat: u64,

    /// Seconds after which the run of a disconnected client is dropped
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub client_timeout: u64,
}

/// A command for a running broker, or one that creates credentials.
#[derive(Clone, Debug, Subcommand)]
pub enum BrokerCommand {
    /// Show the status of the cluster
    #[command(visible_aliases = ["stats", "stat"])]
    Status(StatusOptions),
    /// Let a worker finish its running jobs, and give it no new ones
    Drain {
        /// The broker to talk to.
        #[command(flatten)]
        there: BrokerAddressOptions,
        /// The worker's name; all workers without it
        worker: Option<String>,
    },
    /// Create a certificate authority, certificates and tokens
    #[command(subcommand)]
    Credentials(CredentialsCommand),
    /// Stop the broker; waiting jobs are kept for its next start
    #[command(visible_aliases = ["shut-down", "shutdown"])]
    Stop {
        /// The broker to talk to.
        #[command(flatten)]
        there: BrokerAddressOptions,
        /// Let the workers finish and end, too
        #[arg(long)]
        workers: bool,
    },
}

/// The options of the `status` command.
#[derive(Clone, Debug, Args)]
pub struct StatusOptions {
    /// The broker to talk to.
    #[command(flatten)]
    pub there: BrokerAddressOptions,

    /// Print it as JSON
    #[arg(long)]
    pub json: bool,

    /// Show it on the whole screen as it changes; `q` leaves
    #[arg(short, long, conflicts_with = "json")]
    pub watch: bool,
}

/// The broker's options, resolved.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// The address to listen on.
    pub address: SocketAddr,
    /// Access control and TLS.
    pub security: SecurityOptions,
    /// The address for metrics and health by HTTP; `None` if they are not served.
    pub http: Option<SocketAddr>,
    /// The directory for stored contents and the journal.
    pub directory: PathBuf,
    /// The target size of the stored contents, in bytes.
    pub size_target_bytes: u64,
    /// Timeouts for workers and clients, and the directory for output logs.
    pub policy: BrokerConfig,
}

/// The error of options that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum BrokerOptionsError {
    /// The lease is shorter than two heartbeats.
    #[error(
        "leases of {lease} s end before the next sign of life, which comes after {heartbeat} s"
    )]
    #[diagnostic(help("make `--lease` at least twice `--heartbeat`"))]
    Heartbeat {
        /// The duration of a lease, in seconds.
        lease: u64,
        /// The time between two heartbeats, in seconds.
        heartbeat: u64,
    },
}

impl ProgramError for BrokerOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl BrokerServerOptions {
    /// Turns the options into settings. `cache_home` is the user's cache directory.
    pub fn resolve(self, cache_home: &Path) -> Result<BrokerSettings, BrokerOptionsError> {
        let BrokerTimeoutOptions {
            lease,
            heartbeat,
            client_timeout,
        } = self.patience;
        if lease < heartbeat.saturating_mul(2) {
            return Err(BrokerOptionsError::Heartbeat { lease, heartbeat });
        }
        let directory = self
            .storage
            .cache_root
            .unwrap_or_else(|| cache_home.join("maelstrom/broker"));
        Ok(BrokerSettings {
            address: SocketAddr::new(self.network.listen, self.network.port),
            security: self.security,
            http: self
                .network
                .http_port
                .map(|port| SocketAddr::new(self.network.http_listen, port)),
            size_target_bytes: self.storage.cache_size.0,
            policy: BrokerConfig {
                lease: Duration::from_secs(lease),
                heartbeat: Duration::from_secs(heartbeat),
                client_patience: Duration::from_secs(client_timeout),
                outputs: directory.clone(),
                ..BrokerConfig::default()
            },
            directory,
        })
    }
}
