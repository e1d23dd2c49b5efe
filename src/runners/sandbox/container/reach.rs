//! Finds the files outside the toolbox that its programs need: the targets of symbolic links, and
//! directories next to those on `PATH`.
//!
//! - A directory on `PATH` may contain links into installations (`~/.local/bin/tool`, created by an
//!   installer), and programs that load files from `../lib`.
//! - Distribution packages have links below `/usr` to their configuration in `/etc`
//!   (`/usr/lib/jvm/…/conf`).
//!
//! This search delays every run, so its size is limited. It reports no errors: directories that it
//! cannot read are skipped.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// The maximum number of links that are followed per directory on `PATH`.
const LINKS_MAX: usize = 500;

/// Names of directories of programs. The directories in [`BESIDE`] next to them belong to the same
/// installation.
const PROGRAMS: [&str; 2] = ["bin", "sbin"];

/// Files and directories next to a directory of programs that belong to it.
const BESIDE: [&str; 5] = ["lib", "lib32", "lib64", "libexec", "pyvenv.cfg"];

/// Directories in the home directory that many programs share, and that contain other files, too.
const SHARED: [&str; 3] = [".local", ".config", ".cache"];

/// Directories in which packages have links to their configuration, and the depth to which each is
/// searched.
const LINKING: [(&str, usize); 3] = [("/usr/lib", 2), ("/usr/lib/jvm", 5), ("/usr/share", 2)];

/// Directories below those of [`LINKING`] that contain many files and no programs.
const WITHOUT_PROGRAMS: [&str; 7] = ["doc", "fonts", "icons", "info", "locale", "man", "zoneinfo"];

/// Returns the files and directories elsewhere that the programs in a directory on `PATH` need.
pub(super) fn of_programs(directory: &Path, home: Option<&Path>) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<PathBuf> = beside(directory).collect();
    let Ok(real) = directory.canonicalize() else {
        return found;
    };
    let entries = fs::read_dir(&real).into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    for link in links.take(LINKS_MAX) {
        if let Ok(target) = link.path().canonicalize()
            && let Some(holding) = target.parent()
            && holding != real
        {
            found.extend(installation(&target, holding, home));
        }
    }
    found
}

/// Returns the existing files and directories of [`BESIDE`] next to a directory of programs.
fn beside(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let around = is_programs(directory).then(|| directory.parent()).flatten();
    let around = around.map(Path::to_owned);
    let beside = around
        .into_iter()
        .flat_map(|around| BESIDE.map(|name| around.join(name)));
    beside.filter(|path| path.exists())
}

/// Returns the directories of the installation that a program is part of, or only the program if
/// those would be a home directory or one that many programs share.
fn installation(program: &Path, holding: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_owned()));
    let is_shared = |place: &Path| {
        let of_home = home.as_ref().is_some_and(|home| {
            home.starts_with(place) || SHARED.iter().any(|name| *place == home.join(name))
        });
        // Many programs share a directory directly below the root, such as `/opt`.
        of_home || place.components().count() < 3
    };
    let whole = match is_programs(holding) {
        true => holding.parent().unwrap_or(holding),
        false => holding,
    };
    if !is_shared(whole) {
        vec![whole.to_owned()]
    } else if !is_shared(holding) {
        beside(holding).chain([holding.to_owned()]).collect()
    } else {
        vec![program.to_owned()]
    }
}

fn is_programs(directory: &Path) -> bool {
    let name = directory.file_name();
    name.is_some_and(|name| PROGRAMS.iter().any(|programs| name == *programs))
}

/// Returns the names of entries in `/etc` that links below `/usr` lead to and that everyone may
/// read.
pub(super) fn configuration() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (place, depth) in LINKING {
        search(Path::new(place), depth, &mut found);
    }
    found.retain(|name| is_public(&Path::new("/etc").join(name)));
    found
}

fn search(directory: &Path, depth: usize, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            found.extend(below_etc(&directory.join(target)));
        } else if kind.is_dir() && depth > 0 {
            let name = entry.file_name();
            if !WITHOUT_PROGRAMS.iter().any(|without| name == *without) {
                search(&entry.path(), depth - 1, found);
            }
        }
    }
}

/// Returns the name of the entry in `/etc` that a path leads to, or `None` if it leads elsewhere.
fn below_etc(path: &Path) -> Option<String> {
    let mut names: Vec<&std::ffi::OsStr> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir => drop(names.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    match names.as_slice() {
        [etc, name, ..] if *etc == "etc" => name.to_str().map(str::to_owned),
        _ => None,
    }
}

/// Returns whether everyone may read a file, or a directory and everything in it.
fn is_public(path: &Path) -> bool {
    let readable = fs::metadata(path).is_ok_and(|metadata| {
        let needed = if metadata.is_dir() { 0o005 } else { 0o004 };
        metadata.permissions().mode() & needed == needed
    });
    let within = fs::read_dir(path).into_iter().flatten().flatten();
    let mut directories = within.filter(|entry| {
        // A link's target is outside this directory.
        entry.file_type().is_ok_and(|kind| !kind.is_symlink())
    });
    readable && directories.all(|entry| is_public(&entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn programs_bring_along_what_they_are_part_of() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let home = root.join("home/u");
        for name in [
            ".local/bin",
            ".local/lib",
            ".local/share/tools/venv/bin",
            ".local/share/keyrings",
            "opt/tool/bin",
            "bin",
            "scripts",
        ] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        let link = |name: &str, target: &str| {
            fs::write(home.join(target), "").unwrap();
            symlink(home.join(target), home.join(name)).unwrap();
        };
        link(".local/bin/a", ".local/share/tools/venv/bin/a");
        link(".local/bin/b", "opt/tool/bin/b");
        link(".local/bin/c", ".local/bin/d");
        link("bin/e", "scripts/e");
        link("bin/f", "f");
        link("bin/g", ".local/bin/g");
        symlink("nowhere", home.join("bin/h")).unwrap();
        let of = |name: &str| -> Vec<String> {
            let found = of_programs(&home.join(name), Some(&home)).into_iter();
            found
                .map(|path| path.strip_prefix(&home).unwrap().display().to_string())
                .collect()
        };
        assert_eq!(
            of(".local/bin"),
            [".local/lib", ".local/share/tools/venv", "opt/tool"]
        );
        assert_eq!(of("bin"), [".local/bin", ".local/lib", "f", "scripts"]);
        assert_eq!(of("missing"), [""; 0]);
    }

    #[test]
    fn links_to_configuration_are_told_by_name() {
        for (path, expected) in [
            ("/etc/java-17/security", Some("java-17")),
            ("/usr/share/maven/../../../etc/maven/conf", Some("maven")),
            ("/usr/share/maven/../etc/maven", None),
            ("/etc", None),
            ("/usr/lib/x", None),
        ] {
            assert_eq!(below_etc(Path::new(path)).as_deref(), expected, "{path}");
        }
        // The result depends on the machine, but every entry exists and is public.
        assert!(
            configuration()
                .iter()
                .all(|name| is_public(&Path::new("/etc").join(name)))
        );
    }
}
