//! The search path for a test's shared libraries.
//!
//! Cargo's order is: the build scripts' directories below the target directory, sorted; the final
//! artifacts; the intermediate artifacts; the standard library; then the caller's path.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

use crate::cargo::metadata::CargoWorkspace;
use crate::cargo::toolchain::RustToolchain;

/// The variable that the dynamic loader reads.
pub const VARIABLE: &str = "LD_LIBRARY_PATH";

/// The length of cargo's hashes in file names.
const HASH_LENGTH: usize = 16;

/// The directories where a test finds shared libraries, and those of them that need not be
/// searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryPath {
    /// Cargo's directories. Those of the invoking environment come after them.
    directories: Vec<PathBuf>,
    /// Directories that contain nothing that a test could load.
    needless: BTreeSet<PathBuf>,
}

impl LibraryPath {
    /// Returns all of cargo's directories for a test binary.
    pub fn new(
        workspace: &CargoWorkspace,
        executable: &Utf8Path,
        build_scripts: &BTreeSet<Utf8PathBuf>,
        toolchain: &RustToolchain,
    ) -> LibraryPath {
        let deps = executable.parent().unwrap_or(Utf8Path::new("/"));
        let profile = profile_directory(executable);
        let finished = finished_directory(workspace, executable);
        let of_scripts = build_scripts
            .iter()
            .filter(|directory| directory.starts_with(profile) || directory.starts_with(&finished));
        // rustup's proxies add this directory to the path.
        let of_rustup = toolchain.rustup.iter().map(|_| toolchain.programs_libdir());
        LibraryPath {
            directories: of_scripts
                .map(|directory| directory.as_std_path().to_owned())
                .chain([
                    finished.as_std_path().to_owned(),
                    deps.as_std_path().to_owned(),
                    toolchain.target_libdir.clone(),
                ])
                .chain(of_rustup)
                .collect(),
            needless: BTreeSet::new(),
        }
    }

    /// Returns cargo's directories.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Leaves out the directories that make no difference to a program that needs these libraries.
    /// The dynamic loader searches about a dozen places below each directory every time it starts a
    /// program, which takes an eighth of the duration of an empty test.
    ///
    /// Programs link to the toolchain's libraries by the names that the compiler gave them, so
    /// `needed` lists all that are used. A library among the build outputs may be one that a test
    /// opens by name, so their directories stay as long as they contain one whose name has no hash.
    pub fn without_needless(
        mut self,
        needed: &[PathBuf],
        toolchain: &RustToolchain,
    ) -> LibraryPath {
        let of_toolchain = [toolchain.target_libdir.clone(), toolchain.programs_libdir()];
        let serves = |directory: &PathBuf| {
            needed
                .iter()
                .any(|library| library.parent() == Some(directory))
                || !of_toolchain.contains(directory) && holds(directory, has_plain_name)
        };
        self.needless = self
            .directories
            .iter()
            .filter(|directory| !serves(directory))
            .cloned()
            .collect();
        self
    }

    /// Returns the value of `LD_LIBRARY_PATH`, or `None` if it is not to be set.
    pub fn value(&self, inherited: Option<&OsString>) -> Option<OsString> {
        let inherited: Vec<PathBuf> = inherited
            // An empty value splits into one empty path, which the dynamic loader interprets as the
            // current directory.
            .filter(|value| !value.is_empty())
            .map(|value| std::env::split_paths(value).collect())
            .unwrap_or_default();
        // Cargo does not change a path that already begins with its directories.
        let own: &[PathBuf] = if inherited.starts_with(&self.directories) {
            &[]
        } else {
            &self.directories
        };
        let all: Vec<&OsStr> = own
            .iter()
            .chain(&inherited)
            .filter(|directory| !self.needless.contains(*directory))
            .map(|path| path.as_os_str())
            .collect();
        (!all.is_empty()).then(|| all.join(OsStr::new(":")))
    }
}

/// Returns the directory of the finished programs of the build that produced this test binary.
pub fn finished_directory(workspace: &CargoWorkspace, executable: &Utf8Path) -> Utf8PathBuf {
    let profile = profile_directory(executable);
    match profile.strip_prefix(&workspace.build_directory) {
        Ok(below) => workspace.target_directory.join(below),
        Err(_) => profile.to_owned(),
    }
}

/// Returns the parent of the directory of test binaries.
fn profile_directory(executable: &Utf8Path) -> &Utf8Path {
    let deps = executable.parent().unwrap_or(Utf8Path::new("/"));
    deps.parent().unwrap_or(deps)
}

/// Returns the directories that a build script adds to the linker's path and that contain shared
/// libraries.
pub fn script_directories(linked_paths: &[Utf8PathBuf]) -> impl Iterator<Item = Utf8PathBuf> {
    linked_paths
        .iter()
        .map(|path| Utf8Path::new(without_kind(path.as_str())))
        .filter(|directory| holds(directory.as_std_path(), is_shared_library))
        .map(Utf8Path::to_owned)
}

