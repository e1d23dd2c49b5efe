//! Reads the host's mounts from `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A mounted file system of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMount {
    pub mount_point: PathBuf,
    /// The type of the file system, such as `ext4`.
    pub kind: String,
}

/// The types of file systems that cannot contain a project's files.
const WITHOUT_FILES: [&str; 12] = [
    "autofs",
    "bpf",
    "cgroup",
    "cgroup2",
    "debugfs",
    "devpts",
    "devtmpfs",
    "mqueue",
    "proc",
    "securityfs",
    "sysfs",
    "tracefs",
];

impl HostMount {
    /// Returns whether the file system can contain a project's files.
    pub fn has_files(&self) -> bool {
        !WITHOUT_FILES.contains(&self.kind.as_str())
    }
}

/// Returns the mounts of this host. If they cannot be read, returns none, and tests see only files
/// on the same file system as their project.
pub fn of_this_host() -> Vec<HostMount> {
    parse(&std::fs::read("/proc/self/mountinfo").unwrap_or_default())
}

/// Parses the contents of `mountinfo`. Invalid lines are skipped.
pub fn parse(table: &[u8]) -> Vec<HostMount> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ');
            let mount_point = unescape(fields.nth(4)?);
            // This mark follows any number of optional fields.
            fields.find(|field| *field == b"-")?;
            Some(HostMount {
                mount_point,
                kind: String::from_utf8_lossy(fields.next()?).into_owned(),
            })
        })
        .collect()
}

/// Returns the mount points of file systems with files below a directory, outermost first, without
/// duplicates.
pub fn below(mounts: &[HostMount], directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mounts
        .iter()
        .filter(|mount| mount.has_files())
        .map(|mount| mount.mount_point.clone())
        .filter(|point| point.starts_with(directory) && point != directory)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Returns all mounts below a directory, in the order in which they were mounted.
pub fn all_below<'a>(mounts: &'a [HostMount], directory: &Path) -> Vec<&'a HostMount> {
    let mounts = mounts.iter();
    mounts
        .filter(|HostMount { mount_point, .. }| {
            mount_point.starts_with(directory) && mount_point != directory
        })
        .collect()
}

/// Decodes a path in which space, tab, newline and backslash are written as `\ooo`.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = match (first, after.get(..3)) {
            (b'\\', Some(digits)) => std::str::from_utf8(digits).ok(),
            _ => None,
        };
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
30 22 0:26 / /w/with\\040space rw shared:5 master:1 - btrfs /dev/vdb rw\n\
31 22 0:27 / /w rw - tmpfs none rw\n\
32 31 0:28 / /w/proc rw - proc proc rw\n\
33 31 0:28 / /w/a\\134b rw - ext4 /dev/vdc rw\n\
34 31 0:28 / /w/a\\134b rw - ext4 /dev/vdd rw\n\
35 31 0:28 / /woods rw - ext4 /dev/vdd rw\n\
nonsense\n";

    #[test]
    fn file_systems_below_a_directory_are_found() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 7);
        assert_eq!(
            below(&mounts, Path::new("/w")),
            [Path::new("/w/a\\b"), Path::new("/w/with space")]
        );
    }

    #[test]
    fn a_backslash_without_digits_stays() {
        assert_eq!(unescape(b"/a\\"), Path::new("/a\\"));
        assert_eq!(unescape(b"/a\\9x1"), Path::new("/a\\9x1"));
    }
}
