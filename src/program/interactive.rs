//! Runs one test on this terminal, in its own container: under a debugger or a tracer, or alone.
//!
//! The tests are found as for a list, except that their jobs are kept: [`JobCollector`] passes the
//! discovery on and keeps what it finds.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::Diagnostic;

use super::failure::ProgramFailure;
use super::run::{has_terminal, run_alone};
use super::session::RunSession;
use super::startup::{InvocationPurpose, ProgramContext, SessionOptions};
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::event::{EventKind, ExitStatus, IsolationMode, SourceLocation, UserNotice};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{
    BrokenEntry, CapturedOutput, DiscoverySummary, Framework, FrameworkHost, OutputAnalysis,
    OutputParser, WatchPaths,
};
use maelstrom_model::job::{Job, ProcessSpec, TestCase, TestKey};
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_model::variables;
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::options::interactive::{InteractiveRun, TerminalDemand};

/// The number of selected tests that an error names.
const NAMED_MAX: usize = 5;

/// Why a test cannot run on this terminal.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum InteractiveRunError {
    #[error("`{0}` needs standard input and standard output to be a terminal")]
    #[diagnostic(help("`--tracer` needs none"))]
    Terminal(&'static str),
    #[error("`{0}` runs a test in its container, and `--isolation=process` gives it none")]
    #[diagnostic(help("leave out --isolation=process, or start the test's program yourself"))]
    Isolation(&'static str),
    #[error("`{option}` runs one test, and {count} are selected{names}")]
    #[diagnostic(help("name one test in full; --list prints what is selected"))]
    Number {
        option: &'static str,
        count: usize,
        names: String,
    },
}

impl ProgramError for InteractiveRunError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Finds the one test that is selected, runs it, and exits like it.
pub(super) fn run<F: Framework>(
    program: &'static str,
    framework: &F,
    (settings, interactive): (&RunSettings, &InteractiveRun),
    begun: ProgramContext,
) -> Result<u8, ProgramFailure> {
    let option = interactive.option;
    match (interactive.terminal, settings.isolation()) {
        (_, IsolationMode::Process) => return Err(InteractiveRunError::Isolation(option).into()),
        (TerminalDemand::Needed, IsolationMode::Container) if !has_terminal() => {
            return Err(InteractiveRunError::Terminal(option).into());
        }
        (TerminalDemand::Needed | TerminalDemand::Optional, IsolationMode::Container) => {}
    }
    let collector = JobCollector {
        framework,
        found: RefCell::default(),
    };
    let options = SessionOptions {
        purpose: InvocationPurpose::Other,
        run: settings,
    };
    let code = RunSession::new(program, &collector, &options, begun)?.run()?;
    if code != exit_code::SUCCESS {
        return Ok(code);
    }
    let case = only_one(collector.found.into_inner(), option)?;
    run_alone(job(case, interactive), &settings.cluster.machine)
}

/// Returns the only test that runs: one that is ignored, or whose result the build has determined,
/// does not.
fn only_one(
    mut found: Vec<TestCase>,
    option: &'static str,
) -> Result<TestCase, InteractiveRunError> {
    found.retain(|case| case.ignored.is_none() && case.known.is_none());
    match (found.pop(), found.as_slice()) {
        (Some(case), []) => Ok(case),
        (last, others) => {
            let all = others.iter().chain(&last);
            let named: Vec<_> = all.map(|case| clean(&case.title)).take(NAMED_MAX).collect();
            let count = others.len() + usize::from(last.is_some());
            let more = match count > named.len() {
                true => ", …",
                false => "",
            };
            let names = match named.is_empty() {
                true => String::new(),
                false => format!(": {}{more}", named.join(", ")),
            };
            Err(InteractiveRunError::Number {
                option,
                count,
                names,
            })
        }
    }
}

/// Returns the job that runs a test under a command. It has no timeout, because a user is watching.
fn job(case: TestCase, interactive: &InteractiveRun) -> Job {
    let mut job = case.job;
    variables::add(&mut job, &case.key, None);
    if let Some((program, first)) = interactive.command.split_first() {
        let own = [job.process.program.to_os_string()];
        let words = first.iter().cloned().chain(own);
        let arguments = job.process.arguments.iter().cloned();
        job.process = Arc::new(ProcessSpec {
            program: Arc::from(program.as_os_str()),
            arguments: words.chain(arguments).collect(),
            ..ProcessSpec::clone(&job.process)
        });
    }
    Job {
        resident: None,
        timeout: None,
        ..job
    }
}

/// Passes a discovery on to a framework, and keeps the tests that it finds.
struct JobCollector<'a, F> {
    framework: &'a F,
    found: RefCell<Vec<TestCase>>,
}

