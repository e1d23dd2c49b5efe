//! Applies the project's specification file: maps each test to the container, environment and
//! limits of its job.
//!
//! ```text
//! file ─load─▶ ProjectSpec ─resolve(test)─▶ ResolvedSpec ─▶ TestContainer
//!                                           pure            creates layers, fetches images
//! ```
//!
//! A runner passes the container that it would use by default ([`DefaultContainer`]) and gets the
//! test's container ([`TestContainer`]) in return. Without a file there is no [`ProjectSpec`], and
//! this module costs nothing.
//!
//! A [`ProjectSpec`] belongs to one discovery. Its [`LayerCache`] keeps the directories that jobs
//! use from being evicted, so it must live as long as the jobs; see [`ProjectSpec::materials`].

mod compose;
mod error;
mod fixtures;
mod local_network;
mod mount_points;
mod options;
mod stub;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::options::policy::ChosenProfile;
use crate::sandbox::fixture::{ContainerHost, FixtureOutcome, FixtureSetting};
use crate::sandbox::invocation::ProcessEnvironment;
use crate::sandbox::notices;
use maelstrom_engine::layer_cache::{ImageProgressCallback, LayerCache, LayerCacheOptions};
use maelstrom_model::event::{IsolationMode, NoticeSeverity, UserNotice};
use maelstrom_model::job::{ContainerSpec, KnownResult, PrivilegeLevel};
use maelstrom_spec::config::ByteSize;
use maelstrom_spec::document::TextDocument;
use maelstrom_spec::filter::{FilterSubject, PatternVocabulary, TruthValue};
use maelstrom_spec::policy::PolicyFields;
use maelstrom_spec::{
    ResolvedSpec, RunnerLayers, SpecContext, SpecResolution, SpecResolver, TemplateVariable,
    TestSpecification, explain, init,
};

pub use self::error::ProjectSpecError;
pub use self::options::{ExplainedPart, TestContainerOptions};
pub use self::stub::stub_of;
pub use init::StarterFile;

/// The specification files of the runners.
pub mod files {
    pub use maelstrom_spec::init::{CARGO, GO, PYTEST};
}

/// The interval at which notices about image downloads are delivered.
const LOOK: Duration = Duration::from_millis(100);

const MEGABYTE: u64 = 1_000_000;

/// The inputs for reading a project's specification file.
#[derive(Clone, Copy, Debug)]
pub struct SpecSource<'a> {
    pub file: &'static StarterFile,
    /// The directory that contains the file.
    pub project: &'a Path,
    /// The vocabulary of the runner's test filter patterns.
    pub vocabulary: &'static PatternVocabulary,
    /// The runner's template variables.
    pub variables: &'a [TemplateVariable],
    /// The profile of the run.
    pub profile: &'a ChosenProfile,
    /// The timeout from the configuration, in seconds; 0 means none.
    pub timeout_s: Option<u32>,
    /// Whether the runner adds a program of its own to every container.
    pub runner_layers: RunnerLayers,
    /// Whether tests run in containers or as plain processes.
    pub isolation: IsolationMode,
    /// The environment with which the program was started.
    pub client: &'a ProcessEnvironment,
}

/// A project's specification file, ready to be applied to tests. See the module documentation.
#[derive(Debug)]
pub struct ProjectSpec {
    file: &'static str,
    resolver: RefCell<SpecResolver>,
    materials: Arc<LayerCache>,
    /// The project's directory.
    project: PathBuf,
    /// The runner's own directory.
    own: PathBuf,
    isolation: IsolationMode,
    client: ProcessEnvironment,
    /// The fixtures that have been made, or are being made.
    fixtures: RefCell<HashMap<FixtureSetting, Arc<OnceCell<FixtureOutcome>>>>,
    toolbox: Cell<ToolboxUse>,
    /// The highest privilege level that any test has been given so far.
    privileges: Cell<PrivilegeLevel>,
}

/// Whether any test has been given this machine's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxUse {
    Unused,
    Used,
}

/// The container and environment that a runner uses for a test without a specification file.
#[derive(Clone, Debug)]
pub struct DefaultContainer {
    pub container: Arc<ContainerSpec>,
    /// The same container without this machine's programs, if the specification excludes them from
    /// any test. If it is `None`, `container` is used instead.
    pub without_toolbox: Option<Arc<ContainerSpec>>,
    pub environment: Arc<ProcessEnvironment>,
    /// The working directory of the test.
    pub working_directory: Arc<Path>,
    /// The program that the runner adds to the container, if any.
    pub program: Option<RunnerProgram>,
}

/// A program that a runner adds to containers. In the default container it has the same path as on
/// the host; in any other container it is in the root directory.
#[derive(Clone, Debug)]
pub struct RunnerProgram {
    /// Its path on the host.
    pub source: PathBuf,
    /// Its file name in the root directory of a container.
    pub name: String,
}

