//! `maelstrom-go-test`, from its command line to its exit code.

use std::ffi::OsString;
use std::num::NonZeroU32;

use super::cargo::{colour, print_out, replay, screen, tell};
use super::failure::Failure;
use super::screen::{Listing, Screen};
use super::session::{Session, runtime};
use crate::engine::backend::GRACE_DEFAULT;
use crate::engine::config::{ConfigError, Settled, ThisProcess};
use crate::engine::event::{Notice, Severity};
use crate::engine::framework::DiscoveryError;
use crate::engine::run::message::{Errand, Wishes};
use crate::runners::go::options::{Options, PROGRAM};
use crate::runners::go::{GoError, GoFramework, Goal, collector};
use crate::runners::sandbox::invocation::{Colours, Invocation};
use crate::ui::dashboard::Source;
use crate::ui::style::Colour;

/// Runs the program with this command line. `go test` calls the same program to hand over test
/// binaries.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = collector::run_if_collector() {
        return code;
    }
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let command = words.map(|word| word.into_owned()).collect();
    let settled = match Options::settled(arguments, &ThisProcess) {
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
        return replay(&path, &settings.report, settings.passing_output, colour);
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
    let framework = GoFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        Goal::Run | Goal::ListTests | Goal::Build => {
            session(&framework, command, notices.collect(), colour)?.run()
        }
    }
}

fn print_lines(lines: Result<Vec<String>, GoError>) -> Result<u8, Failure> {
    let lines =
        lines.map_err(|error| Failure::with_code(&error, error.help(), error.exit_code()))?;
    let lines = lines.into_iter().map(|line| line + "\n");
    print_out(&lines.collect::<String>())
}

fn session(
    framework: &GoFramework,
    command: Vec<String>,
    notices: Vec<Notice>,
    colour: Colour,
) -> Result<Session<'_, GoFramework>, Failure> {
    let settings = framework.settings();
    let (errand, screen) = match settings.goal {
        Goal::Run => {
            let passing_output = settings.passing_output;
            let screen = screen(&settings.report, passing_output, colour, Source::Live)?;
            (Errand::Run, screen)
        }
        Goal::ListTests => (Errand::List, Screen::List(Listing::Tests)),
        Goal::ListPackages | Goal::Build => (Errand::List, Screen::List(Listing::Nothing)),
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
