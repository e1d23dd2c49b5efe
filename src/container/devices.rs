//! The devices of the host that a container has because its specification names them.
//!
//! ```text
//! /dev/kvm      one device
//! /dev/nvidia*  all devices whose name matches, at least one; `?` stands for one character
//! /dev/dri      all devices in this directory and below
//! ```
//!
//! A [`DevicePattern`] is expanded on the machine that makes the container, when it makes it: the
//! same specification may find other devices elsewhere. Nothing but a device can be had in this
//! way: a file, a socket or a directory without devices is an error.
//!
//! What every container has of its own, such as the terminals below `/dev/pts`, is never taken from
//! the host.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use nix::unistd::{AccessFlags, eaccess};
use serde::{Deserialize, Serialize};

/// The directory of devices.
const DEV: &str = "/dev";

/// The maximum length of a pattern in bytes. Device names are far shorter.
const PATTERN_BYTES_MAX: usize = 256;

/// The maximum number of devices of one container. Each is a mount.
const DEVICES_MAX: usize = 256;

/// The maximum depth of directories that are searched for devices: those in `/dev/bus/usb` are two
/// levels below `/dev/bus`.
const DEPTH_MAX: usize = 8;

/// The entries of `/dev` of which a container has its own.
const OWN: [&str; 10] = [
    "console", "fd", "mqueue", "ptmx", "pts", "shm", "stderr", "stdin", "stdout", "tty",
];

/// The path of a device or of a directory of devices below `/dev`, in which `*` and `?` match parts
/// of names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DevicePattern(String);

/// A text that is not a [`DevicePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DevicePatternError {
    #[error("`{0}` is not the path of a device below /dev, such as /dev/kvm or /dev/nvidia*")]
    NotBelowDev(String),
    #[error("every container has a {0} of its own")]
    Own(String),
}

/// Why a container cannot have the devices that its specification names.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Nothing matches a pattern.
    #[error(
        "this machine has no device {0}: load its driver, run the job on a machine that has it, or \
         leave out the device"
    )]
    Missing(DevicePattern),
    /// A path exists, and is something else.
    #[error("{} is not a device, and has none below it", .0.display())]
    NotADevice(PathBuf),
    /// The user has no access.
    #[error(
        "you may neither read nor write the device {}, which is of user {user} and group {group}: \
         join that group, or have the permissions changed",
        path.display()
    )]
    Closed {
        path: PathBuf,
        user: u32,
        group: u32,
    },
    #[error("{0} matches more than {DEVICES_MAX} devices: name fewer")]
    TooMany(DevicePattern),
    #[error("cannot look for the device {pattern}")]
    Search {
        pattern: DevicePattern,
        source: io::Error,
    },
}

impl DevicePattern {
    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(2)
    }

    /// Returns whether each device that `other` matches is one that this pattern matches, or is in
    /// a directory that it matches.
    pub fn covers(&self, other: &DevicePattern) -> bool {
        let mut others = other.names();
        self.names().all(|own| {
            let is_covered = |other: &str| {
                own == other || (!has_wildcard(other) && matches(own.as_bytes(), other.as_bytes()))
            };
            others.next().is_some_and(is_covered)
        })
    }
}

impl FromStr for DevicePattern {
    type Err = DevicePatternError;

    fn from_str(text: &str) -> Result<DevicePattern, DevicePatternError> {
        let not_below = || DevicePatternError::NotBelowDev(text.to_owned());
        let names = text.strip_prefix("/dev/").ok_or_else(not_below)?;
        let is_name = |name: &str| !matches!(name, "" | "." | "..");
        if text.len() > PATTERN_BYTES_MAX
            || text.contains(char::is_control)
            || !names.split('/').all(is_name)
        {
            return Err(not_below());
        }
        let first = names.split('/').next().unwrap_or_default();
        match OWN.contains(&first) {
            true => Err(DevicePatternError::Own(format!("{DEV}/{first}"))),
            false => Ok(DevicePattern(text.to_owned())),
        }
    }
}

impl TryFrom<String> for DevicePattern {
    type Error = DevicePatternError;

    fn try_from(text: String) -> Result<DevicePattern, DevicePatternError> {
        text.parse()
    }
}

impl From<DevicePattern> for String {
    fn from(pattern: DevicePattern) -> String {
        pattern.0
    }
}

