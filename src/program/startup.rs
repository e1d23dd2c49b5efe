//! The steps that every program takes between parsing its command line and its own part.

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

/// The result of the common steps.
#[derive(Debug)]
pub enum StartupResult<S> {
    /// The program is done, with this exit code.
    Done(u8),
    /// The program continues with its own part.
    Going(StartedProgram<S>),
}

/// What a program's own part starts with.
#[derive(Debug)]
pub struct StartedProgram<S> {
    pub settings: S,
    /// The working directory and environment of this process.
    pub invocation: Invocation,
    pub begun: ProgramContext,
}

/// Returns the command line for display: invalid UTF-8 is replaced.
pub fn as_typed(arguments: &[OsString]) -> Vec<String> {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    words.map(|word| word.into_owned()).collect()
}

/// Takes the common steps: prints help and resolved values, replays a recording, resolves the
/// options, and starts the log. `program` is the name of the program.
pub fn open<O, S>(
    program: &str,
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
    // After `settle`: options that contradict each other are an error even if values are to be
    // printed.
    if let Some(values) = settled.print {
        return print_out(&values).map(StartupResult::Done);
    }
    let color = color(program, report);
    // Replaying a recording needs neither a log nor a project.
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

/// Prints help to standard output or a usage error to standard error, and returns the exit code.
pub fn print_clap_error(told: &clap::Error) -> u8 {
    if let Err(error) = told.print()
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        return end_for_want_of_a_reader();
    }
    u8::try_from(told.exit_code()).unwrap_or(exit_code::USAGE)
}

/// Prints a list of a framework, one entry per line.
pub fn print_lines(lines: Vec<String>) -> Result<u8, ProgramFailure> {
    let lines = lines.into_iter().map(|line| format!("{}\n", clean(&line)));
    print_out(&lines.collect::<String>())
}

/// Prints a text to standard output.
pub fn print_out(text: &str) -> Result<u8, ProgramFailure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| ProgramFailure::writing(&error))?;
    Ok(exit_code::SUCCESS)
}
