//! Conversions of digests and statuses.

use tonic::{Code, Status};

use super::{rpc, v2};
use crate::reapi::limits::BLOB_BYTES_MAX;
use maelstrom_container::digest::{ContentHash, Digest};

/// Why a message's digest is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// It is missing.
    #[error("a digest is missing from the message")]
    Absent,
    /// The hash is no SHA-256 hash.
    #[error("`{hash}` is no SHA-256 hash: 64 lower-case hexadecimal digits are expected")]
    Hash {
        /// The invalid hash, truncated.
        hash: String,
    },
    /// The size is impossible.
    #[error(
        "the digest {hash}/{size_bytes} has an impossible size: 0 to {BLOB_BYTES_MAX} bytes are expected"
    )]
    Size { hash: ContentHash, size_bytes: i64 },
}

impl From<DigestError> for Status {
    fn from(error: DigestError) -> Status {
        Status::invalid_argument(error.to_string())
    }
}

/// How much untrusted text an error message quotes.
const QUOTED_CHARACTERS_MAX: usize = 80;

/// The beginning of an untrusted text.
pub fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS_MAX).collect()
}

/// Parses a hash.
pub fn parse_hash(hash: &str) -> Result<ContentHash, DigestError> {
    hash.parse()
        .map_err(|_| DigestError::Hash { hash: quoted(hash) })
}

/// Converts a message's digest.
pub fn from_wire(digest: &v2::Digest) -> Result<Digest, DigestError> {
    let hash = parse_hash(&digest.hash)?;
    match u64::try_from(digest.size_bytes) {
        Ok(size_bytes) if size_bytes <= BLOB_BYTES_MAX => Ok(Digest { hash, size_bytes }),
        Ok(_) | Err(_) => Err(DigestError::Size {
            hash,
            size_bytes: digest.size_bytes,
        }),
    }
}

/// Converts a digest that is required.
pub fn required(digest: Option<&v2::Digest>) -> Result<Digest, DigestError> {
    from_wire(digest.ok_or(DigestError::Absent)?)
}

/// Converts a digest to a message.
pub fn to_wire(digest: &Digest) -> v2::Digest {
    v2::Digest {
        hash: digest.hash.to_string(),
        // Nothing that exists is longer.
        size_bytes: i64::try_from(digest.size_bytes).unwrap_or(i64::MAX),
    }
}

/// Checks that a request uses the supported hash function. If it is unset, the length of the hash
/// (64 digits) determines it.
pub fn check_function(function: i32) -> Result<(), Status> {
    match v2::digest_function::Value::try_from(function) {
        Ok(v2::digest_function::Value::Unknown | v2::digest_function::Value::Sha256) => Ok(()),
        Ok(other) => Err(Status::invalid_argument(format!(
            "digests of {} are not supported: SHA256 is expected",
            other.as_str_name()
        ))),
        Err(_) => Err(Status::invalid_argument(format!(
            "the digest function {function} is unknown: SHA256 is expected"
        ))),
    }
}

/// The status of one blob in a batch.
pub fn status_to_wire(status: &Status) -> rpc::Status {
    rpc::Status {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details: Vec::new(),
    }
}

/// The status of one blob in a batch; an absent status means success.
pub fn status_from_wire(status: Option<rpc::Status>) -> Result<(), Status> {
    match status {
        None => Ok(()),
        Some(status) if status.code == Code::Ok as i32 => Ok(()),
        Some(status) => Err(Status::new(Code::from_i32(status.code), status.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_digest_survives_the_wire() {
        let digest = Digest::of(b"content");
        assert_eq!(from_wire(&to_wire(&digest)), Ok(digest));
        assert_eq!(required(None), Err(DigestError::Absent));
    }

    #[test]
    fn impossible_sizes_and_other_hashes_are_refused() {
        let digest = to_wire(&Digest::of(b""));
        for size_bytes in [-1, i64::MIN, i64::MAX] {
            let digest = v2::Digest {
                size_bytes,
                ..digest.clone()
            };
            let said = from_wire(&digest).unwrap_err().to_string();
            assert!(said.contains(&size_bytes.to_string()), "{said}");
        }
        let upper = v2::Digest {
            hash: digest.hash.to_uppercase(),
            ..digest
        };
        assert!(matches!(from_wire(&upper), Err(DigestError::Hash { .. })));
        assert!(check_function(v2::digest_function::Value::Blake3 as i32).is_err());
        assert!(check_function(-7).is_err());
    }

    proptest! {
        #[test]
        fn nothing_from_the_wire_panics(hash in any::<String>(), size_bytes in any::<i64>()) {
            if let Ok(digest) = from_wire(&v2::Digest { hash: hash.clone(), size_bytes }) {
                prop_assert_eq!(to_wire(&digest), v2::Digest { hash, size_bytes });
            }
        }
    }
}
