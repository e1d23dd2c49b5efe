//! Inputs: turns a template into a container, with all inputs on this machine.
//!
//! - [`directory`]: parses `Directory` messages. [`tree`]: from a digest to a tree in the store.
//!   [`error`]: why that failed.
//! - [`host_paths`]: which host paths may be mounted.
//!
//! Owner of the state: [`InputCache`], which knows the trees that are being fetched or in use, so
//! that those shared by several templates are fetched once. A tree stays pinned as long as a
//! [`PreparedInputs`] that uses it lives.
//!
//! Invariant: a container mounts only host paths that the operator lends, that its template names,
//! and that equal those of the client's machine.

pub mod directory;
mod error;
pub mod host_paths;
mod tree;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use self::error::RetryHint;
use self::host_paths::HostPathPolicy;
use self::tree::blocking;
use super::allowance::{self, JobAllowance};
use super::content_fetcher::ContentFetcher;
use maelstrom_container::store::{Store, Tree};
use maelstrom_model::job::ContainerSpec;
use maelstrom_wire::from_proto::{self, ContentSource, TemplateSpec, ToolboxPath};

pub use self::error::WorkerInputError;
pub use self::tree::TreeLimits;

/// How long to retry a missing or damaged blob: its client is told to upload it again.
pub const CONTENT_PATIENCE: Duration = Duration::from_secs(20);

/// How long a storage may be unavailable: a broker restarts in far less.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The first pause before an unavailable storage is retried, then twice as long each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A tree that is being fetched, or present.
type PendingTree = OnceCell<Tree>;

/// See the module's documentation.
pub struct InputCache<C> {
    contents: C,
    store: Store,
    limits: TreeLimits,
    lending: Arc<HostPathPolicy>,
    allowed: BTreeSet<JobAllowance>,
    content_patience: Duration,
    trees: RefCell<HashMap<ContentSource, Weak<PendingTree>>>,
    /// Whether trees were released since the last query.
    given_up: Rc<Cell<FreedTrees>>,
}

/// Whether trees that idle containers use may be evicted now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreedTrees {
    #[default]
    Nothing,
    /// Some: idle containers must be destroyed.
    Trees,
}

/// A container with its inputs. Dropping it lets them be evicted.
#[derive(Debug)]
pub struct PreparedInputs {
    pub container: Arc<ContainerSpec>,
    trees: Vec<Rc<PendingTree>>,
    given_up: Rc<Cell<FreedTrees>>,
}

impl Drop for PreparedInputs {
    fn drop(&mut self) {
        if !self.trees.is_empty() {
            self.given_up.set(FreedTrees::Trees);
        }
    }
}

impl<C: ContentFetcher> InputCache<C> {
    /// A cache with this source of blobs and this store. No host path is lent, and no privilege
    /// allowed.
    pub fn new(contents: C, store: Store, limits: TreeLimits) -> Self {
        InputCache {
            contents,
            store,
            limits,
            lending: Arc::default(),
            allowed: BTreeSet::new(),
            content_patience: CONTENT_PATIENCE,
            trees: RefCell::default(),
            given_up: Rc::default(),
        }
    }

    /// Sets which host paths jobs may mount.
    #[must_use]
    pub fn with_host_paths(self, lending: HostPathPolicy) -> Self {
        InputCache {
            lending: Arc::new(lending),
            ..self
        }
    }

    /// Sets which privileges jobs may request.
    #[must_use]
    pub fn allowing(self, allowed: BTreeSet<JobAllowance>) -> Self {
        InputCache { allowed, ..self }
    }

    /// Sets how long to retry blobs that the storage has lost.
    #[must_use]
    pub fn with_patience(self, content_patience: Duration) -> Self {
        InputCache {
            content_patience,
            ..self
        }
    }

    /// Whether trees were released since the last call.
    pub fn freed(&self) -> FreedTrees {
        self.given_up.take()
    }

