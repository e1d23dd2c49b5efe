//! `cargo maelstrom`: its part of a test program.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::failure::ProgramFailure;
use super::help;
use super::session::runtime;
use super::startup::as_typed;
use super::test_program::{TestProgram, TestProgramGoal, run_test_program};
use maelstrom_runners::cargo::options::{CargoOptions, PROGRAM};
use maelstrom_runners::cargo::{CargoAction, CargoFramework, CargoSettings, doctests};
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::sandbox::invocation::Invocation;
use maelstrom_runners::sandbox::project_spec::{StarterFile, TestContainerOptions, files};
use maelstrom_spec::config::{ConfigError, ResolvedConfig, ThisProcess};

struct CargoProgram;

/// A list that needs no test run.
#[derive(Clone, Copy)]
enum CargoList {
    Binaries,
    Packages,
}

/// Runs the program with this command line and returns its exit code. Cargo and rustdoc call the same
/// executable to compile doctests.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = doctests::run_if_helper(&arguments) {
        return code;
    }
    if let Some(code) = help::run_if_asked(&help::manual::CARGO, &arguments) {
        return code;
    }
    run_test_program::<CargoProgram>(arguments)
}

impl TestProgram for CargoProgram {
    type Options = CargoOptions;
    type Settings = CargoSettings;
    type Framework = CargoFramework;
    type List = CargoList;

    const NAME: &'static str = PROGRAM.name;
    const STARTER: &'static StarterFile = &files::CARGO;

    /// If cargo calls the program, the second argument is the name of the subcommand.
    fn as_called(arguments: &[OsString]) -> Vec<String> {
        let mut words = as_typed(arguments);
        if let [program, subcommand, ..] = words.as_mut_slice()
            && subcommand == "maelstrom"
        {
            *program = "cargo".to_owned();
        }
        words
    }

    fn resolved(arguments: Vec<OsString>) -> Result<ResolvedConfig<CargoOptions>, ConfigError> {
        CargoOptions::resolved(arguments, &ThisProcess)
    }

    fn check(resolved: &ResolvedConfig<CargoOptions>) -> Result<(), ProgramFailure> {
        match resolved.print {
            Some(_) => Ok(resolved.options.only_print()?),
            None => Ok(()),
        }
    }

    fn settings(options: CargoOptions, cpus: NonZeroU32) -> Result<CargoSettings, ProgramFailure> {
        Ok(options.resolve(cpus)?)
    }

    fn goal(settings: &CargoSettings) -> TestProgramGoal<CargoList> {
        match settings.goal {
            CargoAction::Run => TestProgramGoal::Run,
            CargoAction::ListTests => TestProgramGoal::ListTests,
            CargoAction::ListBinaries => TestProgramGoal::List(CargoList::Binaries),
            CargoAction::ListPackages => TestProgramGoal::List(CargoList::Packages),
            CargoAction::Build => TestProgramGoal::Build,
            CargoAction::Explain => TestProgramGoal::Explain,
            CargoAction::Init => TestProgramGoal::Init,
        }
    }

    fn common(settings: &CargoSettings) -> &RunSettings {
        &settings.common
    }

    fn containers(settings: &CargoSettings) -> &TestContainerOptions {
        &settings.containers
    }

    fn framework(settings: CargoSettings, invocation: Invocation) -> CargoFramework {
        let framework = CargoFramework::new(settings, invocation);
        match std::env::current_exe() {
            Ok(own) => framework.with_doctests(own),
            // A notice says that doctests are not run.
            Err(_) => framework,
        }
    }

    fn settings_of(framework: &CargoFramework) -> &CargoSettings {
        framework.settings()
    }

    fn list(framework: &CargoFramework, list: CargoList) -> Result<Vec<String>, ProgramFailure> {
        let runtime = runtime()?;
        let lines = match list {
            CargoList::Binaries => runtime.block_on(framework.list_binaries()),
            CargoList::Packages => runtime.block_on(framework.list_packages()),
        };
        Ok(lines?)
    }

    fn project_directory(framework: &CargoFramework) -> Result<PathBuf, ProgramFailure> {
        let directory = runtime()?.block_on(framework.project_directory());
        Ok(directory?)
    }

    fn explanations(framework: &CargoFramework) -> Vec<String> {
        framework.explanations()
    }
}
