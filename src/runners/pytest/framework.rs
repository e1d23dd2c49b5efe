//! The implementation of [`Framework`] for pytest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::{FusedFuture, FutureExt};

use crate::changed::changed_files;
use crate::changed::git::ChangedFiles;
use crate::options::NoTestsOption;
use crate::past::{PastQuestion, PastTests};
use crate::sandbox::environment;
use crate::sandbox::invocation::Invocation;
use crate::sandbox::keep_alive::KeepAlive;
use crate::sandbox::notices;
use crate::sandbox::project_directories::ProjectDirectories;
use crate::sandbox::project_spec::{ProjectSpec, SpecSource, ToolboxUse, files};
use crate::sharing::SharedTests;
use maelstrom_model::event::{
    EventKind, ExitStatus, IsolationMode, NoticeSeverity, SourceLocation, UserNotice,
};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{
    DiscoverySummary, Framework, FrameworkHost, OutputAnalysis, OutputParser,
};
use maelstrom_model::job::{IgnoredTest, TestCase, TestKey};
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::RunnerLayers;
use maelstrom_spec::filter::{PytestSubject, vocabulary};
use maelstrom_spec::policy::PolicyResolver;

use super::changed::ChangedTests;
use super::collection::PytestItem;
use super::container::PytestContainer;
use super::durations::SlowestPhases;
use super::error::PytestError;
use super::fork_obstacles;
use super::groups;
use super::interpreter::PythonInterpreter;
use super::job_builder::{CollectedTests, PytestJobBuilder, broken, key};
use super::junit::JunitReport;
use super::options::{PROGRAM, PytestAction, PytestSettings};
use super::overrides::{self, PytestOverride, PythonProvisioner};
use super::packages::PackageInstaller;
use super::record;
use super::results::RoundResults;
use super::session::{self, KnownSettings, activate};
use super::watch_list::watch_list;

/// pytest's exit status if tests failed, even if one of them ended the process with another.
const PYTEST_FAILED: u8 = 1;

/// pytest's exit status if it has run no test.
const PYTEST_NO_TESTS: u8 = 5;

