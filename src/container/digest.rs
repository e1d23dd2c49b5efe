//! SHA-256 digests, which name everything in the content store.
//!
//! As in the Remote Execution API, a [`Digest`] consists of a hash and the size of the hashed
//! content. Where the size is unknown (a reference to an image, a key made of several values), a
//! [`ContentHash`] is used. [`super::store::DigestCache`] caches the digests of files.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The number of bytes to read at once when hashing: large enough that the cost of system calls is
/// negligible, small enough for a CPU's L2 cache.
const CHUNK_BYTES: usize = 128 * 1024;

/// A SHA-256 hash, formatted as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

/// A hash and the size of the hashed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest {
    pub hash: ContentHash,
    /// The size of the hashed content, in bytes.
    pub size_bytes: u64,
}

/// A string is not a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no SHA-256 hash: 64 lower-case hexadecimal digits are expected")]
pub struct ParseHashError {
    pub text: String,
}

impl ContentHash {
    /// Returns the hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        ContentHash(Sha256::digest(bytes).into())
    }

    /// Returns the 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first eight bytes as a number. It is distributed as evenly as the hash.
    pub fn prefix(&self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |prefix, byte| prefix << 8 | u64::from(*byte))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(formatter)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        hash.map(ContentHash).ok_or_else(|| ParseHashError {
            text: text.to_owned(),
        })
    }
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Digest {
    /// Returns the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest {
            hash: ContentHash::of(bytes),
            size_bytes: bytes.len() as u64,
        }
    }

    /// Returns the digest of everything that remains in a reader.
    pub fn of_reader(reader: &mut impl Read) -> io::Result<Self> {
        let mut hasher = DigestHasher::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(chunk.get(..count).unwrap_or(&chunk)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the digest of a file's content.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Digest::of_reader(&mut File::open(path)?)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.hash, self.size_bytes)
    }
}

/// Computes a digest incrementally. Writing to it never fails.
#[derive(Clone, Default)]
pub struct DigestHasher {
    state: Sha256,
    size_bytes: u64,
}

impl DigestHasher {
    /// Adds bytes to the hashed content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    /// Adds a value of variable length, preceded by its length, so that different lists of values
    /// never result in the same stream of bytes.
    pub fn update_framed(&mut self, bytes: &[u8]) {
        self.update(&(bytes.len() as u64).to_le_bytes());
        self.update(bytes);
    }

    /// Returns the number of bytes added so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the digest of all added bytes.
    pub fn finish(self) -> Digest {
        Digest {
            hash: ContentHash(self.state.finalize().into()),
            size_bytes: self.size_bytes,
        }
    }
}

impl Write for DigestHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first test vector of FIPS 180-2, appendix B.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_as_the_standard_says() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.hash.to_string(), ABC);
        assert_eq!(digest.size_bytes, 3);
        assert_eq!(digest.to_string(), format!("{ABC}/3"));
        assert_eq!(digest.hash.prefix(), 0xba78_16bf_8f01_cfea);
    }

    #[test]
    fn a_stream_and_its_bytes_have_one_digest() {
        let bytes: Vec<u8> = (0..3 * CHUNK_BYTES as u32 + 17)
            .map(|number| number as u8)
            .collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Digest::of_file(&path).unwrap(), Digest::of(&bytes));
    }

    #[test]
    fn framing_keeps_lists_apart() {
        let framed = |parts: &[&[u8]]| {
            let mut hasher = DigestHasher::default();
            parts.iter().for_each(|part| hasher.update_framed(part));
            hasher.finish()
        };
        assert_ne!(framed(&[b"ab", b"c"]), framed(&[b"a", b"bc"]));
        assert_ne!(framed(&[b"ab"]), framed(&[b"ab", b""]));
    }

    #[test]
    fn what_is_no_hash_is_refused_by_name() {
        for text in ["", "abc", &ABC.to_uppercase(), &format!("{ABC}0")] {
            let error = text.parse::<ContentHash>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        assert!(serde_json::from_str::<ContentHash>("\"sha256:0\"").is_err());
    }

    proptest! {
        #[test]
        fn text_survives_a_round_trip(bytes in any::<Vec<u8>>()) {
            let digest = Digest::of(&bytes);
            prop_assert_eq!(digest.hash.to_string().parse(), Ok(digest.hash));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,80}") {
            let _ = text.parse::<ContentHash>();
        }
    }
}
