//! Watches the files of a project during a run.
//!
//! ```text
//!   framework ──WatchPaths──▶ FileWatcher ──Watched, Changed, Unwatched──▶ machine
//!                             │         │
//!                DirectoryWatcher   ChangeDebouncer
//!                    (inotify(7))     (pure)
//! ```
//!
//! - [`directories`]: watches directories with inotify.
//! - [`ignores`]: decides which files count, pure apart from reading the ignore files.
//! - [`debouncer`]: debounces file events into changes, pure.
//!
//! The watched files are those that version control would track. Ignored are files that
//! `.gitignore`, `.git/info/exclude` or the user's global excludes file name, directories marked as
//! holding no sources ([`ignores::MARKERS`]), and files that a framework says it writes itself.
//! Ignored directories are not watched at all. Reading a file is no change, nor is a file that
//! appears and disappears within one burst.
//!
//! The reaction to a change is decided by [`super::machine`]. Symbolic links are not followed, and
//! the state of a repository is not watched (a commit alone changes no file).

pub mod debouncer;
pub mod directories;
pub mod ignores;

use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::machine::RunState;
use super::message::{ChangedFiles, RunInput};
use maelstrom_model::error::{help_of, with_causes};
use maelstrom_model::framework::WatchPaths;

use self::debouncer::{ChangeBurst, ChangeDebouncer};
use self::directories::{DirectoryWatcher, FileEvents};

/// The maximum number of changed files reported by name.
const PATHS_NAMED: usize = 3;

/// Whether changed files start rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchMode {
    #[default]
    Off,
    On,
}

/// Watches the project's files and reports changes.
#[derive(Debug)]
pub struct FileWatcher {
    watching: WatchMode,
    /// The directory to which reported paths are relative.
    base: PathBuf,
    list: Option<WatchPaths>,
    /// The files in the current list that rounds write themselves.
    written: Vec<PathBuf>,
    directories: Option<DirectoryWatcher>,
    coalescer: ChangeDebouncer,
}

impl FileWatcher {
    /// Creates a watcher that watches nothing yet. `base` is the directory of the run.
    pub fn new(watching: WatchMode, base: PathBuf) -> FileWatcher {
        FileWatcher {
            watching,
            base,
            list: None,
            written: Vec::new(),
            directories: None,
            coalescer: ChangeDebouncer::default(),
        }
    }

    /// Starts watching these paths in place of the previous ones. Requires a Tokio runtime. Returns
    /// the input for the machine. Call it only during a round: pending events are treated as those
    /// of a round.
    pub fn watch(&mut self, list: WatchPaths) -> Option<RunInput> {
        match self.watching {
            WatchMode::Off => return None,
            WatchMode::On if self.list.as_ref() == Some(&list) => return None,
            WatchMode::On => {}
        }
        let whole = resolved(&list);
        self.written.extend_from_slice(&whole.written);
        // Events up to this point still count.
        while let Some(Ok(Some(happenings))) =
            self.directories.as_mut().map(DirectoryWatcher::read_now)
        {
            self.note(happenings, RoundPhase::InRound);
        }
        let opened = DirectoryWatcher::open(&whole);
        self.written = whole.written;
        self.list = Some(list);
        Some(match opened {
            Ok(directories) => {
                let count = u32::try_from(directories.count()).unwrap_or(u32::MAX);
                self.directories = Some(directories);
                RunInput::Watched { directories: count }
            }
            Err(error) => self.give_up(&error),
        })
    }

    /// Waits until a burst of changes is over. `state` is the state of the run. Cancel safe: the
    /// future may be dropped at any time.
    pub async fn next(&mut self, state: RunState) -> RunInput {
        loop {
            let Some(directories) = &mut self.directories else {
                return pending().await;
            };
            let due = self.coalescer.due();
            let over = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                read = directories.read() => match read {
                    Ok(happenings) => self.note(happenings, RoundPhase::of(state)),
                    Err(error) => return self.give_up(&error),
                },
                () = over => {
                    let burst = self.coalescer.take(Instant::now());
                    if let Some(burst) = burst {
                        return RunInput::Changed(self.changes(&burst));
                    }
                }
            }
        }
    }

    fn give_up(&mut self, error: &directories::WatchError) -> RunInput {
        self.directories = None;
        RunInput::Unwatched {
            message: with_causes(error),
            help: help_of(error),
        }
    }

    /// Records events, except those of files that a round writes itself while it is running. The
    /// phase is determined now, because the round may be over when the burst ends.
    fn note(&mut self, happenings: FileEvents, moment: RoundPhase) {
        let now = Instant::now();
        for (path, what) in happenings {
            match moment {
                RoundPhase::InRound if self.written.contains(&path) => {}
                RoundPhase::InRound | RoundPhase::Between => self.coalescer.note(now, path, what),
            }
        }
    }

    /// Formats a burst for display.
    fn changes(&self, burst: &ChangeBurst) -> ChangedFiles {
        let named = burst.paths.iter().take(PATHS_NAMED);
        let paths: Vec<String> = named.map(|path| self.name(path)).collect();
        let all = burst.paths.len().saturating_add(burst.unnamed);
        let more = u32::try_from(all - paths.len()).unwrap_or(u32::MAX);
        ChangedFiles { paths, more }
    }

    fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.base).ok();
        let shown = below.filter(|below| !below.as_os_str().is_empty());
        shown.unwrap_or(path).display().to_string()
    }
}

/// Whether a round is running when an event arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RoundPhase {
    /// A round is running.
    InRound,
    /// No round is running.
    Between,
}

impl RoundPhase {
    /// Returns the phase for a state of the run.
    fn of(state: RunState) -> RoundPhase {
        match state {
            RunState::Open | RunState::Closed | RunState::Stopping | RunState::Killing => {
                RoundPhase::InRound
            }
            RunState::Idle | RunState::Over => RoundPhase::Between,
        }
    }
}

/// Resolves symbolic links in the list, because the kernel reports resolved paths.
fn resolved(list: &WatchPaths) -> WatchPaths {
    let resolve = |paths: &[PathBuf]| paths.iter().map(|path| resolve(path)).collect();
    WatchPaths {
        without: resolve(&list.without),
        written: resolve(&list.written),
        ..list.clone()
    }
}

/// Resolves symbolic links in a path. If it does not exist yet, resolves its directory.
fn resolve(path: &Path) -> PathBuf {
    let whole = path.canonicalize().ok();
    let by_directory = || {
        let directory = path.parent()?.canonicalize().ok()?;
        Some(directory.join(path.file_name()?))
    };
    whole
        .or_else(by_directory)
        .unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests;
