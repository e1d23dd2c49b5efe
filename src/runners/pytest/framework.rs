//! All of `maelstrom-pytest`'s parts together, as the engine drives them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::{EventKind, ExitStatus, Isolation, Notice, Severity, SourceLocation};
use crate::engine::filter::PytestSubject;
use crate::engine::framework::{
    BrokenEntry, Captured, DiscoverySummary, Framework, Host, Reading, Watchlist,
};
use crate::engine::job::{Ignored, Job, JobEnd, ProcessSpec, TestCase, TestKey};
use crate::runners::sandbox::environment;
use crate::runners::sandbox::invocation::{Invocation, Variables};
use crate::runners::sandbox::notices;
use crate::runners::sandbox::own::OwnDirectories;

use super::arguments::CommandLines;
use super::collection::{BrokenFile, ListedTest, Listing, Session, Unfit, how_it_ended};
use super::container::Surroundings;
use super::error::PytestError;
use super::interpreter::Interpreter;
use super::options::{Goal, PROGRAM, Processes, Settings};
use super::record;

/// How long a whole collection may take: far longer than that of the largest projects, since it is
/// only there for what hangs where no file is to blame.
const COLLECTION_MAX: Duration = Duration::from_secs(3600);

/// What Python and pytest write beside the sources.
const GENERATED: [&str; 3] = ["__pycache__/", "*.py[co]", ".pytest_cache/"];

/// Finds and reads the tests of a Python project.
#[derive(Debug)]
pub struct PytestFramework {
    settings: Settings,
    invocation: Invocation,
}

/// What the jobs of a run have in common.
struct Shop<'a> {
    framework: &'a PytestFramework,
    surroundings: Surroundings,
    program: Arc<OsStr>,
    environment: Arc<Variables>,
    directory: Arc<Path>,
}

impl Shop<'_> {
    fn command_lines(&self) -> CommandLines<'_> {
        CommandLines {
            runner: &self.surroundings.runner,
            pytest: &self.framework.settings.pytest,
            colours: self.framework.invocation.colours,
        }
    }

    fn job(&self, arguments: Vec<OsString>, timeout: Option<Duration>) -> Job {
        Job {
            container: Arc::clone(&self.surroundings.container),
            process: Arc::new(ProcessSpec {
                program: Arc::clone(&self.program),
                arguments,
                environment: Arc::clone(&self.environment),
                working_directory: Arc::clone(&self.directory),
            }),
            resident: None,
            timeout,
        }
    }

    /// Collects, leaving out one file after another that ends the collection.
    async fn collect<H: Host>(&self, host: &H) -> Result<Collected, PytestError> {
        let limit = self.framework.settings.collection_timeout;
        let mut ignored: Vec<PathBuf> = Vec::new();
        loop {
            let arguments = self.command_lines().collect(&ignored, limit);
            let captured = host.run(self.job(arguments, Some(COLLECTION_MAX))).await;
            let mut listing = Listing::read(&captured.stdout);
            if let Some(session) = listing.session.take() {
                return Ok(Collected {
                    listing,
                    session,
                    ignored,
                });
            }
            match listing.stopped_in.take() {
                Some(file) if !ignored.contains(&PathBuf::from(&file)) => {
                    let message = how_it_ended(&captured, limit.unwrap_or_default().as_secs());
                    host.broken(stopped(&file, message, captured));
                    ignored.push(file.into());
                }
                Some(_) | None => return Err(gave_up(captured)),
            }
        }
    }

    /// The process whose forks are tests, unless there can't be one.
    fn resident(&self, collected: &Collected) -> Option<Arc<ProcessSpec>> {
        let settings = &self.framework.settings;
        match settings.processes {
            Processes::Fresh => return None,
            Processes::Forked => {}
        }
        let listing = &collected.listing;
        if listing.unfit.iter().any(|unfit| unfit.file.is_none()) {
            return None;
        }
        let unfit = listing.unfit.iter().flat_map(|unfit| &unfit.file);
        let broken = listing.broken.iter().map(|broken| &broken.file);
        let mut ignored = collected.ignored.clone();
        ignored.extend(unfit.chain(broken).map(PathBuf::from));
        let lines = self.command_lines();
        let arguments = lines.serve(&ignored, settings.collection_timeout);
        Some(self.job(arguments, None).process)
    }

    /// `same` tests before it have the same name in the same file.
    fn test_case(&self, session: &Session, test: ListedTest, same: u32) -> TestCase {
        let arguments = self.command_lines().test(session, &test, &self.directory);
        TestCase {
            key: key(&test.file, numbered(&test.name, same)),
            title: numbered(&test.node, test.nth),
            ignored: test.skip.map(|reason| Ignored {
                reason: Some(reason).filter(|reason| !reason.is_empty()),
            }),
            job: self.job(arguments, self.framework.settings.timeout),
        }
    }
}

