//! Finds the members of a workspace whose tests depend on changed files (`--changed-since`).
//!
//! The units are the members, and the packages outside the workspace that they depend on by path. A
//! package that lies outside the repository counts as changed, since nothing says whether it did.
//!
//! A target's source may lie outside its package. The files in its directory belong to the package, too.
//!
//! A build script that has run named the files that it reads (`rerun-if-changed`). One that has not run
//! may read any file. A file outside all packages belongs to the packages whose scripts read it, but only
//! if all scripts have run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cargo_metadata::{DependencyKind, PackageId};

use super::error::CargoError;
use super::metadata::{CargoPackage, CargoWorkspace};
use super::options::CargoSettings;
use super::output_directory::output_directory;
use crate::changed::git::ChangedFiles;
use crate::changed::plan::{
    ChangedUnits, FileOwner, ProjectUnit, UnitDirectories, UnitPart, choose,
};
use crate::changed::{changed_files, notice, real};
use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_spec::files;
use maelstrom_model::event::UserNotice;

/// Files of a workspace's root on which all tests depend.
const OF_ROOT: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    ".config/nextest.toml",
    "maelstrom-container-tags.lock",
    files::CARGO.name,
];

/// Files of which cargo and rustup read those in the working directory and above it.
const OF_ANCESTORS: [&str; 4] = [
    ".cargo/config.toml",
    ".cargo/config",
    "rust-toolchain.toml",
    "rust-toolchain",
];

/// The tables of a workspace's manifest that replace packages.
const REPLACEMENTS: [&str; 2] = ["patch", "replace"];

/// How lines of a build script begin that name a file that it reads.
const SCRIPT_INPUTS: [&str; 2] = ["cargo:rerun-if-changed=", "cargo::rerun-if-changed="];

/// The members of a workspace whose tests depend on changed files.
#[derive(Debug)]
pub(super) struct ChangedPackages {
    files: ChangedFiles,
    units: ChangedUnits,
    /// The members, which are the first units.
    members: Vec<PackageId>,
}

impl ChangedPackages {
    /// Finds them. Returns `None` if the settings do not ask for them.
    pub(super) async fn find(
        settings: &CargoSettings,
        invocation: &Invocation,
        workspace: &CargoWorkspace,
    ) -> Result<Option<ChangedPackages>, CargoError> {
        let root = workspace.root.as_std_path();
        let changed = changed_files(&settings.common.changed, invocation, root);
        let Some(files) = changed.await? else {
            return Ok(None);
        };
        let mut packages = workspace.packages.clone();
        add_strangers(&mut packages, settings, invocation).await?;
        let scripts = ScriptInputs::read(&packages, &build_directory(settings, workspace));
        let here = real(&invocation.directory);
        let configured = settings.nextest.files.iter();
        let places = SharedFiles {
            root: real(root),
            configured: configured.map(|file| real(&here.join(file))).collect(),
            here,
            replacing: replacing(root),
        };
        let units = changed_units(&files, &packages, &scripts, &places);
        let members = workspace.packages.iter();
        Ok(Some(ChangedPackages {
            files,
            units,
            members: members.map(|member| member.metadata.id.clone()).collect(),
        }))
    }

    /// Returns whether tests of a member depend on changed files.
    pub(super) fn contains(&self, package: &CargoPackage) -> bool {
        let mut members = self.members.iter();
        let unit = members.position(|member| *member == package.metadata.id);
        unit.is_none_or(|unit| self.units.contains(unit))
    }

    /// Returns the notice about `counts.0` of `counts.1` packages that are tested.
    pub(super) fn notice(&self, counts: (usize, usize)) -> UserNotice {
        notice::tested(&self.files, &self.units, notice::PACKAGES, counts)
    }
}

/// The files on which all tests of a workspace depend.
struct SharedFiles {
    root: PathBuf,
    /// The working directory.
    here: PathBuf,
    /// The configuration files of nextest that are named on the command line.
    configured: Vec<PathBuf>,
    /// The directories of packages that replace others.
    replacing: Vec<PathBuf>,
}

