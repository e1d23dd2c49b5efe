//! Finds files and directories that root hides from other users of the machine, by their
//! permissions.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// System directories, parts of which are shown in containers.
const SYSTEM: [&str; 9] = [
    "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/opt", "/sbin", "/usr",
];

/// The directory of the system's configuration, which is never a project.
const SETTINGS: &str = "/etc";

/// The largest of the system directories.
const PROGRAMS: &str = "/usr";

/// Directories with thousands of entries that packages have published.
const PUBLISHED: [&str; 4] = [
    "/usr/include",
    "/usr/share/doc",
    "/usr/share/locale",
    "/usr/share/man",
];

/// The maximum depth of the search in directories other than [`SETTINGS`], sufficient for
/// `/usr/local/etc/ssl`. All of `/usr` has about 100,000 entries, which would take seconds.
const DEPTH_MAX: usize = 3;

/// The maximum number of threads that search.
const LOOKING_MAX: usize = 4;

/// The maximum number of entries that are visited. `/etc` has a few thousand.
const ENTRIES_MAX: usize = 100_000;

/// How a container shows a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryUse {
    /// As a part of the machine, in a bind mount.
    Bound,
    /// As a working directory, in an overlay.
    WorkedIn,
}

/// Finds the restricted paths.
#[derive(Clone, Debug, Default)]
pub(super) struct RestrictedPathScan {
    /// The running scans by directory. Each result is used once; later the directory is scanned
    /// again.
    ahead: Arc<Mutex<BTreeMap<PathBuf, JoinHandle<Vec<PathBuf>>>>>,
}

impl RestrictedPathScan {
    /// Starts scanning the largest directories in the background.
    pub(super) fn look_ahead(&self) {
        let Ok(mut ahead) = self.ahead.lock() else {
            return;
        };
        for place in [SETTINGS, PROGRAMS] {
            let look = move || restricted_paths(Path::new(place));
            let thread = thread::Builder::new().name("secrets".to_owned());
            if let Ok(looking) = thread.spawn(look) {
                ahead.insert(place.into(), looking);
            }
        }
    }

    /// Returns the restricted paths that a container would see if this directory is shown.
    pub(super) fn below(&self, directory: &Path, shown: DirectoryUse) -> Vec<PathBuf> {
        let places = looked_through(directory, shown).into_iter();
        let found = places.flat_map(|place| {
            let ahead = self.ahead.lock().ok();
            let ahead = ahead.and_then(|mut ahead| ahead.remove(&place));
            // The lock is released before waiting for the thread.
            let known = ahead.and_then(|looking| looking.join().ok());
            known.unwrap_or_else(|| restricted_paths(&place))
        });
        found.collect()
    }
}

/// Returns the directories to scan if this directory is shown.
fn looked_through(directory: &Path, shown: DirectoryUse) -> Vec<PathBuf> {
    let system = SYSTEM.iter().map(Path::new).filter(|place| match shown {
        DirectoryUse::Bound => true,
        DirectoryUse::WorkedIn => *place == Path::new(SETTINGS),
    });
    let mut places = Vec::new();
    for place in system {
        if directory.starts_with(place) {
            places.push(directory.to_owned());
        } else if place.starts_with(directory) {
            places.push(place.to_owned());
        }
    }
    places
}

/// Returns the maximum depth of the search in a directory.
fn depth(place: &Path) -> usize {
    match place.starts_with(SETTINGS) {
        true => usize::MAX,
        false => DEPTH_MAX,
    }
}

/// Returns the restricted paths in a directory, down to its maximum depth.
fn restricted_paths(directory: &Path) -> Vec<PathBuf> {
    let depth_max = depth(directory);
    let is_whole = fs::metadata(directory).is_ok_and(|metadata| is_restricted(&metadata));
    if is_whole {
        return vec![directory.to_owned()];
    }
    let left = AtomicUsize::new(ENTRIES_MAX);
    let mut found = Vec::new();
    let directories = open_in(directory, &left, &mut found);
    let next = AtomicUsize::new(0);
    let look = || {
        let mut found = Vec::new();
        while let Some(directory) = directories.get(next.fetch_add(1, Ordering::Relaxed)) {
            restricted_in(directory, depth_max - 1, &left, &mut found);
        }
        found
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let others: Vec<_> = (1..threads.min(LOOKING_MAX))
            .map(|_| scope.spawn(look))
            .collect();
        found.extend(look());
        for other in others {
            found.extend(other.join().unwrap_or_default());
        }
    });
    if left.into_inner() == 0 {
        tracing::debug!(directory = %directory.display(), "too large to be searched");
    }
    found
}

