//! Asks git which files differ from a commit.
//!
//! The work tree is compared with the merge base of the commit and `HEAD`, which is the commit itself
//! if `HEAD` descends from it. Without a merge base, as in some shallow clones, the commit itself is
//! compared. Renamed files count under both names. Files that git ignores do not count.
//!
//! A changed submodule counts as those of its files that changed since the commit of it that the base
//! names; if that commit is not there, as a whole.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::sandbox::invocation::Invocation;

use super::error::ChangedError;

/// git's program.
const GIT: &str = "git";

/// Variables that say where a repository is, and so mean nothing in a submodule.
const REPOSITORY: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
];

/// Variables among them whose relative paths start at git's working directory.
const PATHS: [&str; 2] = ["GIT_DIR", "GIT_WORK_TREE"];

/// The arguments that list tracked files, whatever the user's configuration says. The commit follows.
const DIFF: [&str; 7] = [
    "diff",
    "--name-only",
    "-z",
    "--no-renames",
    "--no-ext-diff",
    "--no-relative",
    "--ignore-submodules=none",
];

/// The files that differ from a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedFiles {
    /// The commit, as the user named it.
    pub reference: String,
    /// The top directory of the work tree, without symbolic links.
    pub top: PathBuf,
    /// Absolute paths of files, and of directories that changed as a whole. They need not exist.
    pub paths: BTreeSet<PathBuf>,
}

/// A directory in which git is called.
struct Repository<'a> {
    invocation: &'a Invocation,
    directory: PathBuf,
    /// Whether the variables that name a repository are about another one.
    is_submodule: bool,
}

/// Returns the files of the repository around a directory that differ from a commit.
pub(crate) async fn changed_files(
    invocation: &Invocation,
    directory: &Path,
    reference: &str,
) -> Result<ChangedFiles, ChangedError> {
    let mut repository = Repository {
        invocation,
        directory: directory.to_owned(),
        is_submodule: false,
    };
    let words = ["rev-parse", "--show-toplevel"].map(OsStr::new);
    let top = repository.git(&words).await?;
    if !top.status.success() {
        return Err(ChangedError::Repository {
            directory: directory.to_owned(),
            said: said(&top),
        });
    }
    repository.directory = path_of(line(&top.stdout));
    let base = repository.base(reference).await?;
    let paths = repository.changes(&base).await?;
    Ok(ChangedFiles {
        reference: reference.to_owned(),
        top: repository.directory,
        paths,
    })
}

