//! The implementation of [`Framework`] for Go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::sandbox;
use crate::sandbox::container::Toolbox;
use crate::sandbox::invocation::Invocation;
use crate::sandbox::keep_alive::KeepAlive;
use crate::sandbox::project_directories::ProjectDirectories;
use crate::sandbox::project_spec::{ProjectSpec, SpecSource, ToolboxUse, files};
use crate::sharing::SharedTests;
use maelstrom_model::event::{BuildEvent, EventKind, IsolationMode, SourceLocation, UserNotice};
use maelstrom_model::framework::{
    DiscoverySummary, Framework, FrameworkHost, OutputParser, WatchPaths,
};
use maelstrom_model::job::TestKey;
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::RunnerLayers;
use maelstrom_spec::filter::vocabulary;
use maelstrom_spec::policy::PolicyResolver;

use super::binaries::GoBinaryDirectory;
use super::build::{GoBuild, LinkCachePolicy, arguments};
use super::changed::ChangedPackages;
use super::discovery::{GoDiscovery, PackagePresence};
use super::error::GoError;
use super::links;
use super::location::FailureLocations;
use super::notices;
use super::options::{GoAction, GoSettings, PROGRAM};
use super::order::by_need;
use super::overrides;
use super::packages::{self, GoPackage};
use super::project::GoProject;
use super::reader::GoTestReader;
use super::toolchain::{GO, GoToolchain};
use crate::options::{EventStreamFormat, NoTestsOption};
use crate::past::{PastQuestion, PastTests};
use crate::process::of_tool;

/// The name of the directory of linked test binaries, in the runner's cache for the project.
const LINKS: &str = "links";

/// The exit code of `go test` for every failure.
const GO_FAILED: u8 = 1;

/// Builds, lists and reads the tests of Go packages.
#[derive(Debug)]
pub struct GoFramework {
    settings: GoSettings,
    invocation: Invocation,
    /// The invocation for `go` commands, whose `GOFLAGS` lacks the flags that this program handles
    /// itself.
    building: Invocation,
    known: Mutex<PackageDirectories>,
    kept: KeepAlive,
    /// The output of `--explain`, one text for each test.
    explained: Mutex<Vec<String>>,
    /// The tests that share a process.
    shared: SharedTests,
}

/// The directories that parsers of output need after discovery.
#[derive(Debug, Default)]
struct PackageDirectories {
    /// The directories of packages, by import path.
    directories: HashMap<String, PathBuf>,
    root: PathBuf,
}

impl GoFramework {
    /// Returns a framework with these settings for this invocation.
    pub fn new(settings: GoSettings, mut invocation: Invocation) -> GoFramework {
        if let Some(directory) = &settings.directory {
            invocation.directory = invocation.directory.join(directory);
        }
        let mut building = invocation.clone();
        if let Some(rest) = &settings.go_flags {
            // Go treats an empty variable as unset and uses the value in its environment file
            // instead, so the value is at least a space.
            let rest = format!(" {rest}").into();
            building.environment.insert("GOFLAGS".into(), rest);
        }
        GoFramework {
            settings,
            invocation,
            building,
            known: Mutex::default(),
            kept: KeepAlive::default(),
            explained: Mutex::default(),
            shared: SharedTests::default(),
        }
    }

    /// Returns the settings of the run.
    pub fn settings(&self) -> &GoSettings {
        &self.settings
    }

    /// Returns the lines that `--list-packages` prints. Builds nothing.
    pub async fn list_packages(&self) -> Result<Vec<String>, GoError> {
        // Reports a missing or outdated Go.
        let toolchain = self.toolchain().await?;
        let mut packages = self.wanted(packages::list(&self.building, &self.settings).await?);
        if let Some(changed) = self.changed(toolchain.workspace()).await? {
            changed.retain(&mut packages);
        }
        Ok(packages.into_iter().map(|p| p.import_path).collect())
    }

    /// Returns the directory of the module, where its specification file belongs.
    pub fn project_directory(&self) -> Result<PathBuf, GoError> {
        let directory = &self.invocation.directory;
        overrides::module_directory(directory).ok_or_else(|| GoError::NoModule {
            directory: directory.clone(),
        })
    }

