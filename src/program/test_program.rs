//! The flow of every program that runs tests, from its command line to its exit code.
//!
//! A [`TestProgram`] supplies the parts that differ.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use miette::Diagnostic;

use super::failure::ProgramFailure;
use super::interactive;
use super::session::RunSession;
use super::specification::{explain, init};
use super::startup::{
    InvocationPurpose, SessionOptions, StartedProgram, StartupResult, as_typed, open, print_lines,
};
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_model::framework::Framework;
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::sandbox::invocation::Invocation;
use maelstrom_runners::sandbox::project_spec::{StarterFile, TestContainerOptions};
use maelstrom_spec::config::{ConfigError, ResolvedConfig};

/// A program that runs the tests of one kind of project.
pub(super) trait TestProgram {
    /// The options as parsed.
    type Options;
    /// The options as resolved.
    type Settings;
    /// The framework that finds the tests.
    type Framework: Framework;
    /// The lists that need no test run.
    type List: Copy;

    /// The name of the program.
    const NAME: &'static str;
    /// The file that `--init` writes.
    const STARTER: &'static StarterFile;

    /// Returns the command line for display.
    fn as_called(arguments: &[OsString]) -> Vec<String> {
        as_typed(arguments)
    }

    /// Resolves the options from a command line, variables and files.
    fn resolved(arguments: Vec<OsString>) -> Result<ResolvedConfig<Self::Options>, ConfigError>;

    /// Rejects combinations of options, before they are resolved to settings.
    fn check(_resolved: &ResolvedConfig<Self::Options>) -> Result<(), ProgramFailure> {
        Ok(())
    }

    /// Turns the options into settings for a machine with `cpus` CPUs.
    fn settings(options: Self::Options, cpus: NonZeroU32)
    -> Result<Self::Settings, ProgramFailure>;

    /// Returns the purpose of the invocation.
    fn goal(settings: &Self::Settings) -> TestProgramGoal<Self::List>;

    /// Returns the settings that all programs share.
    fn common(settings: &Self::Settings) -> &RunSettings;

    /// Returns the options for the tests' containers.
    fn containers(settings: &Self::Settings) -> &TestContainerOptions;

    /// Creates the framework that finds the tests that the settings select.
    fn framework(settings: Self::Settings, invocation: Invocation) -> Self::Framework;

    /// Returns the settings that the framework holds.
    fn settings_of(framework: &Self::Framework) -> &Self::Settings;

    /// Returns the lines of a list.
    fn list(framework: &Self::Framework, list: Self::List) -> Result<Vec<String>, ProgramFailure>;

    /// Returns the directory of the project's container file.
    fn project_directory(framework: &Self::Framework) -> Result<PathBuf, ProgramFailure>;

    /// Returns the explanations that discovery produced for `--explain`.
    fn explanations(framework: &Self::Framework) -> Vec<String>;
}

/// The purpose of an invocation of a test program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TestProgramGoal<L> {
    /// Finds tests and runs them.
    Run,
    /// Finds tests and prints them.
    ListTests,
    /// Prints a list that needs no test run.
    List(L),
    /// Builds and finds tests, and runs none.
    Build,
    /// Finds tests, and explains the containers of those with one name.
    Explain,
    /// Writes the project's starter file.
    Init,
}

impl<L> TestProgramGoal<L> {
    fn lists_no_tests(&self) -> bool {
        match self {
            TestProgramGoal::ListTests => false,
            TestProgramGoal::Run
            | TestProgramGoal::List(_)
            | TestProgramGoal::Build
            | TestProgramGoal::Explain
            | TestProgramGoal::Init => true,
        }
    }

    fn is_run(&self) -> bool {
        match self {
            TestProgramGoal::Run => true,
            TestProgramGoal::ListTests
            | TestProgramGoal::List(_)
            | TestProgramGoal::Build
            | TestProgramGoal::Explain
            | TestProgramGoal::Init => false,
        }
    }

    fn purpose(self) -> InvocationPurpose {
        match self {
            TestProgramGoal::Run => InvocationPurpose::Run,
            TestProgramGoal::ListTests | TestProgramGoal::List(_) => InvocationPurpose::List,
            TestProgramGoal::Build | TestProgramGoal::Explain | TestProgramGoal::Init => {
                InvocationPurpose::Other
            }
        }
    }
}

/// The error of `--format` without a list of tests.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("`--format` is the form of a list of tests, and this invocation prints none")]
#[diagnostic(help("add --list, or leave out --format"))]
struct ListFormatError;

impl ProgramError for ListFormatError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Runs a program with this command line, and returns its exit code.
pub(super) fn run_test_program<P: TestProgram>(arguments: Vec<OsString>) -> u8 {
    match run::<P>(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run<P: TestProgram>(arguments: Vec<OsString>) -> Result<u8, ProgramFailure> {
    let called = P::as_called(&arguments);
    let resolved = P::resolved(arguments);
    if let Ok(resolved) = &resolved {
        P::check(resolved)?;
    }
    let StartedProgram {
        settings,
        invocation,
        begun,
    } = match open(P::NAME, called, resolved, P::settings, session_options::<P>)? {
        StartupResult::Done(code) => return Ok(code),
        StartupResult::Going(opened) => opened,
    };
    let framework = P::framework(settings, invocation);
    let settings = P::settings_of(&framework);
    let goal = P::goal(settings);
    if P::common(settings).list_format.is_some() && goal.lists_no_tests() {
        return Err(ListFormatError.into());
    }
    if goal.is_run()
        && let Some(interactive) = &P::common(settings).interactive
    {
        let how = (P::common(settings), interactive);
        return interactive::run(P::NAME, &framework, how, begun);
    }
    match goal {
        TestProgramGoal::List(list) => print_lines(P::list(&framework, list)?),
        TestProgramGoal::Init => init(P::STARTER, &P::project_directory(&framework)?),
        TestProgramGoal::Run
        | TestProgramGoal::ListTests
        | TestProgramGoal::Build
        | TestProgramGoal::Explain => {
            let options = session_options::<P>(settings);
            let code = RunSession::new(P::NAME, &framework, &options, begun)?.run()?;
            match P::containers(settings).asked().0 {
                Some(name) => explain(code, name, &P::explanations(&framework)),
                None => Ok(code),
            }
        }
    }
}

fn session_options<P: TestProgram>(settings: &P::Settings) -> SessionOptions<'_> {
    SessionOptions {
        purpose: P::goal(settings).purpose(),
        run: P::common(settings),
    }
}
