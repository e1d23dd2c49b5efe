//! Stores the history of tests: how they ended in earlier runs and how long they took.
//!
//! The history is kept in `test-listing.toml` in the state directory, version 3: package, artifact
//! and case, and for each case up to three `timings` in seconds, an `outcome`, and the results of the
//! last runs as `recent`, one letter for each: `p` passed, `f` failed, `k` flaky. It only affects
//! which tests are selected, their order and the estimates on screen, so it never fails a run: an invalid file counts
//! as empty, a file that cannot be written stays as it was, and a notice says so.
//!
//! Several runs may share the directory. Each run merges its results into the current file under a
//! lock of the directory and replaces the file atomically, so a reader sees either the old or the
//! new file as a whole.
//!
//! Tests that were found but never run are not recorded; they stay new.

mod format;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::format::{CaseHistory, PackageHistories};
use super::tally::ResultStability;
use maelstrom_container::private;
use maelstrom_model::event::PreviousOutcome;
use maelstrom_model::job::TestKey;

/// The number of timings kept per test: enough to even out a slow run.
const TIMINGS_MAX: usize = 3;

/// The mean time from which a test is slow: that from which reports list it.
const SLOW_MIN: Duration = Duration::from_secs(1);

/// The number of runs that `recent` holds.
const RECENT_MAX: usize = 10;
/// A run in which all copies of the test passed at the first attempt.
const RECENT_PASSED: char = 'p';
/// A run in which the test failed.
const RECENT_FAILED: char = 'f';
/// A run in which the test both failed and passed.
const RECENT_FLAKY: char = 'k';

/// The maximum file size. 100,000 tests take about 15 MB, so a larger file is no history.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why the history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file exists but cannot be read.
    #[error("the test history {} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file exceeds the size limit.
    #[error("{} is larger than {FILE_BYTES_MAX} bytes, so it is not a test history", path.display())]
    TooLarge { path: PathBuf },
    /// The file is not TOML, or does not have the expected structure.
    #[error("{} is not a test history and counts as empty", path.display())]
    Form {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    /// The state directory cannot be created.
    #[error("the directory {} for the test history cannot be made", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// The state directory cannot be locked.
    #[error("the directory {} of the test history cannot be locked", path.display())]
    Lock { path: PathBuf, source: io::Error },
    /// The new file cannot be written or renamed.
    #[error("the test history {} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The history file in a state directory.
#[derive(Clone, Debug)]
pub struct HistoryStore {
    directory: PathBuf,
}

/// The results of earlier runs.
#[derive(Debug, Default)]
pub struct PreviousRuns {
    packages: PackageHistories,
}

/// The result of one test in earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreviousResult {
    /// How the test ended last time.
    pub history: PreviousOutcome,
    /// How long the test is expected to take: the mean of its timings.
    pub estimate: Option<Duration>,
    /// The memory that it took, in bytes.
    pub memory_peak_bytes: Option<u64>,
}

/// What earlier runs say of one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastScore {
    /// Whether it failed when it last ran.
    pub failed: bool,
    /// In how many of the last ten runs it both failed and passed.
    pub flaky: usize,
    /// Whether it takes a second or longer on average.
    pub slow: bool,
    /// Whether it never ran.
    pub new: bool,
}

/// The result of one test in this run. Kept small, since there may be 100,000 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestRecord {
    history: PreviousOutcome,
    stability: ResultStability,
    count: u8,
    /// The latest timing last, in microseconds. A longer time than 71 minutes is stored as 71
    /// minutes.
    timings_us: [u32; TIMINGS_MAX],
    memory_peak_bytes: u64,
}

/// Whether this run found every test of the artifacts it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiscoveryCoverage {
    /// Discovery was complete: a case of a seen artifact that was not found is removed from the
    /// history.
    Whole,
    /// Filters or a failed build left tests out; no case is removed.
    #[default]
    Partial,
}

impl DiscoveryCoverage {
    /// Returns the coverage of a discovery that left out `deselected` tests, if the run selects all of
    /// the others.
    pub fn of(deselected: u32, selects_all: bool) -> DiscoveryCoverage {
        match (deselected, selects_all) {
            (0, true) => DiscoveryCoverage::Whole,
            (_, true | false) => DiscoveryCoverage::Partial,
        }
    }
}

/// The result of saving the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistorySaveResult {
    /// The file now contains the results.
    Written,
    /// Another run was saving at that moment; the results were not saved.
    Busy,
}

