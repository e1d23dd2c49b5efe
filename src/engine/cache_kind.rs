//! Marks a cache directory with the kind of program that owns it.
//!
//! Brokers, workers and clients store contents in the same format, but each evicts what it does not
//! need itself. So a directory is marked for one kind of program, and the other kinds refuse to use
//! it.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use maelstrom_model::error::ProgramError;

/// The name of the file that contains the mark.
const MARK: &str = "kind";

/// A file in every broker directory. It identifies directories created before marks existed.
const BROKER_LOCK: &str = "owner";

/// The kind of program that owns a cache directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// The broker's cache: the contents of all clients, and the journal.
    Broker,
    /// A worker's cache: the inputs of jobs.
    Worker,
    /// A test runner's cache: layers and images.
    Client,
}

/// Why a directory is refused.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CacheKindError {
    /// The directory belongs to another kind of program.
    #[error("the directory {} is {of}'s cache, and {wanted} needs one of its own", path.display())]
    #[diagnostic(help("name another with `--cache-root`"))]
    Taken {
        path: PathBuf,
        of: CacheKind,
        wanted: CacheKind,
    },
    /// The mark cannot be read or written.
    #[error("cannot see or say whose cache {} is", path.display())]
    #[diagnostic(help(
        "make it readable and writable for you, or name another with `--cache-root`"
    ))]
    File { path: PathBuf, source: io::Error },
}

impl ProgramError for CacheKindError {}

impl CacheKind {
    const ALL: [CacheKind; 3] = [CacheKind::Broker, CacheKind::Worker, CacheKind::Client];

    fn mark(self) -> &'static str {
        match self {
            CacheKind::Broker => "broker\n",
            CacheKind::Worker => "worker\n",
            CacheKind::Client => "client\n",
        }
    }

    /// Checks that a directory does not belong to another kind. The directory need not exist.
    pub fn check(self, root: &Path) -> Result<(), CacheKindError> {
        match of(root)? {
            Some(of) if of != self => Err(CacheKindError::Taken {
                path: root.to_owned(),
                of,
                wanted: self,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Marks a directory for this kind, unless it belongs to another.
    pub fn claim(self, root: &Path) -> Result<(), CacheKindError> {
        self.check(root)?;
        let path = root.join(MARK);
        // The mark is created atomically and only if there is none, because two programs may start
        // at the same time.
        let marked = tempfile::NamedTempFile::new_in(root).and_then(|mut file| {
            file.write_all(self.mark().as_bytes())?;
            match file.persist_noclobber(&path) {
                Ok(_) => Ok(()),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error.error),
            }
        });
        marked.map_err(|source| CacheKindError::File { path, source })?;
        self.check(root)
    }
}

fn of(root: &Path) -> Result<Option<CacheKind>, CacheKindError> {
    let path = root.join(MARK);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let mut kinds = CacheKind::ALL.into_iter();
            // A mark that only another release knows counts as none.
            Ok(kinds.find(|kind| kind.mark() == text))
        }
        Err(error) if is_absent(&error) => match root.join(BROKER_LOCK).is_file() {
            true => Ok(Some(CacheKind::Broker)),
            false => Ok(None),
        },
        Err(source) => Err(CacheKindError::File { path, source }),
    }
}

/// Returns whether there is no mark. The code that opens the directory reports a path that is not a
/// directory.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl fmt::Display for CacheKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            CacheKind::Broker => "a broker",
            CacheKind::Worker => "a worker",
            CacheKind::Client => "a test program",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::error::help_of;

    #[test]
    fn a_directory_is_for_one_kind_of_program() {
        for first in CacheKind::ALL {
            for second in CacheKind::ALL {
                let directory = tempfile::tempdir().unwrap();
                first.claim(directory.path()).unwrap();
                first.claim(directory.path()).unwrap();
                let answers = [
                    second.check(directory.path()),
                    second.claim(directory.path()),
                ];
                for answer in answers {
                    assert_eq!(answer.is_ok(), first == second, "{first} {second}");
                    if let Err(error) = answer {
                        let text = error.to_string();
                        assert!(text.contains(&format!("{first}'s cache")), "{text}");
                        assert!(help_of(&error).unwrap().contains("--cache-root"));
                    }
                }
            }
        }
    }

    #[test]
    fn one_that_a_broker_had_before_there_were_marks_is_a_brokers() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(BROKER_LOCK), "").unwrap();
        CacheKind::Worker.check(directory.path()).unwrap_err();
        CacheKind::Broker.claim(directory.path()).unwrap();
    }

    #[test]
    fn one_that_is_not_there_is_nobodys() {
        let directory = tempfile::tempdir().unwrap();
        for kind in CacheKind::ALL {
            kind.check(&directory.path().join("missing")).unwrap();
        }
    }
}
