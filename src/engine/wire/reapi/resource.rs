//! The resource names of `ByteStream`.
//!
//! ```text
//! [INSTANCE/]blobs/HASH/SIZE                                   to read
//! [INSTANCE/]uploads/NAME/blobs/HASH/SIZE[/ANYTHING]           to write
//! [INSTANCE/]compressed-blobs/zstd/HASH/SIZE                   to read
//! [INSTANCE/]uploads/NAME/compressed-blobs/zstd/HASH/SIZE[/ANYTHING]
//! ```
//!
//! The API allows `sha256/` before the hash. An instance name may have several segments, but none
//! that equals one of the keywords above; see the API's `ContentAddressableStorage`.

use std::fmt;

use super::digest::{DigestError, parse_hash, quoted};
use super::limits::{BLOB_BYTES_MAX, RESOURCE_NAME_BYTES_MAX, UPLOAD_NAME_BYTES_MAX};
use maelstrom_container::digest::Digest;

/// How a blob's bytes are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlobEncoding {
    Identity,
    /// As one or more zstd frames.
    Zstd,
}

/// The name of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadName {
    pub instance: String,
    pub digest: Digest,
    pub encoding: BlobEncoding,
}

/// The name of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteName {
    pub instance: String,
    /// The client's own ID of this upload.
    pub upload: String,
    pub digest: Digest,
    pub encoding: BlobEncoding,
}

/// Why a resource name is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceNameError {
    /// It is too long.
    #[error("the resource name has {length} bytes: at most {RESOURCE_NAME_BYTES_MAX} are expected")]
    TooLong { length: usize },
    /// It has the wrong form.
    #[error("`{name}` is not a resource name: {expected} is expected")]
    Form {
        name: String,
        expected: &'static str,
    },
    /// The compressor is not supported.
    #[error("compression by `{compressor}` is not supported: `zstd` or none is expected")]
    Compressor { compressor: String },
    /// The digest is invalid.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The size is invalid.
    #[error("`{size}` is not the size of a blob: a number from 0 to {BLOB_BYTES_MAX} is expected")]
    Size { size: String },
}

impl From<ResourceNameError> for tonic::Status {
    fn from(error: ResourceNameError) -> tonic::Status {
        tonic::Status::invalid_argument(error.to_string())
    }
}

const TO_READ: &str =
    "`[INSTANCE/]blobs/HASH/SIZE` or `[INSTANCE/]compressed-blobs/zstd/HASH/SIZE`";
const TO_WRITE: &str = "`[INSTANCE/]uploads/NAME/blobs/HASH/SIZE` or `[INSTANCE/]uploads/NAME/compressed-blobs/zstd/HASH/SIZE`";

impl ReadName {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<ReadName, ResourceNameError> {
        let parts = split(name)?;
        let form = || form(name, TO_READ);
        let begin = parts
            .iter()
            .position(|part| matches!(*part, "blobs" | "compressed-blobs"))
            .ok_or_else(form)?;
        let (instance, rest) = parts.split_at(begin);
        match blob(rest)?.ok_or_else(form)? {
            (encoding, digest, []) => Ok(ReadName {
                instance: instance.join("/"),
                digest,
                encoding,
            }),
            (_, _, [_, ..]) => Err(form()),
        }
    }
}

impl WriteName {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<WriteName, ResourceNameError> {
        let parts = split(name)?;
        let form = || form(name, TO_WRITE);
        let begin = parts
            .iter()
            .position(|part| *part == "uploads")
            .ok_or_else(form)?;
        let (instance, rest) = parts.split_at(begin);
        let [_, upload, rest @ ..] = rest else {
            return Err(form());
        };
        if upload.is_empty() || upload.len() > UPLOAD_NAME_BYTES_MAX {
            return Err(form());
        }
        let (encoding, digest, _ignored) = blob(rest)?.ok_or_else(form)?;
        Ok(WriteName {
            instance: instance.join("/"),
            upload: (*upload).to_owned(),
            digest,
            encoding,
        })
    }
}

fn split(name: &str) -> Result<Vec<&str>, ResourceNameError> {
    match name.len() {
        0..=RESOURCE_NAME_BYTES_MAX => Ok(name.split('/').collect()),
        length => Err(ResourceNameError::TooLong { length }),
    }
}

fn form(name: &str, expected: &'static str) -> ResourceNameError {
    ResourceNameError::Form {
        name: quoted(name),
        expected,
    }
}

type NamedBlob<'a, 'b> = (BlobEncoding, Digest, &'b [&'a str]);

