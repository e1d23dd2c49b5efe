//! What a binary's tests need: variables, shared libraries, and input files on other machines.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_metadata::camino::Utf8PathBuf;

use super::{CargoDiscovery, PendingTests};
use crate::cargo::environment::library_path::{self, LibraryPath};
use crate::cargo::environment::{EnvironmentSources, environment};
use crate::cargo::metadata::CargoPackage;
use crate::cargo::target::{TargetKind, TestBinary};
use crate::sandbox::invocation::ProcessEnvironment;
use maelstrom_engine::libraries::{ElfError, shared_libraries};
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::PlacementConstraint;

impl<H: FrameworkHost> CargoDiscovery<'_, H> {
    pub(super) fn environment(
        &mut self,
        package: &CargoPackage,
        binary: &TestBinary,
    ) -> Arc<ProcessEnvironment> {
        let project = self.project;
        let id = &package.metadata.id;
        let finished = library_path::finished_directory(project.workspace, &binary.executable);
        // Cargo names a package's programs to its integration tests and benchmarks only.
        let programs: BTreeMap<String, Utf8PathBuf> = match binary.target.kind {
            TargetKind::Test | TargetKind::Benchmark => package
                .binaries()
                .map(|name| (name.to_owned(), finished.join(name)))
                .collect(),
            TargetKind::Library | TargetKind::Binary | TargetKind::Example => BTreeMap::new(),
        };
        let library_path = self.short_library_path(binary);
        Arc::new(environment(&EnvironmentSources {
            invoking: &project.invocation.environment,
            isolation: project.settings.common.isolation(),
            toolchain: project.toolchain,
            configured: project.configured,
            package,
            script: self.scripts.get(id),
            programs: &programs,
            library_path: &library_path,
        }))
    }

    /// Where a test binary finds shared libraries.
    fn library_path(&self, binary: &TestBinary) -> LibraryPath {
        LibraryPath::new(
            self.project.workspace,
            &binary.executable,
            &self.script_directories,
            self.project.toolchain,
        )
    }

    /// The same without what makes no difference to it and the programs built so far.
    fn short_library_path(&mut self, binary: &TestBinary) -> LibraryPath {
        let path = self.library_path(binary);
        match self.needed_libraries(binary) {
            Ok(libraries) => path.without_needless(&libraries, self.project.toolchain),
            // What can't be read may need anything.
            Err(_) => path,
        }
    }

    /// The shared libraries that a test binary and the programs built so far need.
    pub(super) fn needed_libraries(
        &mut self,
        binary: &TestBinary,
    ) -> Result<Vec<PathBuf>, ElfError> {
        let path = self.library_path(binary);
        let mut needed = Vec::new();
        for program in self.executables.iter().chain([&binary.executable]) {
            let libraries = match self.libraries.entry(program.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(shared_libraries(program.as_std_path(), path.directories())?)
                }
            };
            needed.extend(libraries.iter().cloned());
        }
        Ok(needed)
    }

    /// The shared libraries, and the directories of such, that a test binary may look for and that
    /// lie neither among the sources nor in the toolbox: by the paths that it was linked with, and
    /// by `LD_LIBRARY_PATH`, be it the caller's or a build script's.
    pub(super) fn libraries_elsewhere(
        &mut self,
        binary: &TestBinary,
        environment: &ProcessEnvironment,
    ) -> BTreeSet<PathBuf> {
        // What can't be found is looked for in vain by whoever needs it, too.
        let needed = self.needed_libraries(binary).unwrap_or_default();
        let path = environment.get(OsStr::new(library_path::VARIABLE));
        let directories = path.map(std::env::split_paths).into_iter().flatten();
        let directories =
            directories.filter(|path| path.is_absolute() && path.is_dir() && !is_made(path));
        let project = self.project;
        self.containers
            .outside(&project, needed.into_iter().chain(directories))
    }

    /// Where tests can run whose programs are all there.
    pub(super) fn placement(&self, held: &PendingTests) -> PlacementConstraint {
        let scripts = self.scripts.values().map(|script| &script.out_dir);
        // This is `CARGO_TARGET_TMPDIR`, whose path is compiled into tests.
        let temporary = self.project.workspace.target_directory.join("tmp");
        let built = self.executables.iter().chain(&self.loadable);
        let built = built.chain(scripts).chain([&held.executable, &temporary]);
        let built: Vec<PathBuf> = built.map(|path| path.clone().into_std_path_buf()).collect();
        let isolation = self.project.settings.common.isolation();
        self.containers.placement(isolation, &built)
    }
}

/// What marks a directory that can be made again. Cargo writes the first only into a directory that
/// it has made itself; the second lies in each of its build directories.
const MADE_MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// Whether a directory lies in what can be made again. Whoever is called by `cargo run` or
/// `cargo test` has all of that build's directories on the path, which no test means.
fn is_made(directory: &Path) -> bool {
    let mut around = directory.ancestors();
    around.any(|directory| MADE_MARKS.iter().any(|mark| directory.join(mark).exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_another_build_are_told_from_others() {
        let around = tempfile::tempdir().unwrap();
        let made = around.path().join("target/debug/deps");
        std::fs::create_dir_all(&made).unwrap();
        for mark in MADE_MARKS {
            assert!(!is_made(&made));
            let mark = around.path().join("target").join(mark);
            std::fs::write(&mark, "").unwrap();
            assert!(is_made(&made), "{mark:?}");
            assert!(!is_made(around.path()));
            std::fs::remove_file(mark).unwrap();
        }
    }
}