impl Repository<'_> {
    async fn git(&self, arguments: &[&OsStr]) -> Result<Output, ChangedError> {
        let mut command = self.invocation.command(GIT.as_ref());
        command
            .current_dir(&self.directory)
            .args(arguments)
            // Asking changes nothing in the repository.
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1");
        if self.is_submodule {
            REPOSITORY.iter().for_each(|name| {
                command.env_remove(name);
            });
        } else {
            for name in PATHS {
                if let Some(path) = self.invocation.path_variable(name) {
                    command.env(name, path);
                }
            }
        }
        let output = command.output().await;
        output.map_err(|source| ChangedError::Start { source })
    }

    /// Returns the output of a command that works in every repository.
    async fn ask(&self, arguments: &[&OsStr], name: &'static str) -> Result<Vec<u8>, ChangedError> {
        let output = self.git(arguments).await?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(ChangedError::Git {
                command: name,
                said: said(&output),
            }),
        }
    }

    /// Returns the id of a commit; `None` if there is no such commit.
    async fn commit(&self, reference: &str) -> Result<Option<OsString>, ChangedError> {
        // git would take it for an option.
        if reference.starts_with('-') {
            return Ok(None);
        }
        let commit = format!("{reference}^{{commit}}");
        let words = ["rev-parse", "--verify", "--quiet", &commit].map(OsStr::new);
        let output = self.git(&words).await?;
        let id = output.status.success().then(|| line(&output.stdout));
        Ok(id.filter(|id| !id.is_empty()).map(OsStr::to_owned))
    }

    /// Returns the commit with which the work tree is compared.
    async fn base(&self, reference: &str) -> Result<OsString, ChangedError> {
        let Some(commit) = self.commit(reference).await? else {
            let help = self.help(reference).await?;
            return Err(ChangedError::Reference {
                reference: reference.to_owned(),
                help,
            });
        };
        let words = ["merge-base".as_ref(), commit.as_os_str(), "HEAD".as_ref()];
        let output = self.git(&words).await?;
        Ok(match line(&output.stdout) {
            base if output.status.success() && !base.is_empty() => base.to_owned(),
            _ => commit,
        })
    }

    /// Returns what to do about a commit that is missing.
    async fn help(&self, reference: &str) -> Result<String, ChangedError> {
        let remote = format!("origin/{reference}");
        if self.commit(&remote).await?.is_some() {
            return Ok(format!("there is `{remote}`: --changed-since {remote}"));
        }
        let words = ["rev-parse", "--is-shallow-repository"].map(OsStr::new);
        let is_shallow = line(&self.git(&words).await?.stdout) == "true";
        Ok(match is_shallow {
            true => "the clone is shallow: fetch the commit (`git fetch origin BRANCH`), or \
                     everything (`git fetch --unshallow`; for GitHub's checkout action, \
                     `fetch-depth: 0`)"
                .to_owned(),
            false => {
                "name a branch, a tag or a commit; `git fetch` gets those of the remote".to_owned()
            }
        })
    }

    /// Returns what differs from a commit in the work tree.
    async fn changes(&self, base: &OsStr) -> Result<BTreeSet<PathBuf>, ChangedError> {
        let mut diff = DIFF.map(OsStr::new).to_vec();
        diff.extend([base, "--".as_ref()]);
        let others = ["ls-files", "-z", "--others", "--exclude-standard"].map(OsStr::new);
        let (tracked, untracked) =
            tokio::join!(self.ask(&diff, "diff"), self.ask(&others, "ls-files"));
        let mut paths = BTreeSet::new();
        for path in names(&tracked?) {
            let place = self.directory.join(&path);
            let inside = match place.join(".git").symlink_metadata() {
                Ok(_) => self.in_submodule(&path, base).await?,
                Err(_) => None,
            };
            match inside {
                Some(inside) => paths.extend(inside),
                None => {
                    paths.insert(place);
                }
            }
        }
        let untracked = names(&untracked?).into_iter();
        // git ends a repository that is no submodule with a slash, and `components` leaves it out.
        paths.extend(untracked.map(|path| self.directory.join(path).components().collect()));
        Ok(paths)
    }

    /// Returns what differs in a submodule from the commit of it in `base`; `None` if that commit is
    /// unknown.
    async fn in_submodule(
        &self,
        path: &Path,
        base: &OsStr,
    ) -> Result<Option<BTreeSet<PathBuf>>, ChangedError> {
        let words = ["ls-tree".as_ref(), "-z".as_ref(), base, "--".as_ref()];
        let words = [&words[..], &[path.as_os_str()]].concat();
        let entry = self.ask(&words, "ls-tree").await?;
        let Some(id) = submodule_commit(&entry) else {
            return Ok(None);
        };
        let submodule = Repository {
            invocation: self.invocation,
            directory: self.directory.join(path),
            is_submodule: true,
        };
        match submodule.commit(&id).await? {
            Some(id) => Box::pin(submodule.changes(&id)).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Returns the commit in an entry of `git ls-tree`, if it is a submodule's.
fn submodule_commit(entry: &[u8]) -> Option<String> {
    let text = entry.strip_prefix(b"160000 commit ")?;
    let id = text.split(|byte| *byte == b'\t').next()?;
    String::from_utf8(id.to_vec()).ok()
}

/// Returns the names in a list that ends each with a NUL byte.
fn names(list: &[u8]) -> Vec<PathBuf> {
    let names = list.split(|byte| *byte == 0);
    let names = names.filter(|name| !name.is_empty());
    names.map(|name| path_of(OsStr::from_bytes(name))).collect()
}

fn path_of(name: &OsStr) -> PathBuf {
    Path::new(name).to_owned()
}

/// Returns output without the newline at its end.
fn line(output: &[u8]) -> &OsStr {
    OsStr::from_bytes(output.strip_suffix(b"\n").unwrap_or(output))
}

/// Returns git's message in one line.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first = first.map_or("nothing", str::trim);
    let said = first.strip_prefix("fatal: ").unwrap_or(first);
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_any_character_but_nul() {
        let list = b"a b\0new\nline\0\xff\0dir/\0";
        let expected = [&b"a b"[..], b"new\nline", b"\xff", b"dir/"];
        let expected = expected.map(|name| PathBuf::from(OsStr::from_bytes(name)));
        assert_eq!(names(list), expected);
        assert_eq!(names(b""), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn a_submodule_is_told_from_a_directory() {
        let entry = b"160000 commit 0a1b\tsub module\0";
        assert_eq!(submodule_commit(entry).as_deref(), Some("0a1b"));
        assert_eq!(submodule_commit(b"040000 tree 0a1b\tsub\0"), None);
        assert_eq!(submodule_commit(b""), None);
    }
}
