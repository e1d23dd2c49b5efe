//! The flow of every program that runs tests, from its command line to its exit code.
//!
//! A [`TestProgram`] says what its own part of that is.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::failure::ProgramFailure;
use super::session::RunSession;
use super::specification::{explain, init};
use super::startup::{
    InvocationPurpose, SessionOptions, StartedProgram, StartupResult, as_typed, open, print_lines,
};
use maelstrom_model::framework::Framework;
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::sandbox::invocation::Invocation;
use maelstrom_runners::sandbox::project_spec::{StarterFile, TestContainerOptions};
use maelstrom_spec::config::{ConfigError, ResolvedConfig};

/// A program that runs the tests of one kind of project.
pub trait TestProgram {
    /// The options as typed.
    type Options;
    /// The options as meant.
    type Settings;
    /// What finds the tests.
    type Framework: Framework;
    /// Which of its lists needs no run.
    type List: Copy;

    /// What it is called.
    const NAME: &'static str;
    /// What `--init` writes.
    const STARTER: &'static StarterFile;

    /// The command line as it was typed.
    fn as_called(arguments: &[OsString]) -> Vec<String> {
        as_typed(arguments)
    }

    /// Settles the options from a command line, variables and files.
    fn resolved(arguments: Vec<OsString>) -> Result<ResolvedConfig<Self::Options>, ConfigError>;

    /// Refuses options that make no sense with one another, before they mean anything.
    fn check(_resolved: &ResolvedConfig<Self::Options>) -> Result<(), ProgramFailure> {
        Ok(())
    }

    /// What the options mean on a machine with so many CPUs.
    fn settings(options: Self::Options, cpus: NonZeroU32)
    -> Result<Self::Settings, ProgramFailure>;

    /// What the call is for.
    fn goal(settings: &Self::Settings) -> TestProgramGoal<Self::List>;

    /// What all programs' settings have.
    fn common(settings: &Self::Settings) -> &RunSettings;

    /// In what the tests run.
    fn containers(settings: &Self::Settings) -> &TestContainerOptions;

    /// What finds the tests that these settings select.
    fn framework(settings: Self::Settings, invocation: Invocation) -> Self::Framework;

    /// The settings that the framework has.
    fn settings_of(framework: &Self::Framework) -> &Self::Settings;

    /// The lines of a list.
    fn list(framework: &Self::Framework, list: Self::List) -> Result<Vec<String>, ProgramFailure>;

    /// Where the project's own file belongs.
    fn project_directory(framework: &Self::Framework) -> Result<PathBuf, ProgramFailure>;

    /// What was said of the tests that are to be explained.
    fn explanations(framework: &Self::Framework) -> Vec<String>;
}

/// What a call of a test program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestProgramGoal<L> {
    /// To find tests and run them.
    Run,
    /// To find tests and print them.
    ListTests,
    /// To print something else.
    List(L),
    /// To build and find tests.
    Build,
    /// To find tests, and print what those of one name get.
    Explain,
    /// To write a file to begin with.
    Init,
}

impl<L> TestProgramGoal<L> {
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

/// Runs a program with this command line, and returns its exit code.
pub fn run_test_program<P: TestProgram>(arguments: Vec<OsString>) -> u8 {
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
    } = match open(called, resolved, P::settings, session_options::<P>)? {
        StartupResult::Done(code) => return Ok(code),
        StartupResult::Going(opened) => opened,
    };
    let framework = P::framework(settings, invocation);
    let settings = P::settings_of(&framework);
    match P::goal(settings) {
        TestProgramGoal::List(list) => print_lines(P::list(&framework, list)?),
        TestProgramGoal::Init => init(P::STARTER, &P::project_directory(&framework)?),
        TestProgramGoal::Run
        | TestProgramGoal::ListTests
        | TestProgramGoal::Build
        | TestProgramGoal::Explain => {
            let options = session_options::<P>(settings);
            let code = RunSession::new(P::NAME, &framework, &options, begun)?.run()?;
            match &P::containers(settings).explain {
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
