//! `cargo maelstrom`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::Failure;
use super::opening::{
    Opened, Opening, Outline, Purpose, as_typed, discovery_failure, open, print_lines,
};
use super::session::{Session, runtime};
use super::specification::{explain, init};
use maelstrom_runners::cargo::options::{Options, PROGRAM};
use maelstrom_runners::cargo::{CargoFramework, Goal, Settings};
use maelstrom_runners::sandbox::specified::files;
use maelstrom_spec::config::{Settled, ThisProcess};

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let called = as_called(&arguments);
    let settled = Options::settled(arguments, &ThisProcess);
    if let Ok(Settled {
        options,
        print: Some(_),
        ..
    }) = &settled
        && let Err(error) = options.only_print()
    {
        return Err(Failure::usage(&error, error.help()));
    }
    let opening = open(
        called,
        settled,
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
    let framework = CargoFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        Goal::ListBinaries => print_lines(runtime()?.block_on(framework.list_binaries())),
        Goal::Run | Goal::ListTests | Goal::Build | Goal::Explain => {
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
        Goal::Init => {
            let project = runtime()?.block_on(framework.project_directory());
            init(&files::CARGO, &project.map_err(discovery_failure)?)
        }
    }
}

fn outline(settings: &Settings) -> Outline<'_> {
    Outline {
        purpose: match settings.goal {
            Goal::Run => Purpose::Run,
            Goal::ListTests | Goal::ListBinaries | Goal::ListPackages => Purpose::List,
            Goal::Build | Goal::Init | Goal::Explain => Purpose::Other,
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
