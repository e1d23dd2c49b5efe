//! Remembers programs that did not answer in time when asked to list their tests. They are not
//! asked again until they are rebuilt, since all that they would do is use up the timeout.
//!
//! The file in the project's state directory has a line per program: its modification time, size
//! and path. Errors are treated like an absent file.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use maelstrom_container::private;

/// The name of the file.
const FILE: &str = "without-answer";

/// The maximum number of programs that are remembered.
const PROGRAMS_MAX: usize = 1000;

/// The set of programs. See the module documentation.
#[derive(Debug)]
pub struct UnresponsivePrograms {
    file: PathBuf,
    programs: Mutex<BTreeSet<String>>,
}

impl UnresponsivePrograms {
    /// Loads the set from the file in `directory`.
    pub fn load(directory: &Path) -> UnresponsivePrograms {
        let file = directory.join(FILE);
        let text = fs::read_to_string(&file).unwrap_or_default();
        let programs = text.lines().take(PROGRAMS_MAX).map(str::to_owned).collect();
        UnresponsivePrograms {
            file,
            programs: Mutex::new(programs),
        }
    }

    /// Returns whether the program, in its current version, did not answer.
    pub fn holds(&self, program: &Path) -> bool {
        mark(program).is_some_and(|mark| self.programs().contains(&mark))
    }

    /// Adds a program that did not answer, and writes the file.
    pub fn add(&self, program: &Path) {
        let Some(mark) = mark(program) else {
            return;
        };
        let mut programs = self.programs();
        programs.insert(mark);
        // Drop entries of programs that have been rebuilt or deleted since.
        programs.retain(|known| {
            let path = known.splitn(3, ' ').nth(2);
            path.and_then(mark_of).as_deref() == Some(known)
        });
        let lines: String = programs.iter().map(|known| format!("{known}\n")).collect();
        if let Err(error) = write(&self.file, &lines) {
            tracing::debug!(%error, "what did not answer could not be written down");
        }
    }

    fn programs(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(program: &Path) -> Option<String> {
    mark_of(program.to_str().filter(|path| !path.contains('\n'))?)
}

fn mark_of(path: &str) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Some(format!(
        "{seconds}.{nanoseconds:09} {} {path}",
        metadata.len()
    ))
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    private::directory(directory)?;
    // Another run may read the file at the same time, so replace it atomically.
    let mut written = tempfile::NamedTempFile::new_in(directory)?;
    written.write_all(text.as_bytes())?;
    written.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_remembered_until_it_is_built_anew() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a b"), "1").unwrap();
        fs::write(at("other"), "1").unwrap();
        let remembered = UnresponsivePrograms::load(&at("state"));
        assert!(!remembered.holds(&at("a b")));
        remembered.add(&at("a b"));
        remembered.add(&at("other"));
        remembered.add(&at("missing"));
        let again = UnresponsivePrograms::load(&at("state"));
        assert!(again.holds(&at("a b")) && again.holds(&at("other")));
        assert!(!again.holds(&at("missing")));
        fs::write(at("a b"), "longer").unwrap();
        assert!(!again.holds(&at("a b")));
        again.add(&at("other"));
        let text = fs::read_to_string(at("state").join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
