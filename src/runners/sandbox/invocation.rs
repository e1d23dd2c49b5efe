//! The working directory and environment with which the program was started.
//!
//! All access to the state of the calling process goes through this module, so that tests can
//! replace it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use tokio::process::Command;

/// The environment variables of a process.
pub type ProcessEnvironment = BTreeMap<OsString, OsString>;

/// The working directory and environment of the program's invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The working directory, absolute.
    pub directory: PathBuf,
    pub environment: ProcessEnvironment,
    /// Whether the build's output should be colored.
    pub colors: ColorMode,
}

/// Whether output should be colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMode {
    Wanted,
    Unwanted,
}

impl Invocation {
    /// Returns the invocation of the current process. Fails if the working directory does not exist
    /// or its path cannot be determined.
    pub fn of_this_process(colors: ColorMode) -> std::io::Result<Invocation> {
        Ok(Invocation {
            directory: std::env::current_dir()?,
            environment: std::env::vars_os().collect(),
            colors,
        })
    }

    /// Returns the value of a variable, or `None` if it is unset or empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the value of a variable that holds a path, made absolute.
    pub fn path_variable(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(|value| self.directory.join(value))
    }

    /// Returns the user's cache directory (XDG Base Directory Specification), or `None` for a user
    /// without a home directory.
    pub fn cache_home(&self) -> Option<PathBuf> {
        self.base_directory("XDG_CACHE_HOME", ".cache")
    }

    /// Returns the user's state directory (XDG Base Directory Specification), or `None` for a user
    /// without a home directory.
    pub fn state_home(&self) -> Option<PathBuf> {
        self.base_directory("XDG_STATE_HOME", ".local/state")
    }

    fn base_directory(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        let home = || {
            let home = self.path_variable("HOME")?;
            // Service accounts often have a home directory that does not exist.
            home.is_dir().then(|| home.join(in_home))
        };
        self.path_variable(variable).or_else(home)
    }

    /// Returns a command that runs `program` as you would: in the same working directory, with the
    /// same environment, and with an empty stdin.
    pub fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.directory)
            .env_clear()
            .envs(&self.environment)
            .stdin(std::process::Stdio::null())
            // Dropping the discovery's future cancels it. This kills the processes that it started.
            .kill_on_drop(true);
        command
    }
}
