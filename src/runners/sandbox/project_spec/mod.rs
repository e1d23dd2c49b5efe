//! Applies a project's own file about containers: from a test to everything its job needs.
//!
//! ```text
//! file ─load─▶ ProjectSpec ─resolve(test)─▶ ResolvedSpec ─▶ TestContainer
//!                                           pure            layers made, images fetched
//! ```
//!
//! A runner passes the container that it would use by default ([`DefaultContainer`]) and gets the
//! test's container instead. Without a file there is no [`ProjectSpec`], and this module costs
//! nothing.
//!
//! A [`ProjectSpec`] belongs to one discovery. Its [`LayerCache`] holds the directories that jobs
//! use, so they must be kept as long as the jobs; see [`ProjectSpec::materials`].

mod compose;
mod error;
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

use crate::sandbox::invocation::ProcessEnvironment;
use crate::sandbox::notices;
use maelstrom_engine::layer_cache::{ImageProgressCallback, LayerCache, LayerCacheOptions};
use maelstrom_model::event::{IsolationMode, NoticeSeverity, UserNotice};
use maelstrom_model::job::{ContainerSpec, PrivilegeLevel};
use maelstrom_spec::config::ByteSize;
use maelstrom_spec::document::TextDocument;
use maelstrom_spec::filter::{FilterSubject, PatternVocabulary};
use maelstrom_spec::{
    ResolvedSpec, RunnerLayers, SpecContext, SpecResolution, SpecResolver, TemplateVariable,
    TestSpecification, explain, init,
};

pub use self::error::ProjectSpecError;
pub use self::options::TestContainerOptions;
pub use self::stub::stub_of;
pub use init::StarterFile;

/// The files of the runners.
pub mod files {
    pub use maelstrom_spec::init::{CARGO, GO, PYTEST};
}

/// How often one looks whether there is something to tell of images.
const LOOK: Duration = Duration::from_millis(100);

const MEGABYTE: u64 = 1_000_000;

/// What is to be known to read a project's file.
#[derive(Clone, Copy, Debug)]
pub struct SpecSource<'a> {
    pub file: &'static StarterFile,
    /// The directory that it is in.
    pub project: &'a Path,
    /// The words of the runner's patterns.
    pub vocabulary: &'static PatternVocabulary,
    /// The runner's template variables.
    pub variables: &'a [TemplateVariable],
    /// What the configuration says of the timeout, in seconds; 0 is none.
    pub timeout_s: Option<u32>,
    /// Whether the runner puts a program of its own into every container.
    pub runner_layers: RunnerLayers,
    /// What keeps tests apart.
    pub isolation: IsolationMode,
    /// The environment the program was called with.
    pub client: &'a ProcessEnvironment,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct ProjectSpec {
    file: &'static str,
    resolver: RefCell<SpecResolver>,
    materials: Arc<LayerCache>,
    isolation: IsolationMode,
    client: ProcessEnvironment,
    toolbox: Cell<ToolboxUse>,
    /// The most that any test was allowed so far.
    privileges: Cell<PrivilegeLevel>,
}

/// Whether any test was given this machine's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxUse {
    Unused,
    /// At least one was.
    Used,
}

/// What a runner gives a test by itself.
#[derive(Clone, Debug)]
pub struct DefaultContainer {
    pub container: Arc<ContainerSpec>,
    /// The same without this machine's programs, where the file asks for it.
    pub without_toolbox: Option<Arc<ContainerSpec>>,
    pub environment: Arc<ProcessEnvironment>,
    /// Where the test starts.
    pub working_directory: Arc<Path>,
    /// The program that the runner brings along, if it brings one.
    pub program: Option<RunnerProgram>,
}

/// A program that a runner brings along. In the default container it is where it is here; in any
/// other it stands in the root.
#[derive(Clone, Debug)]
pub struct RunnerProgram {
    /// Where it is on this machine.
    pub source: PathBuf,
    /// What it is called in the root of a container.
    pub name: String,
}

/// What a test gets.
#[derive(Clone, Debug)]
pub struct TestContainer {
    pub container: Arc<ContainerSpec>,
    pub environment: Arc<ProcessEnvironment>,
    pub working_directory: Arc<Path>,
    /// Where the runner's own program is in the container, if it isn't where it is by default.
    pub program: Option<PathBuf>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// Whether it runs at all.
    pub attention: RunOrIgnore,
}

/// Whether a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOrIgnore {
    Run,
    /// It is only reported.
    Ignore,
}

