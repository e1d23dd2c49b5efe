//! The layer cache: makes layers and images available as directories that can be mounted.
//!
//! A [`LayerCache`] belongs to one discovery. It owns the stores, which are opened on first use,
//! and pins every tree that it returns as long as it lives. Jobs refer to trees only by path, so
//! the cache must outlive the jobs that use them.
//!
//! Each layer and image is made once, however many tests request it, even concurrently.
//! `maelstrom_spec` decides which test gets which layers and images.

mod error;
mod skeleton;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::cache_kind::CacheKind;
use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{Store, StoreOptions, Tree, TreeWriteError, TreeWriter};
use maelstrom_image::{
    ContainerImage, ImageCache, ImageCacheOptions, ImageLockFile, ImageLockUpdate, ImageUri,
    LayerPhase, LayerProgress, TAG_LOCK_FILE,
};
use maelstrom_layer::{LayerBuilder, LayerSpec};
use maelstrom_model::job::SkeletonEntry;

pub use self::error::LayerCacheError;
pub use maelstrom_image::TlsVerification;

/// The options of a [`LayerCache`].
#[derive(Clone, Debug)]
pub struct LayerCacheOptions {
    /// The project's directory, which contains the image lock file. Relative paths are resolved
    /// here.
    pub project: PathBuf,
    /// The directory of the project's layer cache.
    pub cache: PathBuf,
    /// The directory of the image cache, which all projects share.
    pub depot: PathBuf,
    /// The target size of each of the two caches, in bytes.
    pub size_target_bytes: u64,
    /// Whether to verify the TLS certificates of registries.
    pub certificates: TlsVerification,
    /// Directories to search for shared libraries first, as in `LD_LIBRARY_PATH`.
    pub library_path: Vec<PathBuf>,
}

/// Makes layers and images available; see the module documentation.
#[derive(Debug)]
pub struct LayerCache {
    sources: LayerCacheOptions,
    cache: OnceCell<Store>,
    depot: OnceCell<ImageCache>,
    layers: OnceMap<LayerSpec, Tree>,
    images: OnceMap<String, Arc<ContainerImage>>,
    skeletons: OnceMap<Vec<SkeletonEntry>, Tree>,
    /// Trees that were asked for by name.
    named: Mutex<Vec<Tree>>,
    /// Held while the image lock file is written, so that there is one writer at a time.
    tags: tokio::sync::Mutex<()>,
}

/// Values by key, each of which is made once.
type OnceMap<K, V> = Mutex<HashMap<K, Arc<OnceCell<V>>>>;

/// An image that is available locally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedImage {
    /// The directories of its layers, lowest first.
    pub trees: Vec<PathBuf>,
    pub environment: BTreeMap<String, String>,
    /// The working directory that the image specifies, if any.
    pub working_directory: Option<PathBuf>,
}

/// The download progress of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageProgress {
    /// The number of downloaded bytes.
    pub fetched_bytes: u64,
    /// The number of bytes to download, as far as known.
    pub total_bytes: u64,
}

/// A progress callback. It is called from several threads.
pub type ImageProgressCallback = Arc<dyn Fn(ImageProgress) + Send + Sync>;

impl LayerCache {
    /// Creates a cache that has not opened any store yet.
    pub fn new(sources: LayerCacheOptions) -> LayerCache {
        LayerCache {
            sources,
            cache: OnceCell::new(),
            depot: OnceCell::new(),
            layers: Mutex::default(),
            images: Mutex::default(),
            skeletons: Mutex::default(),
            named: Mutex::default(),
            tags: tokio::sync::Mutex::default(),
        }
    }

    /// Builds a layer if it is missing, and returns its directory.
    pub async fn layer(&self, layer: &LayerSpec) -> Result<PathBuf, LayerCacheError> {
        let once = once(&self.layers, layer);
        let tree = once.get_or_try_init(|| async {
            let builder = LayerBuilder::new(self.cache().await?, self.sources.project.clone())
                .with_library_path(self.sources.library_path.clone());
            let layer = layer.clone();
            let began = Instant::now();
            let tree = blocking(move || Ok(builder.build(&layer)?)).await?;
            let path = tree.root().display();
            tracing::debug!(%path, took = ?began.elapsed(), "a layer is at hand");
            Ok(tree)
        });
        let tree: Result<_, LayerCacheError> = tree.await;
        Ok(tree?.root().to_owned())
    }

    /// Builds a tree of these entries if it is missing, and returns its directory.
    pub async fn skeleton(&self, entries: &[SkeletonEntry]) -> Result<PathBuf, LayerCacheError> {
        let once = once(&self.skeletons, &entries.to_vec());
        let tree = once.get_or_try_init(|| async {
            let store = self.cache().await?;
            let entries = entries.to_vec();
            blocking(move || Ok(skeleton::tree(&store, &entries)?)).await
        });
        Ok(tree.await?.root().to_owned())
    }

    /// Returns the tree with this name, if the cache has it.
    pub async fn find_tree(&self, name: ContentHash) -> Result<Option<PathBuf>, LayerCacheError> {
        let store = self.cache().await?;
        let tree = blocking(move || Ok(store.tree(name)?)).await?;
        Ok(tree.map(|tree| self.keep(tree)))
    }

