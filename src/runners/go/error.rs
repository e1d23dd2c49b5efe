//! The errors of `maelstrom-go-test` before and during discovery.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use miette::Diagnostic;

use crate::changed::ChangedError;
use crate::process::of_tool;
use crate::sandbox::container::ContainerError;
use crate::sandbox::project_spec::ProjectSpecError;
use crate::sharing::SharingError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// The error of a failed discovery.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum GoError {
    /// Go is not installed, or cannot be started.
    #[error("can't start `go`")]
    #[diagnostic(help("install Go (https://go.dev/dl), or put its directory on PATH"))]
    Start {
        #[source]
        source: io::Error,
    },
    /// Tests cannot share a process as the project wants it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sharing(#[from] SharingError),
    /// The installed Go is too old.
    #[error("{version} is too old; Go 1.20 is the oldest that will do")]
    #[diagnostic(help("install a newer Go (https://go.dev/dl)"))]
    TooOld { version: String },
    /// The settings of the Go installation contain a flag that this program would have to
    /// interpret.
    #[error("Go's own settings hold `{flag}` in GOFLAGS, which has no effect there")]
    #[diagnostic(help(
        "say what you want of them: set the variable GOFLAGS, or `go env -w GOFLAGS=...`"
    ))]
    Flag { flag: String },
    /// The working directory cannot be changed.
    #[error("can't change to {}", directory.display())]
    Directory {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The directory belongs to no module.
    #[error("there is no go.mod in {} or above it", directory.display())]
    #[diagnostic(help(
        "change to a module's directory (-C DIRECTORY), or make one of this: `go mod init NAME`"
    ))]
    NoModule {
        /// The directory where the search began.
        directory: PathBuf,
    },
    /// A command of Go failed; the message is its own.
    #[error("{}", message(.stderr, .command))]
    Tool {
        command: &'static str,
        status: ExitStatus,
        stderr: String,
    },
    /// The output of a command of Go cannot be parsed.
    #[error("`{command}` printed something unexpected")]
    #[diagnostic(help("this version of Go may be too new or too old"))]
    Form {
        command: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// The build's output cannot be read, or its exit status not be determined.
    #[error("can't follow the build")]
    Follow {
        #[source]
        source: io::Error,
    },
    /// Nothing could be built; Go has printed the reason.
    #[error("`go test` could not build anything ({status})")]
    Build { status: ExitStatus },
    /// The directory for test binaries cannot be created or written.
    #[error("can't keep test binaries in {}", path.display())]
    #[diagnostic(help("free it, or name another place with XDG_CACHE_HOME"))]
    Keep {
        /// The directory or file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The socket for Go to hand over test binaries cannot be opened.
    #[error("can't listen for test binaries")]
    Listen {
        #[source]
        source: io::Error,
    },
    /// The changed files cannot be known.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Changed(#[from] ChangedError),
    /// The default container cannot be created for this project.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ContainerError),
    /// The project's container file, or something that it refers to, is invalid.
    #[error(transparent)]
    #[diagnostic(forward(0))]
    Specified(Box<ProjectSpecError>),
}

impl From<ProjectSpecError> for GoError {
    fn from(error: ProjectSpecError) -> Self {
        GoError::Specified(Box::new(error))
    }
}

/// Returns the tool's message, or a message that it failed without one.
fn message(stderr: &str, command: &str) -> String {
    let said = stderr.trim();
    let said = said.strip_prefix("go: ").unwrap_or(said);
    if said.is_empty() {
        format!("`{command}` failed and said nothing")
    } else {
        said.to_owned()
    }
}

impl ProgramError for GoError {
    fn exit_code(&self) -> u8 {
        match self {
            GoError::Tool { status, .. } | GoError::Build { status } => of_tool(*status),
            GoError::Specified(error) => error.exit_code(),
            GoError::Changed(error) => error.exit_code(),
            // The exit code of `go test` in this case.
            GoError::NoModule { .. } => 1,
            GoError::Directory { .. } | GoError::Flag { .. } | GoError::Sharing(_) => {
                exit_code::USAGE
            }
            GoError::Start { .. }
            | GoError::TooOld { .. }
            | GoError::Form { .. }
            | GoError::Follow { .. }
            | GoError::Keep { .. }
            | GoError::Listen { .. }
            | GoError::Container(_) => exit_code::INFRASTRUCTURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_tool_speaks_for_itself() {
        let error = GoError::Tool {
            command: "go list",
            status: ExitStatus::from_raw(1 << 8),
            stderr: "go: cannot find main module\n".to_owned(),
        };
        assert_eq!(error.to_string(), "cannot find main module");
        assert_eq!(error.exit_code(), 1);
        let silent = GoError::Tool {
            command: "go env",
            status: ExitStatus::from_raw(9),
            stderr: String::new(),
        };
        assert_eq!(silent.to_string(), "`go env` failed and said nothing");
        assert_eq!(silent.exit_code(), 137);
    }
}