impl PreviousRuns {
    /// Returns the names of all tests, without those of their packages and artifacts.
    pub fn test_names(&self) -> Vec<String> {
        let artifacts = self
            .packages
            .values()
            .flat_map(|artifacts| artifacts.values());
        artifacts.flat_map(|cases| cases.keys().cloned()).collect()
    }

    /// Returns what the earlier runs say of a test.
    pub fn of(&self, package: &str, artifact: &str, name: &str) -> PastScore {
        let artifacts = self.packages.get(package);
        let cases = artifacts.and_then(|artifacts| artifacts.get(artifact));
        cases.and_then(|cases| cases.get(name)).map_or(
            PastScore {
                new: true,
                ..PastScore::default()
            },
            |case| PastScore {
                failed: case.outcome == PreviousOutcome::Failure,
                flaky: case
                    .recent
                    .chars()
                    .filter(|run| *run == RECENT_FLAKY)
                    .count(),
                slow: mean(&case.timings).is_some_and(|mean| mean >= SLOW_MIN),
                new: case.outcome == PreviousOutcome::New,
            },
        )
    }

    /// Removes and returns the previous result of a test. Each result is needed once, and removing
    /// it keeps 100,000 tests from being held twice.
    pub fn take(&mut self, key: &TestKey) -> PreviousResult {
        let case = self
            .packages
            .get_mut(&*key.package)
            .and_then(|artifacts| artifacts.get_mut(&*key.artifact))
            .and_then(|cases| cases.remove(&key.name));
        case.map_or_else(PreviousResult::default, |case| PreviousResult {
            history: case.outcome,
            estimate: mean(&case.timings),
            memory_peak_bytes: (case.memory_peak > 0).then_some(case.memory_peak),
        })
    }
}

fn mean(timings: &[f64]) -> Option<Duration> {
    let sensible = timings
        .iter()
        .rev()
        .take(TIMINGS_MAX)
        .filter_map(|seconds| Duration::try_from_secs_f64(*seconds).ok());
    let (count, sum) = sensible.fold((0, Some(Duration::ZERO)), |(count, sum), timing| {
        (count + 1, sum.and_then(|sum| sum.checked_add(timing)))
    });
    sum?.checked_div(count)
}

impl TestRecord {
    /// Creates the record of a test's first execution in this run.
    pub fn new(history: PreviousOutcome, stability: ResultStability, ran: Duration) -> Self {
        let lesson = TestRecord {
            history,
            stability,
            count: 0,
            timings_us: [0; TIMINGS_MAX],
            memory_peak_bytes: 0,
        };
        lesson.and(history, stability, ran)
    }

    /// Adds another execution in this run. `history` is the outcome of the test as a whole. A test
    /// that could not be started ran for no time, which says nothing about its duration.
    #[must_use]
    pub fn and(
        mut self,
        history: PreviousOutcome,
        stability: ResultStability,
        ran: Duration,
    ) -> Self {
        self.history = history;
        if stability == ResultStability::Flaky {
            self.stability = stability;
        }
        if ran.is_zero() {
            return self;
        }
        self.timings_us.rotate_left(1);
        if let Some(latest) = self.timings_us.last_mut() {
            *latest = u32::try_from(ran.as_micros()).unwrap_or(u32::MAX);
        }
        self.count = self.count.saturating_add(1);
        self
    }

    /// Adds the memory of an execution: the largest of them counts.
    #[must_use]
    pub fn with_memory(mut self, peak_bytes: u64) -> Self {
        self.memory_peak_bytes = self.memory_peak_bytes.max(peak_bytes);
        self
    }

    fn merge_into(&self, case: &mut CaseHistory) {
        case.outcome = self.history;
        if self.memory_peak_bytes > 0 {
            case.memory_peak = self.memory_peak_bytes;
        }
        case.recent.push(match (self.stability, self.history) {
            (ResultStability::Flaky, _) => RECENT_FLAKY,
            (ResultStability::Steady, PreviousOutcome::Failure) => RECENT_FAILED,
            (ResultStability::Steady, PreviousOutcome::Success | PreviousOutcome::New) => {
                RECENT_PASSED
            }
        });
        let surplus = case.recent.chars().count().saturating_sub(RECENT_MAX);
        case.recent = case.recent.chars().skip(surplus).collect();
        let older = TIMINGS_MAX.saturating_sub(self.count.into());
        let seconds = |timing_us: &u32| f64::from(*timing_us) / 1e6;
        case.timings
            .extend(self.timings_us.iter().skip(older).map(seconds));
        let surplus = case.timings.len().saturating_sub(TIMINGS_MAX);
        case.timings.drain(..surplus);
    }
}

