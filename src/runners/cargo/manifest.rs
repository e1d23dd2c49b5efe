//! Reads from a package's manifest which targets have their own `main`.
//!
//! `cargo metadata` does not report `harness`.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::target::{PackageTarget, TargetKind, TestHarness};

/// The targets that a manifest declares.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CargoManifest {
    #[serde(default)]
    lib: ManifestTarget,
    #[serde(default)]
    bin: Vec<ManifestTarget>,
    #[serde(default)]
    test: Vec<ManifestTarget>,
    #[serde(default)]
    bench: Vec<ManifestTarget>,
    #[serde(default)]
    example: Vec<ManifestTarget>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ManifestTarget {
    name: Option<String>,
    harness: Option<bool>,
}

/// The manifest cannot be read, although cargo has read it.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read; it may have been deleted.
    #[error("can't read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is no longer a valid manifest.
    #[error("can't read {}: {source}", path.display())]
    Form {
        path: PathBuf,
        #[source]
        source: toml::de::Error,
    },
}

impl CargoManifest {
    /// Reads and parses a manifest.
    pub fn load(path: &Path) -> Result<CargoManifest, ManifestError> {
        let text = std::fs::read_to_string(path).map_err(|source| ManifestError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ManifestError::Form {
            path: path.to_owned(),
            source,
        })
    }

    /// Returns the harness of this target's test binary.
    pub fn harness(&self, target: &PackageTarget) -> TestHarness {
        let mentioned = match target.kind {
            TargetKind::Library => return ManifestTarget::harness(Some(&self.lib)),
            TargetKind::Binary => &self.bin,
            TargetKind::Test => &self.test,
            TargetKind::Benchmark => &self.bench,
            TargetKind::Example => &self.example,
            // Each has a program of its own.
            TargetKind::Doctest => return TestHarness::Own,
        };
        ManifestTarget::harness(
            mentioned
                .iter()
                .find(|mentioned| mentioned.name.as_ref() == Some(&target.name)),
        )
    }
}

impl ManifestTarget {
    fn harness(mentioned: Option<&ManifestTarget>) -> TestHarness {
        match mentioned.and_then(|target| target.harness) {
            Some(false) => TestHarness::Own,
            // This includes targets that cargo finds by their files and that no manifest declares.
            Some(true) | None => TestHarness::Libtest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, kind: TargetKind) -> PackageTarget {
        PackageTarget {
            name: name.to_owned(),
            kind,
        }
    }

    #[test]
    fn only_a_target_that_says_so_has_a_main_of_its_own() {
        let manifest: CargoManifest = toml::from_str(
            r#"
            [package]
            name = "p"
            [lib]
            harness = false
            [[test]]
            name = "own"
            harness = false
            [[test]]
            name = "plain"
            [[bench]]
            name = "own"
            harness = true
            "#,
        )
        .unwrap();
        let harness = |name, kind| manifest.harness(&target(name, kind));
        assert_eq!(harness("p", TargetKind::Library), TestHarness::Own);
        assert_eq!(harness("own", TargetKind::Test), TestHarness::Own);
        assert_eq!(harness("plain", TargetKind::Test), TestHarness::Libtest);
        assert_eq!(harness("own", TargetKind::Benchmark), TestHarness::Libtest);
        assert_eq!(harness("found", TargetKind::Binary), TestHarness::Libtest);
        assert_eq!(
            CargoManifest::default().harness(&target("p", TargetKind::Library)),
            TestHarness::Libtest
        );
    }

    #[test]
    fn a_manifest_that_vanished_is_named() {
        let error = CargoManifest::load(Path::new("/nowhere/Cargo.toml")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/Cargo.toml"), "{error}");
    }
}
