//! Debounces file events into changes. Pure: time is an argument.
//!
//! Saving one file causes several events, and checking out a branch thousands. A burst of events
//! ends when nothing has happened for [`QUIET`], or after [`BURST_MAX`].
//!
//! A file that appears and disappears within a burst has not changed: editors write such files to
//! test permissions or to replace another file, and cargo creates its target directory under a
//! temporary name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long no event may arrive before a burst is over: longer than a program takes between the
/// files it writes, shorter than a user notices.
pub const QUIET: Duration = Duration::from_millis(100);

/// The maximum duration of a burst.
pub const BURST_MAX: Duration = Duration::from_secs(2);

/// The maximum number of files that a burst keeps by path; further files are only counted.
pub const PATHS_MAX: usize = 10_000;

/// What happened to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEventKind {
    /// A directory appeared. Its contents are reported separately.
    Opened,
    /// A file appeared, and may be about to be written.
    Created,
    /// A file was written, or replaced by another file.
    Written,
    /// A file was removed, or a directory with its contents.
    Removed,
    /// A directory with its contents is ignored from now on.
    Discounted,
}

/// The combined effect of a file's events in a burst so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileChangeState {
    /// The file was created in this burst and not written yet.
    New,
    /// The file was created and written in this burst.
    NewAndWritten,
    /// The file existed before the burst and has changed.
    Changed,
    /// The directory was created in this burst.
    NewDirectory,
}

/// A burst of file events that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeBurst {
    /// The changed files, sorted by path.
    pub paths: Vec<PathBuf>,
    /// The number of further changes. A file that changed several times counts several times.
    pub unnamed: usize,
}

/// Collects file events into bursts; see the module documentation.
#[derive(Debug, Default)]
pub struct ChangeDebouncer {
    files: BTreeMap<PathBuf, FileChangeState>,
    unnamed: usize,
    began: Option<(Instant, Instant)>,
}

impl ChangeDebouncer {
    /// Records an event.
    pub fn note(&mut self, now: Instant, path: PathBuf, what: FileEventKind) {
        if self.files.len() >= PATHS_MAX && !self.files.contains_key(&path) {
            self.unnamed = self.unnamed.saturating_add(1);
        } else {
            self.note_named(path, what);
        }
        let (first, _) = self.began.unwrap_or((now, now));
        self.began = Some((first, now));
    }

    fn note_named(&mut self, path: PathBuf, what: FileEventKind) {
        use FileChangeState::{Changed, New, NewAndWritten, NewDirectory};
        let standing = match (self.files.get(&path), what) {
            (_, FileEventKind::Discounted) | (Some(NewDirectory), FileEventKind::Removed) => {
                return self.forget_below(&path);
            }
            (Some(Changed), _) | (None, FileEventKind::Written | FileEventKind::Removed) => Changed,
            (None | Some(New | NewAndWritten | NewDirectory), FileEventKind::Opened) => {
                NewDirectory
            }
            (None | Some(New | NewDirectory), FileEventKind::Created) => New,
            (Some(NewAndWritten), FileEventKind::Created)
            | (Some(New | NewAndWritten | NewDirectory), FileEventKind::Written) => NewAndWritten,
            (Some(New | NewAndWritten), FileEventKind::Removed) => {
                self.files.remove(&path);
                return;
            }
        };
        self.files.insert(path, standing);
    }

    /// Drops the new files below a directory that was created and removed within the burst.
    fn forget_below(&mut self, directory: &Path) {
        self.files.retain(|path, standing| match standing {
            FileChangeState::New
            | FileChangeState::NewAndWritten
            | FileChangeState::NewDirectory => !path.starts_with(directory),
            FileChangeState::Changed => true,
        });
    }

    /// Returns when [`ChangeDebouncer::take`] is due, or `None` if no burst is pending.
    pub fn due(&self) -> Option<Instant> {
        self.began
            .map(|(first, last)| (last + QUIET).min(first + BURST_MAX))
    }

