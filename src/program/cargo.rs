//! `cargo maelstrom`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::ProgramFailure;
use super::session::{RunSession, runtime};
use super::specification::{explain, init};
use super::startup::{
    InvocationPurpose, SessionOptions, StartedProgram, StartupResult, as_typed, discovery_failure,
    open, print_lines,
};
use maelstrom_runners::cargo::options::{CargoOptions, PROGRAM};
use maelstrom_runners::cargo::{CargoAction, CargoFramework, CargoSettings};
use maelstrom_runners::sandbox::project_spec::files;
use maelstrom_spec::config::{ResolvedConfig, ThisProcess};

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, ProgramFailure> {
    let called = as_called(&arguments);
    let settled = CargoOptions::resolved(arguments, &ThisProcess);
    if let Ok(ResolvedConfig {
        options,
        print: Some(_),
        ..
    }) = &settled
        && let Err(error) = options.only_print()
    {
        return Err(ProgramFailure::usage(&error, error.help()));
    }
    let opening = open(
        called,
        settled,
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
    let framework = CargoFramework::new(settings, invocation);
    match framework.settings().goal {
        CargoAction::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        CargoAction::ListBinaries => print_lines(runtime()?.block_on(framework.list_binaries())),
        CargoAction::Run | CargoAction::ListTests | CargoAction::Build | CargoAction::Explain => {
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
        CargoAction::Init => {
            let project = runtime()?.block_on(framework.project_directory());
            init(&files::CARGO, &project.map_err(discovery_failure)?)
        }
    }
}

fn outline(settings: &CargoSettings) -> SessionOptions<'_> {
    SessionOptions {
        purpose: match settings.goal {
            CargoAction::Run => InvocationPurpose::Run,
            CargoAction::ListTests | CargoAction::ListBinaries | CargoAction::ListPackages => {
                InvocationPurpose::List
            }
            CargoAction::Build | CargoAction::Init | CargoAction::Explain => {
                InvocationPurpose::Other
            }
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

/// The command line as it was typed: through cargo, the second word is the subcommand.
fn as_called(arguments: &[OsString]) -> Vec<String> {
    let mut words = as_typed(arguments);
    if let [program, subcommand, ..] = words.as_mut_slice()
        && subcommand == "maelstrom"
    {
        *program = "cargo".to_owned();
    }
    words
}