/// The container, environment and limits of one test's job.
#[derive(Clone, Debug)]
pub struct TestContainer {
    pub container: Arc<ContainerSpec>,
    pub environment: Arc<ProcessEnvironment>,
    pub working_directory: Arc<Path>,
    /// The path of the runner's program in the container, if it differs from the default.
    pub program: Option<PathBuf>,
    /// The time limit, or `None` for no limit.
    pub timeout: Option<Duration>,
    /// What the file says about how the test runs.
    pub policy: Arc<PolicyFields>,
    /// Whether the test runs or is reported as ignored.
    pub attention: RunOrIgnore,
    /// The result of the test, if a fixture that it needs could not be made.
    pub unavailable: Option<Arc<KnownResult>>,
}

/// Whether a test runs or is reported as ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOrIgnore {
    Run,
    Ignore,
}

impl ProjectSpec {
    /// Reads the project's specification file. Returns `None` if it does not exist.
    pub fn load(
        recipe: &SpecSource<'_>,
        sources: LayerCacheOptions,
    ) -> Result<Option<ProjectSpec>, ProjectSpecError> {
        let path = recipe.project.join(recipe.file.name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ProjectSpecError::Read { path, source }),
        };
        let document = TextDocument::new(recipe.file.name, text);
        let context = SpecContext {
            vocabulary: recipe.vocabulary,
            project: recipe.project,
            variables: recipe.variables,
        };
        let ChosenProfile {
            name,
            ignores_filter,
        } = recipe.profile;
        let mut specification = TestSpecification::read_profile(&document, &context, name)?;
        if *ignores_filter {
            specification.default_filter = None;
        }
        let resolver = SpecResolver::new(specification, recipe.timeout_s, recipe.runner_layers);
        Ok(Some(ProjectSpec {
            file: recipe.file.name,
            resolver: RefCell::new(resolver),
            project: sources.project.clone(),
            own: own_directory(&sources),
            materials: Arc::new(LayerCache::new(sources)),
            isolation: recipe.isolation,
            client: recipe.client.clone(),
            fixtures: RefCell::default(),
            toolbox: Cell::new(ToolboxUse::Unused),
            privileges: Cell::new(PrivilegeLevel::Ordinary),
        }))
    }

    /// Returns a specification without a file, for jobs that are specified individually: see
    /// [`ProjectSpec::give_resolved`].
    pub fn without_file(sources: LayerCacheOptions, client: &ProcessEnvironment) -> ProjectSpec {
        ProjectSpec {
            file: "",
            resolver: RefCell::new(SpecResolver::new(
                TestSpecification::default(),
                None,
                RunnerLayers::None,
            )),
            project: sources.project.clone(),
            own: own_directory(&sources),
            materials: Arc::new(LayerCache::new(sources)),
            isolation: IsolationMode::Container,
            client: client.clone(),
            fixtures: RefCell::default(),
            toolbox: Cell::new(ToolboxUse::Unused),
            privileges: Cell::new(PrivilegeLevel::Ordinary),
        }
    }

    /// Returns the layer cache. The directories that jobs use are not evicted while a reference to
    /// it exists.
    pub fn materials(&self) -> Arc<LayerCache> {
        Arc::clone(&self.materials)
    }

    /// Returns whether the file excludes this machine's programs from any container.
    pub fn wants_no_toolbox(&self) -> bool {
        self.resolver.borrow().specification().wants_no_toolbox()
    }

    /// Returns whether the file selects tests by the results of earlier runs.
    pub fn asks_for_past(&self) -> bool {
        self.resolver.borrow().specification().asks_for_past()
    }

    /// Returns the environment variables that the file names, no matter for which tests.
    pub fn named_variables(&self) -> BTreeSet<OsString> {
        self.resolver.borrow().specification().named_variables()
    }

    /// Returns whether any layer may contain files from below `directory`. Relative paths in layers
    /// start at `project`.
    pub fn layers_reach(&self, project: &Path, directory: &Path) -> bool {
        let resolver = self.resolver.borrow();
        resolver.specification().layers_reach(project, directory)
    }

    /// Returns whether any test has been given this machine's programs so far.
    pub fn toolbox_use(&self) -> ToolboxUse {
        self.toolbox.get()
    }

    /// Returns a warning about isolation, if one is due: that the containers of the file do not
    /// apply to plain processes, or that tests with full privileges can leave theirs.
    pub fn notice(&self) -> Option<UserNotice> {
        match self.isolation {
            IsolationMode::Container => match self.privileges.get() {
                PrivilegeLevel::Ordinary => None,
                PrivilegeLevel::Full => Some(notices::full_privileges()),
            },
            IsolationMode::Process => Some(UserNotice {
                severity: NoticeSeverity::Warning,
                text: format!(
                    "of `{}` only `ignore` and how tests run count: there are no containers",
                    self.file
                ),
                help: Some("leave out --isolation=process".to_owned()),
                in_summary: true,
            }),
        }
    }

    /// Returns whether the profile leaves a test out, as far as the test is known.
    pub fn leaves_out(&self, test: &impl FilterSubject) -> bool {
        let resolver = self.resolver.borrow();
        let filter = resolver.specification().default_filter.as_ref();
        filter.is_some_and(|filter| filter.evaluate(test) == TruthValue::False)
    }

    /// Resolves the specification of a test. No property of `test` may be unknown.
    pub fn resolve(&self, test: &impl FilterSubject) -> Result<SpecResolution, ProjectSpecError> {
        Ok(self.resolver.borrow_mut().resolve(test)?)
    }

    /// Returns what the file says about how a test runs.
    pub fn policy(&self, test: &impl FilterSubject) -> Result<PolicyFields, ProjectSpecError> {
        let resolution = self.resolve(test)?;
        Ok(PolicyFields::clone(&resolution.resolved.policy))
    }

    /// Returns which directives apply to a test and what results from them, in the format of the
    /// specification file.
    pub fn explain(
        &self,
        title: &str,
        test: &impl FilterSubject,
    ) -> Result<String, ProjectSpecError> {
        let resolution = self.resolve(test)?;
        Ok(explain(
            title,
            self.resolver.borrow().specification(),
            &resolution,
        ))
    }

    /// Returns the container of each test, in order, with its fixtures. Tests with the same
    /// specification share one. Tells `host` of each image that has to be fetched and of each
    /// fixture.
    pub async fn give_all<S: FilterSubject>(
        &self,
        tests: impl Iterator<Item = S>,
        standard: &DefaultContainer,
        host: &dyn ContainerHost,
    ) -> Result<Vec<TestContainer>, ProjectSpecError> {
        // Images are fetched on several threads, which cannot call `host` themselves.
        let news = Arc::new(Mutex::new(Vec::new()));
        let watcher = |uri: &str| watcher(uri, &news);
        let given = self.make_all(tests, standard, &watcher, host);
        let mut given = std::pin::pin!(given);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                biased;
                given = &mut given => return given,
                _ = look.tick() => {
                    let mut news = news.lock().unwrap_or_else(PoisonError::into_inner);
                    news.drain(..).for_each(|notice| host.tell(notice));
                }
            }
        }
    }

    async fn make_all<S: FilterSubject>(
        &self,
        tests: impl Iterator<Item = S>,
        standard: &DefaultContainer,
        watcher: &dyn Fn(&str) -> ImageProgressCallback,
        host: &dyn ContainerHost,
    ) -> Result<Vec<TestContainer>, ProjectSpecError> {
        // By address: equal specifications share one `Arc`, which the resolver keeps alive.
        let mut made: HashMap<*const ResolvedSpec, TestContainer> = HashMap::new();
        let mut given = Vec::new();
        for test in tests {
            let resolution = self.resolve(&test)?;
            let key = Arc::as_ptr(&resolution.resolved);
            let one = match made.get(&key) {
                Some(one) => one.clone(),
                None => {
                    let one = self.give(&resolution, standard, watcher).await?;
                    let one = self.with_fixtures(one, &resolution, standard, watcher, host);
                    let one = one.await?;
                    made.insert(key, one.clone());
                    one
                }
            };
            given.push(one);
        }
        Ok(given)
    }

    /// Returns the place in the file of the last directive that applies to the test, or the file's
    /// name, for error messages that have no more exact place.
    fn place(&self, resolution: &SpecResolution) -> String {
        let resolver = self.resolver.borrow();
        let last = resolution.applied.last();
        let last = last.and_then(|index| resolver.specification().directives.get(*index));
        last.map_or_else(|| self.file.to_owned(), |last| last.place.clone())
    }
}

