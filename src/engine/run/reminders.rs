//! Keeps notices that every run of a project would repeat to one a day.
//!
//! `reminders.toml` in the state directory has the text of each notice of the last day and when it
//! was emitted, in seconds since 1970. Remove the file to see the notices again. The file only saves
//! repetitions: one that cannot be read counts as empty, and one that cannot be written is left as
//! it was.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use maelstrom_container::private;

/// The time after which a notice is emitted again, in seconds.
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The maximum size of the file, in bytes: a hundred times what it needs.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The notices of the last day.
#[derive(Debug, Default)]
pub(super) struct ReminderLog {
    /// The file; `None` without a state directory.
    path: Option<PathBuf>,
    reminders: ReminderTimes,
}

/// When each notice was last emitted, by its text, in seconds since 1970.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct ReminderTimes(BTreeMap<String, u64>);

impl ReminderTimes {
    /// Adds a notice that is emitted now, unless one was in the last day. Returns whether it is
    /// added, and forgets the notices of earlier days.
    fn add(&mut self, text: &str, now: u64) -> bool {
        // A time in the future is that of a clock that was wrong.
        let is_recent = |last: u64| last <= now && now - last < DAY_SECONDS;
        self.0.retain(|_, last| is_recent(*last));
        if self.0.contains_key(text) {
            return false;
        }
        self.0.insert(text.to_owned(), now);
        true
    }
}

impl ReminderLog {
    /// Reads the log of a state directory, which need not exist yet.
    pub(super) fn open(state_directory: &Path) -> ReminderLog {
        let path = state_directory.join("reminders.toml");
        let text = read(&path).unwrap_or_default();
        ReminderLog {
            reminders: toml::from_str(&text).unwrap_or_default(),
            path: Some(path),
        }
    }

    /// Returns whether to emit a notice now, and remembers that.
    pub(super) fn remind(&mut self, text: &str, now: u64) -> bool {
        let is_due = self.reminders.add(text, now);
        if is_due
            && let Some(path) = &self.path
            && let Err(error) = write(path, &self.reminders)
        {
            tracing::debug!(%error, "the notices of the day are not remembered");
        }
        is_due
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn write(path: &Path, reminders: &ReminderTimes) -> io::Result<()> {
    let text = toml::to_string(reminders).map_err(io::Error::other)?;
    if let Some(directory) = path.parent() {
        private::directory(directory)?;
    }
    let new = path.with_extension("toml.new");
    private::file(&new)?.write_all(text.as_bytes())?;
    fs::rename(&new, path)
}

/// Returns the time in seconds since 1970.
pub(super) fn unix_time() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "it is compared across runs")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_emitted_once_a_day() {
        let mut times = ReminderTimes::default();
        let noon = 20_000 * DAY_SECONDS;
        for (text, now, expected) in [
            ("a", noon, true),
            ("a", noon + 1, false),
            ("b", noon + 2, true),
            ("a", noon + DAY_SECONDS - 1, false),
            ("a", noon + DAY_SECONDS, true),
            ("b", noon + DAY_SECONDS, false),
            // The clock was set back.
            ("a", noon + 5, true),
        ] {
            assert_eq!(times.add(text, now), expected, "{text} {now}");
        }
        // What is older than a day is not kept.
        assert!(times.add("c", noon + 3 * DAY_SECONDS));
        assert_eq!(times.0.len(), 1);
    }

    #[test]
    fn the_next_run_of_the_project_knows_and_a_bad_file_counts_as_empty() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("new/state");
        assert!(ReminderLog::open(&state).remind("a \"b\"\n", 1_000_000));
        assert!(!ReminderLog::open(&state).remind("a \"b\"\n", 1_000_001));
        assert!(ReminderLog::open(home.path()).remind("a \"b\"\n", 1_000_001));
        for garbage in [&b"\xff"[..], b"a = [", b"a = \"b\""] {
            fs::write(state.join("reminders.toml"), garbage).unwrap();
            assert!(ReminderLog::open(&state).remind("x", 7));
            assert!(!ReminderLog::open(&state).remind("x", 8));
        }
        // Without a directory, and with one that cannot be written, notices repeat.
        assert!(ReminderLog::default().remind("x", 7));
        fs::write(home.path().join("file"), "").unwrap();
        assert!(ReminderLog::open(&home.path().join("file")).remind("x", 7));
    }
}