    /// Returns the tree with this name. If the cache does not have it, `write` creates it.
    pub async fn make_tree<F>(
        &self,
        name: ContentHash,
        write: F,
    ) -> Result<PathBuf, LayerCacheError>
    where
        F: FnOnce(&mut TreeWriter) -> Result<(), TreeWriteError> + Send + 'static,
    {
        let store = self.cache().await?;
        let tree = blocking(move || Ok(store.tree_or_build(name, write)?)).await?;
        Ok(self.keep(tree))
    }

    fn keep(&self, tree: Tree) -> PathBuf {
        let path = tree.root().to_owned();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.push(tree);
        path
    }

    /// Fetches an image if it is missing. A tag is resolved by the project's lock file; a tag that
    /// the file does not contain is added to it.
    pub async fn image(
        &self,
        uri: &str,
        watcher: &ImageProgressCallback,
    ) -> Result<CachedImage, LayerCacheError> {
        let once = once(&self.images, &uri.to_owned());
        let image = once.get_or_try_init(|| self.find_image(uri, watcher));
        let image = image.await?;
        let trees = image.layers.iter();
        let settings = &image.settings;
        let directory = settings.working_directory.as_deref();
        let directory = directory.filter(|directory| !directory.is_empty());
        Ok(CachedImage {
            trees: trees.map(|tree| tree.root().to_owned()).collect(),
            environment: settings.environment.iter().cloned().collect(),
            working_directory: directory.map(|directory| Path::new("/").join(directory)),
        })
    }

    async fn find_image(
        &self,
        uri: &str,
        watcher: &ImageProgressCallback,
    ) -> Result<Arc<ContainerImage>, LayerCacheError> {
        let parsed: ImageUri = uri.parse()?;
        let depot = self.depot().await?;
        let progress = sum(Arc::clone(watcher));
        let project = &self.sources.project;
        let (locked, path) = match &parsed {
            ImageUri::Registry(reference) => {
                let path = project.join(TAG_LOCK_FILE);
                (
                    ImageLockFile::read(&path)?.get(reference),
                    Some((reference, path)),
                )
            }
            ImageUri::Local { .. } => (None, None),
        };
        let began = Instant::now();
        let image = depot.image(&parsed, locked, project, &progress).await?;
        tracing::debug!(
            uri,
            digest = %image.digest,
            layers = image.layers.len(),
            took = ?began.elapsed(),
            "an image is at hand"
        );
        if let Some((reference, path)) = path {
            let _one_writer = self.tags.lock().await;
            // The file is read again, because another image may have been added since.
            let mut tags = ImageLockFile::read(&path)?;
            tags.record(reference, image.digest);
            if tags.save(&path)? == ImageLockUpdate::Written {
                let path = path.display();
                let digest = format_args!("sha256:{}", image.digest);
                tracing::info!(uri, %digest, %path, "the tag is locked from now on");
            }
        }
        Ok(Arc::new(image))
    }

    async fn cache(&self) -> Result<Store, LayerCacheError> {
        let store = self
            .cache
            .get_or_try_init(|| self.open(&self.sources.cache));
        store.await.cloned()
    }

    async fn depot(&self) -> Result<&ImageCache, LayerCacheError> {
        let depot = self.depot.get_or_try_init(|| async {
            let store = self.open(&self.sources.depot).await?;
            let options = ImageCacheOptions {
                certificates: self.sources.certificates,
                ..ImageCacheOptions::default()
            };
            Ok(ImageCache::new(store, options))
        });
        depot.await
    }

    async fn open(&self, root: &Path) -> Result<Store, LayerCacheError> {
        let options = StoreOptions {
            root: root.to_owned(),
            size_target_bytes: self.sources.size_target_bytes,
        };
        blocking(move || {
            // The check comes first, before anything is created in a directory that may belong to
            // another program. The claim comes when the directory exists.
            CacheKind::Client.check(&options.root)?;
            let store = Store::open(&options)?;
            CacheKind::Client.claim(store.root())?;
            Ok(store)
        })
        .await
    }
}

fn once<K: Eq + Hash + Clone, V>(things: &OnceMap<K, V>, key: &K) -> Arc<OnceCell<V>> {
    let mut things = things.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(things.entry(key.clone()).or_default())
}

/// Returns a callback that sums up the progress of all layers.
fn sum(watcher: ImageProgressCallback) -> Arc<dyn Fn(LayerProgress) + Send + Sync> {
    let known: Mutex<HashMap<_, (u64, u64)>> = Mutex::default();
    Arc::new(move |progress: LayerProgress| match progress.phase {
        LayerPhase::Download => {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(progress.layer, (progress.done_bytes, progress.total_bytes));
            watcher(ImageProgress {
                fetched_bytes: known.values().map(|(done, _)| *done).sum(),
                total_bytes: known.values().map(|(_, total)| *total).sum(),
            });
        }
        LayerPhase::Unpack => {}
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LayerCacheError> + Send + 'static,
) -> Result<T, LayerCacheError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(LayerCacheError::Interrupted))
}
