//! Validated paths within a tree.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// A path in a tree: relative to its root, without `.` or `..`, empty for the root itself.
///
/// The order is that of a depth-first walk: a directory precedes its contents, and all of its
/// contents precede its next sibling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreePath(PathBuf);

/// A path is invalid in a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreePathError {
    /// The path contains more `..` than directories to leave.
    #[error("the path `{}` leads out of the container's root", path.display())]
    Escapes { path: PathBuf },
    /// The path contains a NUL byte, which no file name may contain.
    #[error("the path {path:?} holds a NUL byte")]
    Nul { path: PathBuf },
}

impl TreePath {
    /// Parses a path relative to the tree's root: removes a leading `/` and `.`, and resolves `..`
    /// by removing the previous component.
    pub fn parse(path: &Path) -> Result<Self, TreePathError> {
        if path.as_os_str().as_bytes().contains(&0) {
            return Err(TreePathError::Nul {
                path: path.to_owned(),
            });
        }
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => clean.push(name),
                Component::ParentDir => {
                    if !clean.pop() {
                        return Err(TreePathError::Escapes {
                            path: path.to_owned(),
                        });
                    }
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Ok(TreePath(clean))
    }

    /// Returns the path of the tree's root.
    pub fn root() -> Self {
        TreePath::default()
    }

    /// Returns whether this is the tree's root.
    pub fn is_root(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// Returns the path relative to the tree's root.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// Returns the bytes of the path.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_os_str().as_bytes()
    }

    /// Returns the directory that contains this path, or `None` for the root.
    pub fn parent(&self) -> Option<TreePath> {
        self.0.parent().map(|parent| TreePath(parent.to_owned()))
    }

    /// Returns the last component, or `None` for the root.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.0.file_name()
    }

    /// Returns a path relative to this one. A leading `/` is ignored.
    pub fn join(&self, path: &Path) -> Result<TreePath, TreePathError> {
        TreePath::parse(&self.0.join(path.strip_prefix("/").unwrap_or(path)))
    }

    /// Returns whether this path is `ancestor` or is below it.
    pub fn starts_with(&self, ancestor: &TreePath) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// Returns the path on the host, if the tree's root is `root`.
    pub(super) fn below(&self, root: &Path) -> PathBuf {
        if self.is_root() {
            root.to_owned()
        } else {
            root.join(&self.0)
        }
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}", self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(path: &str) -> Result<String, TreePathError> {
        TreePath::parse(Path::new(path)).map(|path| path.to_string())
    }

    #[test]
    fn paths_are_cleaned() {
        for (path, clean) in [
            ("usr/bin", "/usr/bin"),
            ("/usr//bin/", "/usr/bin"),
            ("./a/./b", "/a/b"),
            ("a/../b", "/b"),
            ("/", "/"),
            ("./", "/"),
            ("", "/"),
        ] {
            assert_eq!(parse(path).as_deref(), Ok(clean), "{path}");
        }
    }

    #[test]
    fn no_path_leads_out() {
        for path in ["..", "/..", "a/../..", "../a", "a/../../a"] {
            assert!(
                matches!(parse(path), Err(TreePathError::Escapes { .. })),
                "{path}"
            );
        }
        assert!(matches!(parse("a\0b"), Err(TreePathError::Nul { .. })));
    }

    #[test]
    fn the_order_is_that_of_a_walk() {
        let mut paths: Vec<TreePath> = ["a-b", "a/z", "a", "a/b/c", "a/b", ""]
            .iter()
            .map(|path| TreePath::parse(Path::new(path)).unwrap())
            .collect();
        paths.sort();
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["/", "/a", "/a/b", "/a/b/c", "/a/z", "/a-b"]);
    }

    proptest! {
        #[test]
        fn whatever_parses_stays_inside(path in "(\\.|\\.\\.|/|a|b){0,12}") {
            if let Ok(path) = TreePath::parse(Path::new(&path)) {
                let all_normal = path
                    .as_path()
                    .components()
                    .all(|component| matches!(component, Component::Normal(_)));
                prop_assert!(all_normal);
                prop_assert_eq!(TreePath::parse(path.as_path()), Ok(path.clone()));
            }
        }
    }
}