/// Returns the runner's own directory, which contains the cache of layers.
fn own_directory(sources: &LayerCacheOptions) -> PathBuf {
    let above = sources.cache.ancestors().nth(2);
    above.unwrap_or(&sources.cache).to_owned()
}

/// Returns a callback that adds a notice to `news` when the download of an image starts, once per
/// image.
fn watcher(uri: &str, news: &Arc<Mutex<Vec<UserNotice>>>) -> ImageProgressCallback {
    let (uri, news) = (uri.to_owned(), Arc::clone(news));
    let told = AtomicBool::new(false);
    Arc::new(move |arrival| {
        if told.swap(true, Ordering::Relaxed) {
            return;
        }
        let size = ByteSize(arrival.total_bytes.next_multiple_of(MEGABYTE));
        let notice = UserNotice {
            severity: NoticeSeverity::Info,
            text: format!("fetching `{uri}`: {size} or more"),
            help: None,
            in_summary: false,
        };
        news.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(notice);
    })
}

/// Returns what `--explain` prints for a test without a specification file.
pub fn explain_built_in(
    title: &str,
    test: &impl FilterSubject,
    timeout_s: Option<u32>,
) -> Result<String, ProjectSpecError> {
    let mut resolver =
        SpecResolver::new(TestSpecification::built_in(), timeout_s, RunnerLayers::Some);
    let resolution = resolver.resolve(test)?;
    Ok(explain(title, resolver.specification(), &resolution))
}
