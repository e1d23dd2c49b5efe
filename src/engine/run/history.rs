//! What earlier runs tell of the tests: how they ended and how long they took.
//!
//! Kept in `test-listing.toml` of the state directory, version 3: package, artifact and case, and
//! for each case up to three `timings` in seconds and an `outcome`. History only decides the order
//! of tests and what a screen expects, so nothing about it ever fails a run: a file that makes no
//! sense counts as empty, one that cannot be written is left as it was, and a notice says so.
//!
//! Several runs may share the directory. Each saves what it learned itself over what the file says
//! at that moment, under a lock of the directory, and replaces the file in one step, so a reader
//! sees the old or the new file, whole.
//!
//! Absent on purpose: tests that were found but never run. They stay new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::History;
use crate::engine::job::TestKey;

/// The version of the file's form.
const VERSION: i64 = 3;

/// Timings kept of one test: enough to even out a slow run.
const TIMINGS_MAX: usize = 3;

/// A longer file is not ours: 100,000 tests take about 15 MB.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file is there and cannot be read.
    #[error("the test history {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any history.
    #[error("{} is larger than {FILE_BYTES_MAX} bytes, so it is no test history", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no TOML, or not of the expected form.
    #[error("{} is no test history and counts as empty", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The state directory cannot be made.
    #[error("the directory {} for the test history cannot be made", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state directory cannot be locked.
    #[error("the directory {} of the test history cannot be locked", path.display())]
    Lock {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was learned has no TOML form.
    #[error("the test history cannot be written as TOML")]
    Encode(#[from] toml::ser::Error),
    /// The new file cannot be written or put in place.
    #[error("the test history {} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where history is kept.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Past {
    packages: Packages,
}

type Packages = BTreeMap<String, BTreeMap<String, BTreeMap<String, Case>>>;

/// What was learned of one test in this run.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    history: History,
    timings: Vec<Duration>,
}

/// Whether this run has seen every test of the artifacts it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// A case of a seen artifact that was not found is gone, and is forgotten.
    Whole,
    /// Filters or a failed build left some out; nothing is forgotten.
    #[default]
    Partial,
}

/// What saving did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The file holds what was learned.
    Written,
    /// Another run was saving at this moment; what was learned here is forgone.
    Busy,
}

#[derive(Debug, Serialize, Deserialize)]
struct Listing {
    version: i64,
    #[serde(flatten)]
    packages: Packages,
}

#[derive(Debug, Deserialize)]
struct VersionOnly {
    version: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Case {
    #[serde(default)]
    timings: Vec<f64>,
    #[serde(default)]
    outcome: History,
}

impl Past {
    /// How a test ended last time.
    pub fn history(&self, key: &TestKey) -> History {
        self.case(key).map_or(History::New, |case| case.outcome)
    }

    /// How long a test is expected to take: the mean of its timings.
    pub fn estimate(&self, key: &TestKey) -> Option<Duration> {
        let timings: Vec<Duration> = self
            .case(key)?
            .timings
            .iter()
            .rev()
            .take(TIMINGS_MAX)
            .filter_map(|seconds| Duration::try_from_secs_f64(*seconds).ok())
            .collect();
        let count = u32::try_from(timings.len()).ok()?;
        let sum = timings
            .iter()
            .try_fold(Duration::ZERO, |sum, timing| sum.checked_add(*timing));
        sum?.checked_div(count)
    }

    fn case(&self, key: &TestKey) -> Option<&Case> {
        self.packages
            .get(&*key.package)?
            .get(&*key.artifact)?
            .get(&key.name)
    }
}

impl Lesson {
    /// A first execution.
    pub fn new(history: History, ran: Duration) -> Self {
        Lesson {
            history,
            timings: vec![ran],
        }
    }

    /// Another execution in the same run; `history` is the test's as a whole.
    pub fn add(&mut self, history: History, ran: Duration) {
        self.history = history;
        if self.timings.len() == TIMINGS_MAX {
            self.timings.remove(0);
        }
        self.timings.push(ran);
    }

    fn merge_into(&self, case: &mut Case) {
        case.outcome = self.history;
        case.timings
            .extend(self.timings.iter().map(Duration::as_secs_f64));
        let surplus = case.timings.len().saturating_sub(TIMINGS_MAX);
        case.timings.drain(..surplus);
    }
}

impl Store {
    /// The history in this state directory, which need not exist yet.
    pub fn new(state_directory: &Path) -> Self {
        Store {
            directory: state_directory.to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("test-listing.toml")
    }

    /// Reads the file. A missing one is empty, as is one of another version.
    pub fn load(&self) -> Result<Past, HistoryError> {
        let path = self.path();
        let text = match read(&path) {
            Ok(text) => text,
            Err(HistoryError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Past::default());
            }
            Err(error) => return Err(error),
        };
        parse(&text).map_err(|source| HistoryError::Form {
            path,
            source: Box::new(source),
        })
    }

    /// Saves what was learned of tests, given every test that was found, with its lesson if there
    /// is one.
    pub fn save<'a>(
        &self,
        found: impl Iterator<Item = (&'a TestKey, Option<&'a Lesson>)> + Clone,
        coverage: Coverage,
    ) -> Result<Saved, HistoryError> {
        let Some(_lock) = self.lock()? else {
            return Ok(Saved::Busy);
        };
        // A file that makes no sense was told of when it was loaded; now it is replaced.
        let mut packages = self.load().unwrap_or_default().packages;
        match coverage {
            Coverage::Whole => forget_others(&mut packages, found.clone().map(|(key, _)| key)),
            Coverage::Partial => {}
        }
        for (key, lesson) in found {
            // The name of this one package is taken by the file's own version.
            let (Some(lesson), false) = (lesson, &*key.package == "version") else {
                continue;
            };
            let artifacts = packages.entry(key.package.to_string()).or_default();
            let cases = artifacts.entry(key.artifact.to_string()).or_default();
            lesson.merge_into(cases.entry(key.name.clone()).or_default());
        }
        let listing = Listing {
            version: VERSION,
            packages,
        };
        self.replace(&toml::to_string(&listing)?)?;
        Ok(Saved::Written)
    }

    fn lock(&self) -> Result<Option<File>, HistoryError> {
        let path = || self.directory.clone();
        let directory = fs::create_dir_all(&self.directory)
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

    /// One name for the new file suffices, since whoever writes it holds the lock; a run that is
    /// killed here leaves one file that the next overwrites.
    fn replace(&self, text: &str) -> Result<(), HistoryError> {
        let new = self.directory.join("test-listing.toml.new");
        let path = self.path();
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|source| {
                // Half a file is of no use to anybody; the error above tells why it is half.
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

fn parse(text: &str) -> Result<Past, toml::de::Error> {
    match toml::from_str(text) {
        Ok(Listing {
            version: VERSION,
            packages,
        }) => Ok(Past { packages }),
        Ok(Listing { .. }) => Ok(Past::default()),
        // Another version may well have another form.
        Err(error) => match toml::from_str(text) {
            Ok(VersionOnly { version }) if version != VERSION => Ok(Past::default()),
            Ok(VersionOnly { .. }) | Err(_) => Err(error),
        },
    }
}

fn forget_others<'a>(packages: &mut Packages, found: impl Iterator<Item = &'a TestKey>) {
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
