//! Builds the jobs of a run: the collection, the tests, and the fork servers.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::sandbox::invocation::{ColorMode, ProcessEnvironment};
use crate::sandbox::project_spec::{DefaultContainer, RunOrIgnore};
use crate::sharing::{SharedTests, SharingError, combine_needs};
use maelstrom_model::event::{ExitStatus, IsolationMode, SourceLocation};
use maelstrom_model::framework::{BrokenEntry, CapturedOutput, FrameworkHost};
use maelstrom_model::job::{
    ForkServerNeed, ForkServerSpec, IgnoredTest, Job, JobOutcome, OutputPipes, PlacementConstraint,
    ProcessSpec, TestCase, TestKey,
};
use maelstrom_spec::filter::PytestSubject;
use maelstrom_spec::policy::PolicyResolver;

use super::additions::test_additions;
use super::arguments::CommandLines;
use super::collection::{
    BrokenFile, CollectionReport, CollectionSession, PytestItem, how_it_ended,
};
use super::container::PytestContainer;
use super::error::{PYTEST_USAGE, PytestError, usage};
use super::groups::GroupedTest;
use super::options::{PytestAction, PytestSettings, TestProcessMode};
use super::overrides::{PytestOverride, PythonSource};

/// The time limit for a whole collection. It is far longer than the largest projects need, since it
/// is only for a hang outside the import of any file.
const COLLECTION_MAX: Duration = Duration::from_secs(3600);

/// The maximum number of slots whose process is started before discovery knows the number of tests.
const READY_MAX: u32 = 8;

/// The data that the jobs of a run share.
pub struct PytestJobBuilder<'a> {
    pub settings: &'a PytestSettings,
    /// Whether pytest colors its output.
    pub colors: ColorMode,
    pub surroundings: PytestContainer,
    /// The directory for whose files the collection says what they import, if it does.
    pub imports: Option<PathBuf>,
    /// Settles how each test runs.
    pub policies: PolicyResolver,
    pub program: Arc<OsStr>,
    pub environment: Arc<ProcessEnvironment>,
    /// The project's directory, which is the working directory of jobs.
    pub directory: Arc<Path>,
}

