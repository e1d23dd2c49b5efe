//! Content descriptors: references between an image's documents and layers. Chooses the entry of an
//! index for a platform.

use std::collections::HashMap;

use serde::Deserialize;

use super::error::ImageError;
use super::platform::Platform;
use maelstrom_container::digest::{ContentHash, Digest};

/// The annotation that distinguishes the entries of a layout.
const LABEL: &str = "org.opencontainers.image.ref.name";

/// A reference from one document to another, or to a layer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentDescriptor {
    digest: String,
    size: u64,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<HashMap<String, String>>,
}

impl ContentDescriptor {
    /// Returns the digest, if its algorithm is supported.
    pub(super) fn digest(&self, place: &str) -> Result<Digest, ImageError> {
        Ok(Digest {
            hash: parse_hash(&self.digest, place)?,
            size_bytes: self.size,
        })
    }

    /// Returns the label of the entry in a layout.
    pub(super) fn label(&self) -> Option<&str> {
        self.annotations.as_ref()?.get(LABEL).map(String::as_str)
    }
}

/// Parses a hash in the format of image documents.
pub(super) fn parse_hash(text: &str, place: &str) -> Result<ContentHash, ImageError> {
    text.strip_prefix("sha256:")
        .and_then(|hash| hash.parse().ok())
        .ok_or_else(|| ImageError::NotAnImage {
            place: place.to_owned(),
            problem: format!("it names something by `{text}`, which is no SHA-256 digest"),
        })
}

/// Chooses the entry of an index for this platform. A lone entry is chosen in any case.
pub(super) fn choose<'entries>(
    entries: &'entries [ContentDescriptor],
    wanted: &Platform,
    place: &str,
) -> Result<&'entries ContentDescriptor, ImageError> {
    if let [only] = entries {
        return Ok(only);
    }
    let ranked = entries.iter().filter_map(|entry| {
        let rank = wanted.rank(entry.platform.as_ref()?)?;
        Some((rank, entry))
    });
    ranked
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, entry)| entry)
        .ok_or_else(|| ImageError::NoPlatform {
            place: place.to_owned(),
            wanted: wanted.to_string(),
            available: available(entries),
        })
}

fn available(entries: &[ContentDescriptor]) -> String {
    let names: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        // Attestations for the other entries are stored as entries with an unknown platform.
        .filter(|platform| platform.os != "unknown")
        .map(Platform::to_string)
        .collect();
    if names.is_empty() {
        "none with a platform".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::parse_index;
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        Platform {
            os: parts.next().unwrap(),
            architecture: parts.next().unwrap(),
            variant: parts.next(),
        }
    }

    /// Returns the position of the chosen entry.
    fn chosen(entries: &[&str], wanted: &str) -> Result<u64, ImageError> {
        let entries: Vec<serde_json::Value> = entries
            .iter()
            .enumerate()
            .map(|(size, text)| {
                let Platform {
                    os,
                    architecture,
                    variant,
                } = platform(text);
                serde_json::json!({
                    "digest": format!("sha256:{}", "0".repeat(64)),
                    "size": size,
                    "platform": { "os": os, "architecture": architecture, "variant": variant },
                })
            })
            .collect();
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": entries }).to_string();
        let entries = parse_index(index.as_bytes(), "index").unwrap();
        let chosen = choose(&entries, &platform(wanted), "docker://image")?;
        Ok(chosen.digest("index").unwrap().size_bytes)
    }

    #[test]
    fn the_closest_entry_is_taken() {
        let entries = [
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/amd64",
            "unknown/unknown",
        ];
        assert_eq!(chosen(&entries, "linux/amd64").unwrap(), 2);
        assert_eq!(chosen(&entries, "linux/arm64/v8").unwrap(), 1);
        let entries = ["linux/amd64/v3", "linux/amd64/v1", "linux/arm64"];
        assert_eq!(chosen(&entries, "linux/amd64").unwrap(), 1);
        assert_eq!(chosen(&entries, "linux/arm64/v8").unwrap(), 2);
    }

    #[test]
    fn a_lone_entry_is_taken_in_any_case() {
        assert_eq!(chosen(&["windows/amd64"], "linux/amd64").unwrap(), 0);
    }

    #[test]
    fn an_image_for_other_machines_says_for_which() {
        let error = chosen(
            &["linux/arm/v7", "windows/amd64", "unknown/unknown"],
            "linux/amd64",
        )
        .unwrap_err();
        insta::assert_snapshot!(
            error,
            @"`docker://image` has no image for linux/amd64; it has linux/arm/v7, windows/amd64"
        );
        let error = chosen(&["unknown/unknown", "unknown/unknown"], "linux/amd64").unwrap_err();
        insta::assert_snapshot!(
            error,
            @"`docker://image` has no image for linux/amd64; it has none with a platform"
        );
    }
}
