//! Packs local files and directories as blobs of the Remote Execution API.
//!
//! Each directory becomes a `Directory` message, identified by its digest. Excluded paths and those
//! that version control ignores are left out, unless they are build outputs that the job declares.
//! The only file attribute that is kept is the executable bit.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ignore::WalkBuilder;
use prost::Message;

use crate::reapi::client::{BlobMap, BlobSource};
use crate::reapi::digest::to_wire;
use crate::reapi::v2 as reapi;
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{DigestCache, HashError};
use maelstrom_model::job::InputPath;

/// The directories of version control systems.
const VERSION_CONTROL: [&str; 5] = [".git", ".hg", ".jj", ".svn", ".pijul"];

/// Why a directory could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum InputTreeError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The ignore rules could not be applied.
    #[error("cannot tell what of {} is ignored", path.display())]
    Walk {
        path: PathBuf,
        source: ignore::Error,
    },
    /// A name is not UTF-8, which the Remote Execution API requires.
    #[error("the name of {} is not UTF-8, and cannot be sent to another machine", path.display())]
    Name { path: PathBuf },
}

/// A directory under construction.
#[derive(Default)]
struct DirectoryBuilder {
    files: BTreeMap<String, (Digest, bool)>,
    links: BTreeMap<String, String>,
    directories: BTreeMap<String, DirectoryBuilder>,
}

/// The digest of a packed input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputDigest {
    /// A directory, by the digest of its message.
    Directory(Digest),
    /// A file, and whether it is executable.
    File(Digest, bool),
}

/// Packs a directory or a file.
pub fn pack(
    carried: &InputPath,
    digests: &DigestCache,
    contents: &mut BlobMap,
) -> Result<InputDigest, InputTreeError> {
    let root = &carried.source;
    let metadata = fs::metadata(root).map_err(|source| read(root, source))?;
    if !metadata.is_dir() {
        let (digest, executable) = file(root, &metadata, digests, contents)?;
        return Ok(InputDigest::File(digest, executable));
    }
    let mut node = DirectoryBuilder::default();
    let left_out = carried.left_out.clone();
    let walk = WalkBuilder::new(root)
        // Hidden files are included and the user's global excludes are ignored: the result must not
        // depend on who runs the tests.
        .standard_filters(false)
        .git_ignore(true)
        .git_exclude(true)
        .parents(true)
        .filter_entry(move |entry| {
            let is_control = entry
                .file_name()
                .to_str()
                .is_some_and(|name| entry.depth() > 0 && VERSION_CONTROL.contains(&name));
            !is_control && !left_out.iter().any(|path| path == entry.path())
        })
        .build();
    let is_left_out = carried.left_out.contains(root);
    // A walk yields its root without applying the filter.
    for entry in walk.take_while(|_| !is_left_out) {
        let entry = entry.map_err(|source| InputTreeError::Walk {
            path: root.clone(),
            source,
        })?;
        if entry.depth() > 0 {
            add(&mut node, root, entry.path(), digests, contents)?;
        }
    }
    for built in carried.built.iter().filter(|path| path.starts_with(root)) {
        add_all(&mut node, root, built, digests, contents)?;
    }
    Ok(InputDigest::Directory(node.finish(contents)))
}

/// Adds a path and everything below it. A path that does not exist is ignored.
fn add_all(
    node: &mut DirectoryBuilder,
    root: &Path,
    path: &Path,
    digests: &DigestCache,
    contents: &mut BlobMap,
) -> Result<(), InputTreeError> {
    for entry in walkdir::WalkDir::new(path) {
        match entry {
            Ok(entry) => add(node, root, entry.path(), digests, contents)?,
            Err(error) => {
                let is_absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
                if error.io_error().is_some_and(is_absent) {
                    continue;
                }
                let at = error.path().unwrap_or(path).to_owned();
                let source = error.into_io_error();
                let source = source.unwrap_or_else(|| io::Error::other("links go in a circle"));
                return Err(read(&at, source));
            }
        }
    }
    Ok(())
}

fn add(
    node: &mut DirectoryBuilder,
    root: &Path,
    path: &Path,
    digests: &DigestCache,
    contents: &mut BlobMap,
) -> Result<(), InputTreeError> {
    let Ok(relative) = path.strip_prefix(root) else {
        return Ok(());
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // A file that vanishes in the meantime is not an input of a test.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(read(path, source)),
    };
    let mut names = Vec::new();
    for component in relative.components() {
        let name = component.as_os_str().to_str();
        names.push(name.ok_or_else(|| InputTreeError::Name {
            path: path.to_owned(),
        })?);
    }
    let Some(name) = names.pop() else {
        return Ok(());
    };
    let mut parent = node;
    for directory in names {
        parent = parent.directories.entry(directory.to_owned()).or_default();
    }
    if metadata.is_dir() {
        parent.directories.entry(name.to_owned()).or_default();
    } else if metadata.is_symlink() {
        let target = fs::read_link(path).map_err(|source| read(path, source))?;
        let target = target.to_str().ok_or_else(|| InputTreeError::Name {
            path: path.to_owned(),
        })?;
        parent.links.insert(name.to_owned(), target.to_owned());
    } else if metadata.is_file() {
        let file = file(path, &metadata, digests, contents)?;
        parent.files.insert(name.to_owned(), file);
    }
    // Sockets, pipes and devices only make sense locally.
    Ok(())
}