    /// Returns what `--explain` prints, one text for each test.
    pub fn explanations(&self) -> Vec<String> {
        let explained = self.explained.lock();
        explained.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the module's specification file, if there is one.
    fn specified(
        &self,
        root: &Path,
        own: &ProjectDirectories,
    ) -> Result<Option<ProjectSpec>, GoError> {
        let project = overrides::module_directory(&self.invocation.directory);
        let project = project.unwrap_or_else(|| root.to_owned());
        let recipe = SpecSource {
            file: &files::GO,
            project: &project,
            vocabulary: &vocabulary::GO,
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
            self.kept.keep(specified.materials());
        }
        Ok(specified)
    }

    /// Returns the toolchain. Returns an error if there is no module and the packages need one.
    async fn toolchain(&self) -> Result<GoToolchain, GoError> {
        let here = &self.invocation.directory;
        // Without this check, a missing working directory would be reported as a missing Go.
        std::fs::read_dir(here).map_err(|source| GoError::Directory {
            directory: here.clone(),
            source,
        })?;
        let toolchain = GoToolchain::find(&self.building).await?;
        if let Some(flag) = toolchain.unread_flag() {
            let flag = flag.to_owned();
            return Err(GoError::Flag { flag });
        }
        // Single files, and packages of the standard library, need no module.
        let needs_module = |name: &String| name.starts_with('.') && !name.ends_with(".go");
        if toolchain.misses_module() && self.settings.packages.iter().all(needs_module) {
            return Err(GoError::NoModule {
                directory: here.clone(),
            });
        }
        Ok(toolchain)
    }

    /// Returns the packages that the filters do not exclude.
    fn wanted(&self, packages: Vec<GoPackage>) -> Vec<GoPackage> {
        let mut packages = packages;
        packages.retain(|package| package.is_wanted(&self.settings.patterns));
        packages
    }

    async fn changed(&self, workspace: Option<&Path>) -> Result<Option<ChangedPackages>, GoError> {
        ChangedPackages::find(&self.settings, &self.building, workspace).await
    }

    /// Returns whether the user sets `-toolexec`.
    fn has_toolexec(&self, toolchain: &GoToolchain) -> bool {
        let typed = self.settings.build_flags.iter().map(String::as_str);
        links::is_taken(toolchain.flags().chain(typed))
    }

    /// Returns the exit code of a run without tests. For Go such a run is a success.
    fn no_tests(&self) -> Option<u8> {
        let is_run = self.settings.goal == GoAction::Run;
        match self.settings.common.no_tests {
            Some(NoTestsOption::Fail) if is_run => Some(GO_FAILED),
            Some(NoTestsOption::Fail | NoTestsOption::Pass | NoTestsOption::Warn) | None => None,
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, PackageDirectories> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the packages as arguments of Go: sorted for the build, or as the user wrote them if
    /// none is selected or if some are files without an import path.
    fn named(&self, wanted: &[GoPackage]) -> Vec<String> {
        if wanted.is_empty() || !wanted.iter().all(GoPackage::has_name) {
            return self.settings.packages.clone();
        }
        let ordered = by_need(wanted).into_iter();
        ordered.map(|package| package.import_path.clone()).collect()
    }

    fn remember(&self, packages: &[GoPackage], root: &Path) {
        let mut known = self.known();
        known.root = root.to_owned();
        // Tests of an earlier round may run again although this discovery has not found their
        // packages.
        known.directories.extend(
            packages
                .iter()
                .map(|package| (package.import_path.clone(), package.dir.clone())),
        );
    }

    fn notify<H: FrameworkHost>(&self, host: &H, specified: Option<&ProjectSpec>) {
        if self.settings.goal == GoAction::Build && self.settings.count_is_zero {
            host.emit(EventKind::Notice(notices::count_is_zero()));
        }
        match self.settings.goal {
            GoAction::Run => {}
            GoAction::ListTests
            | GoAction::ListPackages
            | GoAction::Build
            | GoAction::Init
            | GoAction::Explain => {
                return;
            }
        }
        let used = specified.map_or(ToolboxUse::Used, ProjectSpec::toolbox_use);
        let toolbox = match (
            self.settings.common.isolation(),
            self.settings.toolbox,
            used,
        ) {
            (IsolationMode::Container, Toolbox::Present, ToolboxUse::Used) => {
                Some(sandbox::notices::toolbox("Go toolchain"))
            }
            (IsolationMode::Container, Toolbox::Present, ToolboxUse::Unused)
            | (IsolationMode::Container, Toolbox::Absent, _)
            | (IsolationMode::Process, _, _) => None,
        };
        let no_containers = specified.and_then(ProjectSpec::notice);
        if let Some(toolbox) = toolbox {
            host.remind(toolbox);
        }
        if let Some(notice) = no_containers {
            host.emit(EventKind::Notice(notice));
        }
    }

    async fn build<H: FrameworkHost>(
        &self,
        host: &H,
        arguments: &[String],
        binaries: &GoBinaryDirectory,
        linking: LinkCachePolicy<'_>,
        mut discovery: GoDiscovery<'_, H>,
    ) -> Result<DiscoverySummary, GoError> {
        let temporary = binaries.build_directory();
        let mut build = GoBuild::start(&self.building, arguments, temporary, linking)?;
        let status = loop {
            tokio::select! {
                message = build.next() => {
                    let message = message?;
                    let finished = message.finished();
                    discovery.build_message(message).await?;
                    if let Some(status) = finished {
                        break status;
                    }
                }
                listed = discovery.listed(), if discovery.is_listing() => listed?,
            }
        };
        host.emit(BuildEvent::Finished {
            succeeded: status.success(),
        });
        // Go also fails if only some packages do; then their entries report it.
        if !status.success() && discovery.found() == PackagePresence::Nothing {
            return Err(GoError::Build { status });
        }
        while discovery.is_listing() {
            discovery.listed().await?;
        }
        discovery.build_is_over();
        let no_tests = match discovery.found_tests() {
            true => None,
            false => self.no_tests(),
        };
        let failure = (!status.success()).then(|| of_tool(status));
        Ok(DiscoverySummary {
            deselected: discovery.deselected(),
            failure: failure.or(no_tests),
        })
    }
}

impl Framework for GoFramework {
    type Error = GoError;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, GoError> {
        self.kept.discovery_begins();
        self.shared.forget();
        let (toolchain, packages) = tokio::join!(
            self.toolchain(),
            packages::list(&self.building, &self.settings)
        );
        // Errors of the toolchain take precedence.
        let (toolchain, packages) = (toolchain?, packages?);
        let listed = packages.len();
        let mut packages = self.wanted(packages);
        let mut directories = packages::directories(&packages);
        let workspace = toolchain.workspace().filter(|path| path.is_absolute());
        let replaced = packages::replacements(&self.building, &directories, workspace).await?;
        directories.extend(replaced);
        let root = root(&toolchain, &packages, &self.invocation.directory);
        let own = ProjectDirectories::of(&self.invocation, PROGRAM.name, &root);
        host.state_directory(own.state.clone());
        host.watch(WatchPaths {
            directories: watched(&root, &directories),
            without: own.hidden(),
            ..WatchPaths::default()
        });
        self.remember(&packages, &root);
        if let Some(changed) = self.changed(workspace).await? {
            host.emit(EventKind::Notice(changed.retain(&mut packages)));
        }
        // The options exclude all packages. Without this check, Go would test those on the command
        // line.
        if packages.is_empty() && listed > 0 {
            return Ok(DiscoverySummary {
                deselected: 0,
                failure: self.no_tests(),
            });
        }
        let keep = |(path, source)| GoError::Keep { path, source };
        own.write_gitignore().map_err(keep)?;
        let specified = self.specified(&root, &own)?;
        let directives = specified.as_ref().is_some_and(ProjectSpec::asks_for_past);
        let question = PastQuestion::of(&[self.settings.patterns.asks_for_past(), directives]);
        let past = PastTests::load(&own.state, question);
        let binaries = GoBinaryDirectory::new(&own.cache).map_err(keep)?;
        let named = self.named(&packages);
        // Show the packages as the user wrote them rather than in the order in which Go gets them.
        let shown = match packages.len() == listed {
            true => &self.settings.packages,
            false => &named,
        };
        let command = arguments(&self.settings, shown).into_iter();
        host.emit(BuildEvent::Started {
            command: std::iter::once(GO.to_owned()).chain(command).collect(),
        });
        let arguments = arguments(&self.settings, &named);
        let policies = PolicyResolver::new(self.settings.common.policy.clone(), Default::default());
        let project = GoProject {
            policies: &policies,
            settings: &self.settings,
            invocation: &self.invocation,
            toolchain: &toolchain,
            root: &root,
            directories: &directories,
            own: &own,
            binaries: binaries.directory(),
            specified: specified.as_ref(),
            past: &past,
            shared: &self.shared,
            explained: &self.explained,
        };
        let discovery = GoDiscovery::new(project, host, &binaries, &packages)?;
        let kept = own.cache.join(LINKS);
        let linking = match self.has_toolexec(&toolchain) {
            true => LinkCachePolicy::Again,
            false => LinkCachePolicy::Kept(&kept),
        };
        let building = self.build(host, &arguments, &binaries, linking, discovery);
        let summary = building.await;
        links::tidy(&kept);
        // Tests that were found can run even if the build fails.
        self.kept.keep(binaries);
        let summary = summary?;
        self.kept.discovery_is_over(&summary);
        self.notify(host, specified.as_ref());
        Ok(summary)
    }

    fn failure_location(&self, _stdout: &[u8], _stderr: &[u8]) -> Option<SourceLocation> {
        // The parser from [`Framework::follow`] reports locations.
        None
    }

    fn failure_code(&self) -> Option<u8> {
        Some(GO_FAILED)
    }

    fn is_own(&self, path: &Path) -> bool {
        path.starts_with(&self.known().root)
    }

    fn together(&self, test: &TestKey) -> Option<TestGroupMember> {
        self.shared.member(test)
    }

    fn conclusions(&self) -> Vec<UserNotice> {
        self.shared.conclusion().into_iter().collect()
    }

    fn follow(&self, test: &TestKey) -> Option<Box<dyn OutputParser>> {
        self.shared.attempt_begins(test);
        let known = self.known();
        let here = &self.invocation.directory;
        let directory = known.directories.get(&*test.package).unwrap_or(here);
        let places = FailureLocations::new(directory, &known.root, here);
        let reader = GoTestReader::new(test, places);
        let reader = match self.settings.common.stream {
            Some(EventStreamFormat::Test2Json) => reader.with_framing(),
            Some(
                EventStreamFormat::LibtestJson
                | EventStreamFormat::LibtestJsonPlus
                | EventStreamFormat::GoList,
            )
            | None => reader,
        };
        Some(Box::new(match self.settings.common.isolation() {
            IsolationMode::Container => reader.in_container(known.root.clone()),
            IsolationMode::Process => reader,
        }))
    }
}

/// Returns the root of the module or workspace, and the directories of packages outside it.
fn watched(root: &Path, directories: &[PathBuf]) -> Vec<PathBuf> {
    let outside = directories.iter().filter(|path| !path.starts_with(root));
    std::iter::once(root.to_owned())
        .chain(outside.cloned())
        .collect()
}

/// Returns the root of the workspace or of the first module, or else `here`.
fn root(toolchain: &GoToolchain, packages: &[GoPackage], here: &Path) -> PathBuf {
    let modules = packages
        .iter()
        .filter_map(|package| package.module.as_ref());
    let module = modules
        .filter(|module| module.main)
        .map(|module| module.dir.as_path());
    let module = || module.into_iter().find(|directory| directory.is_absolute());
    toolchain
        .workspace()
        .or_else(module)
        .unwrap_or(here)
        .to_owned()
}
