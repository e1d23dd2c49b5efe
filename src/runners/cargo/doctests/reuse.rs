//! Keeps the doctests of a library for later runs in which nothing has changed.
//!
//! cargo runs rustdoc each time, and rustdoc compiles each time. What doctests are compiled from
//! ([`inputs`](super::inputs)) is compared with the run that kept them. It is also compared before and
//! after rustdoc runs; what changes meanwhile, or has just changed, is not kept.
//!
//! Each library has one entry, a directory with the programs and their description. The programs of
//! a run are hard links to them, so an entry may be replaced while another run uses it. Whatever is
//! wrong with an entry, rustdoc runs.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use maelstrom_container::private;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::captured::{CapturedLibrary, CapturedResult};
use super::inputs::{DoctestInputs, InputSources, add};
use super::protocol::{REUSE, ReusePlaces};

/// The maximum size of the programs of all libraries of a target directory, 1 GiB.
const KEPT_BYTES_MAX: u64 = 1 << 30;

/// The file that describes an entry.
const DESCRIPTION: &str = "doctests.json";

/// The name of an entry until it is complete.
const INCOMPLETE: &str = "kept";

/// An entry, as its file describes it.
#[derive(Serialize, Deserialize)]
struct KeptDescription {
    /// The digest of what the doctests were compiled from.
    inputs: String,
    /// The size of the programs.
    size_bytes: u64,
    /// The doctests. The paths of programs start at the entry.
    library: CapturedLibrary,
}

/// The doctests of one library in this run and in others.
pub(super) struct DoctestReuse<'a> {
    sources: InputSources<'a>,
    inputs: DoctestInputs,
}

impl<'a> DoctestReuse<'a> {
    /// Looks at what the doctests will be compiled from. Returns `None` if that is not known, or if
    /// only some doctests of the library are selected.
    pub(super) fn new(
        rustdoc: &'a OsStr,
        arguments: &'a [OsString],
        for_tests: &[String],
    ) -> Option<DoctestReuse<'a>> {
        let places = std::env::var(REUSE).ok()?;
        let places: ReusePlaces = serde_json::from_str(&places).ok()?;
        if for_tests.iter().any(|word| !word.starts_with('-')) {
            return None;
        }
        let sources = InputSources::new(rustdoc, arguments, for_tests, places).ok()?;
        let inputs = sources.inputs().ok()?;
        Some(DoctestReuse { sources, inputs })
    }

    /// Returns the doctests of an earlier run if nothing has changed, with their programs in
    /// `directory`.
    pub(super) fn take(&self, directory: &Path) -> Option<CapturedLibrary> {
        let entry = self.entry();
        let description = read(&entry)?;
        if description.inputs != self.inputs.digest {
            return None;
        }
        let mut library = description.library;
        for program in programs(&library) {
            let place = directory.join(&program);
            private::new_directory(place.parent()?).ok()?;
            fs::hard_link(entry.join(&program), place).ok()?;
        }
        // Another process may have replaced the entry, and with it the programs.
        if read(&entry)?.inputs != self.inputs.digest {
            return None;
        }
        move_programs(&mut library, |path| Some(directory.join(path)))?;
        Some(library)
    }

    /// Keeps the doctests of this run, whose programs are in `directory`, in place of those of an
    /// earlier run. Does nothing if they may not be what they would be in the next run.
    pub(super) fn keep(&self, captured: &CapturedLibrary, directory: &Path) -> io::Result<()> {
        let entry = self.entry();
        match fs::remove_dir_all(&entry) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let have_changed = || -> io::Result<bool> { Ok(self.sources.inputs()? != self.inputs) };
        if !self.inputs.stable || !is_complete(captured) || have_changed()? {
            return Ok(());
        }
        let mut library = captured.clone();
        let relative = |path: &Path| path.strip_prefix(directory).ok().map(Path::to_owned);
        let Some(()) = move_programs(&mut library, relative) else {
            return Ok(());
        };
        let programs = programs(&library);
        let mut size_bytes = 0;
        for program in &programs {
            size_bytes += fs::metadata(directory.join(program))?.len();
        }
        private::directory(&self.sources.places.kept)?;
        if kept_bytes(&self.sources.places.kept)? + size_bytes > KEPT_BYTES_MAX {
            return Ok(());
        }
        // The directory of a killed run is removed, and an incomplete entry with it.
        let incomplete = directory.join(INCOMPLETE);
        private::new_directory(&incomplete)?;
        for program in programs {
            let place = incomplete.join(&program);
            if let Some(parent) = place.parent() {
                private::directory(parent)?;
            }
            fs::hard_link(directory.join(&program), place)?;
        }
        let description = KeptDescription {
            inputs: self.inputs.digest.clone(),
            size_bytes,
            library,
        };
        let description = serde_json::to_vec(&description)?;
        private::write(&incomplete.join(DESCRIPTION), &description)?;
        fs::rename(&incomplete, &entry)
    }

    /// Returns the directory of the library's entry.
    fn entry(&self) -> PathBuf {
        let mut key = Sha256::new();
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
        add(&mut key, package.as_bytes());
        // Programs for another platform are not in the way.
        let mut words = self.sources.arguments.iter();
        let flag = words.find(|word| *word == "--target");
        let target = flag.and_then(|_| words.next());
        add(&mut key, target.map_or(b"", |word| word.as_bytes()));
        self.sources
            .places
            .kept
            .join(HEXLOWER.encode(&key.finalize()))
    }
}

/// Returns whether everything about a library's doctests is known, and there is nothing to tell that
/// rustdoc would tell again.
fn is_complete(captured: &CapturedLibrary) -> bool {
    let has_failed = |result: &CapturedResult| match result {
        CapturedResult::Failed { .. } => true,
        CapturedResult::Ignored { .. } | CapturedResult::Passed | CapturedResult::Runs(_) => false,
    };
    let mut doctests = captured.doctests.iter();
    captured.problems.is_empty() && !doctests.any(|doctest| has_failed(&doctest.result))
}

fn read(entry: &Path) -> Option<KeptDescription> {
    serde_json::from_slice(&fs::read(entry.join(DESCRIPTION)).ok()?).ok()
}

/// Returns the size of the programs in all entries.
fn kept_bytes(kept: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(kept)? {
        sum += read(&entry?.path()).map_or(0, |description| description.size_bytes);
    }
    Ok(sum)
}

fn programs(library: &CapturedLibrary) -> BTreeSet<PathBuf> {
    let programs = library
        .doctests
        .iter()
        .filter_map(|doctest| doctest.program());
    programs.map(Path::to_owned).collect()
}

/// Replaces the paths of programs. Returns `None` if one has no other path.
fn move_programs(
    library: &mut CapturedLibrary,
    moved: impl Fn(&Path) -> Option<PathBuf>,
) -> Option<()> {
    for doctest in &mut library.doctests {
        match &mut doctest.result {
            CapturedResult::Runs(program) => program.path = moved(&program.path)?,
            CapturedResult::Ignored { .. }
            | CapturedResult::Passed
            | CapturedResult::Failed { .. } => {}
        }
    }
    Some(())
}