fn file(
    path: &Path,
    metadata: &fs::Metadata,
    digests: &DigestCache,
    contents: &mut BlobMap,
) -> Result<(Digest, bool), InputTreeError> {
    let hashed = digests.digest(path)?;
    contents
        .entry(hashed.digest)
        .or_insert_with(|| BlobSource::File(path.to_owned()));
    Ok((hashed.digest, metadata.permissions().mode() & 0o111 != 0))
}

fn read(path: &Path, source: io::Error) -> InputTreeError {
    InputTreeError::Read {
        path: path.to_owned(),
        source,
    }
}

impl DirectoryBuilder {
    /// Adds the messages of this directory and of all below it, and returns its digest.
    fn finish(self, contents: &mut BlobMap) -> Digest {
        let directories = self.directories.into_iter().map(|(name, node)| {
            let digest = node.finish(contents);
            reapi::DirectoryNode {
                name,
                digest: Some(to_wire(&digest)),
            }
        });
        let directories = directories.collect();
        let files = self
            .files
            .into_iter()
            .map(|(name, (digest, executable))| reapi::FileNode {
                name,
                digest: Some(to_wire(&digest)),
                is_executable: executable,
                node_properties: None,
            });
        let links = self
            .links
            .into_iter()
            .map(|(name, target)| reapi::SymlinkNode {
                name,
                target,
                node_properties: None,
            });
        let bytes: Bytes = reapi::Directory {
            files: files.collect(),
            directories,
            symlinks: links.collect(),
            node_properties: None,
        }
        .encode_to_vec()
        .into();
        let digest = Digest::of(&bytes);
        contents.insert(digest, BlobSource::Bytes(bytes));
        digest
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory(contents: &BlobMap, digest: Digest) -> reapi::Directory {
        match &contents[&digest] {
            BlobSource::Bytes(bytes) => reapi::Directory::decode(bytes.clone()).unwrap(),
            BlobSource::File(path) => panic!("{} is no message", path.display()),
        }
    }

    fn digest(message: &Option<reapi::Digest>) -> Digest {
        let message = message.as_ref().unwrap();
        Digest {
            hash: message.hash.parse().unwrap(),
            size_bytes: message.size_bytes as u64,
        }
    }

    /// Returns every path in a packed directory, with its kind.
    fn list(contents: &BlobMap, root: Digest, prefix: &str, listed: &mut Vec<String>) {
        let message = directory(contents, root);
        for node in &message.files {
            let mark = if node.is_executable { "*" } else { "" };
            listed.push(format!("{prefix}{}{mark}", node.name));
        }
        for node in &message.symlinks {
            listed.push(format!("{prefix}{}->{}", node.name, node.target));
        }
        for node in &message.directories {
            listed.push(format!("{prefix}{}/", node.name));
            let prefix = format!("{prefix}{}/", node.name);
            list(contents, digest(&node.digest), &prefix, listed);
        }
    }

    #[test]
    fn what_is_ignored_stays_and_what_was_built_goes_along() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(".git/HEAD", "ref");
        write(".gitignore", "/target\n*.log\n");
        write("src/lib.rs", "fn f() {}");
        write("src/.hidden", "");
        write("noise.log", "");
        write("target/debug/program", "#!/bin/sh\n");
        write("target/debug/other", "");
        write("cache/own", "");
        fs::create_dir(root.join("empty")).unwrap();
        symlink("src/lib.rs", root.join("link")).unwrap();
        let program = root.join("target/debug/program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();

        let digests = DigestCache::new(root.join(".git/digests"));
        let carried = InputPath {
            source: root.clone(),
            left_out: vec![root.join("target"), root.join("cache")],
            built: vec![
                program.clone(),
                root.join("target/gone"),
                "/elsewhere".into(),
            ],
        };
        let mut contents = BlobMap::new();
        let packed = pack(&carried, &digests, &mut contents).unwrap();
        let InputDigest::Directory(digest) = packed else {
            panic!("{packed:?}");
        };
        let mut listed = Vec::new();
        list(&contents, digest, "", &mut listed);
        assert_eq!(
            listed,
            [
                ".gitignore",
                "link->src/lib.rs",
                "empty/",
                "src/",
                "src/.hidden",
                "src/lib.rs",
                "target/",
                "target/debug/",
                "target/debug/program*",
            ]
        );
        let again = pack(&carried, &digests, &mut BlobMap::new()).unwrap();
        assert_eq!(again, packed);
        let alone = InputPath {
            source: program,
            ..InputPath::default()
        };
        let alone = pack(&alone, &digests, &mut contents).unwrap();
        assert!(matches!(alone, InputDigest::File(_, true)));
    }
}