impl HistoryStore {
    /// The history in this state directory, which need not exist yet.
    pub fn new(state_directory: &Path) -> Self {
        HistoryStore {
            directory: state_directory.to_owned(),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self) -> PathBuf {
        self.directory.join("test-listing.toml")
    }

    /// Loads the history file. A missing file or a file of another version is treated as empty.
    pub fn load(&self) -> Result<PreviousRuns, HistoryError> {
        let path = self.path();
        let text = match read(&path) {
            Ok(text) => text,
            Err(HistoryError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(PreviousRuns::default());
            }
            Err(error) => return Err(error),
        };
        match format::read(&text) {
            Ok(packages) => Ok(PreviousRuns { packages }),
            Err(source) => Err(HistoryError::Form {
                path,
                source: Box::new(source),
            }),
        }
    }

    /// Merges results into the history file. `found` yields every test that was found, with its
    /// record if it ran.
    pub fn save<'a>(
        &self,
        found: impl Iterator<Item = (&'a TestKey, Option<&'a TestRecord>)> + Clone,
        coverage: DiscoveryCoverage,
    ) -> Result<HistorySaveResult, HistoryError> {
        let Some(_lock) = self.lock()? else {
            return Ok(HistorySaveResult::Busy);
        };
        // An invalid file was reported when it was loaded; now it is replaced.
        let mut packages = self.load().unwrap_or_default().packages;
        match coverage {
            DiscoveryCoverage::Whole => {
                forget_others(&mut packages, found.clone().map(|(key, _)| key))
            }
            DiscoveryCoverage::Partial => {}
        }
        for (key, lesson) in found {
            // The key `version` at the top level holds the format version, so a package of that
            // name cannot be stored.
            let (Some(lesson), false) = (lesson, &*key.package == "version") else {
                continue;
            };
            let artifacts = packages.entry(key.package.to_string()).or_default();
            let cases = artifacts.entry(key.artifact.to_string()).or_default();
            lesson.merge_into(cases.entry(key.name.clone()).or_default());
        }
        self.replace(&packages)?;
        Ok(HistorySaveResult::Written)
    }

    fn lock(&self) -> Result<Option<File>, HistoryError> {
        let path = || self.directory.clone();
        let directory = private::directory(&self.directory)
            // The lock is on the directory, not the file, because each save replaces the file.
            .and_then(|()| File::open(&self.directory))
            .map_err(|source| HistoryError::Directory {
                path: path(),
                source,
            })?;
        match directory.try_lock() {
            Ok(()) => Ok(Some(directory)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(HistoryError::Lock {
                path: path(),
                source,
            }),
        }
    }

    /// A fixed name for the new file suffices, since the writer holds the lock. A run that is
    /// killed here leaves one file, which the next save overwrites.
    fn replace(&self, packages: &PackageHistories) -> Result<(), HistoryError> {
        let new = self.directory.join("test-listing.toml.new");
        let path = self.path();
        private::file(&new)
            .and_then(|file| {
                let mut out = BufWriter::new(file);
                format::write(packages, &mut out)?;
                out.flush()
            })
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|source| {
                // An incomplete file is useless; the returned error says why it is incomplete.
                drop(fs::remove_file(&new));
                HistoryError::Write { path, source }
            })
    }
}

fn read(path: &Path) -> Result<String, HistoryError> {
    let failed = |source| HistoryError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(HistoryError::TooLarge {
            path: path.to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        failed(io::Error::new(
            io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })
}

fn forget_others<'a>(packages: &mut PackageHistories, found: impl Iterator<Item = &'a TestKey>) {
    let mut seen: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for key in found {
        seen.entry((&key.package, &key.artifact))
            .or_default()
            .insert(&key.name);
    }
    for ((package, artifact), names) in seen {
        let cases = packages
            .get_mut(package)
            .and_then(|artifacts| artifacts.get_mut(artifact));
        if let Some(cases) = cases {
            cases.retain(|name, _| names.contains(name.as_str()));
        }
    }
}

#[cfg(test)]
mod tests;
