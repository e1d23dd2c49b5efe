//! The implementation of [`Framework`] for cargo.

mod building;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::options::NoTestsOption;
use crate::sandbox;
use crate::sandbox::container::Toolbox;
use crate::sandbox::invocation::Invocation;
use crate::sandbox::keep_alive::KeepAlive;
use crate::sandbox::project_spec::{ProjectSpec, ProjectSpecError, SpecSource, ToolboxUse, files};
use maelstrom_model::event::{
    BuildEvent, EventKind, IsolationMode, NoticeSeverity, OutputText, SourceLocation, UserNotice,
};
use maelstrom_model::framework::{DiscoverySummary, Framework, FrameworkHost, OutputParser};
use maelstrom_model::job::TestKey;
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::policy::PolicyResolver;
use maelstrom_spec::{RunnerLayers, TemplateVariable};

use super::build::BuildStage;
use super::changed::ChangedPackages;
use super::discovery::CargoDiscovery;
use super::doctests::reader::{DoctestConditions, DoctestReader};
use super::environment::config;
use super::error::CargoError;
use super::location;
use super::metadata::CargoWorkspace;
use super::nextest_config::{NextestRules, PlatformFacts};
use super::notices;
use super::options::{CargoAction, CargoSettings, DoctestChoice, VOCABULARY};
use super::output_directory::output_directory;
use super::project::CargoProject;
use super::reader::{CargoTestReader, ListedBinaries, whole_pattern};
use super::selection::CargoSelection;
use super::toolchain::{self, RustToolchain, ToolchainPresence};
use super::transcript::LibtestFormat;
use super::unresponsive::UnresponsivePrograms;
use super::watchlist;
use crate::past::{PastQuestion, PastTests};
use crate::sharing::SharedTests;

/// The name of the template variable for the directory of build outputs.
const BUILD_DIRECTORY: &str = "build-dir";

/// Builds, lists and reads the tests of a Cargo workspace.
#[derive(Debug)]
pub struct CargoFramework {
    settings: CargoSettings,
    invocation: Invocation,
    /// The root directory of the workspace, where the compiler's relative paths start. Set when
    /// discovery begins.
    root: OnceLock<PathBuf>,
    /// The target directory and the build directory. Set when discovery begins.
    built: OnceLock<[PathBuf; 2]>,
    kept: KeepAlive,
    /// The output of `--explain`, one text for each test.
    explained: Mutex<Vec<String>>,
    /// What the test binaries listed, for the parsers of their tests' output.
    listed: ListedBinaries,
    /// The tests that share a process.
    shared: SharedTests,
    /// When doctests have passed, for the parsers of their output.
    doctests: DoctestConditions,
    /// This program, which compiles doctests. Without it, they are not run.
    helper: Option<PathBuf>,
    /// The directories of all packages that have been built from a path so far.
    built_from: RefCell<BTreeSet<PathBuf>>,
}

impl CargoFramework {
    /// Returns a framework with these settings for this invocation.
    pub fn new(settings: CargoSettings, invocation: Invocation) -> CargoFramework {
        CargoFramework {
            settings,
            invocation,
            root: OnceLock::new(),
            built: OnceLock::new(),
            kept: KeepAlive::default(),
            explained: Mutex::default(),
            listed: ListedBinaries::default(),
            shared: SharedTests::default(),
            doctests: DoctestConditions::default(),
            helper: None,
            built_from: RefCell::default(),
        }
    }

    /// Makes the framework run doctests. `helper` is a program that calls
    /// [`doctests::run_if_helper`](super::doctests::run_if_helper) first.
    pub fn with_doctests(self, helper: PathBuf) -> CargoFramework {
        CargoFramework {
            helper: Some(helper),
            ..self
        }
    }

    /// Returns the settings of the run.
    pub fn settings(&self) -> &CargoSettings {
        &self.settings
    }

    /// Returns the lines that `--list-packages` prints. Builds nothing.
    pub async fn list_packages(&self) -> Result<Vec<String>, CargoError> {
        let (_, wanted) = self.wanted().await?;
        let names = wanted.packages.iter().map(|package| package.name());
        Ok(names.map(str::to_owned).collect())
    }

