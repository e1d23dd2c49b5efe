//! Local images: layout directories and archives.
//!
//! A layout is a directory with `index.json` and `blobs/sha256/…`; an OCI archive is a tar of one.
//! `docker save` writes a different archive, with `manifest.json` and layers as tars; newer
//! versions write both into one file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::archive::ArchiveFile;
use super::descriptor::{ContentDescriptor, choose};
use super::document::{
    self, DOCUMENT_BYTES_MAX, DocumentRequest, DocumentSource, ImageConfig, parse_configuration,
};
use super::error::ImageError;
use super::platform::Platform;
use super::reference::ImageUri;
use maelstrom_container::digest::ContentHash;

/// A layout directory or an archive of one.
pub(super) enum OciLayout {
    Directory(PathBuf),
    Archive(ArchiveFile),
}

impl OciLayout {
    /// Finds the image with this label; without a label, the only image.
    pub(super) fn find(
        &self,
        label: Option<&str>,
        platform: &Platform,
    ) -> Result<ContentHash, ImageError> {
        let place = self.name("index.json");
        let text = self.read("index.json")?;
        let entries = document::parse_index(&text, &place)?;
        if entries.is_empty() {
            return Err(ImageError::NotAnImage {
                place,
                problem: "it lists no image".to_owned(),
            });
        }
        let matching: Vec<ContentDescriptor> = entries
            .iter()
            .filter(|entry| label.is_none() || entry.label() == label)
            .cloned()
            .collect();
        let chosen = match (matching.as_slice(), label) {
            ([only], _) => only,
            // The same label may belong to images for several platforms.
            ([_, _, ..], Some(_)) => choose(&matching, platform, &place)?,
            (_, label) => {
                let labels = entries.iter().filter_map(ContentDescriptor::label);
                return Err(wrong_label(self.path(), label, labels));
            }
        };
        Ok(chosen.digest(&place)?.hash)
    }

    /// Opens a blob.
    pub(super) fn open(&self, hash: ContentHash) -> Result<Box<dyn Read + Send>, ImageError> {
        self.open_file(&blob_name(hash))
    }

    /// Returns the name by which errors refer to a blob.
    pub(super) fn blob_place(&self, hash: ContentHash) -> String {
        self.name(&blob_name(hash))
    }

    fn path(&self) -> &Path {
        match self {
            OciLayout::Directory(path) => path,
            OciLayout::Archive(archive) => archive.path(),
        }
    }

    fn name(&self, file: &str) -> String {
        match self {
            OciLayout::Directory(path) => path.join(file).display().to_string(),
            OciLayout::Archive(archive) => archive.place(file),
        }
    }

    fn open_file(&self, file: &str) -> Result<Box<dyn Read + Send>, ImageError> {
        match self {
            OciLayout::Directory(path) => match File::open(path.join(file)) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => {
                    Err(ImageError::missing_file(path, file))
                }
                Err(source) => Err(ImageError::Read {
                    place: self.name(file),
                    source,
                }),
            },
            OciLayout::Archive(archive) => Ok(Box::new(archive.open(file)?)),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, ImageError> {
        read_document(&mut self.open_file(file)?, self.name(file))
    }
}

fn blob_name(hash: ContentHash) -> String {
    format!("blobs/sha256/{hash}")
}

fn wrong_label<'labels>(
    path: &Path,
    label: Option<&str>,
    labels: impl Iterator<Item = &'labels str>,
) -> ImageError {
    let labels: Vec<&str> = labels.collect();
    ImageError::Label {
        path: path.to_owned(),
        problem: match label {
            Some(label) => format!("has no image labelled `{label}`"),
            None => "holds several images, and no label says which".to_owned(),
        },
        available: if labels.is_empty() {
            "no labels".to_owned()
        } else {
            labels.join(", ")
        },
    }
}

impl DocumentSource for OciLayout {
    async fn fetch(&self, document: DocumentRequest) -> Result<Vec<u8>, ImageError> {
        let text = self.read(&blob_name(document.hash))?;
        let actual = ContentHash::of(&text);
        if actual != document.hash {
            return Err(ImageError::Mismatch {
                place: self.place(&document),
                expected: document.hash,
                actual,
            });
        }
        Ok(text)
    }

    fn place(&self, document: &DocumentRequest) -> String {
        self.blob_place(document.hash)
    }
}

fn read_document(reader: &mut dyn Read, place: String) -> Result<Vec<u8>, ImageError> {
    let mut text = Vec::new();
    match reader.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut text) {
        Ok(_) if text.len() as u64 > DOCUMENT_BYTES_MAX => Err(ImageError::TooLarge {
            place,
            limit_bytes: DOCUMENT_BYTES_MAX,
        }),
        Ok(_) => Ok(text),
        Err(source) => Err(ImageError::Read { place, source }),
    }
}

/// An image in an archive of `docker save`.
pub(super) struct DockerImage {
    /// The hash of its configuration, by which Docker identifies images.
    pub(super) id: ContentHash,
    pub(super) settings: ImageConfig,
    /// The hash of each layer's tar, and its name in the archive, lowest first.
    pub(super) layers: Vec<(ContentHash, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Finds the image with this label in an archive of `docker save`; without a label, the only image.
pub(super) fn find_saved(
    archive: &ArchiveFile,
    label: Option<&str>,
) -> Result<DockerImage, ImageError> {
    let read = |file: &str| read_document(&mut archive.open(file)?, archive.place(file));
    let place = archive.place("manifest.json");
    let text = read("manifest.json")?;
    let images: Vec<SavedImage> = document::parse(&text, &place, "list of saved images")?;
    if images.is_empty() {
        return Err(ImageError::NotAnImage {
            place,
            problem: "it lists no image".to_owned(),
        });
    }
    let tags = |image: &SavedImage| image.repo_tags.clone().unwrap_or_default();
    let matching: Vec<&SavedImage> = images
        .iter()
        .filter(|image| label.is_none_or(|label| tags(image).iter().any(|tag| is_same(tag, label))))
        .collect();
    let [image] = matching.as_slice() else {
        let all: Vec<String> = images.iter().flat_map(tags).collect();
        let labels = all.iter().map(String::as_str);
        return Err(wrong_label(archive.path(), label, labels));
    };
    let place = archive.place(&image.config);
    let text = read(&image.config)?;
    let (settings, diff_ids) = parse_configuration(&text, &place)?;
    if diff_ids.len() != image.layers.len() {
        return Err(ImageError::NotAnImage {
            place,
            problem: format!(
                "it speaks of {} layers, manifest.json of {}",
                diff_ids.len(),
                image.layers.len()
            ),
        });
    }
    Ok(DockerImage {
        id: ContentHash::of(&text),
        settings,
        layers: diff_ids.into_iter().zip(image.layers.clone()).collect(),
    })
}

/// Returns whether two tags are equal in full: `debian` is `docker.io/library/debian:latest`.
fn is_same(tag: &str, label: &str) -> bool {
    let full = |text: &str| match format!("docker://{text}").parse() {
        Ok(ImageUri::Registry(reference)) => Some((
            reference.registry().to_owned(),
            reference.repository(),
            reference.version().clone(),
        )),
        Ok(ImageUri::Local { .. }) | Err(_) => None,
    };
    tag == label || (full(tag).is_some() && full(tag) == full(label))
}
