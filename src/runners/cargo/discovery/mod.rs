//! Discovers the tests in built programs.
//!
//! Each test binary is listed in its own container as soon as cargo reports it, while the build
//! continues. Its tests are handed over to the engine as soon as the programs that they may run
//! exist ([`super::programs`]). Their containers from the specification file are prepared
//! immediately, too, unless a layer may contain something that is still being built.
//!
//! A binary that can't be listed becomes one broken entry; the others continue.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Artifact, BuildScript, PackageId};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::sandbox::container::Toolbox;
use crate::sandbox::invocation::ProcessEnvironment;
use maelstrom_model::error::help_of;
use maelstrom_model::event::{BuildEvent, OutputText};
use maelstrom_model::framework::{BrokenEntry, FrameworkHost};
use maelstrom_model::job::{ContainerSpec, JobOutcome, TestCase};

use super::build::CargoBuildMessage;
use super::cases::TestNaming;
use super::diagnostics::{self, DiagnosticParser};
use super::environment::library_path;
use super::error::CargoError;
use super::jobs::{CargoBinaryJobs, CargoContainers};
use super::listed::{ListedBinary, ListingStage};
use super::listing::{self, BinaryListing};
use super::manifest::{CargoManifest, ManifestError};
use super::metadata::{CargoPackage, CargoWorkspace, local_directory};
use super::options::CargoAction;
use super::programs::MissingPrograms;
use super::progress::CargoProgress;
use super::project::CargoProject;
use super::target::{PackageTarget, TargetKind, TestBinary, TestHarness};

mod doctests;
mod handover;
mod needs;
mod sharing;
mod summary;

/// The state of a discovery.
pub struct CargoDiscovery<'a, H> {
    project: CargoProject<'a>,
    host: &'a H,
    containers: CargoContainers,
    /// Tested packages that are not members of the workspace.
    strangers: HashMap<PackageId, Arc<CargoPackage>>,
    manifests: HashMap<PackageId, CargoManifest>,
    scripts: HashMap<PackageId, BuildScript>,
    script_directories: BTreeSet<Utf8PathBuf>,
    programs: MissingPrograms,
    executables: Vec<Utf8PathBuf>,
    /// Shared libraries from the build, which programs may load at run time.
    loadable: Vec<Utf8PathBuf>,
    /// The shared libraries that programs need, for the programs examined so far.
    libraries: HashMap<Utf8PathBuf, Vec<PathBuf>>,
    waiting: Vec<(Arc<CargoPackage>, TestBinary)>,
    units: UnitProgress,
    listings: FuturesUnordered<LocalBoxFuture<'a, Result<ListingStage, CargoError>>>,
    /// Listed binaries that wait for programs that a layer may contain.
    unequipped: Vec<ListedBinary>,
    held: Vec<PendingTests>,
    diagnostics: DiagnosticParser,
    doctests_broken: bool,
    deselected: u32,
    /// The number of tests found, plus the binaries that could not be listed.
    selected: usize,
    /// Those that are not ignored.
    running: usize,
}

/// The progress of the build in units of compilation.
#[derive(Clone, Copy, Debug, Default)]
struct UnitProgress {
    done: u32,
    total: Option<u32>,
}

/// Listed tests that wait for programs to be built.
struct PendingTests {
    package: PackageId,
    kind: TargetKind,
    executable: Utf8PathBuf,
    tests: Vec<TestCase>,
}

