//! The errors of `--changed-since`.

use std::io;
use std::path::PathBuf;

use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use miette::Diagnostic;

/// The error of files whose changes cannot be known.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ChangedError {
    /// git is not installed, or cannot be started.
    #[error("can't start `git`, which `--changed-since` needs")]
    #[diagnostic(help("install git, or put its directory on PATH"))]
    Start {
        #[source]
        source: io::Error,
    },
    /// The project is in no work tree of git.
    #[error("`--changed-since` needs a git work tree; git says of {}: {said}", directory.display())]
    #[diagnostic(help("leave out --changed-since to run all tests"))]
    Repository { directory: PathBuf, said: String },
    /// The repository has no such commit.
    #[error("`--changed-since {reference}`: the repository has no such commit")]
    #[diagnostic(help("{help}"))]
    Reference { reference: String, help: String },
    /// git failed at something that works in every repository.
    #[error("`git {command}` failed: {said}")]
    Git { command: &'static str, said: String },
}

impl ProgramError for ChangedError {
    fn exit_code(&self) -> u8 {
        match self {
            ChangedError::Repository { .. } | ChangedError::Reference { .. } => exit_code::USAGE,
            ChangedError::Start { .. } | ChangedError::Git { .. } => exit_code::INFRASTRUCTURE,
        }
    }
}
