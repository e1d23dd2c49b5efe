//! `maelstrom-pytest`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::ProgramFailure;
use super::session::RunSession;
use super::specification::{explain, init};
use super::startup::{
    InvocationPurpose, SessionOptions, StartedProgram, StartupResult, as_typed, open,
};
use maelstrom_runners::cargo::options::PassingTestOutput;
use maelstrom_runners::pytest::options::{PROGRAM, PytestOptions};
use maelstrom_runners::pytest::{PytestAction, PytestFramework, PytestSettings};
use maelstrom_runners::sandbox::project_spec::files;
use maelstrom_spec::config::ThisProcess;

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, ProgramFailure> {
    let opening = open(
        as_typed(&arguments),
        PytestOptions::resolved(&arguments, &ThisProcess),
        |options, cpus| {
            let settings = options.resolve(cpus);
            settings.map_err(|error| ProgramFailure::usage(&error, error.help()))
        },
        outline,
    )?;
    let StartedProgram {
        settings,
        invocation,
        begun,
    } = match opening {
        StartupResult::Done(code) => return Ok(code),
        StartupResult::Going(opened) => opened,
    };
    let framework = PytestFramework::new(settings, invocation);
    match framework.settings().goal {
        PytestAction::Run | PytestAction::List | PytestAction::Explain => {
            let code = RunSession::new(
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
        PytestAction::Init => init(&files::PYTEST, framework.project_directory()),
    }
}

fn outline(settings: &PytestSettings) -> SessionOptions<'_> {
    SessionOptions {
        purpose: match settings.goal {
            PytestAction::Run => InvocationPurpose::Run,
            PytestAction::List => InvocationPurpose::List,
            PytestAction::Init | PytestAction::Explain => InvocationPurpose::Other,
        },
        isolation: Some(settings.isolation),
        slots: settings.slots,
        cluster: &settings.cluster,
        repeat: settings.repeat,
        stop_after: settings.stop_after,
        passing_output: PassingTestOutput::Hidden,
        report: &settings.report,
    }
}
