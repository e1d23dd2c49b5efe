//! File times, and the stamp that shows whether a file has changed.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::time::TimeSpec;

/// Longer than a tick of the kernel's clock, which takes at most 10 ms.
const TICK: Duration = Duration::from_millis(20);

/// Longer than a tick of file systems with a resolution of seconds (two seconds on FAT).
const COARSE_TICK: Duration = Duration::from_secs(3);

/// A point in time with the resolution of file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileTime {
    /// The seconds since 1970, negative before.
    pub seconds: i64,
    /// The nanoseconds, less than one billion.
    pub nanoseconds: u32,
}

/// The properties of a file that change when its content changes: its identity, its size, its
/// modification time, and the change time of its inode. The change time cannot be set, so tools
/// that preserve times (`cp -p`, `tar`) do not hide a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileStamp {
    pub device: u64,
    pub inode: u64,
    pub size_bytes: u64,
    pub modified: FileTime,
    pub changed: FileTime,
}

impl FileTime {
    /// The fixed time of directories, links and stubs: the beginning of 1980, which is the earliest
    /// time that a ZIP archive can represent.
    pub const NEUTRAL: FileTime = FileTime {
        seconds: 315_532_800,
        nanoseconds: 0,
    };

    /// Returns the modification time of a file.
    pub fn modified(metadata: &Metadata) -> Self {
        FileTime::new(metadata.mtime(), metadata.mtime_nsec())
    }

    /// Returns the change time of a file's inode.
    pub fn changed(metadata: &Metadata) -> Self {
        FileTime::new(metadata.ctime(), metadata.ctime_nsec())
    }

    fn new(seconds: i64, nanoseconds: i64) -> Self {
        FileTime {
            seconds,
            nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
        }
    }

    pub(super) fn to_timespec(self) -> TimeSpec {
        TimeSpec::new(self.seconds, self.nanoseconds.into())
    }
}

impl FileStamp {
    /// Returns the stamp of a file.
    pub fn of(metadata: &Metadata) -> Self {
        FileStamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: FileTime::modified(metadata),
            changed: FileTime::changed(metadata),
        }
    }

    /// Returns whether any later change of the file would change its stamp.
    pub fn is_stable(&self, now: SystemTime) -> bool {
        let newest = self.modified.max(self.changed);
        let tick = if self.changed.nanoseconds == 0 || self.modified.nanoseconds == 0 {
            COARSE_TICK
        } else {
            TICK
        };
        let Ok(seconds) = u64::try_from(newest.seconds) else {
            return true;
        };
        let newest = UNIX_EPOCH + Duration::new(seconds, newest.nanoseconds);
        now.duration_since(newest).is_ok_and(|age| age > tick)
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:09}", self.seconds, self.nanoseconds)
    }
}

/// A string is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time: SECONDS.NANOSECONDS is expected")]
pub struct ParseTimestampError {
    pub text: String,
}

impl FromStr for FileTime {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('.')
            .and_then(|(seconds, nanoseconds)| {
                Some(FileTime {
                    seconds: seconds.parse().ok()?,
                    nanoseconds: nanoseconds
                        .parse()
                        .ok()
                        .filter(|nanoseconds| *nanoseconds < 1_000_000_000)?,
                })
            })
            .ok_or_else(|| ParseTimestampError {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_text() {
        for time in [
            FileTime::NEUTRAL,
            FileTime::new(-7, 999_999_999),
            FileTime::new(0, 1),
        ] {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for text in ["", "1", "1.", ".1", "1.1000000000", "a.b"] {
            assert!(text.parse::<FileTime>().is_err(), "{text}");
        }
    }
}
