//! Where a test finds shared libraries.
//!
//! Cargo's order: the build scripts' directories below the directory of built files, sorted; the
//! finished files; the files in between; the standard library; then what the caller had.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

use crate::runners::cargo::metadata::Workspace;

/// The variable that the dynamic loader reads.
pub const VARIABLE: &str = "LD_LIBRARY_PATH";

/// The directories for a test binary in this place.
pub fn directories(
    workspace: &Workspace,
    executable: &Utf8Path,
    build_scripts: &BTreeSet<Utf8PathBuf>,
    target_libdir: &Path,
) -> Vec<PathBuf> {
    let deps = executable.parent().unwrap_or(Utf8Path::new("/"));
    let profile = profile_directory(executable);
    let finished = finished_directory(workspace, executable);
    let of_scripts = build_scripts
        .iter()
        .filter(|directory| directory.starts_with(profile) || directory.starts_with(&finished));
    of_scripts
        .map(|directory| directory.as_std_path().to_owned())
        .chain([
            finished.as_std_path().to_owned(),
            deps.as_std_path().to_owned(),
            target_libdir.to_owned(),
        ])
        .collect()
}

/// Where the finished programs of the build are that made a test binary in this place.
pub fn finished_directory(workspace: &Workspace, executable: &Utf8Path) -> Utf8PathBuf {
    let profile = profile_directory(executable);
    match profile.strip_prefix(&workspace.build_directory) {
        Ok(below) => workspace.target_directory.join(below),
        Err(_) => profile.to_owned(),
    }
}

/// The directory above the one that holds the test binaries.
fn profile_directory(executable: &Utf8Path) -> &Utf8Path {
    let deps = executable.parent().unwrap_or(Utf8Path::new("/"));
    deps.parent().unwrap_or(deps)
}

/// The directories that a build script adds to the linker's path and that hold shared libraries.
pub fn script_directories(linked_paths: &[Utf8PathBuf]) -> impl Iterator<Item = Utf8PathBuf> {
    linked_paths
        .iter()
        .map(|path| Utf8Path::new(without_kind(path.as_str())))
        .filter(|directory| holds_shared_libraries(directory.as_std_path()))
        .map(Utf8Path::to_owned)
}

/// The variable's value.
pub fn join(directories: &[PathBuf], inherited: Option<&OsString>) -> OsString {
    let inherited: Vec<PathBuf> = inherited
        .filter(|value| !value.is_empty())
        .map(|value| std::env::split_paths(value).collect())
        .unwrap_or_default();
    let own: &[PathBuf] = if inherited.starts_with(directories) {
        &[]
    } else {
        directories
    };
    let all: Vec<&OsStr> = own
        .iter()
        .chain(&inherited)
        .map(|path| path.as_os_str())
        .collect();
    all.join(OsStr::new(":"))
}

/// The path in a linker's search path such as `native=/x/out`.
fn without_kind(path: &str) -> &str {
    ["native=", "crate=", "dependency=", "framework=", "all="]
        .iter()
        .find_map(|kind| path.strip_prefix(kind))
        .unwrap_or(path)
}

fn holds_shared_libraries(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.ends_with(".so") || name.contains(".so.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_cargos() {
        let workspace = Workspace {
            root: "/w".into(),
            target_directory: "/w/target".into(),
            build_directory: "/scratch/b".into(),
            packages: Vec::new(),
        };
        let scripts = BTreeSet::from([
            Utf8PathBuf::from("/scratch/b/debug/build/z/out"),
            Utf8PathBuf::from("/scratch/b/debug/build/a/out"),
            Utf8PathBuf::from("/usr/lib/elsewhere"),
        ]);
        let path = directories(
            &workspace,
            Utf8Path::new("/scratch/b/debug/deps/t-123"),
            &scripts,
            Path::new("/sysroot/lib"),
        );
        let inherited = OsString::from("/mine:/yours");
        assert_eq!(
            join(&path, Some(&inherited)),
            "/scratch/b/debug/build/a/out:/scratch/b/debug/build/z/out:/w/target/debug:\
             /scratch/b/debug/deps:/sysroot/lib:/mine:/yours"
        );
        let again = join(&path, Some(&inherited));
        assert_eq!(join(&path, Some(&again)), again);
        assert_eq!(join(&path[4..], None), "/sysroot/lib");
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