    /// Returns the lines that `--list-binaries` prints. Builds nothing.
    pub async fn list_binaries(&self) -> Result<Vec<String>, CargoError> {
        let (_, wanted) = self.wanted().await?;
        let mut lines = Vec::new();
        for package in &wanted.packages {
            let targets = package.tested_targets();
            let possible = targets.filter(|target| wanted.target(package, target).possible());
            lines.extend(possible.map(|target| target.listing_line(package)));
        }
        Ok(lines)
    }

    /// Returns the root directory of the workspace, where the project's specification file belongs.
    pub async fn project_directory(&self) -> Result<PathBuf, CargoError> {
        let (invocation, options) = (&self.invocation, &self.settings.build);
        let workspace = CargoWorkspace::load(invocation, options).await?;
        Ok(workspace.root.into_std_path_buf())
    }

    /// Returns what `--explain` prints, one text for each test.
    pub fn explanations(&self) -> Vec<String> {
        let explained = self.explained.lock();
        explained.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the project's specification file, if there is one.
    fn specified(
        &self,
        workspace: &CargoWorkspace,
    ) -> Result<Option<ProjectSpec>, ProjectSpecError> {
        let variable = TemplateVariable {
            name: BUILD_DIRECTORY,
            value: self.build_directory(workspace),
        };
        let recipe = SpecSource {
            file: &files::CARGO,
            project: workspace.root.as_std_path(),
            vocabulary: VOCABULARY,
            variables: &[variable],
            profile: &self.settings.common.profile,
            timeout_s: self.settings.timeout_s,
            runner_layers: RunnerLayers::Some,
            isolation: self.settings.common.isolation(),
            client: &self.invocation.environment,
        };
        let own = workspace.own_directory();
        let project = recipe.project.to_owned();
        let sources = self
            .settings
            .containers
            .sources(&self.invocation, project, own);
        let specified = ProjectSpec::load(&recipe, sources)?;
        if let Some(specified) = &specified {
            self.kept.keep(specified.materials());
        }
        Ok(specified)
    }

    /// Returns the directory of build outputs for the selected profile and target, the value of the
    /// template variable `build-dir`.
    fn build_directory(&self, workspace: &CargoWorkspace) -> String {
        let below = output_directory(&self.settings.build);
        workspace.target_directory.join(below).into_string()
    }

    async fn wanted(&self) -> Result<(CargoWorkspace, CargoSelection), CargoError> {
        let workspace = CargoWorkspace::load(&self.invocation, &self.settings.build).await?;
        let mut wanted = CargoSelection::decide(&self.settings, &workspace)?;
        let changed = ChangedPackages::find(&self.settings, &self.invocation, &workspace);
        wanted.leave_out_unchanged(changed.await?.as_ref());
        Ok((workspace, wanted))
    }

    /// Runs `cargo metadata` and the compiler, concurrently if possible. The toolchain is `None` if
    /// the compiler has to be run later.
    ///
    /// rustup's proxies install a missing toolchain, and two proxies at once would both install it.
    /// If the toolchain may be missing, the compiler must run after cargo.
    async fn asked(
        &self,
    ) -> (
        Result<(CargoWorkspace, CargoSelection), CargoError>,
        Option<Result<RustToolchain, CargoError>>,
    ) {
        match toolchain::chosen(&self.invocation) {
            ToolchainPresence::Installed => {
                let (toolchain, wanted) = tokio::join!(self.toolchain(), self.wanted());
                (wanted, Some(toolchain))
            }
            ToolchainPresence::Unknown => (self.wanted().await, None),
        }
    }

    async fn toolchain(&self) -> Result<RustToolchain, CargoError> {
        RustToolchain::find(&self.invocation, self.settings.build.target.as_deref()).await
    }

    /// Returns what nextest's configuration says about tests for a target.
    fn rules(&self, toolchain: &RustToolchain, cfgs: &str) -> NextestRules {
        let target = toolchain.triple();
        let facts = PlatformFacts {
            host: match &self.settings.build.target {
                None => target.clone(),
                Some(_) => format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            },
            target,
            cfgs: cfgs.to_owned(),
        };
        let mut rules = self.settings.nextest.rules(&facts);
        if self.settings.common.profile.ignores_filter {
            rules.ignore_filter();
        }
        rules
    }

    fn watch<H: FrameworkHost>(&self, host: &H, workspace: &CargoWorkspace) {
        host.watch(watchlist::of_workspace(
            workspace,
            &self.built_from.borrow(),
        ));
    }

    fn built_from(&self, directory: &Path) {
        let mut directories = self.built_from.borrow_mut();
        if !directories.contains(directory) {
            directories.insert(directory.to_owned());
        }
    }

    /// Emits notices about the tests that were found.
    fn notify<H: FrameworkHost>(
        &self,
        host: &H,
        wanted: &CargoSelection,
        specified: Option<&ProjectSpec>,
    ) {
        match self.settings.goal {
            CargoAction::Run => {}
            CargoAction::ListTests
            | CargoAction::ListBinaries
            | CargoAction::ListPackages
            | CargoAction::Build
            | CargoAction::Init
            | CargoAction::Explain => return,
        }
        let used = specified.map_or(ToolboxUse::Used, ProjectSpec::toolbox_use);
        let doctests = match (self.settings.doctests, &self.helper) {
            (DoctestChoice::Without, _) | (_, Some(_)) => None,
            (DoctestChoice::Also | DoctestChoice::Only, None) => {
                notices::doctests(wanted, &self.settings.build)
            }
        };
        let toolbox = match (
            self.settings.common.isolation(),
            self.settings.toolbox,
            used,
        ) {
            (IsolationMode::Container, Toolbox::Present, ToolboxUse::Used) => {
                Some(sandbox::notices::toolbox("Rust toolchain"))
            }
            (IsolationMode::Container, Toolbox::Present, ToolboxUse::Unused)
            | (IsolationMode::Container, Toolbox::Absent, _)
            | (IsolationMode::Process, _, _) => None,
        };
        let no_containers = specified.and_then(ProjectSpec::notice);
        if let Some(doctests) = doctests {
            host.emit(EventKind::Notice(doctests));
        }
        if let Some(toolbox) = toolbox {
            host.remind(toolbox);
        }
        if let Some(notice) = no_containers {
            host.emit(EventKind::Notice(notice));
        }
    }
}

impl Framework for CargoFramework {
    type Error = CargoError;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, CargoError> {
        self.kept.discovery_begins();
        self.listed.forget();
        self.shared.forget();
        self.doctests.forget();
        let (wanted, toolchain) = self.asked().await;
        let wanted = wanted.inspect_err(|error| {
            if let Some(said) = error.tool_output() {
                let text = OutputText(said.as_bytes().to_vec());
                host.emit(BuildEvent::Output { text });
                // Otherwise a report without progress keeps the output to itself.
                host.emit(BuildEvent::Finished { succeeded: false });
            }
            // After an earlier round the workspace is already being watched, based on better
            // information.
            if self.root.get().is_none() {
                host.watch(watchlist::of_unknown(
                    &self.invocation,
                    &self.settings.build,
                ));
            }
        });
        let (workspace, mut wanted) = wanted?;
        // A second discovery has the same workspace, so an error can be ignored.
        let _ = self.root.set(workspace.root.as_std_path().to_owned());
        let built = [&workspace.target_directory, &workspace.build_directory];
        let built = built.map(|directory| directory.as_std_path().to_owned());
        let _ = self.built.set(built);
        host.state_directory(workspace.own_directory().join("state"));
        self.watch(host, &workspace);
        for name in &wanted.unknown {
            host.emit(EventKind::Notice(notices::unknown_package(name)));
        }
        if let Some(changed) = &wanted.changed {
            host.emit(EventKind::Notice(changed.clone()));
        }
        let specified = self.specified(&workspace)?;
        let directives = specified.as_ref().is_some_and(ProjectSpec::asks_for_past);
        let question = PastQuestion::of(&[wanted.asks_for_past(), directives]);
        let state = workspace.own_directory().join("state");
        wanted.remember(PastTests::load(&state, question));
        // The build starts first, so that asking the compiler does not delay it.
        let Some(packages) = &wanted.arguments else {
            return Ok(DiscoverySummary {
                deselected: 0,
                failure: self.settings.without_tests(wanted.nothing),
            });
        };
        let build = match self.settings.doctests {
            DoctestChoice::Also | DoctestChoice::Without => {
                Some(self.start_build(host, &workspace, packages)?)
            }
            DoctestChoice::Only => None,
        };
        let toolchain = match toolchain {
            Some(toolchain) => toolchain?,
            None => self.toolchain().await?,
        };
        let target = self.settings.build.target.as_deref();
        let home = toolchain.cargo_home.as_deref();
        let options = &self.settings.build.config;
        let configured = config::load(&self.invocation.directory, home, options)?;
        let has_expressions =
            configured.runners.have_expressions() || self.settings.nextest.has_expressions();
        let cfgs = match has_expressions {
            true => toolchain::cfgs(&self.invocation, target).await?,
            false => String::new(),
        };
        let rustdoc = configured.chosen_rustdoc(&self.invocation);
        let runner = configured
            .runners
            .of(&self.invocation, &toolchain.triple(), &cfgs);
        let remembered = UnresponsivePrograms::load(&workspace.own_directory().join("state"));
        let rules = self.rules(&toolchain, &cfgs);
        let policies = PolicyResolver::new(self.settings.common.policy.clone(), rules.base());
        let project = CargoProject {
            settings: &self.settings,
            invocation: &self.invocation,
            workspace: &workspace,
            wanted: &wanted,
            toolchain: &toolchain,
            configured: &configured.variables,
            runner: &runner,
            rustdoc: rustdoc.as_deref(),
            specified: specified.as_ref(),
            rules: &rules,
            policies: &policies,
            explained: &self.explained,
            listed: &self.listed,
            shared: &self.shared,
            doctests: &self.doctests,
            remembered: &remembered,
        };
        let mut discovery = CargoDiscovery::new(project, host);
        let stage = match &build {
            Some(_) => BuildStage::Second,
            None => BuildStage::First,
        };
        let mut built = Ok(());
        if let Some(build) = build {
            built = self
                .follow_build(build, &mut discovery, BuildStage::First)
                .await?;
        }
        if built.is_ok() {
            discovery.build_finished()?;
            built = self
                .compile_doctests(host, &project, packages, &mut discovery, stage)
                .await?;
        }
        host.emit(BuildEvent::Finished {
            succeeded: built.is_ok(),
        });
        // The build has reported packages outside the workspace. If it failed, a change in one of
        // them may fix it.
        self.watch(host, &workspace);
        if let Err(error) = built {
            discovery.build_failed();
            return Err(error);
        }
        while discovery.is_listing() {
            discovery.listed().await?;
        }
        self.notify(host, &wanted, specified.as_ref());
        let summary = discovery.summary();
        let ignored = match (summary.failure, self.settings.common.no_tests) {
            (Some(_), _) => Some(NoticeSeverity::Error),
            (None, Some(NoTestsOption::Warn)) => Some(NoticeSeverity::Warning),
            (None, Some(NoTestsOption::Pass | NoTestsOption::Fail) | None) => None,
        };
        if let Some(severity) = ignored.filter(|_| discovery.all_ignored()) {
            host.emit(EventKind::Notice(notices::all_ignored(severity)));
        }
        self.kept.discovery_is_over(&summary);
        Ok(summary)
    }

    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        let directory = &self.invocation.directory;
        let root = self.root.get().unwrap_or(directory);
        location::failure_location(stdout, stderr, root, directory)
    }

