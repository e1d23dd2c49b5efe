//! Lists the files that a job wrote to overlays over the host's files, and that are discarded with
//! the container. Only their names are reported.
//!
//! Directories of build outputs or version control are skipped, so that a build in a test does not
//! hide the one file that matters.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use walkdir::WalkDir;

use super::super::message::DiscardedFiles;
use super::super::step::ContainerStep;

/// The maximum number of files of one job that are listed.
const FILES_MAX: usize = 100;

/// The maximum number of files and directories that are visited after one job.
const ENTRIES_MAX: usize = 10_000;

/// The names of directories that are skipped.
const WITHOUT: [&str; 7] = [
    ".git",
    ".hg",
    ".jj",
    ".svn",
    "__pycache__",
    "node_modules",
    "target",
];

/// The name of the file that marks a directory as a cache.
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// Returns the files that were written to the overlays of these steps. `name` is the path of the
/// scratch file system in the steps, `place` a path where it can be accessed.
pub(super) fn discarded(steps: &[ContainerStep], name: &CStr, place: &Path) -> DiscardedFiles {
    let mut discarded = DiscardedFiles::default();
    let mut entries = 0;
    let name = path(name);
    for step in steps {
        if let ContainerStep::MountOverlay { upper, target, .. } = step {
            let upper = path(upper);
            let upper = place.join(upper.strip_prefix(name).unwrap_or(upper));
            look(&upper, path(target), &mut entries, &mut discarded);
        }
    }
    discarded
}

fn look(upper: &Path, target: &Path, entries: &mut usize, discarded: &mut DiscardedFiles) {
    let mut walk = WalkDir::new(upper).min_depth(1).into_iter();
    while let Some(found) = walk.next() {
        *entries += 1;
        if *entries > ENTRIES_MAX {
            return;
        }
        let Ok(found) = found else {
            continue;
        };
        let below = found.path().strip_prefix(upper).unwrap_or(found.path());
        let shown = target.join(below);
        let kind = found.file_type();
        if kind.is_dir() {
            let is_made = WITHOUT.iter().any(|without| found.file_name() == *without);
            if is_made || shown.join(CACHE_MARK).exists() {
                walk.skip_current_dir();
            }
        } else if kind.is_file() {
            if discarded.files.len() < FILES_MAX {
                discarded.files.push(shown);
            } else {
                discarded.more = discarded.more.saturating_add(1);
            }
        }
    }
}

fn path(name: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(name.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::OverlayFallback;
    use std::ffi::CString;
    use std::fs;

    #[test]
    fn files_are_named_as_the_job_saw_them() {
        let (scratch, shown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |root: &tempfile::TempDir, name: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for name in [
            "0-upper/tests/snapshots/a.snap",
            "0-upper/.git/index",
            "0-upper/target/debug/x",
            "0-upper/built/x",
            "1/tmp/file",
        ] {
            write(&scratch, name);
        }
        write(&shown, "built/CACHEDIR.TAG");
        for number in 0..FILES_MAX + 2 {
            write(&scratch, &format!("2-upper/{number:03}"));
        }
        let c = |text: &str| CString::new(text).unwrap();
        let overlay = |upper: &str, target: &str| ContainerStep::MountOverlay {
            source: c(target),
            lower: c("0"),
            upper: c(upper),
            work: c("scratch/work"),
            target: c(target),
            otherwise: OverlayFallback::Fail,
        };
        let here = shown.path().to_str().unwrap();
        let steps = [
            overlay("scratch/0-upper", here),
            overlay("scratch/none", "/n"),
        ];
        let found = discarded(&steps, &c("scratch"), scratch.path());
        assert_eq!(found.files, [shown.path().join("tests/snapshots/a.snap")]);
        assert_eq!(found.more, 0);
        let steps = [overlay("scratch/2-upper", "/w")];
        let found = discarded(&steps, &c("scratch"), scratch.path());
        assert_eq!((found.files.len(), found.more), (FILES_MAX, 2));
        assert!(found.files.iter().all(|file| file.starts_with("/w")));
    }
}
