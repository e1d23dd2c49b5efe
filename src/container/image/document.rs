//! The documents of an image: index, manifest and configuration.
//!
//! Parses only the fields of the OCI image specification, and of the Docker formats it derives
//! from, that are necessary to run the image. All others are ignored.

use serde::Deserialize;

use super::descriptor::{ContentDescriptor, choose, parse_hash};
use super::error::ImageError;
use super::platform::Platform;
use maelstrom_container::digest::{ContentHash, Digest};

/// The maximum size of a document, in bytes; registries reject manifests of more than 4 MB.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The maximum nesting of indexes. Real images don't nest them deeply.
const DEPTH_MAX: usize = 4;

/// The media types that are accepted in response to a request for a manifest.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A source of documents.
pub(super) trait DocumentSource {
    /// Reads a document and verifies its digest.
    async fn fetch(&self, document: DocumentRequest) -> Result<Vec<u8>, ImageError>;

    /// Returns the name by which errors refer to a document.
    fn place(&self, document: &DocumentRequest) -> String;
}

/// A request for a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct DocumentRequest {
    pub(super) hash: ContentHash,
    pub(super) kind: DocumentKind,
}

/// The kind of a document: registries store manifests and blobs separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DocumentKind {
    Manifest,
    Blob,
}

/// The parts of an image.
#[derive(Clone, Debug)]
pub(super) struct ImageParts {
    pub(super) settings: ImageConfig,
    pub(super) layers: Vec<LayerPart>,
}

/// A layer of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LayerPart {
    /// The hash of its uncompressed tar.
    pub(super) diff_id: ContentHash,
    /// The blob that stores the layer.
    pub(super) blob: Digest,
}

/// The settings of an image for programs that run in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The environment variables, in order.
    pub environment: Vec<(String, String)>,
    /// The working directory of programs, if the image sets one.
    pub working_directory: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument {
    schema_version: u32,
    #[serde(default)]
    manifests: Option<Vec<ContentDescriptor>>,
    #[serde(default)]
    config: Option<ContentDescriptor>,
    #[serde(default)]
    layers: Vec<ContentDescriptor>,
}

#[derive(Deserialize)]
struct ConfigurationDocument {
    rootfs: RootFs,
    #[serde(default)]
    config: Option<ExecutionParameters>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExecutionParameters {
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    working_dir: Option<String>,
}

/// Parses an `index.json`.
pub(super) fn parse_index(text: &[u8], place: &str) -> Result<Vec<ContentDescriptor>, ImageError> {
    let manifest: ManifestDocument = parse(text, place, "image index")?;
    manifest.manifests.ok_or_else(|| ImageError::NotAnImage {
        place: place.to_owned(),
        problem: "it lists no manifests".to_owned(),
    })
}

/// Follows the references of an image, beginning with the document that its name refers to.
pub(super) async fn follow(
    documents: &impl DocumentSource,
    root: ContentHash,
    platform: &Platform,
) -> Result<ImageParts, ImageError> {
    let mut hash = root;
    for _ in 0..DEPTH_MAX {
        let wanted = DocumentRequest {
            hash,
            kind: DocumentKind::Manifest,
        };
        let place = documents.place(&wanted);
        let text = documents.fetch(wanted).await?;
        let manifest: ManifestDocument = parse(&text, &place, "image manifest")?;
        let not_an_image = |problem: &str| ImageError::NotAnImage {
            place: place.clone(),
            problem: problem.to_owned(),
        };
        // Version 1 has no configuration document, and no hashes of uncompressed layers.
        if manifest.schema_version != 2 {
            return Err(not_an_image("its manifest is not of schema version 2"));
        }
        if let Some(entries) = manifest.manifests {
            hash = choose(&entries, platform, &place)?.digest(&place)?.hash;
            continue;
        }
        let Some(config) = &manifest.config else {
            return Err(not_an_image("its manifest names no configuration"));
        };
        let wanted = DocumentRequest {
            hash: config.digest(&place)?.hash,
            kind: DocumentKind::Blob,
        };
        let blobs = manifest
            .layers
            .iter()
            .map(|layer| layer.digest(&place))
            .collect::<Result<Vec<_>, _>>()?;
        let text = documents.fetch(wanted).await?;
        return assemble(&text, &documents.place(&wanted), &blobs);
    }
    Err(ImageError::NotAnImage {
        place: documents.place(&DocumentRequest {
            hash: root,
            kind: DocumentKind::Manifest,
        }),
        problem: format!("its indexes are nested more than {DEPTH_MAX} deep"),
    })
}

/// Parses a configuration, and pairs its layers with the blobs that store them.
fn assemble(text: &[u8], place: &str, blobs: &[Digest]) -> Result<ImageParts, ImageError> {
    let (settings, diff_ids) = parse_configuration(text, place)?;
    if blobs.len() != diff_ids.len() {
        return Err(ImageError::NotAnImage {
            place: place.to_owned(),
            problem: format!(
                "it speaks of {} layers, its manifest of {}",
                diff_ids.len(),
                blobs.len()
            ),
        });
    }
    Ok(ImageParts {
        settings,
        layers: diff_ids
            .into_iter()
            .zip(blobs)
            .map(|(diff_id, blob)| LayerPart {
                diff_id,
                blob: *blob,
            })
            .collect(),
    })
}

/// Parses a configuration: the settings for programs, and the hashes of the layers.
pub(super) fn parse_configuration(
    text: &[u8],
    place: &str,
) -> Result<(ImageConfig, Vec<ContentHash>), ImageError> {
    let configuration: ConfigurationDocument = parse(text, place, "image configuration")?;
    let diff_ids = configuration
        .rootfs
        .diff_ids
        .iter()
        .map(|diff_id| parse_hash(diff_id, place))
        .collect::<Result<_, _>>()?;
    let Some(execution) = configuration.config else {
        return Ok((ImageConfig::default(), diff_ids));
    };
    let environment = execution.env.unwrap_or_default();
    let settings = ImageConfig {
        environment: environment
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        working_directory: execution
            .working_dir
            .filter(|directory| !directory.is_empty()),
    };
    Ok((settings, diff_ids))
}

pub(super) fn parse<'text, T: Deserialize<'text>>(
    text: &'text [u8],
    place: &str,
    kind: &'static str,
) -> Result<T, ImageError> {
    serde_json::from_slice(text).map_err(|source| ImageError::Document {
        place: place.to_owned(),
        kind,
        source,
    })
}
