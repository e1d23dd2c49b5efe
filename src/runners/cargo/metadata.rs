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
use super::target::PackageTarget;
use super::toolchain;

/// Cargo's option for the directory that it builds into.
const TARGET_DIR: &str = "--target-dir";

/// A workspace.
#[derive(Clone, Debug)]
pub struct CargoWorkspace {
    /// The directory of the workspace's own manifest.
    pub root: Utf8PathBuf,
    /// Where finished programs and libraries go.
    pub target_directory: Utf8PathBuf,
    /// Where everything in between goes; usually the same.
    pub build_directory: Utf8PathBuf,
    pub packages: Vec<Arc<CargoPackage>>,
    /// The members that `cargo test` would test from where we were called: the package there, or
    pub default_members: Vec<PackageId>,
    /// What is to be said to a build, so that no path of what it makes has a `..` in it.
    pub directories: Vec<OsString>,
}

/// A package.
#[derive(Clone, Debug)]
pub struct CargoPackage {
    /// What cargo says of it.
    pub metadata: cargo_metadata::Package,
    /// The `rust-version` as its author wrote it; cargo's own form is normalized.
    pub rust_version: Option<String>,
}

/// The same JSON, for what [`Metadata`] changes.
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
    /// Asks cargo about the workspace of the manifest that the options lead to.
    pub async fn load(
        invocation: &Invocation,
        options: &CargoBuildOptions,
    ) -> Result<CargoWorkspace, CargoError> {
        CargoWorkspace::ask(invocation, options, options.manifest_path.as_deref()).await
    }

    /// Asks cargo about one package that is no member of the workspace.
    pub async fn load_package(
        invocation: &Invocation,
        options: &CargoBuildOptions,
        manifest: &Utf8Path,
        id: &PackageId,
    ) -> Result<Option<Arc<CargoPackage>>, CargoError> {
        let workspace =
            CargoWorkspace::ask(invocation, options, Some(manifest.as_std_path())).await?;
        let mut packages = workspace.packages.into_iter();
        // The id of a package from a registry names the registry; the same package looked at by
        // its path does not.
        Ok(packages.find(|package| {
            package.metadata.id == *id || package.metadata.manifest_path == manifest
        }))
    }

    async fn ask(
        invocation: &Invocation,
        options: &CargoBuildOptions,
        manifest: Option<&Path>,
    ) -> Result<CargoWorkspace, CargoError> {
        let cargo = toolchain::cargo(invocation);
        let mut command = invocation.command(cargo);
        // With dependencies cargo would resolve them, which may take the network and write
        // `Cargo.lock`.
        command.args(["metadata", "--format-version=1", "--no-deps"]);
        command.args(["--color", "never"]);
        command.args(metadata_arguments(options));
        if let Some(manifest) = manifest {
            command.arg("--manifest-path").arg(manifest);
        }
        if let Some(directory) = &options.target_dir {
            // `cargo metadata` has no such option, but reads the variable; a test does not see it.
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

    /// The same with directories whose paths have no `..`: nothing can be mounted there, and it
    /// would be in the way of every comparison of paths.
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

    /// The user's `--target-dir`, unless [`directories`](Self::directories) hold that option again,
    /// which cargo takes only once.
    pub fn target_dir_option(&self, options: &CargoBuildOptions) -> Option<PathBuf> {
        let again = self.directories.iter().any(|word| word == TARGET_DIR);
        options.target_dir.clone().filter(|_| !again)
    }

    /// Reads what `cargo metadata` printed.
    pub fn read(json: &[u8]) -> Result<CargoWorkspace, serde_json::Error> {
        let metadata: Metadata = serde_json::from_slice(json)?;
        let raw: RawMetadata = serde_json::from_slice(json)?;
        let mut written: std::collections::HashMap<PackageId, Option<String>> = raw
            .packages
            .into_iter()
            .map(|package| (package.id, package.rust_version))
            .collect();
        let members = metadata.workspace_members;
        // Cargo before 1.71 does not tell which members are the default ones.
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

    /// Where the program keeps what it wants to find again; tests don't see it.
    pub fn own_directory(&self) -> PathBuf {
        self.target_directory.join("maelstrom").into_std_path_buf()
    }

    /// The member with this id.
    pub fn package(&self, id: &PackageId) -> Option<&Arc<CargoPackage>> {
        self.packages
            .iter()
            .find(|package| package.metadata.id == *id)
    }
}

impl CargoPackage {
    /// The package's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_str()
    }

    /// The directory of the package's manifest.
    pub fn directory(&self) -> &Utf8Path {
        self.metadata
            .manifest_path
            .parent()
            .unwrap_or(Utf8Path::new("/"))
    }

    /// The targets that have tests on.
    pub fn tested_targets(&self) -> impl Iterator<Item = PackageTarget> {
        self.metadata
            .targets
            .iter()
            .filter(|target| target.test)
            .map(PackageTarget::from_metadata)
    }

    /// The names of the package's programs.
    pub fn binaries(&self) -> impl Iterator<Item = &str> {
        self.metadata
            .targets
            .iter()
            .filter(|target| target.is_bin())
            .map(|target| target.name.as_str())
    }

    /// Whether `cargo test` would look for tests in the package's documentation.
    pub fn has_doctests(&self) -> bool {
        self.metadata.targets.iter().any(|target| target.doctest)
    }
}

/// The path without `..`, if it has one: links on the way to it are followed, as far as there are
/// any.
fn direct(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let is_up = |component: &Utf8Component<'_>| *component == Utf8Component::ParentDir;
    path.components()
        .any(|component| is_up(&component))
        .then_some(())?;
    let mut direct = Utf8PathBuf::new();
    for component in path.components() {
        if is_up(&component) {
            // Nothing that is not there can be a link.
            direct = direct.canonicalize_utf8().unwrap_or(direct);
            direct.pop();
        } else {
            direct.push(component);
        }
    }
    Some(direct)
}

/// What of the build's options `cargo metadata` understands.
fn metadata_arguments(options: &CargoBuildOptions) -> Vec<String> {
    let mut arguments = Vec::new();
    for features in &options.features {
        arguments.extend(["--features".to_owned(), features.clone()]);
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

/// The directory of a package whose sources are somewhere on this machine and not in cargo's own
/// directory.
pub fn local_directory(artifact: &Artifact) -> Option<PathBuf> {
    // In ids of cargo before 1.77 this stands behind the package's name and version.
    let is_local = artifact.package_id.repr.contains("path+file://");
    let directory = artifact.manifest_path.parent().filter(|_| is_local)?;
    Some(directory.as_std_path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace without packages, as `cargo metadata` prints it.
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
            // Where the system goes.
            ("link/../x", Some("elsewhere/x")),
            ("missing/../x/./y", Some("x/y")),
        ] {
            let found = direct(&root.join(path));
            assert_eq!(found, expected.map(|path| root.join(path)), "{path}");
        }
        assert_eq!(direct(Utf8Path::new("/../../x")), Some("/x".into()));
    }
}
