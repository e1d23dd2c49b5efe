//! The image cache: uses images that are present, and downloads and unpacks missing ones.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::archive::ArchiveFile;
use super::credentials::CredentialFiles;
use super::document::{self, ImageConfig, ImageParts, LayerPart};
use super::error::ImageError;
use super::layout::{self, DockerImage, OciLayout};
use super::platform::Platform;
use super::reference::{ImageUri, LocalForm, RegistryReference};
use super::registry::RegistryClient;
use super::transport::{HttpTransport, RetryPolicy, TlsVerification};
use super::unpack::{
    LayerPhase, LayerProgress, LayerSource, ProgressCallback, tree_name, unpack_layer,
};
use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{Blob, BlobLookup, Store, Tree};

/// The number of concurrent downloads. Registries serve several layers at once well; more would
/// only make each slower.
const DOWNLOADS_MAX: usize = 4;

/// A cache of images, in a store that several programs share.
#[derive(Clone, Debug)]
pub struct ImageCache {
    store: Store,
    transport: HttpTransport,
    options: ImageCacheOptions,
}

/// The options for fetching missing images.
#[derive(Clone, Debug)]
pub struct ImageCacheOptions {
    /// The files that are searched for credentials.
    pub credentials: CredentialFiles,
    /// Which server certificates are accepted.
    pub certificates: TlsVerification,
    /// The timeouts and the number of attempts.
    pub patience: RetryPolicy,
    /// The platform to choose from a multi-platform image.
    pub platform: Platform,
}

impl Default for ImageCacheOptions {
    /// Returns the options that the environment sets, for this machine's platform.
    fn default() -> Self {
        ImageCacheOptions {
            credentials: CredentialFiles::from_environment(),
            certificates: TlsVerification::Checked,
            patience: RetryPolicy::default(),
            platform: Platform::host(),
        }
    }
}

/// An image that is ready to run.
#[derive(Clone, Debug)]
pub struct ContainerImage {
    /// The digest of the document that the image's name refers to: the manifest or index; for an
    /// archive of `docker save`, the configuration.
    pub digest: ContentHash,
    /// The trees of its layers, lowest first. They stay pinned as long as this value exists.
    pub layers: Vec<Tree>,
    /// The settings of the image for programs that run in it.
    pub settings: ImageConfig,
}

impl ImageCache {
    /// Opens an image cache over a store.
    pub fn new(store: Store, options: ImageCacheOptions) -> Self {
        ImageCache {
            transport: HttpTransport::new(options.certificates, options.patience),
            store,
            options,
        }
    }

    /// Returns an image from a registry. `locked` is the digest that a lock file has for its tag;
    /// without one, and without a digest in the reference, the registry is queried. With it, and
    /// with everything in the image cache, the registry is not contacted at all.
    pub async fn registry_image(
        &self,
        reference: &RegistryReference,
        locked: Option<ContentHash>,
        progress: &ProgressCallback,
    ) -> Result<ContainerImage, ImageError> {
        let known = reference.digest().or(locked);
        if let Some(digest) = known
            && let Some(image) = self.stored_image(digest).await?
        {
            return Ok(image);
        }
        tracing::debug!(%reference, "the registry is asked for what is missing");
        let registry = RegistryClient::new(
            &self.transport,
            &self.options.credentials,
            reference,
            &self.store,
        )
        .await?;
        let digest = match known {
            Some(digest) => digest,
            None => registry.resolve().await?,
        };
        let parts = document::follow(&registry, digest, &self.options.platform).await?;
        let layers = stream::iter(distinct(&parts.layers))
            .map(|layer| self.registry_layer(&registry, layer, progress))
            .buffer_unordered(DOWNLOADS_MAX)
            .try_collect()
            .await?;
        Ok(image(digest, parts, &layers))
    }

