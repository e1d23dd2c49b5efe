//! Determines what a binary's tests need: variables, shared libraries, and input files on other
//! machines.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_metadata::camino::Utf8PathBuf;

use super::{CargoDiscovery, PendingTests};
use crate::cargo::environment::library_path::{self, LibraryPath};
use crate::cargo::environment::nextest::{NextestIdentity, add_nextest_variables};
use crate::cargo::environment::{EnvironmentSources, environment};
use crate::cargo::filterset;
use crate::cargo::metadata::CargoPackage;
use crate::cargo::target::{TargetKind, TestBinary};
use crate::sandbox::environment::announce;
use crate::sandbox::invocation::ProcessEnvironment;
use crate::sandbox::project_spec::ProjectSpec;
use maelstrom_engine::libraries::{ElfError, shared_libraries};
use maelstrom_model::event::IsolationMode;
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::PlacementConstraint;

impl<H: FrameworkHost> CargoDiscovery<'_, H> {
    /// Returns whether any test has a container without this machine's programs.
    pub(super) fn some_want_no_toolbox(&self) -> bool {
        match self.project.settings.common.isolation() {
            IsolationMode::Container => {
                let specified = self.project.specified;
                specified.is_some_and(ProjectSpec::wants_no_toolbox)
            }
            IsolationMode::Process => false,
        }
    }

    pub(super) fn environment(
        &mut self,
        package: &CargoPackage,
        binary: &TestBinary,
    ) -> Arc<ProcessEnvironment> {
        let project = self.project;
        let finished = library_path::finished_directory(project.workspace, &binary.executable);
        // Cargo passes the paths of a package's programs only to its integration tests and
        // benchmarks.
        let programs: BTreeMap<String, Utf8PathBuf> = match binary.target.kind {
            TargetKind::Test | TargetKind::Benchmark => package
                .binaries()
                .map(|name| (name.to_owned(), finished.join(name)))
                .collect(),
            TargetKind::Library
            | TargetKind::Binary
            | TargetKind::Example
            | TargetKind::Doctest => BTreeMap::new(),
        };
        let library_path = self.short_library_path(binary);
        let mut variables = self.environment_with(package, &programs, &library_path);
        let binary_id = filterset::binary(package, &binary.target).id(package.name());
        let identity = NextestIdentity {
            binary_id: &binary_id,
            profile: &project.settings.common.profile.name,
            workspace_root: &project.workspace.root,
            programs: &programs,
        };
        add_nextest_variables(&mut variables, &identity);
        announce(&mut variables);
        Arc::new(variables)
    }

    fn environment_with(
        &self,
        package: &CargoPackage,
        programs: &BTreeMap<String, Utf8PathBuf>,
        library_path: &LibraryPath,
    ) -> ProcessEnvironment {
        let project = self.project;
        environment(&EnvironmentSources {
            invoking: &project.invocation.environment,
            isolation: project.settings.common.isolation(),
            toolchain: project.toolchain,
            configured: project.configured,
            package,
            script: self.scripts.get(&package.metadata.id),
            programs,
            library_path,
        })
    }

    /// Returns the environment of a library's doctests, and the shared libraries that they need, if
    /// they can be found.
    /// `program` is where cargo would have put a test binary of the package.
    pub(super) fn doctest_needs(
        &self,
        package: &CargoPackage,
        program: &TestBinary,
        doctests: &[PathBuf],
    ) -> (Arc<ProcessEnvironment>, Result<BTreeSet<PathBuf>, ElfError>) {
        let path = self.library_path(program);
        let executables = self.executables.iter().map(|path| path.as_std_path());
        let mut needed = Ok(BTreeSet::new());
        for program in executables.chain(doctests.iter().map(PathBuf::as_path)) {
            needed = needed.and_then(|mut needed: BTreeSet<PathBuf>| {
                needed.extend(shared_libraries(program, path.directories())?);
                Ok(needed)
            });
        }
        let path = match &needed {
            Ok(needed) => {
                let needed: Vec<PathBuf> = needed.iter().cloned().collect();
                path.without_needless(&needed, self.project.toolchain)
            }
            Err(_) => path,
        };
        let mut variables = self.environment_with(package, &BTreeMap::new(), &path);
        announce(&mut variables);
        (Arc::new(variables), needed)
    }

    /// Returns the search path for a test binary's shared libraries.
    fn library_path(&self, binary: &TestBinary) -> LibraryPath {
        LibraryPath::new(
            self.project.workspace,
            &binary.executable,
            &self.script_directories,
            self.project.toolchain,
        )
    }

    /// Returns the search path without the directories that make no difference to the test binary
    /// and the programs built so far.
    fn short_library_path(&mut self, binary: &TestBinary) -> LibraryPath {
        let path = self.library_path(binary);
        match self.needed_libraries(binary) {
            Ok(libraries) => path.without_needless(&libraries, self.project.toolchain),
            // A program that cannot be read may need anything.
            Err(_) => path,
        }
    }

    /// Returns the shared libraries that a test binary and the programs built so far need.
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

    /// Returns the shared libraries, and directories of shared libraries, that a test binary may
    /// use and that are neither among the sources nor in the toolbox: those on the paths that it
    /// was linked with, and those on `LD_LIBRARY_PATH`, from the caller or from a build script.
    pub(super) fn libraries_elsewhere(
        &mut self,
        binary: &TestBinary,
        environment: &ProcessEnvironment,
    ) -> BTreeSet<PathBuf> {
        // If a library cannot be found here, the program cannot find it either.
        let needed = self.needed_libraries(binary).unwrap_or_default();
        self.elsewhere(needed, environment)
    }

    /// Returns those of these libraries, and of the directories on the library path, that are
    /// neither among the sources nor in the toolbox.
    pub(super) fn elsewhere(
        &mut self,
        needed: impl IntoIterator<Item = PathBuf>,
        environment: &ProcessEnvironment,
    ) -> BTreeSet<PathBuf> {
        let path = environment.get(OsStr::new(library_path::VARIABLE));
        let directories = path.map(std::env::split_paths).into_iter().flatten();
        let directories =
            directories.filter(|path| path.is_absolute() && path.is_dir() && !is_made(path));
        let project = self.project;
        self.containers
            .outside(&project, needed.into_iter().chain(directories))
    }

    /// Returns where tests can run whose programs have all been built.
    pub(super) fn placement(&self, held: &PendingTests) -> PlacementConstraint {
        let scripts = self.scripts.values().map(|script| &script.out_dir);
        // The directory `CARGO_TARGET_TMPDIR`, whose path is compiled into tests.
        let temporary = self.project.workspace.target_directory.join("tmp");
        let built = self.executables.iter().chain(&self.loadable);
        let built = built.chain(scripts).chain([&held.executable, &temporary]);
        let built: Vec<PathBuf> = built.map(|path| path.clone().into_std_path_buf()).collect();
        let isolation = self.project.settings.common.isolation();
        self.containers.placement(isolation, &built)
    }
}

/// Files that mark a directory whose content can be recreated. Cargo writes the first only into a
/// directory that it has created itself; the second is in each of its build directories.
const MADE_MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// Returns whether a directory is in one whose content can be recreated. If `cargo run` or
/// `cargo test` started this program, the path contains all directories of that build, which tests
/// don't need.
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