    /// Returns the burst, if it is over and a file has changed. A file that was created but not yet
    /// written is carried over to the next burst.
    pub fn take(&mut self, now: Instant) -> Option<ChangeBurst> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        self.began = None;
        let files = std::mem::take(&mut self.files);
        let mut paths = Vec::with_capacity(files.len());
        for (path, standing) in files {
            match standing {
                // It does not start a burst: until the file is written there is nothing to report.
                FileChangeState::New => drop(self.files.insert(path, standing)),
                FileChangeState::NewAndWritten | FileChangeState::Changed => paths.push(path),
                FileChangeState::NewDirectory => {}
            }
        }
        let unnamed = std::mem::take(&mut self.unnamed);
        (!paths.is_empty() || unnamed > 0).then_some(ChangeBurst { paths, unnamed })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds in events by millisecond, and returns what is reported and when.
    fn told(happenings: &[(u64, &str, FileEventKind)]) -> Vec<(u64, Vec<String>)> {
        let start = Instant::now();
        let mut coalescer = ChangeDebouncer::default();
        let mut told = Vec::new();
        let mut take_until = |coalescer: &mut ChangeDebouncer, until: Option<Instant>| {
            while let Some(due) = coalescer.due()
                && until.is_none_or(|until| due <= until)
            {
                assert_eq!(coalescer.take(due - Duration::from_nanos(1)), None);
                if let Some(burst) = coalescer.take(due) {
                    let names = burst.paths.iter().map(|path| path.display().to_string());
                    let ms = (due - start).as_millis() as u64;
                    told.push((ms, names.collect()));
                }
            }
        };
        for (ms, path, what) in happenings {
            let now = start + Duration::from_millis(*ms);
            take_until(&mut coalescer, Some(now));
            coalescer.note(now, path.into(), *what);
        }
        take_until(&mut coalescer, None);
        told
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    use FileEventKind::{Created, Discounted, Opened, Removed, Written};

    #[test]
    fn a_burst_is_told_once_when_it_is_over() {
        let burst = [(0, "b", Written), (60, "a", Removed), (120, "b", Written)];
        assert_eq!(told(&burst), [(220, names(&["a", "b"]))]);
    }

    #[test]
    fn what_comes_after_the_quiet_is_told_by_itself() {
        let bursts = [(0, "a", Written), (100, "b", Written)];
        assert_eq!(told(&bursts), [(100, names(&["a"])), (200, names(&["b"]))]);
    }

    #[test]
    fn a_burst_without_end_is_told_now_and_then() {
        let happenings: Vec<_> = (0..60).map(|n| (n * 50, "log", Written)).collect();
        assert_eq!(
            told(&happenings),
            [(2000, names(&["log"])), (3050, names(&["log"]))]
        );
    }

    #[test]
    fn what_comes_and_goes_has_not_changed() {
        assert_eq!(
            told(&[
                (0, "4913", Created),
                (1, "4913", Written),
                (2, "4913", Removed)
            ]),
            []
        );
        // An editor writes a new file and renames it over the old one.
        let replaced = [
            (0, ".a.tmp", Created),
            (1, ".a.tmp", Written),
            (2, ".a.tmp", Removed),
            (2, "a", Written),
        ];
        assert_eq!(told(&replaced), [(102, names(&["a"]))]);
    }

    #[test]
    fn a_directory_that_comes_and_goes_takes_what_is_in_it_along() {
        let renamed = [
            (0, "other123", Opened),
            (1, "other123/new", Created),
            (2, "other123/new", Written),
            (3, "other123", Removed),
        ];
        assert_eq!(told(&renamed), []);
        // A file that stays is reported, and its later removal is a change.
        let stays = [
            (0, "src", Opened),
            (1, "src/a", Created),
            (2, "src/a", Written),
            (500, "src", Removed),
        ];
        assert_eq!(
            told(&stays),
            [(102, names(&["src/a"])), (600, names(&["src"]))]
        );
    }

    #[test]
    fn a_directory_that_does_not_count_takes_what_is_new_in_it_along() {
        let cache = [
            (0, "cache", Opened),
            (1, "cache/a", Written),
            (2, "cache/b", Created),
            (2, "cache/b", Written),
            (300, "cache", Discounted),
        ];
        assert_eq!(told(&cache), [(102, names(&["cache/a", "cache/b"]))]);
        let at_once = [
            (1, "cache/b", Created),
            (2, "cache/b", Written),
            (3, "cache", Discounted),
        ];
        assert_eq!(told(&at_once), []);
    }

    #[test]
    fn a_file_is_told_when_it_has_been_written_and_not_before() {
        let slow = [(0, "big", Created), (500, "big", Written)];
        assert_eq!(told(&slow), [(600, names(&["big"]))]);
        assert_eq!(told(&[(0, "big", Created), (500, "big", Removed)]), []);
    }

    #[test]
    fn a_file_that_was_there_and_is_made_anew_has_changed() {
        let anew = [(0, "a", Removed), (1, "a", Created), (2, "a", Removed)];
        assert_eq!(told(&anew), [(102, names(&["a"]))]);
    }

    /// Invariant 8.
    #[test]
    fn more_files_than_can_be_told_apart_are_counted() {
        let now = Instant::now();
        let mut coalescer = ChangeDebouncer::default();
        for number in 0..PATHS_MAX + 7 {
            coalescer.note(now, number.to_string().into(), Written);
        }
        let burst = coalescer.take(now + QUIET).unwrap();
        assert_eq!((burst.paths.len(), burst.unnamed), (PATHS_MAX, 7));
        assert_eq!(coalescer.due(), None);
    }

    proptest! {
        /// For any sequence of events, the last write of a file is reported after it happened and
        /// within the longest burst.
        #[test]
        fn nothing_written_is_lost(
            steps in prop::collection::vec((0u64..300, 0usize..3), 1..60),
        ) {
            let files = ["a", "b", "c"];
            let mut ms = 0;
            let happenings: Vec<_> = steps
                .into_iter()
                .map(|(wait, file)| {
                    ms += wait;
                    (ms, files[file], Written)
                })
                .collect();
            let told = told(&happenings);
            for (at, file, _) in &happenings {
                let latest = at + BURST_MAX.as_millis() as u64;
                let found = told
                    .iter()
                    .any(|(ms, names)| at <= ms && *ms <= latest && names.iter().any(|n| n == file));
                prop_assert!(found, "{file} of {at} ms in {told:?}");
            }
        }
    }
}