/// Collects and runs the tests of a Python project.
#[derive(Debug)]
pub struct PytestFramework {
    settings: PytestSettings,
    invocation: Invocation,
    kept: KeepAlive,
    /// The output of `--explain`, one text for each test.
    explained: Mutex<Vec<String>>,
    /// The tests that run together.
    shared: SharedTests,
    /// What this round's tests have for its end.
    results: Arc<RoundResults>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PytestFramework {
    /// Returns a framework with these settings for this invocation.
    pub fn new(settings: PytestSettings, invocation: Invocation) -> PytestFramework {
        PytestFramework {
            settings,
            invocation,
            kept: KeepAlive::default(),
            explained: Mutex::default(),
            shared: SharedTests::default(),
            results: Arc::default(),
        }
    }

    /// Returns the project's directory, where its specification file belongs.
    pub fn project_directory(&self) -> &Path {
        &self.invocation.directory
    }

    /// Returns what `--explain` prints, one text for each test.
    pub fn explanations(&self) -> Vec<String> {
        held(&self.explained).clone()
    }

    /// Loads the project's specification file, if there is one.
    fn specified(&self, own: &ProjectDirectories) -> Result<Option<ProjectSpec>, PytestError> {
        let project = &self.invocation.directory;
        let recipe = SpecSource {
            file: &files::PYTEST,
            project,
            vocabulary: &vocabulary::PYTEST,
            variables: &[],
            profile: &self.settings.common.profile,
            timeout_s: self.settings.timeout_s,
            runner_layers: RunnerLayers::Some,
            isolation: self.settings.common.isolation(),
            client: &self.invocation.environment,
        };
        let containers = &self.settings.containers;
        let sources = containers.sources(&self.invocation, project.clone(), own.shared.clone());
        let specified = ProjectSpec::load(&recipe, sources)?;
        if let Some(specified) = &specified {
            overrides::check(specified)?;
            self.kept.keep(specified.materials());
        }
        Ok(specified)
    }

    /// Returns the containers of the selected tests according to the specification file; for
    /// `--explain`, records explanations instead.
    async fn overrides<H: FrameworkHost>(
        &self,
        host: &H,
        shop: &PytestJobBuilder<'_>,
        directories: &ProjectDirectories,
        specified: Option<&ProjectSpec>,
        tests: &[PytestItem],
    ) -> Result<Vec<PytestOverride>, PytestError> {
        match self.settings.goal {
            PytestAction::Run => {}
            PytestAction::Explain => {
                let said =
                    overrides::explanations(&self.invocation, &self.settings, specified, tests)?;
                *held(&self.explained) = said;
                return Ok(Vec::new());
            }
            PytestAction::List | PytestAction::Init => return Ok(Vec::new()),
        }
        let Some(specified) = specified else {
            return Ok(Vec::new());
        };
        let subjects = tests.iter().map(overrides::subject);
        let given = specified.give_all(subjects, &shop.standard(), host).await?;
        let outfitter = PythonProvisioner {
            specified,
            isolation: self.settings.common.isolation(),
            installer: PackageInstaller {
                invocation: &self.invocation,
                cache: &directories.shared.join("cache/pip_packages"),
                materials: &specified.materials(),
            },
            host,
        };
        let (own, packages) = outfitter.overrides(tests, given).await?;
        packages
            .into_iter()
            .for_each(|packages| self.kept.keep(packages));
        Ok(own)
    }

    /// Returns the settings of the run.
    pub fn settings(&self) -> &PytestSettings {
        &self.settings
    }

    async fn job_builder<H: FrameworkHost>(
        &self,
        host: &H,
        own: &ProjectDirectories,
        changed: Option<&ChangedFiles>,
    ) -> Result<PytestJobBuilder<'_>, PytestError> {
        let interpreter =
            PythonInterpreter::find(&self.invocation, self.settings.python.as_deref());
        let interpreter = interpreter.await?;
        if let Some(prefix) = &interpreter.found {
            let shown = prefix.strip_prefix(&self.invocation.directory);
            host.emit(EventKind::Notice(UserNotice {
                severity: NoticeSeverity::Info,
                text: format!(
                    "no virtual environment is active: the tests use {}",
                    shown.unwrap_or(prefix).display()
                ),
                help: Some("--python=python3 takes the one on PATH".to_owned()),
                in_summary: false,
            }));
        }
        let isolation = self.settings.common.isolation();
        let surroundings = PytestContainer::make(&self.invocation, own, &interpreter, isolation)?;
        let mut environment = environment::invoking(&self.invocation.environment, isolation);
        environment::go_offline(&mut environment, isolation);
        environment::announce(&mut environment);
        if let Some(prefix) = &interpreter.found {
            activate(&mut environment, prefix);
        }
        Ok(PytestJobBuilder {
            policies: PolicyResolver::new(self.settings.common.policy.clone(), Default::default()),
            settings: &self.settings,
            colors: self.invocation.colors,
            surroundings,
            imports: changed.map(|changed| changed.top.clone()),
            program: interpreter.executable.as_os_str().into(),
            environment: Arc::new(environment),
            directory: self.invocation.directory.as_path().into(),
        })
    }

    /// Returns whether the options and the specification file select a test, whatever changed.
    fn wants(&self, test: &PytestItem, specified: Option<&ProjectSpec>) -> bool {
        let subject = overrides::subject(test);
        self.settings.patterns.evaluate(&subject).possible()
            && !specified.is_some_and(|specified| specified.leaves_out(&subject))
    }

    /// Applies the options that concern a whole session. Returns an error if an option is not
    /// supported, or if the report cannot be written.
    fn apply_session_options<H: FrameworkHost>(
        &self,
        host: &H,
        CollectedTests {
            session, ignored, ..
        }: &mut CollectedTests,
        begun: Instant,
    ) -> Result<(), PytestError> {
        let known = KnownSettings {
            failed_only: self.settings.common.failed_only,
            is_interactive: self.settings.common.interactive.is_some(),
        };
        let session::SessionSettings {
            stop_after,
            durations,
            warnings,
            notices,
        } = session::session_settings(&session.settled, known)?;
        let mut report = session.report.take().map(JunitReport::new);
        if let Some(report) = &mut report {
            let text = "its import ended the collection";
            let files = ignored.iter().map(|file| file.to_string_lossy());
            files.for_each(|file| report.add_broken(&file, text));
        }
        let slowest = durations.map(SlowestPhases::new);
        self.results.begin(warnings, slowest, report, begun)?;
        if let Some(failures) = stop_after {
            host.stop_after(failures);
        }
        for notice in notices {
            host.emit(EventKind::Notice(notice));
        }
        Ok(())
    }

