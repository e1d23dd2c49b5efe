//! Parses and validates `Directory` messages of the Remote Execution API.
//!
//! A result names nothing outside its directory, and nothing twice.

use bazel_remote_apis::build::bazel::remote::execution::v2;
use prost::Message;

use maelstrom_container::digest::{ContentHash, Digest};
use maelstrom_wire::from_proto::container::ExecutePermission;

/// A directory's own description: 100,000 entries with long names.
pub const DIRECTORY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A file name, as the kernel has it (`NAME_MAX`, `path_resolution(7)`).
const NAME_BYTES_MAX: usize = 255;

/// A link's target, as the kernel has it (`PATH_MAX`).
const TARGET_BYTES_MAX: usize = 4095;

/// The entries of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryListing {
    /// Subdirectories, each with the digest of its message.
    pub directories: Vec<(String, Digest)>,
    pub files: Vec<(String, Digest, ExecutePermission)>,
    /// Symbolic links and their targets.
    pub links: Vec<(String, String)>,
}

/// Why a blob is no valid directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is no such message.
    #[error("it is no `Directory`")]
    Message(#[from] prost::DecodeError),
    /// A name is invalid.
    #[error("{name:?} is not a file name")]
    Name {
        /// The name, truncated.
        name: String,
    },
    /// Names are unsorted or occur twice.
    #[error("{name:?} is not in its place: names are sorted, and each is there once")]
    Order { name: String },
    /// An entry's digest is missing or invalid.
    #[error("{name:?} has no valid digest")]
    Digest { name: String },
    /// A link's target is empty or no path.
    #[error("{name:?} has no valid target")]
    Target { name: String },
}

/// Parses a directory.
pub fn parse(content: &[u8]) -> Result<DirectoryListing, DirectoryError> {
    let message = v2::Directory::decode(content)?;
    let directories = message.directories.iter().map(|node| {
        let digest = digest(&node.name, node.digest.as_ref())?;
        Ok((node.name.clone(), digest))
    });
    let files = message.files.iter().map(|node| {
        let execution = match node.is_executable {
            true => ExecutePermission::Allowed,
            false => ExecutePermission::Refused,
        };
        let digest = digest(&node.name, node.digest.as_ref())?;
        Ok((node.name.clone(), digest, execution))
    });
    let links = message.symlinks.iter().map(|node| {
        let target = &node.target;
        if target.is_empty() || target.len() > TARGET_BYTES_MAX || target.contains('\0') {
            return Err(DirectoryError::Target {
                name: in_part(&node.name),
            });
        }
        Ok((node.name.clone(), target.clone()))
    });
    let listing = DirectoryListing {
        directories: directories.collect::<Result<_, DirectoryError>>()?,
        files: files.collect::<Result<_, DirectoryError>>()?,
        links: links.collect::<Result<_, DirectoryError>>()?,
    };
    check_names(&listing)?;
    Ok(listing)
}

fn digest(name: &str, digest: Option<&v2::Digest>) -> Result<Digest, DirectoryError> {
    let parse = |digest: &v2::Digest| {
        let hash: ContentHash = digest.hash.parse().ok()?;
        let size_bytes = u64::try_from(digest.size_bytes).ok()?;
        Some(Digest { hash, size_bytes })
    };
    let digest = digest.and_then(parse);
    digest.ok_or_else(|| DirectoryError::Digest {
        name: in_part(name),
    })
}

/// Each of the three lists is sorted by name, and no name is in two of them.
fn check_names(listing: &DirectoryListing) -> Result<(), DirectoryError> {
    let mut all = Vec::new();
    for names in [
        listing.directories.iter().map(|one| &one.0).collect(),
        listing.files.iter().map(|one| &one.0).collect(),
        listing.links.iter().map(|one| &one.0).collect::<Vec<_>>(),
    ] {
        names.iter().try_for_each(|name| check_name(name))?;
        check_order(&names)?;
        all.extend(names);
    }
    all.sort_unstable();
    check_order(&all)
}

fn check_order(names: &[&String]) -> Result<(), DirectoryError> {
    let wrong = names.windows(2).find(|pair| pair.first() >= pair.last());
    match wrong.and_then(|pair| pair.last()) {
        None => Ok(()),
        Some(name) => Err(DirectoryError::Order {
            name: in_part(name),
        }),
    }
}

fn check_name(name: &str) -> Result<(), DirectoryError> {
    let is_special = name.is_empty() || name == "." || name == "..";
    if is_special || name.len() > NAME_BYTES_MAX || name.contains(['/', '\0']) {
        return Err(DirectoryError::Name {
            name: in_part(name),
        });
    }
    Ok(())
}

fn in_part(name: &str) -> String {
    name.chars().take(NAME_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_digest() -> Option<v2::Digest> {
        let digest = Digest::of(b"content");
        Some(v2::Digest {
            hash: digest.hash.to_string(),
            size_bytes: 7,
        })
    }

    fn file(name: &str) -> v2::FileNode {
        v2::FileNode {
            name: name.to_owned(),
            digest: some_digest(),
            ..v2::FileNode::default()
        }
    }

    fn directory(name: &str) -> v2::DirectoryNode {
        v2::DirectoryNode {
            name: name.to_owned(),
            digest: some_digest(),
        }
    }

    fn link(name: &str, target: &str) -> v2::SymlinkNode {
        v2::SymlinkNode {
            name: name.to_owned(),
            target: target.to_owned(),
            ..v2::SymlinkNode::default()
        }
    }

    fn sound() -> v2::Directory {
        v2::Directory {
            files: vec![file("a"), file("c")],
            directories: vec![directory("b"), directory("d")],
            symlinks: vec![link("e", "../outside")],
            node_properties: None,
        }
    }

    fn refused(spoil: impl FnOnce(&mut v2::Directory)) -> String {
        let mut message = sound();
        spoil(&mut message);
        parse(&message.encode_to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn a_directory_is_its_three_lists() {
        let listing = parse(&sound().encode_to_vec()).unwrap();
        assert_eq!(listing.files.len(), 2);
        assert_eq!(listing.directories[1].0, "d");
        assert_eq!(listing.links, [("e".to_owned(), "../outside".to_owned())]);
        assert_eq!(parse(b"").unwrap(), DirectoryListing::default());
    }

    #[test]
    fn what_would_lead_out_or_is_there_twice_is_refused_by_name() {
        let said = [
            refused(|message| message.files[0] = file("")),
            refused(|message| message.files[0] = file(".")),
            refused(|message| message.directories[0] = directory("..")),
            refused(|message| message.files[0] = file("a/b")),
            refused(|message| message.files[0] = file("a\0")),
            refused(|message| message.files[0] = file(&"a".repeat(256))),
            refused(|message| message.files.reverse()),
            refused(|message| message.files[1] = file("a")),
            refused(|message| message.symlinks[0] = link("b", "x")),
            refused(|message| message.symlinks[0] = link("e", "")),
            refused(|message| message.symlinks[0] = link("e", "a\0")),
            refused(|message| message.files[0].digest = None),
            refused(|message| {
                message.files[0].digest = Some(v2::Digest {
                    hash: "0".to_owned(),
                    size_bytes: 0,
                });
            }),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&noise);
        }
    }
}
