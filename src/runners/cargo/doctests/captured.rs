//! What rustdoc reports about the doctests of one library.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cargo::error::CargoError;

/// The doctests of one library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cargo) struct CapturedLibrary {
    /// The directory of the package's manifest.
    pub package_directory: PathBuf,
    pub doctests: Vec<CapturedDoctest>,
    /// The number of doctests that the names on the command line left out.
    pub filtered_out: u32,
    /// Why doctests may be missing.
    pub problems: Vec<String>,
}

/// A doctest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cargo) struct CapturedDoctest {
    /// Its name without the suffix of its mode.
    pub name: String,
    /// The suffix with which rustdoc prints its mode, such as `compile fail`; may be empty.
    pub mode: String,
    pub result: CapturedResult,
}

/// What is known of a doctest after rustdoc has compiled it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cargo) enum CapturedResult {
    /// It was not compiled, because its author ignores it.
    Ignored {
        /// The reason, if there is one.
        reason: Option<String>,
    },
    /// It compiles, or does not compile, as it should; there is nothing to run.
    Passed,
    /// It does not compile although it should, or vice versa.
    Failed {
        /// rustdoc's and the compiler's messages.
        output: String,
    },
    /// A program shows whether it passes.
    Runs(DoctestProgram),
}

/// The program of a doctest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cargo) struct DoctestProgram {
    pub path: PathBuf,
    /// The doctest's number in the program, if the program contains several.
    pub number: Option<u32>,
    pub passes: PassCondition,
}

/// When a doctest's program has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cargo) enum PassCondition {
    /// It exits with 0.
    Success,
    /// It fails in any way: what rustdoc requires of a doctest marked `should_panic` that has a
    /// program of its own.
    Failure,
    /// It panics: what merged doctests that are marked `should_panic` have to do.
    Panic,
}

impl CapturedLibrary {
    /// Reads the file that the wrapper of rustdoc has written.
    pub(in crate::cargo) fn read(file: &Path) -> Result<CapturedLibrary, CargoError> {
        let read = std::fs::read(file).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        read.map_err(|source| CargoError::Keep {
            path: file.to_owned(),
            source,
        })
    }
}

impl CapturedDoctest {
    /// Returns the path of its program, if it has one.
    pub(in crate::cargo) fn program(&self) -> Option<&Path> {
        match &self.result {
            CapturedResult::Runs(program) => Some(&program.path),
            CapturedResult::Ignored { .. }
            | CapturedResult::Passed
            | CapturedResult::Failed { .. } => None,
        }
    }

    /// Returns the name as rustdoc prints it.
    pub(in crate::cargo) fn shown_name(&self) -> String {
        match self.mode.as_str() {
            "" => self.name.clone(),
            mode => format!("{} - {mode}", self.name),
        }
    }
}