    /// Returns an image on this machine. Relative paths start at `directory`.
    pub async fn local_image(
        &self,
        form: LocalForm,
        path: &Path,
        label: Option<&str>,
        directory: &Path,
        progress: &ProgressCallback,
    ) -> Result<ContainerImage, ImageError> {
        let path = directory.join(path);
        let layout = match form {
            LocalForm::OciDirectory => OciLayout::Directory(path),
            LocalForm::OciArchive => OciLayout::Archive(self.open_archive(path).await?),
            LocalForm::DockerArchive => {
                let archive = self.open_archive(path).await?;
                let image = layout::find_saved(&archive, label)?;
                return self.saved_image(archive, image, progress).await;
            }
        };
        let digest = layout.find(label, &self.options.platform)?;
        let parts = document::follow(&layout, digest, &self.options.platform).await?;
        let layout = Arc::new(layout);
        let mut layers = BTreeMap::new();
        for layer in distinct(&parts.layers) {
            let source = Arc::clone(&layout);
            let opened = move || {
                Ok(LayerSource {
                    place: source.blob_place(layer.blob.hash),
                    size_bytes: layer.blob.size_bytes,
                    reader: source.open(layer.blob.hash)?,
                })
            };
            let tree = self.unpacked(layer.diff_id, opened, progress).await?;
            layers.insert(layer.diff_id, tree);
        }
        Ok(image(digest, parts, &layers))
    }

    /// Returns an image by any kind of name. For one in a registry, `locked` is its digest in a
    /// lock file.
    pub async fn image(
        &self,
        uri: &ImageUri,
        locked: Option<ContentHash>,
        directory: &Path,
        progress: &ProgressCallback,
    ) -> Result<ContainerImage, ImageError> {
        match uri {
            ImageUri::Registry(reference) => self.registry_image(reference, locked, progress).await,
            ImageUri::Local { form, path, label } => {
                self.local_image(*form, path, label.as_deref(), directory, progress)
                    .await
            }
        }
    }

    /// Returns an image if everything is in the image cache.
    async fn stored_image(
        &self,
        digest: ContentHash,
    ) -> Result<Option<ContainerImage>, ImageError> {
        let documents = StoredDocuments { store: &self.store };
        let parts = match document::follow(&documents, digest, &self.options.platform).await {
            Ok(parts) => parts,
            // Missing documents are fetched, and an error is then reported with the URL.
            Err(_) => return Ok(None),
        };
        let mut layers = BTreeMap::new();
        for layer in distinct(&parts.layers) {
            let Some(tree) = self.tree(layer.diff_id).await? else {
                return Ok(None);
            };
            layers.insert(layer.diff_id, tree);
        }
        Ok(Some(image(digest, parts, &layers)))
    }

    async fn tree(&self, diff_id: ContentHash) -> Result<Option<Tree>, ImageError> {
        let store = self.store.clone();
        blocking(move || Ok(store.tree(tree_name(diff_id))?)).await
    }

    async fn open_archive(&self, path: PathBuf) -> Result<ArchiveFile, ImageError> {
        let store = self.store.clone();
        blocking(move || ArchiveFile::open_path(&path, &store)).await
    }

    async fn saved_image(
        &self,
        archive: ArchiveFile,
        saved: DockerImage,
        progress: &ProgressCallback,
    ) -> Result<ContainerImage, ImageError> {
        let archive = Arc::new(archive);
        let mut layers = Vec::new();
        for (diff_id, name) in saved.layers {
            let archive = Arc::clone(&archive);
            let opened = move || {
                let reader = archive.open(&name)?;
                Ok(LayerSource {
                    place: archive.place(&name),
                    size_bytes: reader.left_bytes(),
                    reader: Box::new(reader),
                })
            };
            layers.push(self.unpacked(diff_id, opened, progress).await?);
        }
        Ok(ContainerImage {
            digest: saved.id,
            layers,
            settings: saved.settings,
        })
    }

