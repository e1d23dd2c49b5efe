//! The workspace as `cargo metadata` describes it.
//!
//! A package is identified by its id, never by its name: a workspace may depend on a registry
//! package with the name and version of one of its members.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_metadata::camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use cargo_metadata::{Artifact, Metadata, PackageId};
use serde::Deserialize;

use crate::sandbox::invocation::Invocation;

use super::error::CargoError;
use super::options::CargoBuildOptions;
use super::target::{PackageTarget, TargetKind};
use super::toolchain;

/// Cargo's option for the target directory.
const TARGET_DIR: &str = "--target-dir";

/// A Cargo workspace.
#[derive(Clone, Debug)]
pub struct CargoWorkspace {
    /// The directory of the workspace's root manifest.
    pub root: Utf8PathBuf,
    /// The target directory, with finished programs and libraries.
    pub target_directory: Utf8PathBuf,
    /// The build directory, with intermediate files; usually the same as the target directory.
    pub build_directory: Utf8PathBuf,
    pub packages: Vec<Arc<CargoPackage>>,
    /// The members that `cargo test` would test in the working directory: the package there, or the
    /// workspace's default members.
    pub default_members: Vec<PackageId>,
    /// Options for the build that pass the target and build directories without `..`, so that no
    /// path of a build output contains one.
    pub directories: Vec<OsString>,
}

/// A package as `cargo metadata` describes it.
#[derive(Clone, Debug)]
pub struct CargoPackage {
    /// The package as cargo describes it.
    pub metadata: cargo_metadata::Package,
    /// The `rust-version` as it is in the manifest; cargo normalizes its own.
    pub rust_version: Option<String>,
}

/// The fields of the JSON that [`Metadata`] does not preserve.
#[derive(Deserialize)]
struct RawMetadata {
    packages: Vec<RawPackage>,
}

#[derive(Deserialize)]
struct RawPackage {
    id: PackageId,
    rust_version: Option<String>,
}

impl CargoWorkspace {
    /// Runs `cargo metadata` for the workspace of the manifest that the options select.
    pub async fn load(
        invocation: &Invocation,
        options: &CargoBuildOptions,
    ) -> Result<CargoWorkspace, CargoError> {
        CargoWorkspace::ask(invocation, options, options.manifest_path.as_deref()).await
    }

    /// Runs `cargo metadata` for a package that is not a member of the workspace. Returns `None` if
    /// cargo does not describe a package with this id or manifest.
    pub async fn load_package(
        invocation: &Invocation,
        options: &CargoBuildOptions,
        manifest: &Utf8Path,
        id: &PackageId,
    ) -> Result<Option<Arc<CargoPackage>>, CargoError> {
        let workspace =
            CargoWorkspace::ask(invocation, options, Some(manifest.as_std_path())).await?;
        let mut packages = workspace.packages.into_iter();
        // The id of a package from a registry names the registry, but cargo describes the package
        // by its path here.
        Ok(packages.find(|package| {
            package.metadata.id == *id || package.metadata.manifest_path == manifest
        }))
    }

    /// Runs `cargo metadata` for the package of a manifest, which need not be in the workspace.
    /// Returns `None` if cargo does not describe it.
    pub(super) async fn load_manifest(
        invocation: &Invocation,
        options: &CargoBuildOptions,
        manifest: &Utf8Path,
    ) -> Result<Option<Arc<CargoPackage>>, CargoError> {
        let workspace =
            CargoWorkspace::ask(invocation, options, Some(manifest.as_std_path())).await?;
        let mut packages = workspace.packages.into_iter();
        Ok(packages.find(|package| package.metadata.manifest_path == manifest))
    }

