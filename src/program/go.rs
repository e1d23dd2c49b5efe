//! `maelstrom-go-test`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::Failure;
use super::opening::{Opened, Opening, discovery_failure, open, print_lines, wishes};
use super::screen::{Listing, Screen};
use super::session::{Session, runtime};
use super::showing::screen;
use super::specification::{explain, init};
use crate::engine::config::ThisProcess;
use crate::engine::event::Notice;
use crate::engine::log::Log;
use crate::engine::run::message::Errand;
use crate::runners::go::options::{Options, PROGRAM};
use crate::runners::go::{GoFramework, Goal, collector};
use crate::runners::sandbox::specified::files;
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
    let opening = open(
        Options::settled(arguments, &ThisProcess),
        |options, cpus| {
            let settings = options.settle(cpus);
            settings.map_err(|error| Failure::usage(&error, error.help()))
        },
        |settings| (&settings.report, settings.passing_output),
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
    let framework = GoFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        Goal::Run | Goal::ListTests | Goal::Build | Goal::Explain => {
            let code = session(&framework, command, notices, colour, log)?.run()?;
            match &framework.settings().containers.explain {
                Some(name) => explain(code, name, &framework.explanations()),
                None => Ok(code),
            }
        }
        Goal::Init => init(
            &files::GO,
            &framework.project_directory().map_err(discovery_failure)?,
        ),
    }
}

fn session(
    framework: &GoFramework,
    command: Vec<String>,
    notices: Vec<Notice>,
    colour: Colour,
    log: Log,
) -> Result<Session<'_, GoFramework>, Failure> {
    let settings = framework.settings();
    let (errand, screen) = match settings.goal {
        Goal::Run => {
            let passing_output = settings.passing_output;
            let screen = screen(&settings.report, passing_output, colour, Source::Live)?;
            (Errand::Run, screen)
        }
        Goal::ListTests => (Errand::List, Screen::List(Listing::Tests)),
        Goal::ListPackages | Goal::Build | Goal::Init | Goal::Explain => {
            (Errand::List, Screen::List(Listing::Nothing))
        }
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
