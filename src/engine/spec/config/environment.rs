//! The sources of values besides the command line: variables and files, as a trait, so that
//! resolving values does not access this machine by itself.

use std::ffi::OsString;
use std::io;
use std::path::Path;

/// The environment and the files that values come from.
pub trait ConfigEnvironment {
    /// A variable.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The names of all variables.
    fn variable_names(&self) -> Vec<OsString>;

    /// A file's text.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// This process's environment and files.
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
}
