//! `maelstrom-go-test`: its part of a test program.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::failure::ProgramFailure;
use super::help;
use super::session::runtime;
use super::test_program::{TestProgram, TestProgramGoal, run_test_program};
use maelstrom_runners::go::options::{GoOptions, PROGRAM};
use maelstrom_runners::go::{GoAction, GoFramework, GoSettings, collector, links};
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::sandbox::invocation::Invocation;
use maelstrom_runners::sandbox::project_spec::{StarterFile, TestContainerOptions, files};
use maelstrom_spec::config::{ConfigError, ResolvedConfig, ThisProcess};

struct GoProgram;

/// The list of packages, which Go prints without a build.
#[derive(Clone, Copy)]
struct GoPackageList;

/// Runs the program with this command line and returns its exit code. `go test` calls the same
/// executable to hand over test binaries, and in place of the tools of its toolchain.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = links::run_if_tool().or_else(collector::run_if_collector) {
        return code;
    }
    if let Some(code) = help::run_if_asked(&help::manual::GO, &arguments) {
        return code;
    }
    run_test_program::<GoProgram>(arguments)
}

impl TestProgram for GoProgram {
    type Options = GoOptions;
    type Settings = GoSettings;
    type Framework = GoFramework;
    type List = GoPackageList;

    const NAME: &'static str = PROGRAM.name;
    const STARTER: &'static StarterFile = &files::GO;

    fn resolved(arguments: Vec<OsString>) -> Result<ResolvedConfig<GoOptions>, ConfigError> {
        GoOptions::resolved(arguments, &ThisProcess)
    }

    fn settings(options: GoOptions, cpus: NonZeroU32) -> Result<GoSettings, ProgramFailure> {
        Ok(options.resolve(cpus)?)
    }

    fn goal(settings: &GoSettings) -> TestProgramGoal<GoPackageList> {
        match settings.goal {
            GoAction::Run => TestProgramGoal::Run,
            GoAction::ListTests => TestProgramGoal::ListTests,
            GoAction::ListPackages => TestProgramGoal::List(GoPackageList),
            GoAction::Build => TestProgramGoal::Build,
            GoAction::Explain => TestProgramGoal::Explain,
            GoAction::Init => TestProgramGoal::Init,
        }
    }

    fn common(settings: &GoSettings) -> &RunSettings {
        &settings.common
    }

    fn containers(settings: &GoSettings) -> &TestContainerOptions {
        &settings.containers
    }

    fn framework(settings: GoSettings, invocation: Invocation) -> GoFramework {
        GoFramework::new(settings, invocation)
    }

    fn settings_of(framework: &GoFramework) -> &GoSettings {
        framework.settings()
    }

    fn list(framework: &GoFramework, _: GoPackageList) -> Result<Vec<String>, ProgramFailure> {
        let lines = runtime()?.block_on(framework.list_packages());
        Ok(lines?)
    }

    fn project_directory(framework: &GoFramework) -> Result<PathBuf, ProgramFailure> {
        Ok(framework.project_directory()?)
    }

    fn explanations(framework: &GoFramework) -> Vec<String> {
        framework.explanations()
    }
}
