//! The logging options of services.

use clap::{Args, ValueEnum};

/// How programs without a user in front of them log.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct LogOptions {
    /// What a line of the log looks like
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: the time since the start, the level, the message, its fields
    #[default]
    Text,
    /// For other programs: an object, with the time of day
    Json,
}
