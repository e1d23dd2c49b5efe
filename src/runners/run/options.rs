//! The command line of `maelstrom-run`: [`RunCommandOptions`] as parsed, [`RunCommandSettings`] as
//! resolved.
//!
//! Invariant: resolving options touches neither the system nor the environment.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser};

use crate::options::changed::ChangedSettings;
use crate::options::partition::PartitionOptions;
use crate::options::report::{REPORT_VALUES, ReportOptions};
use crate::options::{PassingTestOutput, RunSettings, short_help, slot_range, slots};
use maelstrom_engine::run::message::{RepeatPlan, RetryPlacement};
use maelstrom_spec::config::{
    self, ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind, ConfigSchema,
    ResolvedConfig,
};

pub use super::command::{JobCommand, NamedJob};
use super::container_options::{JobContainerOptions, RunCacheOptions};
use super::escape::EscapeCharacter;
pub use super::options_error::RunCommandOptionsError;
use crate::sandbox::caches::CACHE_VALUES;
use crate::sandbox::cluster::{BROKER_VALUES, CLUSTER_VALUES, RunnerClusterOptions};

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "maelstrom-run",
    prefix: "MAELSTROM_RUN",
    directories: &["maelstrom/run"],
    help: &short_help::RUN,
    values: &[
        &[
            ConfigOption::new("slots", ConfigOptionKind::Number),
            ConfigOption::new("escape-char", ConfigOptionKind::Character),
            ConfigOption::new("cache-root", ConfigOptionKind::Text),
        ],
        &CACHE_VALUES,
        &REPORT_VALUES,
        &BROKER_VALUES,
        &CLUSTER_VALUES,
    ],
};

/// The command line of `maelstrom-run`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "maelstrom-run",
    version,
    disable_version_flag = true,
    about = "Runs programs, each in its own container",
    long_about = "Runs programs, each in its own container: the one on the command line, or those \
                  that JSON objects on standard input or in a file describe."
)]
pub struct RunCommandOptions {
    /// The program to run, and its arguments
    // Words with hyphens are not allowed here, so that a mistyped option is not taken for a
    // program; all words after the first one are taken literally.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    pub command: Vec<OsString>,

    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// The jobs to run.
    #[command(flatten)]
    pub jobs: JobOptions,

    /// The container of a program named on the command line.
    #[command(flatten)]
    pub container: JobContainerOptions,

    /// The directories of layers and images.
    #[command(flatten)]
    pub caches: RunCacheOptions,

    /// The user interface and reports.
    #[command(flatten)]
    pub report: ReportOptions,

    /// The cluster to use, if any.
    #[command(flatten)]
    pub cluster: RunnerClusterOptions,
}

/// The jobs to run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Jobs")]
pub struct JobOptions {
    /// Read jobs from this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Run a job that a failed test has saved; with --tty, open a shell in its container
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "one"])]
    pub job: Option<PathBuf>,

    /// Run only the first job, pass its output through, and exit with its exit code
    #[arg(short = '1', long)]
    pub one: bool,

    /// Run one job on this terminal
    #[arg(short, long, conflicts_with = "one")]
    pub tty: bool,

    /// Character that begins commands to maelstrom-run while a job has the terminal
    #[arg(long, value_name = "CHARACTER", default_value = "^]")]
    pub escape_char: String,

    /// Number of jobs to run at a time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = slot_range())]
    pub slots: Option<u32>,
}

/// The options, resolved.
#[derive(Clone, Debug)]
pub struct RunCommandSettings {
    /// The jobs to run, and how.
    pub mode: RunCommandMode,
    /// The directories of layers and images.
    pub caches: RunCacheOptions,
    /// The settings that all programs share.
    pub common: RunSettings,
}

/// The jobs to run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunCommandMode {
    /// No job is named, and there is no input.
    Nothing,
    /// Run all jobs of an input.
    Stream(JobInput),
    /// Run one job, with its output passed through.
    One(SingleJob),
    /// Run one job on this terminal; the escape character begins commands to this program.
    Terminal(SingleJob, EscapeCharacter),
}

/// The source of job descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobInput {
    Standard,
    File(PathBuf),
}

