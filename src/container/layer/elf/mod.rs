//! Finds the shared libraries that a program needs as `ld.so(8)` does, by reading files: `ldd`
//! would run the program.
//!
//! Supports `DT_NEEDED`, `DT_RPATH` and `DT_RUNPATH` with `$ORIGIN`, `$LIB` and `$PLATFORM`, a
//! library path as in `LD_LIBRARY_PATH`, `/etc/ld.so.cache` and the system's directories. For a
//! program with musl's loader it follows that loader's rules.
//!
//! Not supported: `/etc/ld.so.preload`, `LD_PRELOAD`, and what a program opens with `dlopen(3)`.

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

/// Everything that a program needs besides itself, its loader included, in the order in which the
/// loader would meet it. Nothing for a static program.
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
    // The kernel tells a program's origin with all links resolved.
    let origin = std::fs::canonicalize(binary).unwrap_or_else(|_| binary.to_owned());
    let mut objects = vec![ElfObject::new(origin, program, None)];
    let mut waiting = VecDeque::from([0]);
    while let Some(index) = waiting.pop_front() {
        let needed = objects
            .get(index)
            .map_or_else(Vec::new, |object| object.file.needed.clone());
        for name in needed {
            // The loader takes what it has loaded under this name or SONAME, wherever that came
            // from.
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

/// What was found so far; a library is met once, by whatever of its names.
#[derive(Default)]
struct FoundLibraries {
    paths: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    names: HashSet<OsString>,
}

impl FoundLibraries {
    /// Whether it is new.
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
