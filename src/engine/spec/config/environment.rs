//! Provides variables and files as a trait, so that resolving values does not access the machine
//! directly.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The environment variables and files that contain configuration values.
pub trait ConfigEnvironment {
    /// Returns the value of a variable.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// Returns the names of all variables.
    fn variable_names(&self) -> Vec<OsString>;

    /// Reads a file as text.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Returns the current directory, from which a project's files are looked for. Without one,
    /// there is no project.
    fn directory(&self) -> Option<PathBuf> {
        None
    }
}

/// The environment and files of this process.
#[derive(Clone, Copy, Debug)]
pub struct ThisProcess;

impl ConfigEnvironment for ThisProcess {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn variable_names(&self) -> Vec<OsString> {
        std::env::vars_os().map(|(name, _)| name).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn directory(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }
}