/// The blob that these segments name, and the segments after it; `None` if the form is wrong.
fn blob<'a, 'b>(parts: &'b [&'a str]) -> Result<Option<NamedBlob<'a, 'b>>, ResourceNameError> {
    let (encoding, rest) = match parts {
        ["blobs", rest @ ..] => (BlobEncoding::Identity, rest),
        ["compressed-blobs", "zstd", rest @ ..] => (BlobEncoding::Zstd, rest),
        ["compressed-blobs", compressor, ..] => {
            return Err(ResourceNameError::Compressor {
                compressor: quoted(compressor),
            });
        }
        _ => return Ok(None),
    };
    let rest = match rest {
        ["sha256", rest @ ..] => rest,
        rest => rest,
    };
    let [hash, size, rest @ ..] = rest else {
        return Ok(None);
    };
    let size_bytes = size
        .parse()
        .ok()
        .filter(|size_bytes| *size_bytes <= BLOB_BYTES_MAX)
        .ok_or_else(|| ResourceNameError::Size { size: quoted(size) })?;
    let hash = parse_hash(hash)?;
    Ok(Some((encoding, Digest { hash, size_bytes }, rest)))
}

impl fmt::Display for ReadName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        instance(&self.instance, formatter)?;
        write!(formatter, "{}/{}", kind(self.encoding), self.digest)
    }
}

impl fmt::Display for WriteName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        instance(&self.instance, formatter)?;
        let kind = kind(self.encoding);
        write!(formatter, "uploads/{}/{kind}/{}", self.upload, self.digest)
    }
}

fn instance(name: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    match name {
        "" => Ok(()),
        name => write!(formatter, "{name}/"),
    }
}

fn kind(encoding: BlobEncoding) -> &'static str {
    match encoding {
        BlobEncoding::Identity => "blobs",
        BlobEncoding::Zstd => "compressed-blobs/zstd",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn encodings() -> impl Strategy<Value = BlobEncoding> {
        prop_oneof![Just(BlobEncoding::Identity), Just(BlobEncoding::Zstd)]
    }

    proptest! {
        #[test]
        fn names_survive_text(
            instance in "([a-z]{1,5}(/[a-z]{1,3})?)?",
            upload in "[0-9a-f-]{1,36}",
            content in any::<Vec<u8>>(),
            encoding in encodings(),
        ) {
            let digest = Digest::of(&content);
            let read = ReadName { instance: instance.clone(), digest, encoding };
            prop_assert_eq!(ReadName::parse(&read.to_string()), Ok(read));
            let write = WriteName { instance, upload, digest, encoding };
            prop_assert_eq!(WriteName::parse(&write.to_string()), Ok(write));
        }

        #[test]
        fn no_text_panics(
            text in prop_oneof![
                any::<String>(),
                "(uploads|blobs|compressed-blobs|zstd|sha256|[0-9a-f]{64}|-?[0-9]{1,30}|/|//|é){0,12}",
            ],
        ) {
            let _ = ReadName::parse(&text);
            let _ = WriteName::parse(&text);
        }
    }

    #[test]
    fn what_the_api_allows_besides_is_read() {
        let plain = ReadName::parse(&format!("blobs/{HASH}/0")).unwrap();
        let named = ReadName::parse(&format!("blobs/sha256/{HASH}/0")).unwrap();
        assert_eq!(plain, named);
        let with_metadata = format!("a/b/uploads/u/blobs/{HASH}/7/some/file.o");
        let name = WriteName::parse(&with_metadata).unwrap();
        assert_eq!((name.instance.as_str(), name.digest.size_bytes), ("a/b", 7));
    }

    #[test]
    fn other_texts_say_what_was_expected() {
        let long = "x".repeat(RESOURCE_NAME_BYTES_MAX + 1);
        let texts = [
            String::new(),
            format!("blobs/{HASH}"),
            format!("blobs/{HASH}/0/more"),
            format!("blobs/{HASH}/-1"),
            format!("blobs/{HASH}/99999999999999999999"),
            "blobs/0123/4".to_owned(),
            format!("compressed-blobs/deflate/{HASH}/0"),
            long,
        ];
        let mut said: Vec<String> = texts
            .iter()
            .map(|text| ReadName::parse(text).unwrap_err().to_string())
            .collect();
        for text in [
            format!("blobs/{HASH}/0"),
            format!("uploads//blobs/{HASH}/0"),
        ] {
            said.push(WriteName::parse(&text).unwrap_err().to_string());
        }
        insta::assert_snapshot!(said.join("\n"));
    }
}
