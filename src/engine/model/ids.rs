//! Identifiers. Each is a newtype, so they cannot be confused.

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use maelstrom_container::digest::ContentHash;

macro_rules! index_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the number as an index into a table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

index_id! {
    /// A test of this run. Dense: the first test found is 0.
    TestId
}
index_id! {
    /// A worker of this run. Without a cluster there is one, 0.
    WorkerId
}
index_id! {
    /// One execution of a test: 1 for its first in this run, then counting through repeats and
    /// reruns.
    Attempt
}

/// Returns 16 random bytes as a unique name. Not a secret: from one name, later ones of the same
/// process can be computed.
pub fn random_name() -> [u8; 16] {
    // The standard library seeds its hashers randomly, which suffices for a unique name.
    let random = || u128::from(RandomState::new().build_hasher().finish());
    (random() << 64 | random()).to_ne_bytes()
}

/// Returns 32 unpredictable random bytes from the kernel.
pub fn secret() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Returns the public identifier of a run, given its secret name. Only the client and the broker
/// know the name, which cannot be computed from the identifier.
pub fn shown_run(name: &[u8; 16]) -> [u8; 16] {
    let hash = ContentHash::of(&[b"maelstrom run ".as_slice(), name].concat());
    let mut shown = [0; 16];
    shown
        .iter_mut()
        .zip(hash.as_bytes())
        .for_each(|(to, from)| *to = *from);
    shown
}

/// Displays a run on a cluster in logs: the first eight hexadecimal digits of its public identifier
/// ([`shown_run`]), with which its identifier in the status begins as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortRun<'a>(pub &'a [u8; 16]);

impl fmt::Display for ShortRun<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0.iter().take(4);
        bytes.try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A run: 64 random bits, displayed as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId(pub u64);

impl RunId {
    /// Returns the id of the run with this secret name of 16 random bytes.
    pub fn of(name: &[u8; 16]) -> RunId {
        RunId::of_shown(&shown_run(name))
    }

    /// Returns the id for a public identifier ([`shown_run`]): its first half, so that it begins
    /// like [`ShortRun`].
    pub fn of_shown(shown: &[u8]) -> RunId {
        let mut first = [0; 8];
        first
            .iter_mut()
            .zip(shown)
            .for_each(|(to, from)| *to = *from);
        RunId(u64::from_be_bytes(first))
    }

    /// Returns the first four digits, enough to distinguish runs on a screen.
    pub fn short(self) -> String {
        self.to_string()[..4].to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RunId({self})")
    }
}

impl FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(RunId)
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_bears_the_same_name_everywhere() {
        let name = random_name();
        let shown = shown_run(&name);
        let short = ShortRun(&shown).to_string();
        assert!(RunId::of(&name).to_string().starts_with(&short));
        assert!(short.starts_with(&RunId::of(&name).short()));
        assert_eq!(RunId::of(&name), RunId::of_shown(&shown));
        assert_eq!(RunId::of_shown(&[0xab]), RunId(0xab << 56));
    }

    #[test]
    fn what_is_shown_of_a_run_is_no_part_of_its_name() {
        let name = random_name();
        let shown = shown_run(&name);
        assert!(
            name.windows(4)
                .all(|part| !shown.windows(4).any(|other| other == part))
        );
        assert_ne!(shown, shown_run(&shown));
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
