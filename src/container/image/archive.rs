//! Random access to the files of a tar archive, by name.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tar::{Archive, EntryType};

use super::compression::{CompressionFormat, StreamDecoder};
use super::error::ImageError;
use maelstrom_container::store::{Store, TreePath};

/// The maximum length of a chain of links. `docker save` stores layers that several images share as
/// links to one file; a longer chain is a cycle.
const LINKS_MAX: usize = 8;

/// An archive whose table of contents has been read.
pub(super) struct ArchiveFile {
    path: PathBuf,
    file: Arc<File>,
    members: HashMap<TreePath, ArchiveMember>,
}

enum ArchiveMember {
    File { offset: u64, size_bytes: u64 },
    Link(TreePath),
}

impl ArchiveFile {
    /// Reads an archive's table of contents. A compressed archive is first decompressed into an
    /// unnamed file, which disappears when this process ends.
    pub(super) fn open_path(path: &Path, store: &Store) -> Result<Self, ImageError> {
        let read = |source| ImageError::Read {
            place: path.display().to_string(),
            source,
        };
        let mut file = File::open(path).map_err(read)?;
        if CompressionFormat::of_file(&file).map_err(read)? != CompressionFormat::None {
            let mut plain = tempfile::tempfile_in(store.root()).map_err(read)?;
            let mut decoder = StreamDecoder::new(file).map_err(read)?;
            io::copy(&mut decoder, &mut plain).map_err(read)?;
            plain.rewind().map_err(read)?;
            file = plain;
        }
        let members = list(&file).map_err(|source| ImageError::Archive {
            path: path.to_owned(),
            source,
        })?;
        Ok(ArchiveFile {
            path: path.to_owned(),
            file: Arc::new(file),
            members,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name by which errors refer to a file in the archive.
    pub(super) fn place(&self, name: &str) -> String {
        format!("{}:{name}", self.path.display())
    }

    /// Opens a file in the archive.
    pub(super) fn open(&self, name: &str) -> Result<MemberReader, ImageError> {
        let missing = || ImageError::missing_file(&self.path, name);
        let mut path = TreePath::parse(Path::new(name)).map_err(|_| missing())?;
        for _ in 0..LINKS_MAX {
            match self.members.get(&path) {
                Some(ArchiveMember::File { offset, size_bytes }) => {
                    return Ok(MemberReader {
                        file: Arc::clone(&self.file),
                        offset: *offset,
                        left_bytes: *size_bytes,
                    });
                }
                Some(ArchiveMember::Link(target)) => path = target.clone(),
                None => break,
            }
        }
        Err(missing())
    }
}

/// Lists the files and links of an archive. Other entries, and those with an invalid name, are left
/// out.
fn list(file: &File) -> io::Result<HashMap<TreePath, ArchiveMember>> {
    let mut archive = Archive::new(file);
    let mut members = HashMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let parse = |name: &[u8]| TreePath::parse(Path::new(OsStr::from_bytes(name))).ok();
        let Some(path) = parse(&entry.path_bytes()) else {
            continue;
        };
        let target = entry.link_name_bytes();
        let member = match (entry.header().entry_type(), target) {
            (EntryType::Regular | EntryType::Continuous, _) => Some(ArchiveMember::File {
                offset: entry.raw_file_position(),
                size_bytes: entry.size(),
            }),
            // A hard link names its target from the archive's root, a symbolic one from its own
            // directory.
            (EntryType::Link, Some(target)) => parse(&target).map(ArchiveMember::Link),
            (EntryType::Symlink, Some(target)) => path
                .parent()
                .and_then(|parent| parent.join(Path::new(OsStr::from_bytes(&target))).ok())
                .map(ArchiveMember::Link),
            _ => None,
        };
        members.extend(member.map(|member| (path, member)));
    }
    Ok(members)
}

/// A reader of a file in an archive.
pub(super) struct MemberReader {
    file: Arc<File>,
    offset: u64,
    left_bytes: u64,
}

impl MemberReader {
    pub(super) fn left_bytes(&self) -> u64 {
        self.left_bytes
    }
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left_bytes)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(window) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        if window.is_empty() {
            return Ok(0);
        }
        // Members share the descriptor and may be read alternately, so reads don't depend on its
        // position.
        let count = self.file.read_at(window, self.offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += count as u64;
        self.left_bytes -= count as u64;
        Ok(count)
    }
}
