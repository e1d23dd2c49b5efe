//! From a template to a container that can be made: all of its inputs at hand on this machine.
//!
//! - [`directory`]: the Remote Execution API's `Directory`, checked. - [`tree`]: from a digest to a
//!   tree of the store. - [`error`]: why there is none.
//! - [`lending`]: what of this machine is shown.
//!
//! Owner of the state: [`Shelf`], which knows the trees that are being fetched or in use, so that
//! what several templates have in common is fetched once. A tree stays pinned as long as a
//! [`Prepared`] that has it lives.
//!
//! Invariant: a container shows of this machine only what its operator lends, what its template says
//! it shows, and what is the same as on the client's machine.

pub mod directory;
mod error;
pub mod lending;
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

use self::error::Hope;
use self::lending::Lending;
use super::allowance::{self, Allowance};
use super::contents::Contents;
use maelstrom_container::store::{Store, Tree};
use maelstrom_model::job::ContainerSpec;
use maelstrom_wire::from_proto::{self, Source, Template, ToolboxPath};

pub use self::error::InputError;
pub use self::tree::TreeLimits;

/// How long a content that is missing or damaged is asked for: its client is told to upload it again.
pub const CONTENT_PATIENCE: Duration = Duration::from_secs(20);

/// How long a storage may not answer: a broker is started again in far less.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The first pause before a storage that does not answer is asked again, then twice as long each
/// time.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A tree that is on its way, or here.
type Expected = OnceCell<Tree>;

/// See the module's documentation.
pub struct Shelf<C> {
    contents: C,
    store: Store,
    limits: TreeLimits,
    lending: Arc<Lending>,
    allowed: BTreeSet<Allowance>,
    content_patience: Duration,
    trees: RefCell<HashMap<Source, Weak<Expected>>>,
    /// Whether trees were given up since somebody asked.
    given_up: Rc<Cell<Freed>>,
}

/// Whether trees that containers have seen may be evicted now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freed {
    /// None.
    #[default]
    Nothing,
    /// Some: containers that are kept for jobs to come must go.
    Trees,
}

/// A container whose inputs are at hand. Dropping it lets them be evicted.
#[derive(Debug)]
pub struct Prepared {
    /// The container.
    pub container: Arc<ContainerSpec>,
    trees: Vec<Rc<Expected>>,
    given_up: Rc<Cell<Freed>>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.trees.is_empty() {
            self.given_up.set(Freed::Trees);
        }
    }
}