impl PytestJobBuilder<'_> {
    pub(super) fn command_lines(&self) -> CommandLines<'_> {
        CommandLines {
            runner: &self.surroundings.runner,
            pytest: &self.settings.pytest,
            imports: self.imports.as_deref(),
            colors: self.colors,
        }
    }

    /// Returns the default container, for tests without directives in the specification file.
    pub fn standard(&self) -> DefaultContainer {
        DefaultContainer {
            container: Arc::clone(&self.surroundings.container),
            without_toolbox: None,
            environment: Arc::clone(&self.environment),
            working_directory: Arc::clone(&self.directory),
            program: None,
        }
    }

    /// Returns a job in the default container, without a fork server.
    pub fn job(&self, arguments: Vec<OsString>, timeout: Option<Duration>) -> Job {
        Job {
            placement: PlacementConstraint::Here,
            container: Arc::clone(&self.surroundings.container),
            process: Arc::new(ProcessSpec {
                program: Arc::clone(&self.program),
                arguments,
                environment: Arc::clone(&self.environment),
                working_directory: Arc::clone(&self.directory),
            }),
            resident: None,
            timeout,
            output: OutputPipes::Separate,
            grace: None,
            needs: Default::default(),
            additions: Default::default(),
        }
    }

    /// Collects the tests. A file that ends the collection is reported, and the collection is
    /// repeated without it.
    ///
    /// The first attempt is a fork of the fork server for the tests, so that both import modules
    /// only once. If there cannot be a fork server, the collection is repeated in a process of its
    /// own, which reports the reason.
    pub async fn collect<H: FrameworkHost>(&self, host: &H) -> Result<CollectedTests, PytestError> {
        let limit = self.settings.collection_timeout;
        let mut ignored: Vec<PathBuf> = Vec::new();
        let mut resident = self.first_fork_server();
        loop {
            let arguments = self.command_lines().collect(&ignored, limit);
            let job = self.job(arguments, Some(COLLECTION_MAX));
            let captured = host.run(tried(job, resident.clone())).await;
            let mut listing = CollectionReport::read(&captured.stdout);
            if let Some(session) = listing.session.take() {
                return Ok(CollectedTests {
                    listing,
                    session,
                    ignored,
                    resident,
                });
            }
            let was_fork = resident.take().is_some();
            match listing.stopped_in.take() {
                Some(file) if !ignored.contains(&PathBuf::from(&file)) => {
                    let message = how_it_ended(&captured, limit.unwrap_or_default().as_secs());
                    host.broken(stopped(&file, message, captured));
                    ignored.push(file.into());
                }
                // A process of its own will report the reason.
                Some(_) | None if was_fork => {}
                Some(_) | None => return Err(gave_up(captured)),
            }
        }
    }

    /// Starts fork servers in the other slots while the first one collects.
    pub async fn make_ready<H: FrameworkHost>(&self, host: &H) {
        let Some(resident) = self.first_fork_server() else {
            return;
        };
        let job = self.job(self.command_lines().nothing(), Some(COLLECTION_MAX));
        let job = tried(job, Some(resident));
        // The first slot runs the collection.
        let others = 1..self.settings.common.slots.min(READY_MAX);
        join_all(others.map(|_| host.run(job.clone()))).await;
    }

    /// Returns the fork server for the tests before they are collected, or `None` if no forks are
    /// wanted.
    fn first_fork_server(&self) -> Option<Arc<ProcessSpec>> {
        match (self.settings.goal, self.settings.processes) {
            (PytestAction::Run, TestProcessMode::Forked) => {}
            (PytestAction::Run, TestProcessMode::Fresh)
            | (PytestAction::List | PytestAction::Init | PytestAction::Explain, _) => {
                return None;
            }
        }
        match self.settings.common.isolation() {
            IsolationMode::Container => {}
            IsolationMode::Process => return None,
        }
        // With a broker, few tests run on this machine.
        let is_local = self.settings.common.cluster.broker.broker.is_none();
        is_local.then(|| self.server(&[]))
    }

    fn server(&self, ignored: &[PathBuf]) -> Arc<ProcessSpec> {
        let limit = self.settings.collection_timeout;
        self.job(self.command_lines().serve(ignored, limit), None)
            .process
    }

    /// Returns the fork server for the tests, or `None` if there cannot be one.
    pub fn fork_server(&self, collected: &CollectedTests) -> Option<Arc<ProcessSpec>> {
        match self.settings.processes {
            TestProcessMode::Fresh => return None,
            TestProcessMode::Forked => {}
        }
        let listing = &collected.listing;
        // Ignoring files only helps if a file is the cause.
        if listing.unfit.iter().any(|unfit| unfit.file.is_none()) {
            return None;
        }
        let unfit = listing.unfit.iter().flat_map(|unfit| &unfit.file);
        let broken = listing.broken.iter().map(|broken| &broken.file);
        let mut ignored = collected.ignored.clone();
        ignored.extend(unfit.chain(broken).map(PathBuf::from));
        match &collected.resident {
            Some(first) if ignored.is_empty() => Some(Arc::clone(first)),
            Some(_) | None => Some(self.server(&ignored)),
        }
    }

    /// Returns the job of a test, as a fork of `resident` if it is given.
    fn test_job(
        &self,
        session: &CollectionSession,
        test: &PytestItem,
        own: Option<&PytestOverride>,
        resident: Option<Arc<ProcessSpec>>,
    ) -> Job {
        let lines = self.command_lines();
        let Some(PytestOverride { given, python }) = own else {
            let arguments = lines.test(session, test, &self.directory);
            return Job {
                additions: test_additions(),
                resident: resident.map(ForkServerSpec::wanted),
                placement: self.surroundings.placement.clone(),
                output: OutputPipes::Joined,
                ..self.job(arguments, self.settings.timeout)
            };
        };
        let start = &given.working_directory;
        let (program, arguments) = match python {
            PythonSource::Here => (&self.program, lines.test(session, test, start)),
            PythonSource::Containers { program, runner } => {
                let lines = CommandLines { runner, ..lines };
                let words = lines.displaced_test(session, test, &self.directory);
                (program, words)
            }
        };
        let process = ProcessSpec {
            program: Arc::clone(program),
            arguments,
            environment: Arc::clone(&given.environment),
            working_directory: Arc::clone(start),
        };
        Job {
            placement: self.surroundings.placement.clone(),
            container: Arc::clone(&given.container),
            process: Arc::new(process),
            resident: resident.map(ForkServerSpec::wanted),
            timeout: given.timeout,
            output: OutputPipes::Joined,
            grace: None,
            needs: Default::default(),
            additions: test_additions(),
        }
    }

    /// Returns the test cases, with their containers according to the specification file. Notes
    /// those that run together in `shared`.
    pub(super) fn test_cases(
        &self,
        session: &CollectionSession,
        tests: Vec<PytestItem>,
        own: &[PytestOverride],
        mut grouped: BTreeMap<usize, GroupedTest>,
        shared: &SharedTests,
        resident: impl Fn(&PytestItem) -> Option<Arc<ProcessSpec>>,
    ) -> Result<Vec<TestCase>, SharingError> {
        shared.forget();
        let mut names: BTreeMap<(String, String), u32> = BTreeMap::new();
        let mut own = own.iter();
        let mut residents = ForkServers::default();
        let case = |(index, test): (usize, PytestItem)| {
            // Count the tests before it with the same name in the same file.
            let place = (test.file.clone(), test.name.clone());
            let same = names.entry(place);
            let same = *same.and_modify(|same| *same += 1).or_insert(0);
            let own = own.next();
            let resident = resident(&test).and_then(|resident| match own {
                Some(own) => residents.get(own, &resident, &self.directory),
                None => Some(resident),
            });
            let key = key(&test.file, numbered(&test.name, same));
            let job = match grouped.remove(&index) {
                Some(GroupedTest {
                    job,
                    member,
                    reason,
                }) => {
                    shared.add(key.clone(), member, reason);
                    job
                }
                None => self.test_job(session, &test, own, resident),
            };
            let by_mark = test.skip.map(|reason| IgnoredTest {
                reason: Some(reason).filter(|reason| !reason.is_empty()),
            });
            let by_file = own.and_then(|own| match own.given.attention {
                RunOrIgnore::Run => None,
                RunOrIgnore::Ignore => Some(IgnoredTest { reason: None }),
            });
            let mut case = TestCase {
                key,
                title: numbered(&test.node, test.nth),
                ignored: by_mark.or(by_file),
                job,
                policy: Default::default(),
                known: own.and_then(|own| own.given.unavailable.as_deref().cloned()),
            };
            self.policies
                .apply(&mut case, own.map(|own| &*own.given.policy));
            case
        };
        let mut cases: Vec<TestCase> = tests.into_iter().enumerate().map(case).collect();
        combine_needs(&mut cases, |key| shared.member(key))?;
        Ok(cases)
    }
}