impl<F: Framework> Framework for JobCollector<'_, F> {
    type Error = F::Error;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, Self::Error> {
        let host = CollectingHost {
            host,
            found: &self.found,
        };
        self.framework.discover(&host).await
    }

    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        self.framework.failure_location(stdout, stderr)
    }

    fn read(&self, status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> OutputAnalysis {
        self.framework.read(status, stdout, stderr)
    }

    fn is_own(&self, path: &Path) -> bool {
        self.framework.is_own(path)
    }

    fn follow(&self, test: &TestKey) -> Option<Box<dyn OutputParser>> {
        self.framework.follow(test)
    }

    fn together(&self, test: &TestKey) -> Option<TestGroupMember> {
        self.framework.together(test)
    }
}

/// A host that keeps the tests that are found.
struct CollectingHost<'a, H> {
    host: &'a H,
    found: &'a RefCell<Vec<TestCase>>,
}

impl<H: FrameworkHost> FrameworkHost for CollectingHost<'_, H> {
    fn emit(&self, event: impl Into<EventKind>) {
        self.host.emit(event);
    }

    fn remind(&self, notice: UserNotice) {
        self.host.remind(notice);
    }

    fn state_directory(&self, directory: PathBuf) {
        self.host.state_directory(directory);
    }

    fn watch(&self, list: WatchPaths) {
        self.host.watch(list);
    }

    fn found(&self, tests: Vec<TestCase>) {
        self.found.borrow_mut().extend(tests.iter().cloned());
        self.host.found(tests);
    }

    fn found_at(&self, priority: i8, test: TestCase) {
        self.found.borrow_mut().push(test.clone());
        self.host.found_at(priority, test);
    }

    fn broken(&self, entry: BrokenEntry) {
        self.host.broken(entry);
    }

    fn stop_after(&self, failures: NonZeroU32) {
        self.host.stop_after(failures);
    }

    async fn run(&self, job: Job) -> CapturedOutput {
        self.host.run(job).await
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use maelstrom_model::testing::job_of;

    use super::*;

    fn case(name: &str) -> TestCase {
        TestCase {
            key: TestKey {
                package: "p".into(),
                artifact: "lib".into(),
                name: name.to_owned(),
            },
            title: format!("p {name}"),
            ignored: None,
            job: job_of("/w/test", &["--exact", name]),
            policy: Default::default(),
            known: None,
        }
    }

    #[test]
    fn the_command_comes_before_the_program_of_the_only_test() {
        let interactive = InteractiveRun {
            option: "--debugger",
            command: ["gdb", "--args"].map(Into::into).to_vec(),
            terminal: TerminalDemand::Needed,
        };
        let only = only_one(vec![case("a")], "--debugger").unwrap();
        let process = job(only, &interactive).process;
        assert_eq!(&*process.program, OsStr::new("gdb"));
        assert_eq!(process.arguments, ["--args", "/w/test", "--exact", "a"]);
    }

    #[test]
    fn another_number_of_tests_is_an_error_that_names_some() {
        let told = |names: &[&str]| {
            let cases = names.iter().map(|name| case(name)).collect();
            only_one(cases, "--tty").unwrap_err().to_string()
        };
        assert_eq!(told(&[]), "`--tty` runs one test, and 0 are selected");
        assert_eq!(
            told(&["a", "b"]),
            "`--tty` runs one test, and 2 are selected: p a, p b"
        );
        assert_eq!(
            told(&["a", "b", "c", "d", "e", "f", "g"]),
            "`--tty` runs one test, and 7 are selected: p a, p b, p c, p d, p e, …"
        );
    }
}