/// What collection found out.
struct Collected {
    listing: Listing,
    session: Session,
    /// Files that ended earlier attempts.
    ignored: Vec<PathBuf>,
}

/// Two tests of one name are two tests.
fn numbered(name: &str, same: u32) -> String {
    match same {
        0 => name.to_owned(),
        same => format!("{name} #{}", same.saturating_add(1)),
    }
}

fn key(file: &str, name: String) -> TestKey {
    TestKey {
        package: PytestSubject::PACKAGE.into(),
        artifact: file.into(),
        name,
    }
}

/// A file in which a collection ended.
fn stopped(file: &str, message: String, captured: Captured) -> BrokenEntry {
    BrokenEntry {
        key: key(file, String::new()),
        title: file.to_owned(),
        message,
        stdout: Vec::new(),
        stderr: captured.stderr,
    }
}

/// A file that pytest could not collect.
fn broken(broken: BrokenFile) -> BrokenEntry {
    BrokenEntry {
        key: key(&broken.file, String::new()),
        message: "pytest could not collect it".to_owned(),
        title: broken.file,
        stdout: broken.text.into_bytes(),
        stderr: Vec::new(),
    }
}

fn unfit_files(unfit: &[Unfit]) -> BTreeSet<String> {
    unfit
        .iter()
        .filter_map(|unfit| unfit.file.clone())
        .collect()
}

fn gave_up(captured: Captured) -> PytestError {
    let (how, code) = match captured.result.end {
        JobEnd::Exited(ExitStatus::Code(code)) => (format!("exit code {code}"), Some(code)),
        JobEnd::Exited(ExitStatus::Signal { number, .. }) => (format!("signal {number}"), None),
        JobEnd::TimedOut => ("it took too long".to_owned(), None),
        JobEnd::Cancelled => ("it was stopped".to_owned(), None),
        JobEnd::Error(message) => (message, None),
    };
    PytestError::Collection {
        how,
        code,
        output: String::from_utf8_lossy(&captured.stderr).into_owned(),
    }
}

