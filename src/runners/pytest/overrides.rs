//! Applies the project's specification file to the tests: another container, another Python, a
//! separate job, and the output of `--explain`.
//!
//! ```text
//! begins with `default`      this machine's Python at the project's path, forked if possible
//! an image, or layers alone  the container's own Python and files, one process per test
//! ```
//!
//! A container that does not show this machine's files gets Maelstrom's files as a layer, and an
//! image of Python also gets the project's requirements. In it, the test's working directory takes
//! the place of the project's directory, so node ids are relative to it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::environment::explain_forwarding;
use crate::sandbox::invocation::{Invocation, ProcessEnvironment};
use crate::sandbox::project_spec::{
    ExplainedPart, ProjectSpec, RunOrIgnore, TestContainer, explain_built_in,
};
use maelstrom_engine::layer_cache::ImageProgressCallback;
use maelstrom_model::event::IsolationMode;
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, Mount, MountKind, RootKind, SkeletonEntry, SkeletonKind,
};
use maelstrom_spec::filter::PytestSubject;
use maelstrom_spec::policy::{PolicyFields, PolicyResolver};
use maelstrom_spec::{InheritedFields, ResolvedBase, ResolvedSpec};

use super::collection::PytestItem;
use super::container::{PLACE, RUNNER, entries};
use super::error::PytestError;
use super::options::PytestSettings;
use super::packages::{self, PackageInstaller, PythonEnvironment, is_python};

/// The container and the Python of one test.
#[derive(Clone, Debug)]
pub struct PytestOverride {
    /// Its container, environment and limits.
    pub given: TestContainer,
    /// The Python that runs the test.
    pub python: PythonSource,
}

impl PytestOverride {
    /// Returns whether the test can be a fork of a process that has collected in `directory`.
    pub(super) fn can_be_forked(&self, directory: &Arc<Path>) -> bool {
        // Services start again for each test, so their container has no fork server.
        self.python == PythonSource::Here
            && self.given.working_directory == *directory
            && self.given.container.services.is_empty()
    }
}

/// The Python that runs a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonSource {
    /// This machine's, with the project at its own path.
    Here,
    Containers {
        program: Arc<OsStr>,
        runner: PathBuf,
    },
}

/// Returns a test as filter patterns see it.
pub fn subject(test: &PytestItem) -> PytestSubject<'_> {
    PytestSubject {
        file: &test.file,
        name: &test.name,
        node_id: &test.node,
        markers: &test.markers,
        past: test.past,
    }
}

/// Returns an error if a container of the specification file is impossible with Python.
pub fn check(specified: &ProjectSpec) -> Result<(), PytestError> {
    match specified.wants_no_toolbox() {
        true => Err(PytestError::Toolbox),
        false => Ok(()),
    }
}

/// Adds Maelstrom's files and the required packages to the containers that lack them.
pub struct PythonProvisioner<'a, H> {
    /// The specification file.
    pub specified: &'a ProjectSpec,
    /// Whether tests run in containers or as plain processes.
    pub isolation: IsolationMode,
    pub installer: PackageInstaller<'a>,
    pub host: &'a H,
}

/// A provisioned container, its Python, and its environment.
type ProvisionedContainer = (Arc<ContainerSpec>, PythonSource, Arc<ProcessEnvironment>);

