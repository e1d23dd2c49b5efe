//! The logging options of services.

use clap::{Args, ValueEnum};

/// How programs without a user in front of them log.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct LogOptions {
    /// Format of the log
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain text: the time since the start, the level, the message, and its fields
    #[default]
    Text,
    /// One JSON object per line, with the time of day
    Json,
}