/// Returns the path in an entry of the linker's search path, such as `native=/x/out`.
fn without_kind(path: &str) -> &str {
    ["native=", "crate=", "dependency=", "framework=", "all="]
        .iter()
        .find_map(|kind| path.strip_prefix(kind))
        .unwrap_or(path)
}

fn holds(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| is_wanted(&entry.file_name().to_string_lossy()))
}

fn is_shared_library(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

/// Returns whether a file is a shared library without a compiler's hash in its name.
fn has_plain_name(name: &str) -> bool {
    let stem = name.split(".so").next().unwrap_or(name);
    let has_hash = stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == HASH_LENGTH && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    is_shared_library(name) && !has_hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::toolchain::RustupToolchain;

    #[test]
    fn the_order_is_cargos() {
        let workspace = CargoWorkspace {
            root: "/w".into(),
            target_directory: "/w/target".into(),
            build_directory: "/scratch/b".into(),
            packages: Vec::new(),
            default_members: Vec::new(),
            directories: Vec::new(),
        };
        let scripts = BTreeSet::from([
            Utf8PathBuf::from("/scratch/b/debug/build/z/out"),
            Utf8PathBuf::from("/scratch/b/debug/build/a/out"),
            Utf8PathBuf::from("/usr/lib/elsewhere"),
        ]);
        let toolchain = toolchain(Some(RustupToolchain {
            home: "/rustup".into(),
            toolchain: "stable".into(),
        }));
        let executable = Utf8Path::new("/scratch/b/debug/deps/t-123");
        let path = LibraryPath::new(&workspace, executable, &scripts, &toolchain);
        let inherited = OsString::from("/mine:/yours");
        let value = path.value(Some(&inherited));
        assert_eq!(
            value.as_deref().and_then(OsStr::to_str),
            Some(
                "/scratch/b/debug/build/a/out:/scratch/b/debug/build/z/out:/w/target/debug:\
                 /scratch/b/debug/deps:/sysroot/target/lib:/sysroot/lib:/mine:/yours"
            )
        );
        assert_eq!(path.value(value.as_ref()), value);
    }

    fn toolchain(rustup: Option<RustupToolchain>) -> RustToolchain {
        RustToolchain {
            cargo: "/sysroot/bin/cargo".into(),
            sysroot: "/sysroot".into(),
            target_libdir: "/sysroot/target/lib".into(),
            cargo_home: None,
            rustup,
        }
    }

    /// Returns the path that remains of a build's directories, if these files exist and these
    /// libraries are needed.
    fn kept(files: &[&str], needed: &[&str], inherited: &str) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let built = directory.path().join("debug");
        std::fs::create_dir_all(built.join("deps")).unwrap();
        for file in files {
            std::fs::write(built.join(file), "").unwrap();
        }
        let toolchain = toolchain(None);
        let all = LibraryPath {
            directories: vec![
                built.clone(),
                built.join("deps"),
                toolchain.target_libdir.clone(),
            ],
            needless: BTreeSet::new(),
        };
        let needed: Vec<PathBuf> = needed.iter().map(|library| built.join(library)).collect();
        let value = all
            .without_needless(&needed, &toolchain)
            .value(Some(&inherited.into()))?;
        Some(
            value
                .to_str()
                .unwrap()
                .replace(built.to_str().unwrap(), "B"),
        )
    }

    #[test]
    fn a_directory_stays_as_long_as_a_test_may_find_something_in_it() {
        // Only the compiler loads a procedural macro's library.
        let macros = "deps/libserde_derive-0123456789abcdef.so";
        assert_eq!(kept(&[macros, "tool", "deps/tool-1.d"], &[], ""), None);
        assert_eq!(kept(&[macros], &[macros], "").as_deref(), Some("B/deps"));
        assert_eq!(
            kept(&["libplugin.so", "deps/libplugin.so"], &[], "").as_deref(),
            Some("B:B/deps")
        );
        assert_eq!(
            kept(&["libz.so.1"], &[], "/mine").as_deref(),
            Some("B:/mine")
        );
        let std = "/sysroot/target/lib/libstd-0123456789abcdef.so";
        assert_eq!(
            kept(&[], &[std], "").as_deref(),
            Some("/sysroot/target/lib")
        );
    }

    #[test]
    fn only_directories_with_shared_libraries_count() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        for (name, file) in [("a", "libx.so.1.2"), ("b", "libx.a"), ("c", "libx.so")] {
            std::fs::create_dir(root.join(name)).unwrap();
            std::fs::write(root.join(name).join(file), "").unwrap();
        }
        let linked = [
            Utf8PathBuf::from(format!("native={root}/a")),
            Utf8PathBuf::from(format!("native={root}/b")),
            root.join("c"),
            root.join("missing"),
        ];
        let found: Vec<_> = script_directories(&linked).collect();
        assert_eq!(found, [root.join("a"), root.join("c")]);
    }
}
