//! What every test runner does between its command line and its own part.

use std::io::{self, Write};
use std::num::NonZeroU32;

use super::failure::Failure;
use super::logging;
use super::showing::{colour, replay};
use crate::engine::backend::GRACE_DEFAULT;
use crate::engine::config::{ConfigError, Settled};
use crate::engine::event::{Notice, Severity};
use crate::engine::exit_code;
use crate::engine::framework::DiscoveryError;
use crate::engine::log::Log;
use crate::engine::run::message::{AtEnd, Errand, Wishes};
use crate::runners::cargo::options::{PassingOutput, ReportOptions};
use crate::runners::sandbox::invocation::{Colours, Invocation};
use crate::ui::style::Colour;

/// What a command line leads to.
#[derive(Debug)]
pub enum Opening<S> {
    /// The program is done, and this is its exit code.
    Done(u8),
    /// The program's own part.
    Going(Opened<S>),
}

/// What a program's own part begins with.
#[derive(Debug)]
pub struct Opened<S> {
    /// What is wanted.
    pub settings: S,
    /// Where and with what the program was called.
    pub invocation: Invocation,
    /// What the user should know from the start.
    pub notices: Vec<Notice>,
    /// Whether what is printed has colours.
    pub colour: Colour,
    /// What is logged on the way, for whoever knows where to.
    pub log: Log,
}

/// Goes that far: help and the like are printed, a recording is replayed, options are settled.
pub fn open<O, S>(
    settled: Result<Settled<O>, ConfigError>,
    settle: impl FnOnce(O, NonZeroU32) -> Result<S, Failure>,
    shown: impl Fn(&S) -> (&ReportOptions, PassingOutput),
) -> Result<Opening<S>, Failure> {
    let settled = match settled {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => return Ok(Opening::Done(tell(&told))),
        Err(error) => return Err(Failure::usage(&error, error.help())),
    };
    let cpus = std::thread::available_parallelism()
        .ok()
        .and_then(|cpus| NonZeroU32::try_from(cpus).ok());
    let settings = settle(settled.options, cpus.unwrap_or(NonZeroU32::MIN))?;
    if let Some(values) = settled.print {
        return print_out(&values).map(Opening::Done);
    }
    let (report, passing_output) = shown(&settings);
    let colour = colour(report);
    if let Some(path) = &report.replay {
        return replay(path, report, passing_output, colour).map(Opening::Done);
    }
    let log = logging::start(settled.log_level);
    let colours = match colour {
        Colour::Always => Colours::Wanted,
        Colour::Never => Colours::Unwanted,
    };
    let invocation = Invocation::of_this_process(colours)
        .map_err(|error| Failure::infrastructure(&error, None))?;
    let notices = settled.warnings.into_iter().map(|warning| Notice {
        severity: Severity::Warning,
        text: warning.text,
        help: warning.help,
        in_summary: false,
    });
    Ok(Opening::Going(Opened {
        invocation,
        notices: notices.collect(),
        colour,
        log,
        settings,
    }))
}

/// What the user wants of a run.
pub fn wishes(
    errand: Errand,
    repeat: NonZeroU32,
    stop_after: Option<NonZeroU32>,
    at_end: AtEnd,
) -> Wishes {
    Wishes {
        errand,
        repeat,
        stop_after,
        at_end,
        grace: GRACE_DEFAULT,
    }
}

/// Shows help or a mistake in the command line where each belongs.
pub fn tell(told: &clap::Error) -> u8 {
    drop(told.print());
    u8::try_from(told.exit_code()).unwrap_or(exit_code::USAGE)
}

/// Why a framework gave up, with its own exit code.
pub fn discovery_failure<E: DiscoveryError>(error: E) -> Failure {
    Failure::with_code(&error, error.help(), error.exit_code())
}

/// Prints what a framework lists without a run.
pub fn print_lines<E: DiscoveryError>(lines: Result<Vec<String>, E>) -> Result<u8, Failure> {
    let lines = lines.map_err(discovery_failure)?;
    let lines = lines.into_iter().map(|line| line + "\n");
    print_out(&lines.collect::<String>())
}

/// Prints a text on standard output.
pub fn print_out(text: &str) -> Result<u8, Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::infrastructure(&error, None))?;
    Ok(exit_code::SUCCESS)
}