    /// Returns the exit code of a run without tests. `skips_files` says whether files skip themselves:
    /// then the run has entries, and the engine does not say that there is no test.
    fn no_tests<H: FrameworkHost>(&self, host: &H, skips_files: bool) -> Option<u8> {
        match self.settings.common.no_tests {
            Some(NoTestsOption::Pass) => None,
            Some(NoTestsOption::Warn) if !skips_files => None,
            Some(NoTestsOption::Warn) => {
                host.emit(EventKind::Notice(UserNotice {
                    severity: NoticeSeverity::Warning,
                    text: "there was no test to run".to_owned(),
                    help: None,
                    in_summary: true,
                }));
                None
            }
            Some(NoTestsOption::Fail) | None => Some(PYTEST_NO_TESTS),
        }
    }

    /// Returns the exit code of a run in which no test depends on a changed file.
    fn no_tests_changed(&self) -> Option<u8> {
        (self.settings.common.no_tests == Some(NoTestsOption::Fail)).then_some(PYTEST_NO_TESTS)
    }

    /// Emits notices about the tests that were found.
    fn notify<H: FrameworkHost>(&self, host: &H, specified: Option<&ProjectSpec>) {
        match self.settings.goal {
            PytestAction::Run => {}
            PytestAction::List | PytestAction::Init | PytestAction::Explain => return,
        }
        let used = specified.map_or(ToolboxUse::Used, ProjectSpec::toolbox_use);
        let toolbox = match (self.settings.common.isolation(), used) {
            (IsolationMode::Container, ToolboxUse::Used) => Some(UserNotice {
                help: None,
                ..notices::toolbox("Python environment")
            }),
            (IsolationMode::Container, ToolboxUse::Unused) | (IsolationMode::Process, _) => None,
        };
        let no_containers = specified.and_then(ProjectSpec::notice);
        if let Some(toolbox) = toolbox {
            host.remind(toolbox);
        }
        if let Some(notice) = no_containers {
            host.emit(EventKind::Notice(notice));
        }
    }
}