impl<H: FrameworkHost> PythonProvisioner<'_, H> {
    /// Returns the container and the Python of each test, and the packages that they use.
    pub async fn overrides(
        &self,
        tests: &[PytestItem],
        given: Vec<TestContainer>,
    ) -> Result<(Vec<PytestOverride>, Vec<PythonEnvironment>), PytestError> {
        // By address: tests with the same specification share a container.
        let mut made: HashMap<*const ResolvedSpec, ProvisionedContainer> = HashMap::new();
        let (mut all, mut packages) = (Vec::new(), Vec::new());
        for (test, mut given) in tests.iter().zip(given) {
            let resolved = self.specified.resolve(&subject(test))?.resolved;
            let runs = given.attention == RunOrIgnore::Run;
            if !runs || shows_this_machine(&resolved, self.isolation) {
                let python = PythonSource::Here;
                all.push(PytestOverride { given, python });
                continue;
            }
            let key = Arc::as_ptr(&resolved);
            let (container, python, environment) = match made.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let found = self.packages(&resolved).await?;
                    let equipped = self.equip(&given, found.as_ref()).await?;
                    packages.extend(found);
                    made.insert(key, equipped.clone());
                    equipped
                }
            };
            (given.container, given.environment) = (container, environment);
            all.push(PytestOverride { given, python });
        }
        Ok((all, packages))
    }

    /// Returns the packages for a container whose base is an image of Python.
    async fn packages(
        &self,
        resolved: &ResolvedSpec,
    ) -> Result<Option<PythonEnvironment>, PytestError> {
        let (uri, inherited) = match &resolved.base {
            ResolvedBase::Image { name, inherited } => (name, inherited),
            ResolvedBase::Nothing | ResolvedBase::Default { .. } => return Ok(None),
        };
        if !is_python(uri) || !inherited.contains(InheritedFields::LAYERS) {
            return Ok(None);
        }
        // The image has already been fetched for the container.
        let watcher: ImageProgressCallback = Arc::new(|_| {});
        let image = self.installer.materials.image(uri, &watcher).await;
        let image = image.map_err(|source| PytestError::Equipment { source })?;
        let packages = self.installer.packages(self.host, uri, &image);
        packages.await.map(Some)
    }

    /// Adds Maelstrom's files and the packages to a container of the specification file. Returns it
    /// with its Python.
    async fn equip(
        &self,
        given: &TestContainer,
        packages: Option<&PythonEnvironment>,
    ) -> Result<ProvisionedContainer, PytestError> {
        let mut container = ContainerSpec::clone(&given.container);
        let mut environment = Arc::clone(&given.environment);
        let mut files = entries().to_vec();
        let mut program = packages::program(&environment);
        if let Some(packages) = packages {
            files.push(SkeletonEntry {
                path: packages::PLACE.into(),
                kind: SkeletonKind::Directory,
            });
            container.mounts.push(Mount {
                mount_point: packages::PLACE.into(),
                kind: MountKind::Bind {
                    source: packages.directory.clone(),
                    access: BindAccess::ReadOnly,
                },
            });
            program = OsStr::new(packages::PROGRAM);
            environment = Arc::new(with_programs(&environment));
        }
        match &mut container.root {
            RootKind::Layers { trees, .. } => {
                let ours = self.installer.materials.skeleton(&files).await;
                // The last tree is on top, so no file of an image hides Maelstrom's.
                trees.push(ours.map_err(|source| PytestError::Equipment { source })?);
            }
            RootKind::Skeleton(known) => known.extend(files),
        }
        let python = PythonSource::Containers {
            program: program.into(),
            runner: Path::new(PLACE).join(RUNNER),
        };
        Ok((Arc::new(container), python, environment))
    }
}

/// Adds the packages' programs at the front of `PATH`, if it is set.
fn with_programs(environment: &ProcessEnvironment) -> ProcessEnvironment {
    let mut environment = environment.clone();
    if let Some(path) = environment.get_mut(OsStr::new("PATH")) {
        let mut longer = Path::new(packages::PLACE).join("bin").into_os_string();
        longer.push(":");
        longer.push(&path);
        *path = longer;
    }
    environment
}

fn shows_this_machine(resolved: &ResolvedSpec, isolation: IsolationMode) -> bool {
    match (isolation, &resolved.base) {
        (IsolationMode::Process, _) => true,
        (IsolationMode::Container, ResolvedBase::Default { inherited }) => {
            inherited.contains(InheritedFields::LAYERS)
        }
        (IsolationMode::Container, ResolvedBase::Nothing | ResolvedBase::Image { .. }) => false,
    }
}

/// Returns the explanations of the tests that `--explain` selects.
pub fn explanations(
    invocation: &Invocation,
    settings: &PytestSettings,
    specified: Option<&ProjectSpec>,
    tests: &[PytestItem],
) -> Result<Vec<String>, PytestError> {
    let named = specified
        .map(ProjectSpec::named_variables)
        .unwrap_or_default();
    let patterns = &settings.common.cluster.forward_environment;
    let forwarding = explain_forwarding(invocation, patterns, &named);
    let (asked, what) = settings.containers.asked();
    let policies = PolicyResolver::new(settings.common.policy.clone(), PolicyFields::default());
    let wanted = |test: &&PytestItem| asked == Some(&test.node) || asked == Some(&test.name);
    let explain = |test: &PytestItem| {
        let subject = subject(test);
        if what == ExplainedPart::Policy {
            let own = specified.map(|specified| specified.policy(&subject));
            let own = own.transpose()?.unwrap_or_default();
            return Ok(policies.explain(&test.node, &own));
        }
        let text = match specified {
            Some(specified) => specified.explain(&test.node, &subject)?,
            None => explain_built_in(&test.node, &subject, settings.timeout_s)?,
        };
        Ok(text + &forwarding)
    };
    tests.iter().filter(wanted).map(explain).collect()
}