impl<C: Contents> Shelf<C> {
    /// With these contents, and a store to keep them in. Nothing of this machine is shown, and nothing
    /// special allowed.
    pub fn new(contents: C, store: Store, limits: TreeLimits) -> Self {
        Shelf {
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

    /// Shows jobs what is lent.
    #[must_use]
    pub fn lending(self, lending: Lending) -> Self {
        Shelf {
            lending: Arc::new(lending),
            ..self
        }
    }

    /// Lets jobs ask for these.
    #[must_use]
    pub fn allowing(self, allowed: BTreeSet<Allowance>) -> Self {
        Shelf { allowed, ..self }
    }

    /// Asks so long for what the storage has lost.
    #[must_use]
    pub fn with_patience(self, content_patience: Duration) -> Self {
        Shelf {
            content_patience,
            ..self
        }
    }

    /// Whether trees were given up since the last time.
    pub fn freed(&self) -> Freed {
        self.given_up.take()
    }

    /// Gets everything that a template's container is made of.
    pub async fn prepare(&self, template: &Template) -> Result<Prepared, InputError> {
        let own = std::env::consts::ARCH;
        if template.architecture != own {
            let wanted = template.architecture.clone();
            return Err(InputError::Architecture { wanted, own });
        }
        let asked = from_proto::container(&template.container, |_| Ok::<_, InputError>("/".into()));
        allowance::check(&asked?, &self.allowed)?;
        self.check_toolbox(template.toolbox.clone()).await?;
        let lent = self.lent_places(&template.sources).await?;
        let trees = template.sources.iter().filter(|source| is_fetched(source));
        let trees: Vec<&Source> = trees.collect();
        let fetched = try_join_all(trees.iter().map(|source| self.tree(source))).await?;
        let places: HashMap<&Source, &Tree> = trees
            .iter()
            .copied()
            .zip(fetched.iter().filter_map(|expected| expected.get()))
            .collect();
        let container = from_proto::container(&template.container, |source| match &source {
            Source::Toolbox(path) => {
                let place = lent.get(path).cloned();
                place.ok_or_else(|| InputError::ToolboxNotLent { path: path.clone() })
            }
            Source::Directory(_) => place(&places, &source).map(Path::to_owned),
            Source::File { .. } => Ok(place(&places, &source)?.join(tree::FILE_NAME)),
        })?;
        Ok(Prepared {
            container: Arc::new(container),
            trees: fetched,
            given_up: Rc::clone(&self.given_up),
        })
    }

    /// Whether this machine has all of this, and lends it.
    pub async fn check_toolbox(&self, paths: Vec<ToolboxPath>) -> Result<(), InputError> {
        if paths.is_empty() {
            return Ok(());
        }
        let lending = Arc::clone(&self.lending);
        blocking(move || paths.iter().try_for_each(|path| lending.check(path))).await
    }

    /// Where what a template shows of this machine really is. A path below one that is the same here
    /// as on the client's machine may still be a link to somewhere else.
    async fn lent_places(
        &self,
        sources: &[Source],
    ) -> Result<HashMap<PathBuf, PathBuf>, InputError> {
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

    /// A tree, fetched by whoever asks first.
    async fn tree(&self, source: &Source) -> Result<Rc<Expected>, InputError> {
        let expected = self.expected(source);
        expected
            .get_or_try_init(|| self.fetch_in_the_end(source))
            .await?;
        Ok(expected)
    }

    async fn fetch_in_the_end(&self, source: &Source) -> Result<Tree, InputError> {
        let mut pause = PAUSE_MIN;
        let began = Instant::now();
        loop {
            let error = match self.fetch(source).await {
                Ok(tree) => return Ok(tree),
                Err(error) => error,
            };
            tracing::debug!(%error, ?source, "an input is not to be had");
            let patience = match error.hope() {
                Hope::Content => self.content_patience,
                Hope::Connection => SILENCE_MAX,
                Hope::None => Duration::ZERO,
            };
            if began.elapsed() >= patience {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn expected(&self, source: &Source) -> Rc<Expected> {
        let mut trees = self.trees.borrow_mut();
        if let Some(expected) = trees.get(source).and_then(Weak::upgrade) {
            return expected;
        }
        trees.retain(|_, expected| expected.strong_count() > 0);
        let expected = Rc::default();
        trees.insert(source.clone(), Rc::downgrade(&expected));
        expected
    }

    async fn fetch(&self, source: &Source) -> Result<Tree, InputError> {
        let (contents, store) = (&self.contents, &self.store);
        match source {
            Source::Directory(digest) => {
                tree::directory(contents, store, self.limits, *digest).await
            }
            Source::File { digest, execution } => {
                tree::file(contents, store, *digest, *execution).await
            }
            // Nobody asks: see `is_fetched`.
            Source::Toolbox(path) => Err(InputError::ToolboxDiffers { path: path.clone() }),
        }
    }
}

fn is_fetched(source: &Source) -> bool {
    match source {
        Source::Directory(_) | Source::File { .. } => true,
        Source::Toolbox(_) => false,
    }
}

fn of_this_machine(source: &Source) -> Option<PathBuf> {
    match source {
        Source::Toolbox(path) => Some(path.clone()),
        Source::Directory(_) | Source::File { .. } => None,
    }
}

fn place<'a>(places: &HashMap<&Source, &'a Tree>, source: &Source) -> Result<&'a Path, InputError> {
    let tree = places.get(source).ok_or(InputError::Interrupted)?;
    Ok(tree.root())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InputError> + Send + 'static,
) -> Result<T, InputError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(InputError::Interrupted))
}