impl Framework for PytestFramework {
    type Error = PytestError;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, PytestError> {
        let begun = Instant::now();
        self.kept.discovery_begins();
        let here = &self.invocation.directory;
        let own = ProjectDirectories::of(&self.invocation, PROGRAM.name, here);
        host.state_directory(own.state.clone());
        host.watch(watch_list(
            &self.invocation.directory,
            &self.settings.pytest,
            &own,
        ));
        let specified = self.specified(&own)?;
        let changed = changed_files(&self.settings.common.changed, &self.invocation, here);
        let changed = changed.await?;
        let mut shop = self.job_builder(host, &own, changed.as_ref()).await?;
        if let Some(specified) = &specified {
            shop.surroundings.name(specified.named_variables());
        }
        let mut others = pin!(shop.make_ready(host).fuse());
        let mut collected = {
            let mut collecting = pin!(shop.collect(host));
            loop {
                tokio::select! {
                    biased;
                    collected = &mut collecting => break collected?,
                    () = &mut others, if !others.is_terminated() => {}
                }
            }
        };
        if self.settings.goal == PytestAction::Run {
            self.apply_session_options(host, &mut collected, begun)?;
        }
        let resident = shop.fork_server(&collected);
        let is_the_first = match (&resident, &collected.resident) {
            (Some(resident), Some(first)) => Arc::ptr_eq(resident, first),
            (None, _) | (_, None) => false,
        };
        let CollectedTests {
            listing,
            session,
            ignored,
            resident: _,
        } = collected;
        let is_whole = listing.broken.is_empty() && ignored.is_empty();
        let unfit: BTreeSet<String> = fork_obstacles::files(&listing.unfit);
        for notice in fork_obstacles::notices(&self.settings, &listing.unfit) {
            host.emit(EventKind::Notice(notice));
        }
        for file in listing.broken {
            host.broken(broken(file));
        }
        let found = listing.tests.len();
        for warning in listing.warnings {
            self.results.warn(warning, 0);
        }
        let mut all = listing.tests;
        let mut together = self.settings.together.iter();
        let past = PastTests::load(
            &own.state,
            PastQuestion::of(&[
                self.settings.patterns.asks_for_past(),
                together.any(|(_, pattern)| pattern.asks_for_past()),
                specified.as_ref().is_some_and(ProjectSpec::asks_for_past),
            ]),
        );
        for test in &mut all {
            test.past = past.of(PytestSubject::PACKAGE, &test.file, &test.name);
        }
        // Group the tests before patterns select among them, since a session needs to know all
        // tests of a group.
        groups::mark(&mut all, &self.settings.together);
        let wants = |test: &PytestItem| self.wants(test, specified.as_ref());
        let selected = all.iter().filter(|test| wants(test));
        let changed = ChangedTests::find(changed, listing.imports.as_ref(), here, selected)?;
        if let Some(notice) = changed.notice.clone() {
            host.emit(EventKind::Notice(notice));
        }
        let (mut wanted, mut unwanted): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|test| wants(test) && changed.contains(test));
        let left_out = found - wanted.len();
        let own = self
            .overrides(host, &shop, &own, specified.as_ref(), &wanted)
            .await?;
        let scopes = shop.scopes(&wanted, &own)?;
        groups::share(&mut wanted, &mut unwanted, &scopes);
        let sessions = groups::sessions(&wanted, &unwanted, &own);
        if self.settings.goal == PytestAction::Run {
            for notice in groups::notices(&wanted, &sessions) {
                host.emit(EventKind::Notice(notice));
            }
        }
        let jobs = shop.group_jobs(&session, &sessions, &wanted, &own);
        let items = wanted.clone();
        let mut tests = shop.test_cases(&session, items, &own, jobs, &self.shared, |test| {
            let forked = !unfit.contains(&test.file);
            resident.clone().filter(|_| forked)
        })?;
        for (index, (case, test)) in tests.iter().zip(&wanted).enumerate() {
            let skipped = test.testcases.clone();
            self.results.add_test(&case.key, index, &test.node, skipped);
        }
        let mut skipped = BTreeMap::new();
        if self.settings.goal != PytestAction::List {
            // pytest lists tests only.
            for file in listing.skipped {
                skipped.entry(file.file).or_insert(file.reason);
            }
        }
        tests.extend(skipped.into_iter().map(|(file, reason)| TestCase {
            key: key(&file, String::new()),
            title: file,
            ignored: Some(IgnoredTest {
                reason: Some(reason),
            }),
            // The job never runs, since the test is ignored.
            job: shop.job(Vec::new(), None),
            policy: Default::default(),
            known: None,
        }));
        let skips_files = tests.len() > wanted.len();
        let are_many = tests.len() > 1;
        host.found(tests);
        // Otherwise the processes of the other slots are not needed, and end here.
        if are_many && is_the_first && !others.is_terminated() {
            others.await;
        }
        self.notify(host, specified.as_ref());
        let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        let summary = DiscoverySummary {
            deselected: session.deselected.saturating_add(left_out),
            failure: match (is_whole, self.settings.goal) {
                (false, _) => Some(exit_code::TEST_FAILURE),
                (true, PytestAction::Run) if changed.leave_out_all => self.no_tests_changed(),
                (true, PytestAction::Run) if wanted.is_empty() => self.no_tests(host, skips_files),
                (true, _) => None,
            },
        };
        self.kept.discovery_is_over(&summary);
        Ok(summary)
    }

    fn failure_code(&self) -> Option<u8> {
        Some(PYTEST_FAILED)
    }

    fn is_own(&self, path: &Path) -> bool {
        path.starts_with(&self.invocation.directory)
    }

    fn failure_location(&self, _stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        record::read(ExitStatus::Code(1), stderr).location
    }

    fn read(&self, status: ExitStatus, _stdout: &[u8], stderr: &[u8]) -> OutputAnalysis {
        self.results.read(status, stderr)
    }

    fn follow(&self, test: &TestKey) -> Option<Box<dyn OutputParser>> {
        self.shared.attempt_begins(test);
        self.results.follow(test)
    }

    fn together(&self, test: &TestKey) -> Option<TestGroupMember> {
        self.shared.member(test)
    }

    fn conclusions(&self) -> Vec<UserNotice> {
        let shared = self.shared.conclusion();
        self.results.conclude().into_iter().chain(shared).collect()
    }
}
