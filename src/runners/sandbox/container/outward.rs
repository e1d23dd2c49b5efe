//! Finds symbolic links in the sources whose targets are outside: those count as sources, too.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

/// The maximum number of directory entries that are examined. In a larger tree, links in the
/// deepest directories are not found. Examining this many takes about 10 ms.
const ENTRIES_MAX: usize = 20_000;

/// The maximum number of links that are followed.
const LINKS_MAX: usize = 200;

/// Names of directories that contain no sources.
const WITHOUT_SOURCES: [&str; 8] = [
    ".git",
    ".hg",
    ".jj",
    ".svn",
    ".venv",
    "__pycache__",
    "node_modules",
    "target",
];

/// The file that marks a directory of a cache (<https://bford.info/cachedir/>).
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// Directories of which every container has its own version.
const EVERYWHERE: [&str; 5] = ["/dev", "/etc", "/proc", "/run", "/sys"];

/// Returns the targets of links below `roots` that lead outside all of `roots`. Leaves out targets
/// that contain one of `roots` or the home directory.
pub(super) fn targets(roots: &[PathBuf], home: Option<&Path>) -> Vec<PathBuf> {
    let mut waiting: VecDeque<PathBuf> = roots.iter().cloned().collect();
    let mut found = BTreeSet::new();
    let (mut entries, mut links) = (0, 0);
    let leads_out = |target: &Path| {
        let mut everywhere = EVERYWHERE.iter();
        let mut own = roots.iter().map(PathBuf::as_path).chain(home);
        !everywhere.any(|place| target.starts_with(place))
            && !roots.iter().any(|root| target.starts_with(root))
            && !own.any(|place| place.starts_with(target))
    };
    while let Some(directory) = waiting.pop_front() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            entries += 1;
            if entries > ENTRIES_MAX || links > LINKS_MAX {
                return found.into_iter().collect();
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            if kind.is_symlink() {
                links += 1;
                found.extend(path.canonicalize().ok().filter(|target| leads_out(target)));
            } else if kind.is_dir() {
                let name = entry.file_name();
                let is_made = WITHOUT_SOURCES.iter().any(|without| name == *without);
                if !is_made && !path.join(CACHE_MARK).exists() {
                    waiting.push_back(path);
                }
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_is_outside_and_no_more_than_that_is_found() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for name in [
            "w/a/b",
            "w/target",
            "w/cache",
            "data/deep",
            "home/u",
            "w/.git",
        ] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("file"), "").unwrap();
        fs::write(root.join("w/cache").join(CACHE_MARK), "").unwrap();
        for (link, target) in [
            ("w/a/b/data", "../../../data/deep"),
            ("w/file", "../file"),
            ("w/inside", "a"),
            ("w/up", ".."),
            ("w/me", "../home/u"),
            ("w/dangling", "../nothing"),
            ("w/target/built", "../../data"),
            ("w/cache/made", "../../data"),
            ("w/.git/x", "../../data"),
            ("w/system", "/proc/self"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let found = targets(&[root.join("w")], Some(&root.join("home/u")));
        assert_eq!(found, [root.join("data/deep"), root.join("file")]);
    }
}