    async fn ask(
        invocation: &Invocation,
        options: &CargoBuildOptions,
        manifest: Option<&Path>,
    ) -> Result<CargoWorkspace, CargoError> {
        let cargo = toolchain::cargo(invocation);
        let mut command = invocation.command(cargo);
        // Without `--no-deps`, cargo would resolve dependencies, which may use the network and
        // write `Cargo.lock`.
        command.args(["metadata", "--format-version=1", "--no-deps"]);
        command.args(["--color", "never"]);
        command.args(metadata_arguments(options));
        if let Some(manifest) = manifest {
            command.arg("--manifest-path").arg(manifest);
        }
        if let Some(directory) = &options.target_dir {
            // `cargo metadata` has no such option, but reads this variable. Tests don't see it.
            command.env("CARGO_TARGET_DIR", invocation.directory.join(directory));
        }
        let output = command.output().await.map_err(|source| CargoError::Start {
            program: cargo.to_string_lossy().into_owned(),
            source,
        })?;
        if !output.status.success() {
            return Err(CargoError::Metadata {
                status: output.status,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let workspace = CargoWorkspace::read(&output.stdout);
        let workspace = workspace.map_err(|source| CargoError::MetadataForm { source })?;
        Ok(workspace.with_direct_paths())
    }

    /// Replaces directories whose paths contain `..`: nothing can be mounted at such a path, and
    /// paths could not be compared.
    fn with_direct_paths(mut self) -> CargoWorkspace {
        if let Some(direct) = direct(&self.target_directory) {
            let option = [TARGET_DIR.into(), direct.as_str().into()];
            self.directories.extend(option);
            self.target_directory = direct;
        }
        if let Some(direct) = direct(&self.build_directory) {
            let value = toml::Value::from(direct.as_str());
            let option = ["--config".into(), format!("build.build-dir={value}").into()];
            self.directories.extend(option);
            self.build_directory = direct;
        }
        self
    }

    /// Returns the user's `--target-dir`, unless [`directories`](Self::directories) contains that
    /// option: cargo accepts it only once.
    pub fn target_dir_option(&self, options: &CargoBuildOptions) -> Option<PathBuf> {
        let again = self.directories.iter().any(|word| word == TARGET_DIR);
        options.target_dir.clone().filter(|_| !again)
    }

    /// Parses the output of `cargo metadata`.
    pub fn read(json: &[u8]) -> Result<CargoWorkspace, serde_json::Error> {
        let metadata: Metadata = serde_json::from_slice(json)?;
        let raw: RawMetadata = serde_json::from_slice(json)?;
        let mut written: std::collections::HashMap<PackageId, Option<String>> = raw
            .packages
            .into_iter()
            .map(|package| (package.id, package.rust_version))
            .collect();
        let members = metadata.workspace_members;
        // Cargo before 1.71 does not report the default members.
        let default_members = match metadata.workspace_default_members.is_available() {
            true => metadata.workspace_default_members.to_vec(),
            false => members.clone(),
        };
        Ok(CargoWorkspace {
            default_members,
            directories: Vec::new(),
            build_directory: metadata
                .build_directory
                .unwrap_or_else(|| metadata.target_directory.clone()),
            root: metadata.workspace_root,
            target_directory: metadata.target_directory,
            packages: metadata
                .packages
                .into_iter()
                .filter(|package| members.contains(&package.id))
                .map(|package| {
                    Arc::new(CargoPackage {
                        rust_version: written.remove(&package.id).flatten(),
                        metadata: package,
                    })
                })
                .collect(),
        })
    }

    /// Returns the directory for Maelstrom's own files, which tests don't see.
    pub fn own_directory(&self) -> PathBuf {
        self.target_directory.join("maelstrom").into_std_path_buf()
    }

    /// Returns the member with this id.
    pub fn package(&self, id: &PackageId) -> Option<&Arc<CargoPackage>> {
        self.packages
            .iter()
            .find(|package| package.metadata.id == *id)
    }
}

impl CargoPackage {
    /// Returns the package's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_str()
    }

    /// Returns the directory of the package's manifest.
    pub fn directory(&self) -> &Utf8Path {
        self.metadata
            .manifest_path
            .parent()
            .unwrap_or(Utf8Path::new("/"))
    }

    /// Returns the targets whose `test` setting is on.
    pub fn tested_targets(&self) -> impl Iterator<Item = PackageTarget> {
        self.metadata
            .targets
            .iter()
            .filter(|target| target.test)
            .map(PackageTarget::from_metadata)
    }

    /// Returns the names of the package's binary targets.
    pub fn binaries(&self) -> impl Iterator<Item = &str> {
        self.metadata
            .targets
            .iter()
            .filter(|target| target.is_bin())
            .map(|target| target.name.as_str())
    }

    /// Returns the doctests that `cargo test` would run of the package, as a target.
    pub fn doctests(&self) -> Option<PackageTarget> {
        let mut targets = self.metadata.targets.iter();
        let library = targets.find(|target| target.doctest)?;
        Some(PackageTarget {
            name: library.name.clone(),
            kind: TargetKind::Doctest,
        })
    }
}

/// Returns the path without `..`, or `None` if it has no such component. Resolves symbolic links
/// before each `..`, as far as the path exists.
fn direct(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let is_up = |component: &Utf8Component<'_>| *component == Utf8Component::ParentDir;
    path.components()
        .any(|component| is_up(&component))
        .then_some(())?;
    let mut direct = Utf8PathBuf::new();
    for component in path.components() {
        if is_up(&component) {
            // A path that does not exist cannot be a link.
            direct = direct.canonicalize_utf8().unwrap_or(direct);
            direct.pop();
        } else {
            direct.push(component);
        }
    }
    Some(direct)
}

/// Returns the build options that `cargo metadata` understands.
fn metadata_arguments(options: &CargoBuildOptions) -> Vec<String> {
    let mut arguments = Vec::new();
    for features in &options.features {
        arguments.extend(["--features".to_owned(), features.clone()]);
    }
    let values = [("--config", &options.config), ("-Z", &options.unstable)];
    for (option, values) in values {
        let pairs = values
            .iter()
            .map(|value| [option.to_owned(), value.clone()]);
        arguments.extend(pairs.flatten());
    }
    let flags = [
        ("--all-features", options.all_features),
        ("--no-default-features", options.no_default_features),
        ("--frozen", options.frozen),
        ("--locked", options.locked),
        ("--offline", options.offline),
    ];
    arguments.extend(
        flags
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(flag, _)| flag.to_owned()),
    );
    arguments
}

/// Returns the directory of an artifact's package, if the package is from a local path rather than
/// cargo's home directory.
pub fn local_directory(artifact: &Artifact) -> Option<PathBuf> {
    // In package ids of cargo before 1.77, the URL comes after the name and version.
    let is_local = artifact.package_id.repr.contains("path+file://");
    let directory = artifact.manifest_path.parent().filter(|_| is_local)?;
    Some(directory.as_std_path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the output of `cargo metadata` for a workspace without packages.
    const EMPTY: &[u8] = br#"{
        "packages": [], "workspace_members": [], "resolve": null, "target_directory": "/w/target",
        "version": 1, "workspace_root": "/w", "metadata": null
    }"#;

    #[test]
    fn the_target_directory_is_named_once_whichever_directory_climbs() {
        let options = CargoBuildOptions {
            target_dir: Some("chosen".into()),
            ..CargoBuildOptions::default()
        };
        for (target, build, expected) in [
            ("/w/chosen", "/w/chosen", Some("chosen")),
            ("/w/chosen", "/w/a/../build", Some("chosen")),
            ("/w/a/../chosen", "/w/build", None),
        ] {
            let workspace = CargoWorkspace {
                target_directory: target.into(),
                build_directory: build.into(),
                ..CargoWorkspace::read(EMPTY).unwrap()
            };
            let workspace = workspace.with_direct_paths();
            let option = workspace.target_dir_option(&options);
            assert_eq!(option, expected.map(PathBuf::from), "{target} {build}");
            let named = workspace
                .directories
                .iter()
                .filter(|word| *word == TARGET_DIR);
            assert_eq!(named.count(), usize::from(expected.is_none()), "{target}");
        }
    }

    #[test]
    fn a_path_that_climbs_is_told_without() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(root.path().canonicalize().unwrap()).unwrap();
        std::fs::create_dir_all(root.join("elsewhere/deep")).unwrap();
        std::os::unix::fs::symlink("elsewhere/deep", root.join("link")).unwrap();
        for (path, expected) in [
            ("a/target", None),
            ("a/../x", Some("x")),
            ("a/b/../../x/y", Some("x/y")),
            // The kernel follows the link before `..`.
            ("link/../x", Some("elsewhere/x")),
            ("missing/../x/./y", Some("x/y")),
        ] {
            let found = direct(&root.join(path));
            assert_eq!(found, expected.map(|path| root.join(path)), "{path}");
        }
        assert_eq!(direct(Utf8Path::new("/../../x")), Some("/x".into()));
    }
}