/// A job that runs alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SingleJob {
    /// A program named on the command line.
    Named(Box<NamedJob>),
    /// A job that was kept from an earlier run, perhaps with another program.
    Kept {
        file: PathBuf,
        /// The program and its arguments, if not the job's own.
        command: Option<JobCommand>,
    },
    /// The first job of an input, perhaps with another program.
    First {
        input: JobInput,
        /// The program and its arguments, if not those of the input.
        command: Option<JobCommand>,
    },
}

/// The kind of standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardInput {
    Terminal,
    /// A file, a pipe or nothing.
    Other,
}

impl RunCommandOptions {
    /// Resolves the options from a command line (program name first), variables and files.
    pub fn resolved(
        arguments: &[OsString],
        system: &impl ConfigEnvironment,
    ) -> Result<ResolvedConfig<RunCommandOptions>, ConfigError> {
        config::resolve(&PROGRAM, arguments, system)
    }

    /// Turns the options into settings for a machine with `cpus` CPUs. Relative paths of mounts
    /// start at `directory`.
    pub fn resolve(
        self,
        cpus: NonZeroU32,
        stdin: StandardInput,
        directory: &std::path::Path,
    ) -> Result<RunCommandSettings, RunCommandOptionsError> {
        if self.report.watch {
            return Err(RunCommandOptionsError::Watch);
        }
        let writes = self.report.junit.is_some() || self.report.record.is_some();
        if self.jobs.tty && writes {
            return Err(RunCommandOptionsError::TerminalReport);
        }
        let escape: EscapeCharacter = self.jobs.escape_char.parse()?;
        let common = RunSettings {
            chosen_isolation: None,
            slots: slots(self.jobs.slots, cpus),
            repeat: RepeatPlan::ONCE,
            retry_placement: RetryPlacement::Anywhere,
            stop_after: None,
            run_limit: None,
            tells_run: false,
            failed_only: false,
            no_tests: None,
            partition: PartitionOptions::default(),
            changed: ChangedSettings::default(),
            stream: None,
            list_format: None,
            interactive: None,
            passing_output: PassingTestOutput::Hidden,
            policy: Default::default(),
            profile: Default::default(),
            report: self.report,
            cluster: self.cluster,
        };
        let mut words = self.command.into_iter();
        let command = words.next().map(|program| JobCommand {
            program,
            arguments: words.collect(),
        });
        let is_single = self.jobs.one || self.jobs.tty;
        if let Some(file) = self.jobs.job {
            self.container.refuse()?;
            let mode = if self.jobs.tty {
                let command = Some(command.unwrap_or_else(JobCommand::shell));
                RunCommandMode::Terminal(SingleJob::Kept { file, command }, escape)
            } else {
                RunCommandMode::One(SingleJob::Kept { file, command })
            };
            return Ok(RunCommandSettings {
                mode,
                caches: self.caches,
                common,
            });
        }
        let reads_stdin = stdin == StandardInput::Other && !self.jobs.tty;
        let input = match self.jobs.file {
            Some(file) => Some(JobInput::File(file)),
            // Standard input belongs to the named program, unless `--one` runs it in the container
            // of a job of the input.
            None if command.is_none() || self.jobs.one => reads_stdin.then_some(JobInput::Standard),
            None => None,
        };
        let one = |input: Option<JobInput>, command: Option<JobCommand>| match (input, command) {
            (None, None) => Err(RunCommandOptionsError::Nothing),
            (None, Some(command)) => self.container.job(command, directory).map(SingleJob::Named),
            (Some(input), command) => {
                self.container.refuse()?;
                Ok(SingleJob::First { input, command })
            }
        };
        let mode = match (input, command) {
            (input, command) if self.jobs.tty => {
                RunCommandMode::Terminal(one(input, command)?, escape)
            }
            (input, command) if is_single => RunCommandMode::One(one(input, command)?),
            (Some(_), Some(JobCommand { program, .. })) => {
                return Err(RunCommandOptionsError::ProgramWithFile { program });
            }
            (None, None) => RunCommandMode::Nothing,
            (None, command) => RunCommandMode::One(one(None, command)?),
            (Some(input), None) => {
                self.container.refuse()?;
                RunCommandMode::Stream(input)
            }
        };
        Ok(RunCommandSettings {
            mode,
            caches: self.caches,
            common,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_help_text_is_complete() {
        insta::assert_snapshot!(RunCommandOptions::command().term_width(100).render_help());
    }
}
