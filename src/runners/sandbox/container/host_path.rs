//! Resolves paths on the host and records the symbolic links on the way.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The maximum number of symbolic links in a path, the same as the kernel's (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// A resolved path of a file or directory of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    /// The path without symbolic links.
    pub canonical: PathBuf,
    /// The symbolic links on the way, in order.
    pub links: Vec<HostSymlink>,
    pub kind: FileKind,
}

/// A symbolic link of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSymlink {
    /// The path of the link itself, without links on the way to it.
    pub path: PathBuf,
    pub target: PathBuf,
}

/// The kind of mount point that a mount of the file needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Directory,
    File,
}

impl HostPath {
    /// Resolves an absolute path. Returns an error if the file does not exist or cannot be
    /// accessed.
    pub fn resolve(path: &Path) -> io::Result<HostPath> {
        let mut links = Vec::new();
        let mut canonical = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = VecDeque::new();
        push_components(&mut rest, path);
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                // `canonical` contains no links, so its parent is where `..` leads.
                canonical.pop();
                continue;
            }
            let next = canonical.join(&name);
            if !std::fs::symlink_metadata(&next)?.is_symlink() {
                canonical = next;
                continue;
            }
            if links.len() == LINKS_MAX {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let target = std::fs::read_link(&next)?;
            if target.is_absolute() {
                canonical = PathBuf::from("/");
            }
            push_components(&mut rest, &target);
            links.push(HostSymlink { path: next, target });
        }
        let kind = match std::fs::symlink_metadata(&canonical)?.is_dir() {
            true => FileKind::Directory,
            false => FileKind::File,
        };
        Ok(HostPath {
            canonical,
            links,
            kind,
        })
    }

    /// Returns a directory whose path has no symbolic links.
    #[cfg(test)]
    pub fn directory(path: &str) -> HostPath {
        HostPath {
            canonical: path.into(),
            links: Vec::new(),
            kind: FileKind::Directory,
        }
    }
}

/// Puts the components of a path in front of those that remain to be resolved.
fn push_components(rest: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => rest.push_front(name.to_owned()),
            Component::ParentDir => rest.push_front("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_on_the_way_is_told() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("var/home/u")).unwrap();
        std::fs::write(root.join("var/file"), "").unwrap();
        symlink("var/home", root.join("home")).unwrap();
        symlink(root.join("home/u"), root.join("me")).unwrap();
        symlink("../../file", root.join("var/home/u/up")).unwrap();

        let me = HostPath::resolve(&root.join("me")).unwrap();
        assert_eq!(me.canonical, root.join("var/home/u"));
        assert_eq!(me.kind, FileKind::Directory);
        let places: Vec<_> = me.links.iter().map(|link| link.path.clone()).collect();
        assert_eq!(places, [root.join("me"), root.join("home")]);

        let up = HostPath::resolve(&root.join("home/u/up")).unwrap();
        assert_eq!(up.canonical, root.join("var/file"));
        assert_eq!(up.kind, FileKind::File);
        assert_eq!(up.canonical, root.join("home/u/up").canonicalize().unwrap());
    }

    #[test]
    fn a_loop_and_an_absence_are_errors() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        let error = HostPath::resolve(&root.path().join("a")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        let error = HostPath::resolve(&root.path().join("c")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
