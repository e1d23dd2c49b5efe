//! The program's working directory, arguments and environment.
//!
//! Everything that depends on the calling process goes through here, so that the rest can be tested
//! with any process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use tokio::process::Command;

/// A process's environment.
pub type ProcessEnvironment = BTreeMap<OsString, OsString>;

/// Where and with what the program was called.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The working directory, absolute.
    pub directory: PathBuf,
    pub environment: ProcessEnvironment,
    /// Whether what the build writes should have colors.
    pub colors: ColorMode,
}

/// Whether colors are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMode {
    Wanted,
    Unwanted,
}

impl Invocation {
    /// This process's own.
    pub fn of_this_process(colors: ColorMode) -> std::io::Result<Invocation> {
        Ok(Invocation {
            directory: std::env::current_dir()?,
            environment: std::env::vars_os().collect(),
            colors,
        })
    }

    /// The value of a variable, unless it is unset or empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable that holds a path, made absolute.
    pub fn path_variable(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(|value| self.directory.join(value))
    }

    /// Where programs keep what they can make again (XDG base directories); `None` for a user
    /// without a home.
    pub fn cache_home(&self) -> Option<PathBuf> {
        self.base_directory("XDG_CACHE_HOME", ".cache")
    }

    /// Where programs keep what they have seen (XDG base directories); `None` for a user without a
    /// home.
    pub fn state_home(&self) -> Option<PathBuf> {
        self.base_directory("XDG_STATE_HOME", ".local/state")
    }

    fn base_directory(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        let home = || {
            let home = self.path_variable("HOME")?;
            // Users that exist for one service are often given a home that is not there.
            home.is_dir().then(|| home.join(in_home))
        };
        self.path_variable(variable).or_else(home)
    }

    /// A program to be run just as the user would run it: same place, same environment, and
    /// nothing to read.
    pub fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.directory)
            .env_clear()
            .envs(&self.environment)
            .stdin(std::process::Stdio::null())
            // Dropping a discovery cancels it, and this ends what it has started.
            .kill_on_drop(true);
        command
    }
}
