//! `cargo maelstrom`, from its command line to its exit code.

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
use crate::runners::cargo::options::{Options, PROGRAM};
use crate::runners::cargo::{CargoFramework, Goal};
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
    let command = as_called(&arguments);
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
    let framework = CargoFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        Goal::ListBinaries => print_lines(runtime()?.block_on(framework.list_binaries())),
        Goal::Run | Goal::ListTests | Goal::Build | Goal::Explain => {
            let code = session(&framework, command, notices, colour, log)?.run()?;
            match &framework.settings().containers.explain {
                Some(name) => explain(code, name, &framework.explanations()),
                None => Ok(code),
            }
        }
        Goal::Init => {
            let project = runtime()?.block_on(framework.project_directory());
            init(&files::CARGO, &project.map_err(discovery_failure)?)
        }
    }
}

fn session(
    framework: &CargoFramework,
    command: Vec<String>,
    notices: Vec<Notice>,
    colour: Colour,
    log: Log,
) -> Result<Session<'_, CargoFramework>, Failure> {
    let settings = framework.settings();
    let (errand, screen) = match settings.goal {
        Goal::Run => (
            Errand::Run,
            screen(
                &settings.report,
                settings.passing_output,
                colour,
                Source::Live,
            )?,
        ),
        Goal::ListTests => (Errand::List, Screen::List(Listing::Tests)),
        Goal::Build | Goal::ListPackages | Goal::ListBinaries | Goal::Init | Goal::Explain => {
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

/// The command line as it was typed: through cargo, the second word is the subcommand.
fn as_called(arguments: &[OsString]) -> Vec<String> {
    let mut words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let [program, subcommand, ..] = words.as_mut_slice()
        && subcommand == "maelstrom"
    {
        *program = "cargo".to_owned();
    }
    words
}
