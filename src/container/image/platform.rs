//! Which of an index's images is for this machine.

use std::fmt;

use serde::Deserialize;

use super::document::ContentDescriptor;
use super::error::ImageError;

/// A platform, in the words of the OCI image specification (which are Go's).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
}

impl Platform {
    /// The machine that this program was made for.
    pub fn host() -> Self {
        #[cfg(target_arch = "x86_64")]
        let (architecture, variant) = ("amd64", None::<&str>);
        #[cfg(target_arch = "aarch64")]
        let (architecture, variant) = ("arm64", Some("v8"));
        Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        }
    }

    /// How well an image for another platform serves this one: the smaller the better.
    fn rank(&self, offered: &Platform) -> Option<u8> {
        if (&offered.os, &offered.architecture) != (&self.os, &self.architecture) {
            return None;
        }
        match (&offered.variant, &self.variant) {
            (offered, wanted) if offered == wanted => Some(0),
            _ if offered.is_baseline() => Some(1),
            // Another variant of a processor family may have what this machine hasn't.
            _ => None,
        }
    }

    /// Whether every machine of the architecture can run it.
    fn is_baseline(&self) -> bool {
        match self.variant.as_deref() {
            None | Some("") => true,
            Some("v8") => self.architecture == "arm64",
            Some("v1") => self.architecture == "amd64",
            Some(_) => false,
        }
    }

    /// The entry for this platform; a lone entry in any case.
    pub(super) fn choose<'entries>(
        &self,
        entries: &'entries [ContentDescriptor],
        place: &str,
    ) -> Result<&'entries ContentDescriptor, ImageError> {
        if let [only] = entries {
            return Ok(only);
        }
        let ranked = entries.iter().filter_map(|entry| {
            let rank = self.rank(entry.platform.as_ref()?)?;
            Some((rank, entry))
        });
        ranked
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, entry)| entry)
            .ok_or_else(|| ImageError::NoPlatform {
                place: place.to_owned(),
                wanted: self.to_string(),
                available: available(entries),
            })
    }
}

fn available(entries: &[ContentDescriptor]) -> String {
    let names: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        // Attestations about the other entries come as entries of an unknown platform.
        .filter(|platform| platform.os != "unknown")
        .map(Platform::to_string)
        .collect();
    if names.is_empty() {
        "none with a platform".to_owned()
    } else {
        names.join(", ")
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
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

    /// Of these entries, the index of the chosen one.
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
        let chosen = platform(wanted).choose(&entries, "docker://image")?;
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

    #[test]
    fn this_machine_is_a_platform() {
        let host = Platform::host().to_string();
        assert!(
            ["linux/amd64", "linux/arm64/v8"].contains(&host.as_str()),
            "{host}"
        );
    }
}