impl ProjectSpec {
    /// Reads the project's file, if there is one.
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
        let specification = TestSpecification::read(&document, &context)?;
        let resolver = SpecResolver::new(specification, recipe.timeout_s, recipe.runner_layers);
        Ok(Some(ProjectSpec {
            file: recipe.file.name,
            resolver: RefCell::new(resolver),
            materials: Arc::new(LayerCache::new(sources)),
            isolation: recipe.isolation,
            client: recipe.client.clone(),
            toolbox: Cell::new(ToolboxUse::Unused),
            privileges: Cell::new(PrivilegeLevel::Ordinary),
        }))
    }

    /// For jobs that say themselves what they want: see [`ProjectSpec::give_resolved`].
    pub fn without_file(sources: LayerCacheOptions, client: &ProcessEnvironment) -> ProjectSpec {
        ProjectSpec {
            file: "",
            resolver: RefCell::new(SpecResolver::new(
                TestSpecification::default(),
                None,
                RunnerLayers::None,
            )),
            materials: Arc::new(LayerCache::new(sources)),
            isolation: IsolationMode::Container,
            client: client.clone(),
            toolbox: Cell::new(ToolboxUse::Unused),
            privileges: Cell::new(PrivilegeLevel::Ordinary),
        }
    }

    /// The directories that jobs use; they stay as long as somebody holds this.
    pub fn materials(&self) -> Arc<LayerCache> {
        Arc::clone(&self.materials)
    }

    /// Whether any container is to do without this machine's programs.
    pub fn wants_no_toolbox(&self) -> bool {
        self.resolver.borrow().specification().wants_no_toolbox()
    }

    /// Variables that the file names, whosever they are.
    pub fn named_variables(&self) -> BTreeSet<OsString> {
        self.resolver.borrow().specification().named_variables()
    }

    /// Whether any layer, of which the relative paths start at `project`, may be made of something
    /// below this directory.
    pub fn layers_reach(&self, project: &Path, directory: &Path) -> bool {
        let resolver = self.resolver.borrow();
        resolver.specification().layers_reach(project, directory)
    }

    /// Whether any test was given this machine's programs so far.
    pub fn toolbox_use(&self) -> ToolboxUse {
        self.toolbox.get()
    }

    /// What the user should know about how tests are kept apart: that nothing but processes does
    /// it, or that some can leave their containers.
    pub fn notice(&self) -> Option<UserNotice> {
        match self.isolation {
            IsolationMode::Container => match self.privileges.get() {
                PrivilegeLevel::Ordinary => None,
                PrivilegeLevel::Full => Some(notices::full_privileges()),
            },
            IsolationMode::Process => Some(UserNotice {
                severity: NoticeSeverity::Warning,
                text: format!(
                    "of `{}` only `ignore` and `timeout` count: there are no containers",
                    self.file
                ),
                help: Some("leave out --isolation=process".to_owned()),
                in_summary: true,
            }),
        }
    }

    /// What the file says about a test. All of the test must be known.
    pub fn resolve(&self, test: &impl FilterSubject) -> Result<SpecResolution, ProjectSpecError> {
        Ok(self.resolver.borrow_mut().resolve(test)?)
    }

    /// Which directives apply to a test, and what comes of them, as a file.
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

    /// What each of these tests gets, in their order. What is the same is made once. Of an image
    /// that has to be fetched somebody is told.
    pub async fn give_all<S: FilterSubject>(
        &self,
        tests: impl Iterator<Item = S>,
        standard: &DefaultContainer,
        tell: &dyn Fn(UserNotice),
    ) -> Result<Vec<TestContainer>, ProjectSpecError> {
        // Images are fetched on several threads, which cannot call `tell` themselves.
        let news = Arc::new(Mutex::new(Vec::new()));
        let watcher = |uri: &str| watcher(uri, &news);
        let given = self.make_all(tests, standard, &watcher);
        let mut given = std::pin::pin!(given);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                biased;
                given = &mut given => return given,
                _ = look.tick() => {
                    let mut news = news.lock().unwrap_or_else(PoisonError::into_inner);
                    news.drain(..).for_each(tell);
                }
            }
        }
    }

    async fn make_all<S: FilterSubject>(
        &self,
        tests: impl Iterator<Item = S>,
        standard: &DefaultContainer,
        watcher: &dyn Fn(&str) -> ImageProgressCallback,
    ) -> Result<Vec<TestContainer>, ProjectSpecError> {
        // By address: the resolver keeps what it handed out.
        let mut made: HashMap<*const ResolvedSpec, TestContainer> = HashMap::new();
        let mut given = Vec::new();
        for test in tests {
            let resolution = self.resolve(&test)?;
            let key = Arc::as_ptr(&resolution.resolved);
            let one = match made.get(&key) {
                Some(one) => one.clone(),
                None => {
                    let one = self.give(&resolution, standard, watcher).await?;
                    made.insert(key, one.clone());
                    one
                }
            };
            given.push(one);
        }
        Ok(given)
    }

    /// Where a person finds what decided about a test, if nothing more exact is known.
    fn place(&self, resolution: &SpecResolution) -> String {
        let resolver = self.resolver.borrow();
        let last = resolution.applied.last();
        let last = last.and_then(|index| resolver.specification().directives.get(*index));
        last.map_or_else(|| self.file.to_owned(), |last| last.place.clone())
    }
}

/// Says once that an image is being fetched.
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

/// What holds for a test without a file.
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
