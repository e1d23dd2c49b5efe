//! `maelstrom-go-test`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::ProgramFailure;
use super::session::{RunSession, runtime};
use super::specification::{explain, init};
use super::startup::{
    InvocationPurpose, SessionOptions, StartedProgram, StartupResult, as_typed, discovery_failure,
    open, print_lines,
};
use maelstrom_runners::go::options::{GoOptions, PROGRAM};
use maelstrom_runners::go::{GoAction, GoFramework, GoSettings, collector, links};
use maelstrom_runners::sandbox::project_spec::files;
use maelstrom_spec::config::ThisProcess;

/// Runs the program with this command line. `go test` calls the same program to hand over test
/// binaries, and in place of its tools.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = links::run_if_tool().or_else(collector::run_if_collector) {
        return code;
    }
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, ProgramFailure> {
    let opening = open(
        as_typed(&arguments),
        GoOptions::resolved(arguments, &ThisProcess),
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
    let framework = GoFramework::new(settings, invocation);
    match framework.settings().goal {
        GoAction::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        GoAction::Run | GoAction::ListTests | GoAction::Build | GoAction::Explain => {
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
        GoAction::Init => init(
            &files::GO,
            &framework.project_directory().map_err(discovery_failure)?,
        ),
    }
}

fn outline(settings: &GoSettings) -> SessionOptions<'_> {
    SessionOptions {
        purpose: match settings.goal {
            GoAction::Run => InvocationPurpose::Run,
            GoAction::ListTests | GoAction::ListPackages => InvocationPurpose::List,
            GoAction::Build | GoAction::Init | GoAction::Explain => InvocationPurpose::Other,
        },
        isolation: Some(settings.isolation),
        slots: settings.slots,
        cluster: &settings.cluster,
        repeat: settings.repeat,
        stop_after: settings.stop_after,
        passing_output: settings.passing_output,
        report: &settings.report,
    }
}
