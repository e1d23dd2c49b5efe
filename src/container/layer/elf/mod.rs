//! Finds the shared libraries that a program needs, following the rules of `ld.so(8)`. It only
//! reads files, whereas `ldd` would run the program.
//!
//! Supports `DT_NEEDED`, `DT_RPATH` and `DT_RUNPATH` with `$ORIGIN`, `$LIB` and `$PLATFORM`, a
//! library path as in `LD_LIBRARY_PATH`, `/etc/ld.so.cache` and the system's directories. For a
//! program with musl's loader, it follows the rules of that loader.
//!
//! Not supported are `/etc/ld.so.preload`, `LD_PRELOAD`, and libraries that a program opens with
//! `dlopen(3)`.

mod cache;
mod error;
mod file;
mod search;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

pub use cache::LoaderCache;
pub use error::ElfError;
pub use file::ElfFileError;

use file::ElfFile;
use search::{ElfObject, SystemLibraries};

/// Returns all files that a program needs apart from itself, including its loader, in the order in
/// which the loader opens them. Returns nothing for a static program.
pub fn closure(binary: &Path, library_path: &[PathBuf]) -> Result<Vec<PathBuf>, ElfError> {
    closure_on(binary, library_path, SystemLibraries::host)
}

fn closure_on(
    binary: &Path,
    library_path: &[PathBuf],
    system: impl FnOnce(&ElfFile) -> SystemLibraries,
) -> Result<Vec<PathBuf>, ElfError> {
    let program = read(binary)?;
    let system = system(&program);
    let mut found = FoundLibraries::default();
    if let Some(loader) = &program.interpreter {
        if !loader.is_file() {
            return Err(ElfError::NoLoader {
                loader: loader.clone(),
            });
        }
        found.take(loader.clone(), loader.file_name(), &read(loader)?);
    }
    let machine = program.machine;
    // The kernel reports the path of a program with all symbolic links resolved.
    let origin = std::fs::canonicalize(binary).unwrap_or_else(|_| binary.to_owned());
    let mut objects = vec![ElfObject::new(origin, program, None)];
    let mut waiting = VecDeque::from([0]);
    while let Some(index) = waiting.pop_front() {
        let needed = objects
            .get(index)
            .map_or_else(Vec::new, |object| object.file.needed.clone());
        for name in needed {
            // The loader reuses a library that it has loaded under this name or SONAME, whatever
            // its path.
            if found.names.contains(&name) || system.is_part_of_loader(&name) {
                continue;
            }
            let (path, file) = system.find(&name, index, &objects, library_path, machine)?;
            if found.take(path.clone(), Some(&name), &file) {
                waiting.push_back(objects.len());
                objects.push(ElfObject::new(path, file, Some(index)));
            }
        }
    }
    Ok(found.paths)
}

/// The libraries found so far. A library that is needed under several names is listed once.
#[derive(Default)]
struct FoundLibraries {
    paths: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    names: HashSet<OsString>,
}

impl FoundLibraries {
    /// Adds a library. Returns whether it is new.
    fn take(&mut self, path: PathBuf, name: Option<&OsStr>, file: &ElfFile) -> bool {
        self.names.extend(name.map(OsStr::to_owned));
        self.names.extend(file.soname.clone());
        let new = self.seen.insert(path.clone());
        if new {
            self.paths.push(path);
        }
        new
    }
}

fn read(path: &Path) -> Result<ElfFile, ElfError> {
    ElfFile::read(path).map_err(|source| ElfError::Unusable {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
