//! Why `maelstrom-go-test` failed before or during discovery.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use miette::Diagnostic;

use crate::sandbox::container::ContainerError;
use crate::sandbox::project_spec::ProjectSpecError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_model::job;

/// Why discovery gave up.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum GoError {
    /// There is no Go, or it does not start.
    #[error("can't start `go`")]
    #[diagnostic(help("install Go (https://go.dev/dl), or put its directory on PATH"))]
    Start {
        #[source]
        source: io::Error,
    },
    /// Go is too old.
    #[error("{version} is too old; Go 1.20 is the oldest that will do")]
    #[diagnostic(help("install a newer Go (https://go.dev/dl)"))]
    TooOld { version: String },
    /// Go's installation sets a flag that means something to us.
    #[error("Go's own settings hold `{flag}` in GOFLAGS, which has no effect there")]
    #[diagnostic(help(
        "say what you want of them: set the variable GOFLAGS, or `go env -w GOFLAGS=...`"
    ))]
    Flag { flag: String },
    /// The directory to change to can't be.
    #[error("can't change to {}", directory.display())]
    Directory {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    /// There is no module whose packages could be meant.
    #[error("there is no go.mod in {} or above it", directory.display())]
    #[diagnostic(help(
        "change to a module's directory (-C DIRECTORY), or make one of this: `go mod init NAME`"
    ))]
    NoModule {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A command of Go failed; this is what it said.
    #[error("{}", message(.stderr, .command))]
    Tool {
        command: &'static str,
        status: ExitStatus,
        stderr: String,
    },
    /// A command of Go said something that can't be read.
    #[error("`{command}` printed something unexpected")]
    #[diagnostic(help("this version of Go may be too new or too old"))]
    Form {
        command: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The build's output can't be read, or its end not awaited.
    #[error("can't follow the build")]
    Follow {
        #[source]
        source: io::Error,
    },
    /// Nothing could be built, and Go has said why.
    #[error("`go test` could not build anything ({status})")]
    Build { status: ExitStatus },
    /// There is no place for test binaries.
    #[error("can't keep test binaries in {}", path.display())]
    #[diagnostic(help("free it, or name another place with XDG_CACHE_HOME"))]
    Keep {
        /// Where they should be.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// There is no way for Go to hand over test binaries.
    #[error("can't listen for test binaries")]
    Listen {
        #[source]
        source: io::Error,
    },
    /// The default container can't be made for this project.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ContainerError),
    /// The project's file, or what it asks for.
    #[error(transparent)]
    #[diagnostic(forward(0))]
    Specified(Box<ProjectSpecError>),
}

impl From<ProjectSpecError> for GoError {
    fn from(error: ProjectSpecError) -> Self {
        GoError::Specified(Box::new(error))
    }
}

/// What the tool said, or at least that it failed.
fn message(stderr: &str, command: &str) -> String {
    let said = stderr.trim();
    let said = said.strip_prefix("go: ").unwrap_or(said);
    if said.is_empty() {
        format!("`{command}` failed and said nothing")
    } else {
        said.to_owned()
    }
}

/// The exit code that stands for how Go failed.
pub fn of_tool(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => exit_code::of_tool(job::ExitStatus::Code(code)),
        (None, Some(number)) => exit_code::of_tool(job::ExitStatus::Signal {
            number,
            core_dumped: status.core_dumped(),
        }),
        (None, None) => exit_code::INFRASTRUCTURE,
    };
    // A failure never looks like a success.
    match code {
        exit_code::SUCCESS => exit_code::INFRASTRUCTURE,
        code => code,
    }
}

impl ProgramError for GoError {
    fn exit_code(&self) -> u8 {
        match self {
            GoError::Tool { status, .. } | GoError::Build { status } => of_tool(*status),
            GoError::Specified(error) => error.exit_code(),
            // What `go test` exits with.
            GoError::NoModule { .. } => 1,
            GoError::Directory { .. } | GoError::Flag { .. } => exit_code::USAGE,
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
