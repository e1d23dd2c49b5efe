//! `maelstrom-pytest`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::Failure;
use super::opening::{Opened, Opening, Outline, Purpose, as_typed, open};
use super::session::Session;
use super::specification::{explain, init};
use maelstrom_runners::cargo::options::PassingOutput;
use maelstrom_runners::pytest::options::{Options, PROGRAM};
use maelstrom_runners::pytest::{Goal, PytestFramework, Settings};
use maelstrom_runners::sandbox::specified::files;
use maelstrom_spec::config::ThisProcess;

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let opening = open(
        as_typed(&arguments),
        Options::settled(&arguments, &ThisProcess),
        |options, cpus| {
            let settings = options.settle(cpus);
            settings.map_err(|error| Failure::usage(&error, error.help()))
        },
        outline,
    )?;
    let Opened {
        settings,
        invocation,
        begun,
    } = match opening {
        Opening::Done(code) => return Ok(code),
        Opening::Going(opened) => opened,
    };
    let framework = PytestFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::Run | Goal::List | Goal::Explain => {
            let code = Session::new(
                PROGRAM.name,
                &framework,
                &outline(framework.settings()),
                begun,
            )?
            .run()?;
            match &framework.settings().containers.explain {
                Some(name) => explain(code, name, &framework.explanations()),
                None => Ok(code),
            }
        }
        Goal::Init => init(&files::PYTEST, framework.project_directory()),
    }
}

fn outline(settings: &Settings) -> Outline<'_> {
    Outline {
        purpose: match settings.goal {
            Goal::Run => Purpose::Run,
            Goal::List => Purpose::List,
            Goal::Init | Goal::Explain => Purpose::Other,
        },
        isolation: Some(settings.isolation),
        slots: settings.slots,
        cluster: &settings.cluster,
        repeat: settings.repeat,
        stop_after: settings.stop_after,
        passing_output: PassingOutput::Hidden,
        report: &settings.report,
    }
}
