//! A path on the host: its kind, and its destination in the layer.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::LayerError;
use super::listing::{FileSource, LayerEntry, LayerListing};
use super::spec::{PathForm, PrefixOptions, SymlinkMode};
use maelstrom_container::store::{DigestCache, FileAttributes, TreePath};

/// A path on the host and its metadata.
pub(super) struct SourceEntry {
    /// The path on the host.
    pub(super) source: PathBuf,
    destination: TreePath,
    metadata: Metadata,
}

impl SourceEntry {
    /// Examines a path of a layer specification.
    pub(super) fn find(
        project: &Path,
        given: &Path,
        prefix: &PrefixOptions,
    ) -> Result<Self, LayerError> {
        let joined = project.join(given);
        let read = |source| LayerError::read(&joined, source);
        let (source, named) = match prefix.form {
            PathForm::AsGiven => (joined.clone(), given.to_owned()),
            PathForm::Canonical => {
                let canonical = fs::canonicalize(&joined).map_err(read)?;
                (canonical.clone(), canonical)
            }
        };
        let metadata = match prefix.links {
            SymlinkMode::Keep => fs::symlink_metadata(&source),
            SymlinkMode::Follow => fs::metadata(&source),
        }
        .map_err(read)?;
        Ok(SourceEntry {
            source,
            destination: destination(&named, prefix)?,
            metadata,
        })
    }

    /// Returns whether this is a directory, a regular file or a symbolic link.
    pub(super) fn is_ordinary(&self) -> bool {
        special_kind(&self.metadata).is_none()
    }

    /// Returns whether this is a symbolic link that is kept as a link.
    pub(super) fn is_link(&self) -> bool {
        self.metadata.is_symlink()
    }

    /// Adds the entry to a listing. The contents of a directory are not added.
    pub(super) fn list(
        self,
        digests: &DigestCache,
        listing: &mut LayerListing,
    ) -> Result<(), LayerError> {
        let SourceEntry {
            source,
            destination,
            metadata,
        } = self;
        if let Some(kind) = special_kind(&metadata) {
            return Err(LayerError::SpecialFile { path: source, kind });
        }
        let mode = metadata.permissions().mode() & 0o777;
        let entry = if metadata.is_dir() {
            LayerEntry::Directory { mode }
        } else if metadata.is_symlink() {
            let target =
                fs::read_link(&source).map_err(|error| LayerError::read(&source, error))?;
            LayerEntry::Symlink { target }
        } else {
            let hashed = digests.digest(&source)?;
            LayerEntry::File {
                attributes: FileAttributes {
                    mode,
                    mtime: hashed.stamp.modified,
                },
                source: FileSource {
                    path: source,
                    stamp: hashed.stamp,
                    digest: hashed.digest,
                },
            }
        };
        listing.add(destination, entry);
        Ok(())
    }
}

/// Returns the destination of a path after applying the prefix options.
fn destination(named: &Path, prefix: &PrefixOptions) -> Result<TreePath, LayerError> {
    let stripped = match &prefix.strip_prefix {
        Some(strip) => named.strip_prefix(strip).unwrap_or(named),
        None => named,
    };
    let placed = match &prefix.prepend_prefix {
        Some(prepend) => prepend.join(stripped.strip_prefix("/").unwrap_or(stripped)),
        None => stripped.to_owned(),
    };
    Ok(TreePath::parse(&placed)?)
}

fn special_kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_socket() {
        Some("a socket")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(named: &str, strip: Option<&str>, prepend: Option<&str>) -> String {
        let prefix = PrefixOptions {
            strip_prefix: strip.map(PathBuf::from),
            prepend_prefix: prepend.map(PathBuf::from),
            ..PrefixOptions::default()
        };
        destination(Path::new(named), &prefix).unwrap().to_string()
    }

    #[test]
    fn prefixes_change_names_by_whole_components() {
        for (named, strip, prepend, place) in [
            ("a/b", None, None, "/a/b"),
            ("/a/b", None, None, "/a/b"),
            ("a/b", Some("a"), None, "/b"),
            ("ab/c", Some("a"), None, "/ab/c"),
            ("/a/b", Some("/a"), None, "/b"),
            ("/a/b", Some("a"), None, "/a/b"),
            ("/a/b", None, Some("x"), "/x/a/b"),
            ("a/b", None, Some("/x/"), "/x/a/b"),
            ("a/b", Some("a/b"), Some("x"), "/x"),
            ("/p/src/m.py", Some("/p"), Some("/app"), "/app/src/m.py"),
        ] {
            assert_eq!(placed(named, strip, prepend), place, "{named}");
        }
    }
}
