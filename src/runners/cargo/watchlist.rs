//! Determines the files that affect the tests of a workspace: its own, and those of path
//! dependencies outside it.
//!
//! The manifests of members name their path dependencies. Transitive ones and patches are known
//! from the build's messages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::Artifact;

use crate::sandbox::invocation::Invocation;
use maelstrom_model::framework::WatchPaths;

use super::metadata::CargoWorkspace;
use super::options::CargoBuildOptions;

/// How the source of a package begins that is built from a path (cargo's package id
/// specifications).
const PATH_SOURCE: &str = "path+";

/// The lock file of container images, which Maelstrom itself may write during a round.
const IMAGE_LOCK: &str = "maelstrom-container-tags.lock";

/// Returns the files to watch for a workspace, including the packages in `more`.
pub(super) fn of_workspace(workspace: &CargoWorkspace, more: &BTreeSet<PathBuf>) -> WatchPaths {
    let root = workspace.root.as_std_path();
    let mut directories = vec![root.to_owned()];
    let members = workspace.packages.iter().map(|package| package.directory());
    let dependencies = workspace
        .packages
        .iter()
        .flat_map(|package| &package.metadata.dependencies)
        .filter_map(|dependency| dependency.path.as_deref());
    let known = members
        .chain(dependencies)
        .map(|directory| directory.as_std_path());
    for directory in known.chain(more.iter().map(PathBuf::as_path)) {
        add(&mut directories, directory);
    }
    WatchPaths {
        directories,
        without: vec![
            workspace.target_directory.as_std_path().to_owned(),
            workspace.build_directory.as_std_path().to_owned(),
            root.join(IMAGE_LOCK),
        ],
        generated: &[],
        written: vec![root.join("Cargo.lock")],
    }
}

/// Returns the files to watch if `cargo metadata` fails: those of the package that the options or
/// the working directory select.
pub(super) fn of_unknown(invocation: &Invocation, options: &CargoBuildOptions) -> WatchPaths {
    let here = &invocation.directory;
    let named = options.manifest_path.as_deref().map(|path| here.join(path));
    let directory = match &named {
        Some(manifest) => manifest.parent(),
        None => here
            .ancestors()
            .find(|above| above.join("Cargo.toml").is_file()),
    };
    let directory = directory.unwrap_or(here);
    WatchPaths {
        directories: vec![directory.to_owned()],
        without: options
            .target_dir
            .iter()
            .map(|target| here.join(target))
            .collect(),
        generated: &[],
        written: vec![directory.join("Cargo.lock")],
    }
}

/// Returns the directory of an artifact's package, if it was built from a path.
pub(super) fn directory_of(artifact: &Artifact) -> Option<&Path> {
    let id = artifact.package_id.repr.as_str();
    // Before cargo 1.77 an id was `NAME VERSION (SOURCE)`. URLs have no spaces.
    let source = id.split_once(" (").map_or(id, |(_, source)| source);
    let from_path = source.starts_with(PATH_SOURCE);
    let manifest = from_path.then_some(artifact.manifest_path.as_std_path())?;
    manifest.parent()
}

fn add(directories: &mut Vec<PathBuf>, directory: &Path) {
    let is_known = directories.iter().any(|known| directory.starts_with(known));
    if !is_known && directory.is_dir() {
        directories.push(directory.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(id: &str) -> Artifact {
        let artifact = json!({
            "package_id": id,
            "manifest_path": "/work/greenhouse/Cargo.toml",
            "target": {
                "name": "greenhouse",
                "kind": ["lib"],
                "crate_types": ["lib"],
                "src_path": "/work/greenhouse/src/lib.rs",
            },
            "profile": {
                "opt_level": "0",
                "debug_assertions": true,
                "overflow_checks": true,
                "test": true,
            },
            "features": [],
            "filenames": [],
            "executable": null,
            "fresh": false,
        });
        serde_json::from_value(artifact).unwrap()
    }

    #[test]
    fn packages_that_are_built_from_a_path_are_known_by_every_cargos_ids() {
        for (id, is_path) in [
            ("path+file:///work/greenhouse#0.1.0", true),
            ("path+file:///work/green#house@0.1.0", true),
            ("greenhouse 0.1.0 (path+file:///work/greenhouse)", true),
            ("registry+https://example.com/index#greenhouse@0.1.0", false),
            (
                "greenhouse 0.1.0 (registry+https://example.com/index)",
                false,
            ),
            ("git+https://example.com/path+greenhouse#0.1.0", false),
        ] {
            let expected = is_path.then_some(Path::new("/work/greenhouse"));
            assert_eq!(directory_of(&artifact(id)), expected, "{id}");
        }
    }
}
