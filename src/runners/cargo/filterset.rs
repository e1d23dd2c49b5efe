//! The workspace as filtersets of `cargo nextest` see it.
//!
//! Dependencies between members are those that their manifests name by path, for any platform and
//! with any features, so that no dependency has to be resolved.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::PackageId;

use maelstrom_spec::filterset::{
    FiltersetBinary, FiltersetBinaryKind, FiltersetPackage, FiltersetWorkspace,
};

use super::metadata::{CargoPackage, CargoWorkspace};
use super::target::{PackageTarget, TargetKind};

/// The members of a workspace with their dependencies on one another.
#[derive(Clone, Debug, Default)]
pub(super) struct PackageNetwork {
    packages: BTreeMap<PackageId, FiltersetPackage>,
}

impl PackageNetwork {
    /// Returns the network of a workspace.
    pub(super) fn of(workspace: &CargoWorkspace) -> PackageNetwork {
        let members = &workspace.packages;
        let direct: Vec<Vec<usize>> = members
            .iter()
            .map(|package| {
                let dependencies = package.metadata.dependencies.iter();
                let paths = dependencies.filter_map(|dependency| dependency.path.as_deref());
                paths
                    .filter_map(|path| members.iter().position(|member| member.directory() == path))
                    .collect()
            })
            .collect();
        let name = |index: usize| members.get(index).map(|member| member.name().to_owned());
        let reached: Vec<BTreeSet<usize>> = (0..members.len())
            .map(|from| reach(from, &direct))
            .collect();
        let packages = members.iter().enumerate().map(|(index, member)| {
            let dependencies = reached.get(index).into_iter().flatten();
            let dependents = reached.iter().enumerate();
            let dependents = dependents.filter(|(_, reached)| reached.contains(&index));
            let package = FiltersetPackage {
                name: member.name().to_owned(),
                dependencies: dependencies.filter_map(|index| name(*index)).collect(),
                dependents: dependents.filter_map(|(index, _)| name(index)).collect(),
            };
            (member.metadata.id.clone(), package)
        });
        PackageNetwork {
            packages: packages.collect(),
        }
    }

    /// Returns a member.
    pub(super) fn package(&self, id: &PackageId) -> Option<&FiltersetPackage> {
        self.packages.get(id)
    }
}

/// Returns everything that can be reached from `from`, itself included.
fn reach(from: usize, direct: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(index) = next.pop() {
        if reached.insert(index) {
            next.extend(direct.get(index).into_iter().flatten());
        }
    }
    reached
}

/// Returns the names that a filterset can refer to.
pub(super) fn names(workspace: &CargoWorkspace) -> FiltersetWorkspace {
    let mut names = FiltersetWorkspace::default();
    for package in &workspace.packages {
        let targets = package.metadata.targets.iter();
        let targets = targets.filter(|target| !target.is_custom_build());
        let targets = targets.map(PackageTarget::from_metadata);
        let targets: Vec<PackageTarget> = targets.chain(package.doctests()).collect();
        let binaries = targets.iter().map(|target| binary(package, target));
        names.add(package.name(), binaries);
    }
    names
}

/// Returns a target as filtersets see its test binary.
pub(super) fn binary<'a>(package: &CargoPackage, target: &'a PackageTarget) -> FiltersetBinary<'a> {
    let mut targets = package.metadata.targets.iter();
    let kind = match target.kind {
        // A package has one library at most.
        TargetKind::Library if targets.any(cargo_metadata::Target::is_proc_macro) => {
            FiltersetBinaryKind::ProcMacro
        }
        TargetKind::Library => FiltersetBinaryKind::Library,
        TargetKind::Binary => FiltersetBinaryKind::Binary,
        TargetKind::Test => FiltersetBinaryKind::Test,
        TargetKind::Example => FiltersetBinaryKind::Example,
        TargetKind::Benchmark => FiltersetBinaryKind::Benchmark,
        TargetKind::Doctest => FiltersetBinaryKind::Doctest,
    };
    FiltersetBinary {
        name: &target.name,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace in `/w` whose members depend on others by path.
    fn workspace(members: &[(&str, &[&str], &str)]) -> CargoWorkspace {
        let packages = members.iter().map(|(name, dependencies, kind)| {
            let dependencies = dependencies.iter().map(|other| {
                json!({
                    "name": other, "source": null, "req": "*", "kind": null, "optional": true,
                    "uses_default_features": true, "features": [], "target": null,
                    "rename": null, "registry": null, "path": format!("/w/{other}"),
                })
            });
            json!({
                "name": name, "version": "1.0.0", "id": format!("path+file:///w/{name}#1.0.0"),
                "dependencies": dependencies.collect::<Vec<_>>(), "features": {},
                "manifest_path": format!("/w/{name}/Cargo.toml"), "edition": "2024",
                "targets": [{
                    "name": name, "kind": [kind], "crate_types": [kind], "src_path": "/x.rs",
                    "edition": "2024", "doctest": true, "test": true, "doc": true,
                }],
            })
        });
        let ids = members.iter();
        let ids: Vec<String> = ids
            .map(|(name, ..)| format!("path+file:///w/{name}#1.0.0"))
            .collect();
        let metadata = json!({
            "packages": packages.collect::<Vec<_>>(), "workspace_members": ids,
            "workspace_default_members": ids, "resolve": null, "target_directory": "/w/target",
            "version": 1, "workspace_root": "/w", "metadata": null,
        });
        CargoWorkspace::read(metadata.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn dependencies_are_followed_through_cycles_and_diamonds() {
        let workspace = workspace(&[
            ("top", &["left", "right"], "lib"),
            ("left", &["base"], "lib"),
            ("right", &["base", "elsewhere"], "lib"),
            // A dev-dependency may close a cycle.
            ("base", &["left"], "proc-macro"),
            ("alone", &[], "lib"),
        ]);
        let network = PackageNetwork::of(&workspace);
        let lines: Vec<String> = workspace
            .packages
            .iter()
            .map(|package| {
                let known = network.package(&package.metadata.id).unwrap();
                let list = |names: &BTreeSet<String>| {
                    names
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(" ")
                };
                let (on, of) = (list(&known.dependencies), list(&known.dependents));
                format!("{}: depends on {on}; {of} depend on it", known.name)
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        top: depends on base left right top; top depend on it
        left: depends on base left; base left right top depend on it
        right: depends on base left right; right top depend on it
        base: depends on base left; base left right top depend on it
        alone: depends on alone; alone depend on it
        ");
        let names = names(&workspace);
        assert!(names.packages.contains("top") && names.binary_ids.contains("base"));
    }
}
