//! `maelstrom-pytest`: its part of a test program.

use std::convert::Infallible;
use std::ffi::OsString;
use std::num::{NonZero, NonZeroU32};
use std::path::{Path, PathBuf};

use super::failure::ProgramFailure;
use super::help;
use super::test_program::{TestProgram, TestProgramGoal, run_test_program};
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::pytest::options::{PROGRAM, PytestOptions};
use maelstrom_runners::pytest::{PytestAction, PytestFramework, PytestSettings};
use maelstrom_runners::sandbox::invocation::Invocation;
use maelstrom_runners::sandbox::project_spec::{StarterFile, TestContainerOptions, files};
use maelstrom_spec::config::{ConfigError, ResolvedConfig, ThisProcess};

struct PytestProgram;

/// Runs the program with this command line and returns its exit code.
pub fn main(arguments: Vec<OsString>) -> u8 {
    // For pytest, the first word is a path: one that exists is meant.
    if !Path::new("help").exists()
        && let Some(code) = help::run_if_asked(&help::manual::PYTEST, &arguments)
    {
        return code;
    }
    run_test_program::<PytestProgram>(arguments)
}

impl TestProgram for PytestProgram {
    type Options = PytestOptions;
    type Settings = PytestSettings;
    type Framework = PytestFramework;
    type List = Infallible;

    const NAME: &'static str = PROGRAM.name;
    const STARTER: &'static StarterFile = &files::PYTEST;

    fn resolved(arguments: Vec<OsString>) -> Result<ResolvedConfig<PytestOptions>, ConfigError> {
        let cpus = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let cpus = NonZeroU32::try_from(cpus).unwrap_or(NonZeroU32::MIN);
        // Without a working directory, the run itself fails.
        let directory = std::env::current_dir().unwrap_or_default();
        PytestOptions::resolved(arguments, &ThisProcess, &directory, cpus)
    }

    fn settings(
        options: PytestOptions,
        cpus: NonZeroU32,
    ) -> Result<PytestSettings, ProgramFailure> {
        Ok(options.resolve(cpus)?)
    }

    fn goal(settings: &PytestSettings) -> TestProgramGoal<Infallible> {
        match settings.goal {
            PytestAction::Run => TestProgramGoal::Run,
            PytestAction::List => TestProgramGoal::ListTests,
            PytestAction::Explain => TestProgramGoal::Explain,
            PytestAction::Init => TestProgramGoal::Init,
        }
    }

    fn common(settings: &PytestSettings) -> &RunSettings {
        &settings.common
    }

    fn containers(settings: &PytestSettings) -> &TestContainerOptions {
        &settings.containers
    }

    fn framework(settings: PytestSettings, invocation: Invocation) -> PytestFramework {
        PytestFramework::new(settings, invocation)
    }

    fn settings_of(framework: &PytestFramework) -> &PytestSettings {
        framework.settings()
    }

    fn list(_: &PytestFramework, list: Infallible) -> Result<Vec<String>, ProgramFailure> {
        match list {}
    }

    fn project_directory(framework: &PytestFramework) -> Result<PathBuf, ProgramFailure> {
        Ok(framework.project_directory().to_owned())
    }

    fn explanations(framework: &PytestFramework) -> Vec<String> {
        framework.explanations()
    }
}
