//! Host paths, and the symbolic links on the way to them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// A file or directory of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    /// Where it is, without any link on the way.
    pub canonical: PathBuf,
    /// The links on the way to it, each where it really is.
    pub links: Vec<HostSymlink>,
    pub kind: FileKind,
}

/// A symbolic link of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSymlink {
    /// Where it is, without any link on the way to it.
    pub path: PathBuf,
    pub target: PathBuf,
}

/// What kind of mount point something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Directory,
    File,
}

impl HostPath {
    /// Follows an absolute path. An error means that nothing is there, or that it can't be
    /// reached.
    pub fn resolve(path: &Path) -> io::Result<HostPath> {
        let mut links = Vec::new();
        let mut canonical = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = VecDeque::new();
        push_components(&mut rest, path);
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                // There is no link in it any more, so its parent is where `..` leads.
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

    /// A directory without links on the way.
    #[cfg(test)]
    pub fn directory(path: &str) -> HostPath {
        HostPath {
            canonical: path.into(),
            links: Vec::new(),
            kind: FileKind::Directory,
        }
    }
}

/// Puts a path's names in front of what is still to follow.
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
