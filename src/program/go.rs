//! `maelstrom-go-test`, from its command line to its exit code.

use std::ffi::OsString;

use super::failure::Failure;
use super::opening::{
    Opened, Opening, Outline, Purpose, as_typed, discovery_failure, open, print_lines,
};
use super::session::{Session, runtime};
use super::specification::{explain, init};
use maelstrom_runners::go::options::{Options, PROGRAM};
use maelstrom_runners::go::{GoFramework, Goal, Settings, collector, links};
use maelstrom_runners::sandbox::specified::files;
use maelstrom_spec::config::ThisProcess;

/// Runs the program with this command line. `go test` calls the same program to hand over test
/// binaries, and in place of its tools.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = links::run_if_tool().or_else(collector::run_if_collector) {
        return code;
    }
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let opening = open(
        as_typed(&arguments),
        Options::settled(arguments, &ThisProcess),
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
    let framework = GoFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
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
        Goal::Init => init(
            &files::GO,
            &framework.project_directory().map_err(discovery_failure)?,
        ),
    }
}

fn outline(settings: &Settings) -> Outline<'_> {
    Outline {
        purpose: match settings.goal {
            Goal::Run => Purpose::Run,
            Goal::ListTests | Goal::ListPackages => Purpose::List,
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