impl SharedFiles {
    fn contain(&self, path: &Path) -> bool {
        let of_root = OF_ROOT.iter().any(|name| path == self.root.join(name));
        let above = |name: &str| {
            let mut directories = self.here.ancestors().chain(self.root.ancestors());
            path.ends_with(name) && directories.any(|directory| path == directory.join(name))
        };
        let replaces = |directory: &PathBuf| path.starts_with(directory);
        of_root
            || self.configured.iter().any(|file| path == file)
            || OF_ANCESTORS.iter().any(|name| above(name))
            || self.replacing.iter().any(replaces)
    }
}

/// Returns the packages that depend on changed files. Pure, but for symbolic links that are followed.
fn changed_units(
    files: &ChangedFiles,
    packages: &[Arc<CargoPackage>],
    scripts: &ScriptInputs,
    shared: &SharedFiles,
) -> ChangedUnits {
    let units: Vec<ProjectUnit> = packages.iter().map(|own| unit(own, packages)).collect();
    let mut directories = UnitDirectories::default();
    let mut strange = Vec::new();
    for (index, package) in packages.iter().enumerate() {
        let directory = real(package.directory().as_std_path());
        if !directory.starts_with(&files.top) {
            strange.push(UnitPart::Whole(index));
        }
        directories.add(directory, index);
    }
    let sources = sources_outside(packages);
    let owner = |path: &Path| {
        if shared.contain(path) {
            return FileOwner::Everybody;
        }
        let mut own = directories.owners(path);
        own.extend(sources.readers(path));
        let read = scripts.named.readers(path);
        if own.is_empty() && (read.is_empty() || !scripts.unknown.is_empty()) {
            return FileOwner::Nobody;
        }
        let unknown = scripts.unknown.iter().copied();
        let units = own.into_iter().chain(read).chain(unknown);
        FileOwner::Units(units.map(UnitPart::Whole).collect())
    };
    let changed = files.paths.iter().map(PathBuf::as_path);
    choose(changed, strange, &units, owner)
}

/// Returns a package with its dependencies on others by path.
fn unit(package: &CargoPackage, packages: &[Arc<CargoPackage>]) -> ProjectUnit {
    let mut unit = ProjectUnit::default();
    for dependency in &package.metadata.dependencies {
        let Some(path) = &dependency.path else {
            continue;
        };
        let at = packages.iter().position(|other| other.directory() == path);
        match dependency.kind {
            DependencyKind::Development => unit.test_dependencies.extend(at),
            DependencyKind::Normal | DependencyKind::Build | DependencyKind::Unknown => {
                unit.dependencies.extend(at);
            }
        }
    }
    unit
}

/// Adds the packages outside the workspace that these depend on by path, directly or not.
async fn add_strangers(
    packages: &mut Vec<Arc<CargoPackage>>,
    settings: &CargoSettings,
    invocation: &Invocation,
) -> Result<(), CargoError> {
    let mut next = 0;
    let mut asked = BTreeSet::new();
    while let Some(package) = packages.get(next).cloned() {
        next += 1;
        for dependency in &package.metadata.dependencies {
            let Some(path) = &dependency.path else {
                continue;
            };
            let is_known = packages.iter().any(|known| known.directory() == path);
            if is_known || !asked.insert(path.clone()) {
                continue;
            }
            let manifest = path.join("Cargo.toml");
            let found = CargoWorkspace::load_manifest(invocation, &settings.build, &manifest);
            packages.extend(found.await?);
        }
    }
    Ok(())
}

/// Returns the directories of packages that the workspace's manifest puts in place of others. Which
/// packages use them, cargo alone knows.
fn replacing(root: &Path) -> Vec<PathBuf> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    // Cargo has read it, so it is valid.
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let tables = REPLACEMENTS.iter().filter_map(|name| manifest.get(*name));
    let mut paths = Vec::new();
    tables.for_each(|table| find_paths(table, &mut paths));
    paths.iter().map(|path| real(&root.join(path))).collect()
}