    async fn registry_layer(
        &self,
        registry: &RegistryClient<'_>,
        layer: LayerPart,
        progress: &ProgressCallback,
    ) -> Result<(ContentHash, Tree), ImageError> {
        if let Some(tree) = self.tree(layer.diff_id).await? {
            return Ok((layer.diff_id, tree));
        }
        let blob = match self.fetched(registry, layer, progress).await? {
            FetchedLayer::Packed(blob) => Arc::new(blob),
            FetchedLayer::Unpacked(tree) => return Ok((layer.diff_id, tree)),
        };
        let source = Arc::clone(&blob);
        let place = registry.layer_place(layer.blob.hash);
        let opened = move || {
            Ok(LayerSource {
                place,
                size_bytes: layer.blob.size_bytes,
                reader: Box::new(source.open()?),
            })
        };
        let tree = self.unpacked(layer.diff_id, opened, progress).await;
        // Once unpacked, the packed layer only takes up space. One that can't be unpacked must be
        // fetched again; one for which there was no space need not.
        let is_spent = !matches!(tree, Err(ImageError::Store(_)));
        if is_spent && let Ok(blob) = Arc::try_unwrap(blob) {
            self.store.discard_blob(blob)?;
        }
        Ok((layer.diff_id, tree?))
    }

    async fn fetched(
        &self,
        registry: &RegistryClient<'_>,
        layer: LayerPart,
        progress: &ProgressCallback,
    ) -> Result<FetchedLayer, ImageError> {
        let (store, digest) = (self.store.clone(), layer.blob);
        match blocking(move || Ok(store.want_blob(digest)?)).await? {
            BlobLookup::Whole(blob) => Ok(FetchedLayer::Packed(blob)),
            BlobLookup::Partial(partial) => {
                // While this program waited for its turn, another one may have fetched and unpacked
                // the layer, and deleted its packed form.
                if let Some(tree) = self.tree(layer.diff_id).await? {
                    partial.abandon()?;
                    return Ok(FetchedLayer::Unpacked(tree));
                }
                let arrived = |done_bytes| {
                    progress(LayerProgress {
                        layer: digest.hash,
                        phase: LayerPhase::Download,
                        done_bytes,
                        total_bytes: digest.size_bytes,
                    });
                };
                arrived(partial.arrived_bytes());
                let began = Instant::now();
                let blob = registry.complete(partial, arrived).await?;
                tracing::debug!(
                    layer = %digest.hash,
                    bytes = digest.size_bytes,
                    took = ?began.elapsed(),
                    "a layer was fetched"
                );
                Ok(FetchedLayer::Packed(blob))
            }
        }
    }

    async fn unpacked(
        &self,
        diff_id: ContentHash,
        open: impl FnOnce() -> Result<LayerSource, ImageError> + Send + 'static,
        progress: &ProgressCallback,
    ) -> Result<Tree, ImageError> {
        let store = self.store.clone();
        let progress = Arc::clone(progress);
        blocking(move || {
            store.tree_or_build(tree_name(diff_id), |writer| {
                let began = Instant::now();
                unpack_layer(open()?, diff_id, progress, writer)?;
                tracing::debug!(layer = %diff_id, took = ?began.elapsed(), "a layer was unpacked");
                Ok(())
            })
        })
        .await
    }
}

/// A fetched layer: packed, or already unpacked by another program.
enum FetchedLayer {
    Packed(Blob),
    Unpacked(Tree),
}

/// Returns each layer once, though an image may contain one several times.
fn distinct(layers: &[LayerPart]) -> Vec<LayerPart> {
    let by_name: BTreeMap<ContentHash, LayerPart> =
        layers.iter().map(|layer| (layer.diff_id, *layer)).collect();
    by_name.into_values().collect()
}

fn image(
    digest: ContentHash,
    parts: ImageParts,
    trees: &BTreeMap<ContentHash, Tree>,
) -> ContainerImage {
    ContainerImage {
        digest,
        layers: parts
            .layers
            .iter()
            .filter_map(|layer| trees.get(&layer.diff_id).cloned())
            .collect(),
        settings: parts.settings,
    }
}

/// The documents that are already in the image cache.
struct StoredDocuments<'depot> {
    store: &'depot Store,
}

impl document::DocumentSource for StoredDocuments<'_> {
    async fn fetch(&self, document: document::DocumentRequest) -> Result<Vec<u8>, ImageError> {
        match self.store.content(document.hash)? {
            Some(content) => Ok(content),
            None => Err(ImageError::Read {
                place: self.place(&document),
                source: io::ErrorKind::NotFound.into(),
            }),
        }
    }

    fn place(&self, document: &document::DocumentRequest) -> String {
        format!("sha256:{}", document.hash)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(ImageError::Interrupted))
}