    fn is_own(&self, path: &Path) -> bool {
        let is_below = |place: &PathBuf| path.starts_with(place);
        let built = self.built.get();
        let built = built.is_some_and(|built| built.iter().any(is_below));
        let elsewhere = self.built_from.borrow();
        !built && (self.root.get().is_some_and(is_below) || elsewhere.iter().any(is_below))
    }

    fn follow(&self, test: &TestKey) -> Option<Box<dyn OutputParser>> {
        let directory = &self.invocation.directory;
        let root = self.root.get().unwrap_or(directory);
        let places = (root.clone(), directory.clone());
        if let Some(passes) = self.doctests.of(test) {
            let isolation = self.settings.common.isolation();
            let reader = DoctestReader::new(passes, &test.name, places, isolation);
            return Some(Box::new(reader));
        }
        self.shared.attempt_begins(test);
        let (asked, framing) = match self.shared.member(test) {
            Some(_) => (None, None),
            None => {
                let form = LibtestFormat::asked_for(&self.settings.extra_arguments);
                let asked = self.listed.asked(test, form)?;
                let framing = self.listed.framing(test, &asked);
                (Some(asked), framing)
            }
        };
        Some(Box::new(CargoTestReader::new(
            asked,
            framing,
            whole_pattern(test),
            places,
            self.settings.common.isolation(),
        )))
    }
    fn together(&self, test: &TestKey) -> Option<TestGroupMember> {
        self.shared.member(test)
    }

    fn conclusions(&self) -> Vec<UserNotice> {
        self.shared.conclusion().into_iter().collect()
    }
}