/// The fork servers, one per environment.
#[derive(Default)]
struct ForkServers {
    made: Vec<Arc<ProcessSpec>>,
}

impl ForkServers {
    /// Returns the fork server for a test with this container, or `None` if it cannot be forked: a
    /// fork server collects in the project's directory, with the paths on the command line.
    fn get(
        &mut self,
        own: &PytestOverride,
        standard: &Arc<ProcessSpec>,
        directory: &Arc<Path>,
    ) -> Option<Arc<ProcessSpec>> {
        if !own.can_be_forked(directory) {
            return None;
        }
        let environment = &own.given.environment;
        let known = self.made.iter();
        let mut known = known.filter(|made| Arc::ptr_eq(&made.environment, environment));
        if let Some(known) = known.next() {
            return Some(Arc::clone(known));
        }
        let mut made = ProcessSpec::clone(standard);
        made.environment = Arc::clone(environment);
        let made = Arc::new(made);
        self.made.push(Arc::clone(&made));
        Some(made)
    }
}

/// Returns the job as a fork of `resident`, if there is one. If the fork server fails to start, the
/// job reports the reason itself.
fn tried(job: Job, resident: Option<Arc<ProcessSpec>>) -> Job {
    let need = ForkServerNeed::Tried;
    let resident = resident.map(|process| ForkServerSpec { process, need });
    Job { resident, ..job }
}

