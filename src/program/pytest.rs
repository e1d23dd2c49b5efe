//! `maelstrom-pytest`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::Failure;
use super::opening::{Opened, Opening, open, wishes};
use super::screen::{Listing, Screen};
use super::session::Session;
use super::showing::screen;
use super::specification::{explain, init};
use crate::engine::config::ThisProcess;
use crate::engine::event::Notice;
use crate::engine::log::Log;
use crate::engine::run::message::Errand;
use crate::runners::cargo::options::PassingOutput;
use crate::runners::pytest::options::{Options, PROGRAM};
use crate::runners::pytest::{Goal, PytestFramework};
use crate::runners::sandbox::specified::files;
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
    let opening = open(
        Options::settled(&arguments, &ThisProcess),
        |options, cpus| {
            let settings = options.settle(cpus);
            settings.map_err(|error| Failure::usage(&error, error.help()))
        },
        |settings| (&settings.report, PassingOutput::Hidden),
    )?;
    let Opened {
        settings,
        invocation,
        notices,
        colour,
        log,
    } = match opening {
        Opening::Done(code) => return Ok(code),
        Opening::Going(opened) => opened,
    };
    let framework = PytestFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::Run | Goal::List | Goal::Explain => {
            let code = session(&framework, command, notices, colour, log)?.run()?;
            match &framework.settings().containers.explain {
                Some(name) => explain(code, name, &framework.explanations()),
                None => Ok(code),
            }
        }
        Goal::Init => init(&files::PYTEST, framework.project_directory()),
    }
}

fn session(
    framework: &PytestFramework,
    command: Vec<String>,
    notices: Vec<Notice>,
    colour: Colour,
    log: Log,
) -> Result<Session<'_, PytestFramework>, Failure> {
    let settings = framework.settings();
    let (errand, screen) = match settings.goal {
        Goal::Run => {
            let hidden = PassingOutput::Hidden;
            let screen = screen(&settings.report, hidden, colour, Source::Live)?;
            (Errand::Run, screen)
        }
        Goal::List => (Errand::List, Screen::List(Listing::Tests)),
        Goal::Init | Goal::Explain => (Errand::List, Screen::List(Listing::Nothing)),
    };
    let watching = screen.watching(&settings.report);
    Ok(Session {
        program: PROGRAM.name,
        command,
        framework,
        isolation: settings.isolation,
        slots: settings.slots,
        cluster: &settings.cluster,
        wishes: wishes(
            errand,
            settings.repeat,
            settings.stop_after,
            screen.at_end(watching),
        ),
        notices,
        watching,
        screen,
        log,
        record: settings.report.record.clone(),
    })
}
