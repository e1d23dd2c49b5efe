//! Decides which files belong to the project's sources.
//!
//! The rules are those of Git (gitignore(5)), deepest first: the `.gitignore` files from a file's
//! directory up to its repository's root, then the repository's `info/exclude`, then the user's
//! global excludes file. Everything in an ignored directory is ignored, whatever further rules say.
//! Outside a repository only the `.gitignore` files apply.
//!
//! [`IgnoreRules`] keeps the rules that were read when a directory was entered. When a `.gitignore`
//! changes, all directories are entered again.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use maelstrom_model::framework::WatchPaths;

/// Files that mark a directory as holding no sources: a cache (<https://bford.info/cachedir/>;
/// cargo's target directory has this file) or a Python virtual environment.
pub const MARKERS: [&str; 2] = ["CACHEDIR.TAG", "pyvenv.cfg"];

/// The directories in which version control systems keep their data.
const VERSION_CONTROLS: [&str; 6] = [".git", ".hg", ".jj", ".svn", ".bzr", ".pijul"];

/// Temporary files that editors create beside open files.
const EDITORS_FILES: [&str; 8] = [
    ".*.sw?",
    ".*.sw?x",
    "4913",
    "*~",
    ".#*",
    "#*#",
    ".*.kate-swp",
    "*___jb_???___",
];

/// The name of the files that contain ignore rules.
pub const RULES_FILE: &str = ".gitignore";

/// Whether a path leads to a directory or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchedPathKind {
    Directory,
    File,
}

/// The ignore rules of one repository outside its `.gitignore` files.
#[derive(Debug)]
struct RepositoryExcludes {
    exclude: Gitignore,
    user: Gitignore,
}

/// The ignore rules read so far; see the module documentation.
#[derive(Debug)]
pub struct IgnoreRules {
    without: Vec<PathBuf>,
    names: Gitignore,
    repositories: BTreeMap<PathBuf, RepositoryExcludes>,
    rules: BTreeMap<PathBuf, Gitignore>,
}

impl IgnoreRules {
    /// Creates the rules that apply everywhere.
    pub fn new(list: &WatchPaths) -> IgnoreRules {
        let mut names = GitignoreBuilder::new("/");
        for name in EDITORS_FILES.iter().chain(list.generated) {
            // An invalid pattern matches nothing.
            drop(names.add_line(None, &literal_hash(name)));
        }
        IgnoreRules {
            without: list.without.clone(),
            names: names.build().unwrap_or_else(|_| Gitignore::empty()),
            repositories: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    /// Reads the rules that apply in a root directory, including those of the directories above it
    /// in the same repository.
    pub fn enter_root(&mut self, directory: &Path) {
        let above: Vec<&Path> = directory.ancestors().collect();
        // In a submodule or a linked working tree `.git` is a file, so any file type counts.
        let root = above.iter().position(|above| above.join(".git").exists());
        // From the repository's root down to the directory itself.
        let inside = above.get(..=root.unwrap_or(0)).unwrap_or_default();
        for directory in inside.iter().rev() {
            self.enter(directory);
        }
    }

    /// Reads the rules that apply in a directory and below it.
    pub fn enter(&mut self, directory: &Path) {
        let rules = directory.join(RULES_FILE);
        if rules.is_file() {
            self.rules
                .insert(directory.to_owned(), read(directory, &rules));
        }
        if let Some(git) = git_directory(directory) {
            let repository = RepositoryExcludes {
                exclude: read(directory, &git.join("info/exclude")),
                user: GitignoreBuilder::new(directory).build_global().0,
            };
            self.repositories.insert(directory.to_owned(), repository);
        }
    }

    /// Returns whether a path is ignored, given that its directory is not.
    pub fn ignores(&self, path: &Path, kind: WatchedPathKind) -> bool {
        let is_directory = kind == WatchedPathKind::Directory;
        let name = path.file_name().unwrap_or(OsStr::new(""));
        if VERSION_CONTROLS.iter().any(|own| name == *own)
            || self.without.iter().any(|own| path.starts_with(own))
            || self.names.matched(path, is_directory).is_ignore()
        {
            return true;
        }
        if is_directory && MARKERS.iter().any(|marker| path.join(marker).exists()) {
            return true;
        }
        for above in path.ancestors().skip(1) {
            if let Some(rules) = self.rules.get(above)
                && let Some(verdict) = verdict(rules, path, is_directory)
            {
                return verdict;
            }
            // The rules of an outer repository do not apply in a nested one.
            if let Some(repository) = self.repositories.get(above) {
                return verdict(&repository.exclude, path, is_directory)
                    .or_else(|| verdict(&repository.user, path, is_directory))
                    .unwrap_or(false);
            }
        }
        false
    }
}

fn verdict(rules: &Gitignore, path: &Path, is_directory: bool) -> Option<bool> {
    match rules.matched(path, is_directory) {
        Match::None => None,
        Match::Ignore(_) => Some(true),
        Match::Whitelist(_) => Some(false),
    }
}

/// Reads a file with ignore rules. Like Git, ignores invalid lines and unreadable files.
fn read(root: &Path, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    drop(builder.add(file));
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// Escapes a leading `#`, which would begin a comment.
fn literal_hash(name: &str) -> String {
    match name.strip_prefix('#') {
        Some(rest) => format!("\\#{rest}"),
        None => name.to_owned(),
    }
}

/// Returns the Git directory that all working trees of this repository share
/// (gitrepository-layout(5)).
fn git_directory(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    let own = root.join(text.strip_prefix("gitdir:")?.trim());
    let common = fs::read_to_string(own.join("commondir")).ok();
    Some(match common {
        Some(common) => own.join(common.trim()),
        None => own,
    })
}