/// The result of the collection.
pub struct CollectedTests {
    pub listing: CollectionReport,
    /// The facts about all tests.
    pub session: CollectionSession,
    /// The files that ended earlier attempts.
    pub ignored: Vec<PathBuf>,
    /// The fork server that has collected, which may still be running.
    pub resident: Option<Arc<ProcessSpec>>,
}

/// Adds a number to a name that several tests share.
fn numbered(name: &str, same: u32) -> String {
    match same {
        0 => name.to_owned(),
        same => format!("{name} #{}", same.saturating_add(1)),
    }
}

/// Returns the key of a test.
pub fn key(file: &str, name: String) -> TestKey {
    TestKey {
        package: PytestSubject::PACKAGE.into(),
        artifact: file.into(),
        name,
    }
}

/// Returns the entry for a file in which the collection ended.
fn stopped(file: &str, message: String, captured: CapturedOutput) -> BrokenEntry {
    BrokenEntry {
        key: key(file, String::new()),
        title: file.to_owned(),
        message,
        stdout: Vec::new(),
        stderr: captured.stderr,
        location: None,
    }
}

/// Returns the entry for a file that pytest could not collect.
pub fn broken(broken: BrokenFile) -> BrokenEntry {
    BrokenEntry {
        key: key(&broken.file, String::new()),
        message: "pytest could not collect it".to_owned(),
        location: broken_place(&broken.file, &broken.text),
        title: broken.file,
        stdout: broken.text.into_bytes(),
        stderr: Vec::new(),
    }
}

/// Returns the location of a collection error: the last line of the file in Python's output, as
/// `test_x.py:3: in <module>`, or as `File "/p/test_x.py", line 3` for a syntax error.
fn broken_place(file: &str, text: &str) -> Option<SourceLocation> {
    let places = text.lines().filter_map(|line| {
        let line = line.trim_start_matches("E").trim_start();
        match line.strip_prefix("File \"") {
            Some(rest) => {
                let (path, rest) = rest.split_once("\", line ")?;
                Some((path, rest))
            }
            None => line.split_once(':'),
        }
    });
    let mut own = places.filter_map(|(path, rest)| {
        let digits = rest.find(|character: char| !character.is_ascii_digit());
        let line = rest.get(..digits.unwrap_or(rest.len()))?.parse().ok()?;
        Path::new(path).ends_with(file).then_some(line)
    });
    own.next_back().map(|line| SourceLocation {
        path: file.to_owned(),
        line,
        column: None,
    })
}

fn gave_up(captured: CapturedOutput) -> PytestError {
    let (how, code) = match captured.result.end {
        JobOutcome::Exited(ExitStatus::Code(code)) => (format!("exit code {code}"), Some(code)),
        JobOutcome::Exited(ExitStatus::Signal { number, .. }) => (format!("signal {number}"), None),
        JobOutcome::TimedOut => ("it took too long".to_owned(), None),
        JobOutcome::Cancelled => ("it was stopped".to_owned(), None),
        JobOutcome::Error(message) => (message, None),
    };
    let output = String::from_utf8_lossy(&captured.stderr).into_owned();
    match (code, usage(&output)) {
        (Some(PYTEST_USAGE), Some(said)) => PytestError::Usage { said },
        // `--version` and `--help` end like this.
        (Some(0), _) => PytestError::NotCollected,
        _ => PytestError::Collection { how, code, output },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_file_that_cannot_be_collected_is_its_own_last_line() {
        for (text, expected) in [
            (
                "test_x.py:3: in <module>\n    import no\nE   ModuleNotFoundError",
                Some(3),
            ),
            (
                "sub/test_x.py:9: in <module>\nlib.py:4: in f\nE   ValueError",
                Some(9),
            ),
            (
                "E     File \"/p/test_x.py\", line 12\nE       def\nE   SyntaxError",
                Some(12),
            ),
            ("another_test_x.py:7: in <module>", None),
            ("no place: at all", None),
        ] {
            let place = broken_place("test_x.py", text);
            assert_eq!(place.map(|place| place.line), expected, "{text}");
        }
    }
}