impl<'a, H: FrameworkHost> CargoDiscovery<'a, H> {
    /// Returns a discovery that has found nothing yet.
    pub fn new(project: CargoProject<'a>, host: &'a H) -> CargoDiscovery<'a, H> {
        CargoDiscovery {
            host,
            containers: CargoContainers::new(&project),
            strangers: HashMap::new(),
            manifests: HashMap::new(),
            scripts: HashMap::new(),
            script_directories: BTreeSet::new(),
            programs: MissingPrograms::expected(project.wanted, &project.settings.targets),
            executables: Vec::new(),
            loadable: Vec::new(),
            libraries: HashMap::new(),
            waiting: Vec::new(),
            units: UnitProgress::default(),
            listings: FuturesUnordered::new(),
            unequipped: Vec::new(),
            held: Vec::new(),
            diagnostics: DiagnosticParser::default(),
            doctests_broken: false,
            deselected: 0,
            selected: 0,
            running: 0,
            project,
        }
    }

    /// Processes a message from the build.
    pub async fn build_message(&mut self, message: CargoBuildMessage) -> Result<(), CargoError> {
        match message {
            CargoBuildMessage::Output(text) => {
                let root = self.project.workspace.root.as_std_path();
                let directory = &self.project.invocation.directory;
                self.diagnostics.line(&text, root, directory);
                self.host.emit(BuildEvent::Output {
                    text: OutputText(text),
                })
            }
            CargoBuildMessage::Progress(progress) => self.progress(progress),
            CargoBuildMessage::Script(script) => {
                self.script_directories
                    .extend(library_path::script_directories(&script.linked_paths));
                self.unit_done(script.package_id.repr.clone());
                self.scripts.insert(script.package_id.clone(), *script);
            }
            CargoBuildMessage::Artifact(artifact) => {
                self.unit_done(artifact.target.name.clone());
                self.artifact(*artifact).await?;
            }
            CargoBuildMessage::Doctests(file) => self.library_doctests(&file)?,
            CargoBuildMessage::Finished(_) => {}
        }
        Ok(())
    }

    /// Reports the compiler's errors of a failed build.
    pub fn build_failed(self) {
        for error in self.diagnostics.errors() {
            self.host.broken(diagnostics::broken(error));
        }
    }

    /// Processes the end of a successful build.
    pub fn build_finished(&mut self) -> Result<(), CargoError> {
        self.programs.all_built();
        self.release();
        self.list_waiting()
    }

    /// Returns whether a test binary is being listed or containers of tests are being prepared.
    pub fn is_listing(&self) -> bool {
        !self.listings.is_empty()
    }

    /// Waits for the next listing or container and processes it. Cancel safe.
    pub async fn listed(&mut self) -> Result<(), CargoError> {
        match self.listings.next().await {
            None => {}
            Some(step) => match step? {
                ListingStage::Listed(listed) => {
                    self.unequipped.push(listed);
                    self.equip();
                }
                ListingStage::Equipped(listed, given) => self.take_listing(listed, given)?,
                ListingStage::Doctests(library) => self.take_doctests(*library),
            },
        }
        Ok(())
    }

    /// Starts preparing the containers of listed binaries, if their layers' inputs are built.
    fn equip(&mut self) {
        let all_built = self.programs.ready_for_layers();
        if !all_built && self.project.layers_are_built() {
            return;
        }
        for listed in self.unequipped.drain(..) {
            let equipped = listed.equip(self.project, self.host);
            self.listings.push(Box::pin(equipped));
        }
    }

    fn progress(&mut self, progress: CargoProgress) {
        self.units.total = Some(progress.total);
        // Messages and the progress bar come on different streams, so either may be ahead.
        self.units.done = self.units.done.max(progress.done);
        self.emit_progress(progress.current);
    }

    fn unit_done(&mut self, current: String) {
        self.units.done = self.units.done.saturating_add(1);
        self.emit_progress(current);
    }

    fn emit_progress(&self, current: String) {
        self.host.emit(BuildEvent::Progress {
            done: self.units.done,
            total: self.units.total.map(|total| total.max(self.units.done)),
            current,
        });
    }

    async fn artifact(&mut self, artifact: Artifact) -> Result<(), CargoError> {
        if let Some(directory) = local_directory(&artifact) {
            self.containers.add_sources(directory);
        }
        let loadable = artifact.filenames.iter();
        let loadable = loadable.filter(|path| path.extension() == Some("so"));
        self.loadable.extend(loadable.cloned());
        let Some(executable) = artifact.executable.clone() else {
            return Ok(());
        };
        let target = PackageTarget::from_metadata(&artifact.target);
        if artifact.profile.test {
            self.test_binary(artifact, target, executable).await
        } else {
            self.programs.built(&artifact.package_id, &target);
            self.executables.push(executable);
            self.release();
            Ok(())
        }
    }

    async fn test_binary(
        &mut self,
        artifact: Artifact,
        target: PackageTarget,
        executable: Utf8PathBuf,
    ) -> Result<(), CargoError> {
        let lists = match self.project.settings.goal {
            CargoAction::Run | CargoAction::ListTests | CargoAction::Explain => true,
            CargoAction::Build
            | CargoAction::ListBinaries
            | CargoAction::ListPackages
            | CargoAction::Init => false,
        };
        let Some(package) = self.package(&artifact).await? else {
            return Ok(());
        };
        if !lists || !self.project.wanted.target(&package, &target).possible() {
            return Ok(());
        }
        let harness = match self.harness(&package, &target) {
            Ok(harness) => harness,
            Err(error) => {
                let message = format!("{executable} can't be listed: {error}");
                let entry = TestNaming::new(&package, &target).broken(message, None);
                self.broken(entry);
                return Ok(());
            }
        };
        let binary = TestBinary {
            target,
            harness,
            executable,
        };
        let toolbox = self.project.settings.toolbox;
        match toolbox {
            Toolbox::Present if !self.some_want_no_toolbox() => {
                let environment = self.environment(&package, &binary);
                let libraries = self.libraries_elsewhere(&binary, &environment);
                let container = self.containers.get(&self.project, toolbox, libraries)?;
                self.list(package, binary, environment, (container, None));
            }
            // The shared libraries are known only when all programs have been built.
            Toolbox::Present | Toolbox::Absent => self.waiting.push((package, binary)),
        }
        Ok(())
    }

    /// Lists the binaries that have waited for all programs.
    fn list_waiting(&mut self) -> Result<(), CargoError> {
        for (package, binary) in std::mem::take(&mut self.waiting) {
            let environment = self.environment(&package, &binary);
            match self.needed_libraries(&binary) {
                Ok(libraries) => {
                    let elsewhere = self.libraries_elsewhere(&binary, &environment);
                    let libraries = libraries.into_iter().collect();
                    let project = self.project;
                    let bare = self.containers.get(&project, Toolbox::Absent, libraries)?;
                    match project.settings.toolbox {
                        Toolbox::Absent => self.list(package, binary, environment, (bare, None)),
                        Toolbox::Present => {
                            let containers = &mut self.containers;
                            let full = containers.get(&project, Toolbox::Present, elsewhere)?;
                            self.list(package, binary, environment, (full, Some(bare)));
                        }
                    }
                }
                Err(error) => {
                    let message = format!(
                        "{} can't be run without the toolbox: {error}; {}",
                        binary.executable,
                        help_of(&error).unwrap_or_default()
                    );
                    let naming = TestNaming::new(&package, &binary.target);
                    self.broken(naming.broken(message, None));
                }
            }
        }
        Ok(())
    }

    /// Returns the package of an artifact.
    async fn package(
        &mut self,
        artifact: &Artifact,
    ) -> Result<Option<Arc<CargoPackage>>, CargoError> {
        let id = &artifact.package_id;
        let known = self.project.workspace.package(id);
        if let Some(package) = known.or_else(|| self.strangers.get(id)) {
            return Ok(Some(package.clone()));
        }
        let project = &self.project;
        let package = CargoWorkspace::load_package(
            project.invocation,
            &project.settings.build,
            &artifact.manifest_path,
            id,
        )
        .await?;
        if let Some(package) = &package {
            self.strangers.insert(id.clone(), package.clone());
        }
        Ok(package)
    }

    fn harness(
        &mut self,
        package: &CargoPackage,
        target: &PackageTarget,
    ) -> Result<TestHarness, ManifestError> {
        let id = &package.metadata.id;
        if let Some(manifest) = self.manifests.get(id) {
            return Ok(manifest.harness(target));
        }
        let manifest = CargoManifest::load(package.metadata.manifest_path.as_std_path())?;
        let harness = manifest.harness(target);
        self.manifests.insert(id.clone(), manifest);
        Ok(harness)
    }

    fn list(
        &mut self,
        package: Arc<CargoPackage>,
        binary: TestBinary,
        environment: Arc<ProcessEnvironment>,
        (container, without_toolbox): (Arc<ContainerSpec>, Option<Arc<ContainerSpec>>),
    ) {
        let jobs = CargoBinaryJobs::new(&self.project, container, &package, &binary, environment);
        let timeout = listing::timeout(binary.harness);
        let standard = jobs.standard(&binary, without_toolbox);
        let (host, project) = (self.host, self.project);
        let program = binary.executable.as_std_path().to_owned();
        let whole = project.wanted.runs_whole(&package, &binary.target)
            || binary.harness == TestHarness::Own && project.remembered.holds(&program);
        self.listings.push(Box::pin(async move {
            let (all, listing) = if whole {
                (None, Ok(BinaryListing::Whole))
            } else {
                let (all, ignored) = tokio::join!(
                    host.run(jobs.list(&[], timeout)),
                    host.run(jobs.list(&[listing::IGNORED], timeout)),
                );
                let none = match listing::is_doubtful(binary.harness, &all, &ignored) {
                    true => Some(host.run(jobs.list(&listing::NONE, timeout)).await),
                    false => None,
                };
                let listing = listing::combine(binary.harness, &all, &ignored, none.as_ref());
                if binary.harness == TestHarness::Own && all.result.end == JobOutcome::TimedOut {
                    project.remembered.add(&program);
                }
                (Some(all), listing)
            };
            let listed = ListedBinary {
                package,
                binary,
                jobs,
                standard,
                all,
                listing,
            };
            listed.explain_to(project)?;
            Ok(ListingStage::Listed(listed))
        }));
    }

    fn broken(&mut self, entry: BrokenEntry) {
        self.selected += 1;
        self.running += 1;
        self.host.broken(entry);
    }
}