impl fmt::Display for DevicePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Returns whether a name matches a pattern. `*` matches any number of characters.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // The last `*`, and how much of the name it has matched so far.
    let mut star = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(one) if *one == b'?' || *one == name[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => {
                let Some((place, matched)) = star else {
                    return false;
                };
                star = Some((place, matched + 1));
                at = place + 1;
                seen = matched + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

/// Returns the devices of this machine that patterns match, sorted. They are accessible to the
/// calling user, and have the same paths in the container.
pub fn find(patterns: &[DevicePattern]) -> Result<BTreeSet<PathBuf>, DeviceError> {
    find_in(Path::new(DEV), patterns)
}

fn find_in(dev: &Path, patterns: &[DevicePattern]) -> Result<BTreeSet<PathBuf>, DeviceError> {
    let mut found = BTreeSet::new();
    for pattern in patterns {
        let search = |source| DeviceError::Search {
            pattern: pattern.clone(),
            source,
        };
        let mut places = vec![dev.to_owned()];
        for (depth, name) in pattern.names().enumerate() {
            let mut below = Vec::new();
            for place in &places {
                below.extend(entries(place, name, depth == 0).map_err(search)?);
            }
            places = below;
        }
        let mut matched = BTreeSet::new();
        for place in &places {
            collect(place, DEPTH_MAX, &mut matched).map_err(search)?;
        }
        if matched.is_empty() {
            return Err(match places.pop() {
                Some(other) if !has_wildcard(pattern.as_str()) => DeviceError::NotADevice(other),
                // What else a wildcard matches, such as sockets, does not matter.
                Some(_) | None => DeviceError::Missing(pattern.clone()),
            });
        }
        found.extend(matched);
        if found.len() > DEVICES_MAX {
            return Err(DeviceError::TooMany(pattern.clone()));
        }
    }
    found.iter().try_for_each(|device| accessible(device))?;
    Ok(found)
}

/// Returns the existing paths in a directory whose name matches. A symbolic link counts as what it
/// leads to.
fn entries(directory: &Path, name: &str, is_dev: bool) -> io::Result<Vec<PathBuf>> {
    let is_absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    if !has_wildcard(name) {
        let path = directory.join(name);
        return match path.metadata() {
            Ok(_) => Ok(vec![path]),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
    }
    let listing = match directory.read_dir() {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        other => other?,
    };
    let names = listing.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<io::Result<Vec<OsString>>>()?;
    let is_own = |entry: &OsStr| is_dev && OWN.iter().any(|own| entry == OsStr::new(own));
    let matching = names
        .iter()
        .filter(|entry| matches(name.as_bytes(), entry.as_bytes()) && !is_own(entry));
    Ok(matching.map(|entry| directory.join(entry)).collect())
}

/// Adds a device, or the devices in a directory. Symbolic links in it are left out: they lead to
/// devices beside them, or to some that nobody has named.
fn collect(place: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let kind = place.metadata()?.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        found.insert(place.to_owned());
        return Ok(());
    }
    if !kind.is_dir() || depth == 0 {
        return Ok(());
    }
    for entry in place.read_dir()? {
        let entry = entry?;
        if found.len() > DEVICES_MAX {
            return Ok(());
        }
        if !entry.file_type()?.is_symlink() {
            collect(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

/// Returns an error if the user has no access to a device, which would otherwise be an error of the
/// test.
fn accessible(device: &Path) -> Result<(), DeviceError> {
    let may = |access| eaccess(device, access).is_ok();
    if may(AccessFlags::R_OK) || may(AccessFlags::W_OK) {
        return Ok(());
    }
    let (user, group) = match device.metadata() {
        Ok(metadata) => (metadata.uid(), metadata.gid()),
        Err(_) => return Err(DeviceError::NotADevice(device.to_owned())),
    };
    let path = device.to_owned();
    Err(DeviceError::Closed { path, user, group })
}

/// Returns the part of a device's path below the root, such as `dev/kvm`.
pub(crate) fn below_root(device: &Path) -> PathBuf {
    let names = device.components();
    names
        .filter(|component| matches!(component, Component::Normal(_)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> DevicePattern {
        text.parse().unwrap()
    }

    #[test]
    fn only_paths_below_dev_are_patterns() {
        for text in [
            "/dev/kvm",
            "/dev/dri",
            "/dev/dri/card?",
            "/dev/nvidia*",
            "/dev/.x",
        ] {
            assert_eq!(pattern(text).to_string(), text);
        }
        let long = format!("/dev/{}", "x".repeat(PATTERN_BYTES_MAX));
        for text in [
            "",
            "kvm",
            "/dev",
            "/dev/",
            "/etc/passwd",
            "/dev/../etc",
            "/dev/a/../b",
            "/dev//kvm",
            "/dev/./kvm",
            "/dev/a\n",
            "dev/kvm",
            "/devices",
            &long,
        ] {
            let refused = text.parse::<DevicePattern>().unwrap_err();
            assert!(
                matches!(refused, DevicePatternError::NotBelowDev(_)),
                "{text}"
            );
        }
        for text in ["/dev/pts/3", "/dev/shm", "/dev/tty"] {
            let refused = text.parse::<DevicePattern>().unwrap_err();
            assert!(matches!(refused, DevicePatternError::Own(_)), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_what_is_below() {
        for (offered, wanted, covered) in [
            ("/dev/kvm", "/dev/kvm", true),
            ("/dev/kvm", "/dev/kvm2", false),
            ("/dev/kvm", "/dev/kv*", false),
            ("/dev/nvidia*", "/dev/nvidia0", true),
            ("/dev/nvidia*", "/dev/nvidia*", true),
            ("/dev/nvidia*", "/dev/nvidia-caps/x", true),
            ("/dev/nvidia?", "/dev/nvidia10", false),
            ("/dev/nvidia0", "/dev/nvidia*", false),
            ("/dev/dri", "/dev/dri/renderD128", true),
            ("/dev/dri", "/dev/dri/*", true),
            ("/dev/dri", "/dev/drive", false),
            ("/dev/dri/*", "/dev/dri", false),
            ("/dev/*", "/dev/sda", true),
            // What the other matches may be more.
            ("/dev/a?", "/dev/a*", false),
        ] {
            assert_eq!(
                pattern(offered).covers(&pattern(wanted)),
                covered,
                "{offered} {wanted}"
            );
        }
    }

    /// Makes a directory like `/dev`. Links stand for devices, which only root could make.
    fn machine() -> tempfile::TempDir {
        let dev = tempfile::tempdir().unwrap();
        fs::create_dir_all(dev.path().join("dri/by-path")).unwrap();
        fs::create_dir(dev.path().join("empty")).unwrap();
        fs::write(dev.path().join("file"), "").unwrap();
        fs::write(dev.path().join("gpu-log"), "").unwrap();
        for name in ["gpu0", "gpu1", "gpu-control", "tty"] {
            symlink("/dev/null", dev.path().join(name)).unwrap();
        }
        symlink("/dev/zero", dev.path().join("dri/card0")).unwrap();
        dev
    }

    #[test]
    fn patterns_find_devices_and_nothing_else() {
        let dev = machine();
        let found = |text: &str| {
            let found = find_in(dev.path(), &[pattern(text)])?;
            let names = found
                .iter()
                .map(|device| device.strip_prefix(dev.path()).unwrap());
            Ok::<_, DeviceError>(
                names
                    .map(|name| name.display().to_string())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(found("/dev/gpu0").unwrap(), ["gpu0"]);
        assert_eq!(found("/dev/gpu?").unwrap(), ["gpu0", "gpu1"]);
        assert_eq!(found("/dev/gpu*").unwrap(), ["gpu-control", "gpu0", "gpu1"]);
        assert_eq!(found("/dev/dri/card*").unwrap(), ["dri/card0"]);
        // What every container has of its own is not taken from the host.
        assert_eq!(
            found("/dev/tt*")
                .map_err(|error| error.to_string())
                .unwrap_err(),
            "this machine has no device /dev/tt*: load its driver, run the job on a machine that \
             has it, or leave out the device"
        );
        for missing in [
            "/dev/kvm",
            "/dev/kvm*",
            "/dev/gpu0/x",
            "/dev/file/x*",
            "/dev/gpu-l*",
        ] {
            assert!(
                matches!(found(missing), Err(DeviceError::Missing(_))),
                "{missing}"
            );
        }
        for other in ["/dev/file", "/dev/empty", "/dev/dri"] {
            assert!(
                matches!(found(other), Err(DeviceError::NotADevice(_))),
                "{other}"
            );
        }
    }

    #[test]
    fn a_directory_has_the_devices_below_it() {
        // The machine's own, since only root could make another.
        let mut found = BTreeSet::new();
        collect(Path::new(DEV), 1, &mut found).unwrap();
        assert!(found.contains(Path::new("/dev/null")));
        assert!(
            found
                .iter()
                .all(|device| device.parent() == Some(Path::new(DEV)))
        );
    }

    #[test]
    fn a_device_is_found_once_however_often_it_is_named() {
        let dev = machine();
        let patterns = [
            pattern("/dev/gpu0"),
            pattern("/dev/gpu?"),
            pattern("/dev/gpu1"),
        ];
        assert_eq!(find_in(dev.path(), &patterns).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(/dev/)?[a-c*?./]{0,12}|\\PC{0,20}") {
            if let Ok(read) = text.parse::<DevicePattern>() {
                prop_assert!(read.covers(&read));
            }
        }

        /// The matcher agrees with a plain recursive definition.
        #[test]
        fn matching_is_as_defined(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern, name) {
                    ([], []) => true,
                    ([b'*', rest @ ..], _) => {
                        (0..=name.len()).any(|taken| by_definition(rest, &name[taken..]))
                    }
                    ([b'?', rest @ ..], [_, others @ ..]) => by_definition(rest, others),
                    ([one, rest @ ..], [other, others @ ..]) if one == other => {
                        by_definition(rest, others)
                    }
                    _ => false,
                }
            }
            let expected = by_definition(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected);
        }
    }
}