fn restricted_in(directory: &Path, depth_max: usize, left: &AtomicUsize, found: &mut Vec<PathBuf>) {
    if depth_max == 0 {
        return;
    }
    for directory in open_in(directory, left, found) {
        restricted_in(&directory, depth_max - 1, left, found);
    }
}

/// Adds the restricted entries of a directory to `found`, and returns the subdirectories that are
/// not restricted.
///
/// For root, this runs before the first container of a run over some ten thousand entries: each
/// costs one `fstatat` relative to its directory, and symbolic links, which have no mode of their
/// own, cost none.
fn open_in(directory: &Path, left: &AtomicUsize, found: &mut Vec<PathBuf>) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let take = |left: usize| left.checked_sub(1);
        if left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            break;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if is_restricted(&metadata) {
            found.push(entry.path());
        } else if metadata.is_dir() {
            let directory = entry.path();
            if !PUBLISHED
                .iter()
                .any(|published| directory == Path::new(published))
            {
                directories.push(directory);
            }
        }
    }
    directories
}

/// Returns whether a file belongs to root and others can neither read nor execute it, or a
/// directory belongs to root and others cannot enter it.
pub fn is_restricted(metadata: &Metadata) -> bool {
    const READ: u32 = 0o004;
    const EXECUTE: u32 = 0o001;
    let granted = metadata.mode() & (READ | EXECUTE);
    let is_kept = match (metadata.is_dir(), metadata.is_file()) {
        // Without this permission, nothing in the directory can be opened.
        (true, _) => granted & EXECUTE == 0,
        (_, true) => granted == 0,
        _ => false,
    };
    metadata.uid() == 0 && is_kept
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use nix::unistd::geteuid;

    use super::*;

    #[test]
    fn what_root_keeps_from_others_is_told_by_its_permissions() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path();
        let modes = [
            ("entered", 0o711, true),
            ("entered/read", 0o644, false),
            ("entered/kept", 0o640, false),
            ("kept", 0o710, true),
            ("kept/below", 0o644, false),
            ("listed", 0o744, true),
            ("run", 0o711, false),
            ("own", 0o600, false),
        ];
        for (name, _, is_directory) in modes {
            let path = root.join(name);
            match is_directory {
                true => fs::create_dir(path).unwrap(),
                false => fs::write(path, "").unwrap(),
            }
        }
        for (name, mode, _) in modes.into_iter().rev() {
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut found = restricted_paths(root);
        found.retain(|path| path != root);
        found.sort();
        let expected = ["entered/kept", "kept", "listed", "own"].map(|name| root.join(name));
        // Files that an unprivileged user restricts are that user's concern.
        match geteuid().is_root() {
            true => assert_eq!(found, expected),
            false => assert_eq!(found, [""; 0].map(PathBuf::from)),
        }
    }

    #[test]
    fn roots_secrets_are_looked_for_in_the_system_and_not_in_projects() {
        let places = |directory: &str, shown| {
            let places = looked_through(Path::new(directory), shown);
            let shown = |place: &PathBuf| {
                let all = if depth(place) == usize::MAX {
                    " all"
                } else {
                    ""
                };
                format!("{}{all}", place.display())
            };
            places.iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(places("/etc/ssl", DirectoryUse::Bound), ["/etc/ssl all"]);
        assert_eq!(places("/etc/ssl", DirectoryUse::WorkedIn), ["/etc/ssl all"]);
        assert_eq!(places("/usr", DirectoryUse::Bound), ["/usr"]);
        assert_eq!(places("/usr/src/app", DirectoryUse::WorkedIn), [""; 0]);
        assert_eq!(places("/home/u", DirectoryUse::Bound), [""; 0]);
        assert_eq!(places("/", DirectoryUse::Bound).len(), SYSTEM.len());
    }
}
