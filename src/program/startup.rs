//! What every program does between parsing its command line and its own part, and the settings that
//! all programs share.

use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZeroU32;

use super::failure::{ProgramFailure, end_for_want_of_a_reader};
use super::logging::{self, LogFormat};
pub use super::session_options::{InvocationPurpose, ProgramContext, SessionOptions};
use super::ui_choice::{check, color, replay};
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::exit_code;
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};
use maelstrom_spec::config::{ConfigError, ResolvedConfig};
use maelstrom_ui::style::OutputColor;

/// What a command line leads to.
#[derive(Debug)]
pub enum StartupResult<S> {
    /// The program is done, and this is its exit code.
    Done(u8),
    /// The program's own part.
    Going(StartedProgram<S>),
}

/// What a program's own part begins with.
#[derive(Debug)]
pub struct StartedProgram<S> {
    pub settings: S,
    /// Where and with what the program was called.
    pub invocation: Invocation,
    pub begun: ProgramContext,
}

/// A command line as it was typed, for a person.
pub fn as_typed(arguments: &[OsString]) -> Vec<String> {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    words.map(|word| word.into_owned()).collect()
}

/// Goes that far: help and the like are printed, a recording is replayed, options are settled.
pub fn open<O, S>(
    command: Vec<String>,
    settled: Result<ResolvedConfig<O>, ConfigError>,
    settle: impl FnOnce(O, NonZeroU32) -> Result<S, ProgramFailure>,
    outline: impl Fn(&S) -> SessionOptions<'_>,
) -> Result<StartupResult<S>, ProgramFailure> {
    let settled = match settled {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => {
            return Ok(StartupResult::Done(print_clap_error(&told)));
        }
        Err(error) => return Err(error.into()),
    };
    let cpus = std::thread::available_parallelism()
        .ok()
        .and_then(|cpus| NonZeroU32::try_from(cpus).ok());
    let settings = settle(settled.options, cpus.unwrap_or(NonZeroU32::MIN))?;
    let SessionOptions { purpose, run } = outline(&settings);
    let report = &run.report;
    check(purpose, report)?;
    // After `settle`: values that do not go together are told, not printed.
    if let Some(values) = settled.print {
        return print_out(&values).map(StartupResult::Done);
    }
    let color = color(report);
    // Showing a recording needs neither a log nor a project.
    if let Some(path) = &report.replay {
        return replay(path, run, color).map(StartupResult::Done);
    }
    let log = logging::start(settled.log_level, LogFormat::Text);
    let colors = match color {
        OutputColor::Always => ColorMode::Wanted,
        OutputColor::Never => ColorMode::Unwanted,
    };
    let invocation = Invocation::of_this_process(colors)
        .map_err(|error| ProgramFailure::infrastructure(&error))?;
    let notices = settled.warnings.into_iter().map(|warning| UserNotice {
        severity: NoticeSeverity::Warning,
        text: warning.text,
        help: warning.help,
        in_summary: false,
    });
    Ok(StartupResult::Going(StartedProgram {
        invocation,
        begun: ProgramContext {
            command,
            notices: notices.collect(),
            color,
            log,
        },
        settings,
    }))
}

/// Shows help or a mistake in the command line where each belongs.
pub fn print_clap_error(told: &clap::Error) -> u8 {
    if let Err(error) = told.print()
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        return end_for_want_of_a_reader();
    }
    u8::try_from(told.exit_code()).unwrap_or(exit_code::USAGE)
}

/// Prints what a framework lists without a run.
pub fn print_lines(lines: Vec<String>) -> Result<u8, ProgramFailure> {
    let lines = lines.into_iter().map(|line| format!("{}\n", clean(&line)));
    print_out(&lines.collect::<String>())
}

/// Prints a text on standard output.
pub fn print_out(text: &str) -> Result<u8, ProgramFailure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| ProgramFailure::writing(&error))?;
    Ok(exit_code::SUCCESS)
}
