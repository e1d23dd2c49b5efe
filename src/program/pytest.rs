//! `maelstrom-pytest`, from its command line to its exit code.

use std::ffi::OsString;
use std::num::NonZeroU32;

use super::cargo::{colour, print_out, replay, screen, tell};
use super::failure::Failure;
use super::screen::{Listing, Screen};
use super::session::Session;
use crate::engine::backend::GRACE_DEFAULT;
use crate::engine::config::{ConfigError, Settled, ThisProcess};
use crate::engine::event::{Notice, Severity};
use crate::engine::run::message::{Errand, Wishes};
use crate::runners::cargo::options::PassingOutput;
use crate::runners::pytest::options::{Options, PROGRAM};
use crate::runners::pytest::{Goal, PytestFramework};
use crate::runners::sandbox::invocation::{Colours, Invocation};
use crate::ui::dashboard::Source;
use crate::ui::style::Colour;

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let command = words.map(|word| word.into_owned()).collect();
    let settled = match Options::settled(&arguments, &ThisProcess) {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => return Ok(tell(&told)),
        Err(error) => return Err(Failure::usage(&error, error.help())),
    };
    let Settled {
        options,
        log_level: _,
        warnings,
        print,
    } = settled;
    let cpus = std::thread::available_parallelism()
        .ok()
        .and_then(|cpus| NonZeroU32::try_from(cpus).ok());
    let settings = options
        .settle(cpus.unwrap_or(NonZeroU32::MIN))
        .map_err(|error| Failure::usage(&error, error.help()))?;
    if let Some(values) = print {
        return print_out(&values);
    }
    let colour = colour(&settings.report);
    if let Some(path) = settings.report.replay.clone() {
        return replay(&path, &settings.report, PassingOutput::Hidden, colour);
    }
    let colours = match colour {
        Colour::Always => Colours::Wanted,
        Colour::Never => Colours::Unwanted,
    };
    let invocation = Invocation::of_this_process(colours)
        .map_err(|error| Failure::infrastructure(&error, None))?;
    let notices = warnings.into_iter().map(|warning| Notice {
        severity: Severity::Warning,
        text: warning.text,
        help: warning.help,
        in_summary: false,
    });
    let framework = PytestFramework::new(settings, invocation);
    session(&framework, command, notices.collect(), colour)?.run()
}

fn session(
    framework: &PytestFramework,
    command: Vec<String>,
    notices: Vec<Notice>,
    colour: Colour,
) -> Result<Session<'_, PytestFramework>, Failure> {
    let settings = framework.settings();
    let (errand, screen) = match settings.goal {
        Goal::Run => {
            let hidden = PassingOutput::Hidden;
            let screen = screen(&settings.report, hidden, colour, Source::Live)?;
            (Errand::Run, screen)
        }
        Goal::List => (Errand::List, Screen::List(Listing::Tests)),
    };
    let watching = screen.watching(&settings.report);
    Ok(Session {
        program: PROGRAM.name,
        command,
        framework,
        isolation: settings.isolation,
        slots: settings.slots,
        wishes: Wishes {
            errand,
            repeat: settings.repeat,
            stop_after: settings.stop_after,
            at_end: screen.at_end(watching),
            grace: GRACE_DEFAULT,
        },
        notices,
        watching,
        screen,
        record: settings.report.record.clone(),
    })
}