    /// Fetches all inputs of a template's container.
    pub async fn prepare(
        &self,
        template: &TemplateSpec,
    ) -> Result<PreparedInputs, WorkerInputError> {
        let own = std::env::consts::ARCH;
        if template.architecture != own {
            let wanted = template.architecture.clone();
            return Err(WorkerInputError::Architecture { wanted, own });
        }
        // What is not allowed is refused before anything is fetched for it.
        let asked = from_proto::container(&template.container, |_| {
            Ok::<_, WorkerInputError>("/".into())
        });
        allowance::check(&asked?, &self.allowed)?;
        self.check_toolbox(template.toolbox.clone()).await?;
        let lent = self.resolve_host_paths(&template.sources).await?;
        let trees = template.sources.iter().filter(|source| is_fetched(source));
        let trees: Vec<&ContentSource> = trees.collect();
        let fetched = try_join_all(trees.iter().map(|source| self.tree(source))).await?;
        let places: HashMap<&ContentSource, &Tree> = trees
            .iter()
            .copied()
            .zip(fetched.iter().filter_map(|expected| expected.get()))
            .collect();
        let container = from_proto::container(&template.container, |source| match &source {
            ContentSource::Toolbox(path) => {
                let place = lent.get(path).cloned();
                place.ok_or_else(|| WorkerInputError::ToolboxNotLent { path: path.clone() })
            }
            ContentSource::Directory(_) => place(&places, &source).map(Path::to_owned),
            ContentSource::File { .. } => Ok(place(&places, &source)?.join(tree::FILE_NAME)),
        })?;
        Ok(PreparedInputs {
            container: Arc::new(container),
            trees: fetched,
            given_up: Rc::clone(&self.given_up),
        })
    }

    /// Whether this machine provides and lends all of these.
    pub async fn check_toolbox(&self, paths: Vec<ToolboxPath>) -> Result<(), WorkerInputError> {
        if paths.is_empty() {
            return Ok(());
        }
        let lending = Arc::clone(&self.lending);
        blocking(move || paths.iter().try_for_each(|path| lending.check(path))).await
    }

    /// Resolves the host paths of a template. A path below one that equals the client's may still
    /// be a link to somewhere else.
    async fn resolve_host_paths(
        &self,
        sources: &[ContentSource],
    ) -> Result<HashMap<PathBuf, PathBuf>, WorkerInputError> {
        let paths: Vec<PathBuf> = sources.iter().filter_map(of_this_machine).collect();
        if paths.is_empty() {
            return Ok(HashMap::new());
        }
        let lending = Arc::clone(&self.lending);
        blocking(move || {
            let places = paths.into_iter().map(|path| {
                let place = lending.place(&path)?;
                Ok((path, place))
            });
            places.collect()
        })
        .await
    }

    /// A tree, fetched by the first caller.
    async fn tree(&self, source: &ContentSource) -> Result<Rc<PendingTree>, WorkerInputError> {
        let expected = self.expected(source);
        expected
            // If the first caller is dropped or fails, the next one retries.
            .get_or_try_init(|| self.fetch_in_the_end(source))
            .await?;
        Ok(expected)
    }

    async fn fetch_in_the_end(&self, source: &ContentSource) -> Result<Tree, WorkerInputError> {
        let mut pause = PAUSE_MIN;
        let began = Instant::now();
        loop {
            let error = match self.fetch(source).await {
                Ok(tree) => return Ok(tree),
                Err(error) => error,
            };
            tracing::debug!(%error, ?source, "an input is not available");
            let patience = match error.hope() {
                RetryHint::Content => self.content_patience,
                RetryHint::Connection => SILENCE_MAX,
                RetryHint::None => Duration::ZERO,
            };
            if began.elapsed() >= patience {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn expected(&self, source: &ContentSource) -> Rc<PendingTree> {
        let mut trees = self.trees.borrow_mut();
        if let Some(expected) = trees.get(source).and_then(Weak::upgrade) {
            return expected;
        }
        trees.retain(|_, expected| expected.strong_count() > 0);
        let expected = Rc::default();
        trees.insert(source.clone(), Rc::downgrade(&expected));
        expected
    }

    async fn fetch(&self, source: &ContentSource) -> Result<Tree, WorkerInputError> {
        let (contents, store) = (&self.contents, &self.store);
        match source {
            ContentSource::Directory(digest) => {
                tree::directory(contents, store, self.limits, *digest).await
            }
            ContentSource::File { digest, execution } => {
                tree::file(contents, store, *digest, *execution).await
            }
            // Unreachable: see `is_fetched`.
            ContentSource::Toolbox(path) => {
                Err(WorkerInputError::ToolboxDiffers { path: path.clone() })
            }
        }
    }
}

fn is_fetched(source: &ContentSource) -> bool {
    match source {
        ContentSource::Directory(_) | ContentSource::File { .. } => true,
        ContentSource::Toolbox(_) => false,
    }
}

fn of_this_machine(source: &ContentSource) -> Option<PathBuf> {
    match source {
        ContentSource::Toolbox(path) => Some(path.clone()),
        ContentSource::Directory(_) | ContentSource::File { .. } => None,
    }
}

fn place<'a>(
    places: &HashMap<&ContentSource, &'a Tree>,
    source: &ContentSource,
) -> Result<&'a Path, WorkerInputError> {
    let tree = places.get(source).ok_or(WorkerInputError::Interrupted)?;
    Ok(tree.root())
}