/// Adds all values of `path` in a table and the tables within it.
fn find_paths(value: &toml::Value, paths: &mut Vec<String>) {
    for (key, value) in value.as_table().into_iter().flatten() {
        match value.as_str() {
            Some(path) if key == "path" => paths.push(path.to_owned()),
            Some(_) => {}
            None => find_paths(value, paths),
        }
    }
}

/// Files or directories outside packages that belong to them, each with the index of the package.
#[derive(Debug, Default)]
struct OutsideInputs(Vec<(PathBuf, usize)>);

impl OutsideInputs {
    /// Returns the packages that read a file.
    fn readers(&self, path: &Path) -> Vec<usize> {
        let reads = |input: &PathBuf| path.starts_with(input) || input.starts_with(path);
        let readers = self.0.iter().filter(|(input, _)| reads(input));
        readers.map(|(_, package)| *package).collect()
    }
}

/// Returns the sources of targets outside their packages, and the directories of these sources, which
/// have their modules.
fn sources_outside(packages: &[Arc<CargoPackage>]) -> OutsideInputs {
    let mut inputs = Vec::new();
    for (index, package) in packages.iter().enumerate() {
        let directory = real(package.directory().as_std_path());
        for target in &package.metadata.targets {
            let source = direct(target.src_path.as_std_path());
            let around = source.parent().map(real);
            let places = [Some(real(&source)), around].into_iter().flatten();
            let outside = places.filter(|place| !place.starts_with(&directory));
            inputs.extend(outside.map(|place| (place, index)));
        }
    }
    OutsideInputs(inputs)
}

/// The files outside packages that their build scripts read.
#[derive(Debug, Default)]
struct ScriptInputs {
    named: OutsideInputs,
    /// The indices of the packages whose build scripts have not run before.
    unknown: Vec<usize>,
}

impl ScriptInputs {
    /// Reads what the build scripts of packages have said in earlier builds.
    fn read(packages: &[Arc<CargoPackage>], build: &Path) -> ScriptInputs {
        let entries = fs::read_dir(build).into_iter().flatten().flatten();
        let outputs = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let said = fs::read_to_string(entry.path().join("output")).ok()?;
            let (package, _) = name.rsplit_once('-')?;
            Some((package.to_owned(), said))
        });
        let outputs: Vec<(String, String)> = outputs.collect();
        let mut read = ScriptInputs::default();
        for (index, package) in packages.iter().enumerate() {
            let mut targets = package.metadata.targets.iter();
            if !targets.any(cargo_metadata::Target::is_custom_build) {
                continue;
            }
            let own = outputs.iter().filter(|(name, _)| name == package.name());
            let own: Vec<&String> = own.map(|(_, said)| said).collect();
            if own.is_empty() {
                read.unknown.push(index);
            }
            let directory = package.directory().as_std_path();
            let outside = own.iter().flat_map(|said| named_files(said, directory));
            let outside = outside.filter(|path| !path.starts_with(directory));
            let outside = outside.map(|path| (real(&path), index));
            read.named.0.extend(outside);
        }
        read
    }
}

/// Returns the files that a build script says it reads, given the package's directory.
fn named_files(said: &str, directory: &Path) -> Vec<PathBuf> {
    let named = said.lines().filter_map(|line| {
        let mut forms = SCRIPT_INPUTS.iter();
        forms.find_map(|form| line.strip_prefix(form))
    });
    named.map(|path| direct(&directory.join(path))).collect()
}

/// Returns a path without `..`.
fn direct(path: &Path) -> PathBuf {
    let mut direct = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                direct.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                direct.push(component);
            }
        }
    }
    direct
}

/// Returns the directory of the build scripts' outputs.
fn build_directory(settings: &CargoSettings, workspace: &CargoWorkspace) -> PathBuf {
    let directory = workspace.build_directory.as_std_path();
    let directory = directory.join(output_directory(&settings.build));
    directory.join("build")
}

#[cfg(test)]
mod tests;