impl PytestFramework {
    /// With these settings, called so.
    pub fn new(settings: Settings, invocation: Invocation) -> PytestFramework {
        PytestFramework {
            settings,
            invocation,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn shop(&self, own: &OwnDirectories) -> Result<Shop<'_>, PytestError> {
        let interpreter = Interpreter::find(&self.invocation, self.settings.python.as_deref());
        let interpreter = interpreter.await?;
        let isolation = self.settings.isolation;
        let surroundings = Surroundings::make(&self.invocation, own, &interpreter, isolation)?;
        let environment = environment::invoking(&self.invocation.environment, isolation);
        Ok(Shop {
            framework: self,
            surroundings,
            program: interpreter.executable.as_os_str().into(),
            environment: Arc::new(environment),
            directory: self.invocation.directory.as_path().into(),
        })
    }

    /// The project, and what else was named to be collected.
    fn watchlist(&self, own: &OwnDirectories) -> Watchlist {
        let here = &self.invocation.directory;
        let mut directories = vec![here.clone()];
        for named in &self.settings.pytest.paths {
            let file = named.to_string_lossy();
            let path = here.join(file.split("::").next().unwrap_or_default());
            let directory = if path.is_dir() {
                Some(path.as_path())
            } else {
                path.parent()
            };
            directories.extend(
                directory
                    .filter(|directory| !directory.starts_with(here) && directory.is_dir())
                    .map(Path::to_owned),
            );
        }
        Watchlist {
            directories,
            without: own.hidden(),
            generated: &GENERATED,
            written: Vec::new(),
        }
    }

    fn wants(&self, test: &ListedTest) -> bool {
        let subject = PytestSubject {
            file: &test.file,
            name: &test.name,
            node_id: &test.node,
            markers: &test.markers,
        };
        self.settings.patterns.evaluate(&subject).possible()
    }

    /// Says which tests start a Python each, though forks were wanted.
    fn tell_unfit<H: Host>(&self, host: &H, unfit: &[Unfit]) {
        match (self.settings.goal, self.settings.isolation) {
            (Goal::Run, Isolation::Container) => {}
            (Goal::Run, Isolation::Process) | (Goal::List, _) => return,
        }
        match self.settings.processes {
            Processes::Fresh => return,
            Processes::Forked => {}
        }
        for Unfit { file, reason } in unfit {
            let which = match file {
                Some(file) => format!("the tests in {file}"),
                None => "all tests".to_owned(),
            };
            host.emit(EventKind::Notice(Notice {
                severity: Severity::Warning,
                text: format!("{which} start a Python each instead of a fork: {reason}"),
                help: None,
                in_summary: true,
            }));
        }
    }

    /// Says what the user should know about the tests that were handed over.
    fn notify<H: Host>(&self, host: &H) {
        match (self.settings.goal, self.settings.isolation) {
            (Goal::Run, Isolation::Container) => {
                let mut notice = notices::toolbox("Python environment");
                notice.help = None;
                host.emit(EventKind::Notice(notice));
            }
            (Goal::Run, Isolation::Process) | (Goal::List, _) => {}
        }
    }
}

impl Framework for PytestFramework {
    type Error = PytestError;

    async fn discover<H: Host>(&self, host: &H) -> Result<DiscoverySummary, PytestError> {
        let here = &self.invocation.directory;
        let own = OwnDirectories::of(&self.invocation, PROGRAM.name, here);
        host.state_directory(own.state.clone());
        host.watch(self.watchlist(&own));
        let shop = self.shop(&own).await?;
        let collected = shop.collect(host).await?;
        let resident = shop.resident(&collected);
        let Collected {
            listing, session, ..
        } = collected;
        let unfit: BTreeSet<String> = unfit_files(&listing.unfit);
        self.tell_unfit(host, &listing.unfit);
        for file in listing.broken {
            host.broken(broken(file));
        }
        let found = listing.tests.len();
        let mut names: BTreeMap<(String, String), u32> = BTreeMap::new();
        let mut tests: Vec<TestCase> = listing
            .tests
            .into_iter()
            .filter(|test| self.wants(test))
            .map(|test| {
                let place = (test.file.clone(), test.name.clone());
                let same = names
                    .entry(place)
                    .and_modify(|same| *same += 1)
                    .or_insert(0);
                let forked = !unfit.contains(&test.file);
                let mut test = shop.test_case(&session, test, *same);
                test.job.resident = resident.clone().filter(|_| forked);
                test
            })
            .collect();
        let left_out = found - tests.len();
        let mut skipped = BTreeMap::new();
        for file in listing.skipped {
            skipped.entry(file.file).or_insert(file.reason);
        }
        tests.extend(skipped.into_iter().map(|(file, reason)| TestCase {
            key: key(&file, String::new()),
            title: file,
            ignored: Some(Ignored {
                reason: Some(reason),
            }),
            // Never run, being ignored.
            job: shop.job(Vec::new(), None),
        }));
        host.found(tests);
        self.notify(host);
        let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        Ok(DiscoverySummary {
            deselected: session.deselected.saturating_add(left_out),
            failure: None,
        })
    }

    fn failure_location(&self, _stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        record::read(ExitStatus::Code(1), stderr).location
    }

    fn read(&self, status: ExitStatus, _stdout: &[u8], stderr: &[u8]) -> Reading {
        record::read(status, stderr)
    }
}
