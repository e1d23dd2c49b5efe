//! `maelstrom-broker`, from its command line to its exit code.
//!
//! - [`options`]: its command line. [`serve`]: the broker itself. [`admin`]: commands for a running
//!   broker. [`security`]: access control.

mod admin;
pub mod options;
pub mod security;
mod serve;

use std::ffi::OsString;

use clap::CommandFactory;

use self::options::{BrokerServerOptions, COMMANDS, PROGRAM};
use super::failure::ProgramFailure;
use super::help;
use super::logging;
use super::startup::{print_clap_error, print_out};
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};
use maelstrom_spec::config::{self, ConfigError, ThisProcess};

/// Runs the program with this command line and returns its exit code.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = help::run_if_asked(&help::manual::BROKER, &arguments) {
        return code;
    }
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: &[OsString]) -> Result<u8, ProgramFailure> {
    let is_command = |word: &OsString| {
        BrokerServerOptions::command()
            .find_subcommand(word)
            .is_some()
    };
    let program = match arguments.get(1).is_some_and(is_command) {
        true => &COMMANDS,
        false => &PROGRAM,
    };
    let settled = match config::resolve::<BrokerServerOptions>(program, arguments, &ThisProcess) {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => return Ok(print_clap_error(&told)),
        Err(error) => return Err(error.into()),
    };
    let mut options = settled.options;
    if let Some(command) = options.command.take() {
        return admin::run(command);
    }
    let invocation = Invocation::of_this_process(ColorMode::Unwanted)
        .map_err(|error| ProgramFailure::infrastructure(&error))?;
    let cache_home = invocation
        .cache_home()
        .unwrap_or_else(|| invocation.directory.join(".cache"));
    let format = options.log.log_format;
    let settings = options.resolve(&cache_home)?;
    if let Some(values) = settled.print {
        return print_out(&values);
    }
    logging::start(settled.log_level, format).to_stderr();
    for warning in settled.warnings {
        tracing::warn!("{}", warning.text);
    }
    serve::run(settings)
}
