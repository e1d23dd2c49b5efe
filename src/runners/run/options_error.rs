//! Errors in the command line of `maelstrom-run`.

use std::ffi::OsString;

use miette::Diagnostic;

use super::escape::EscapeCharacterError;
use super::mount::MountError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// Options that don't mean anything.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum RunCommandOptionsError {
    /// No job.
    #[error("there is nothing to run")]
    #[diagnostic(help(
        "name a program (`maelstrom-run -- ls -l /`), or a file of jobs with `--file`, or write \
         jobs to standard input"
    ))]
    Nothing,
    /// A program where a whole input is run.
    #[error("`{}` is named next to `--file`, whose jobs have programs of their own", program.display())]
    #[diagnostic(help("`--one` runs it in the container of the file's first job"))]
    ProgramWithFile {
        /// The program.
        program: OsString,
    },
    /// A container for jobs that have their own.
    #[error("`{option}` is for a program named on the command line, not for jobs of an input")]
    #[diagnostic(help("say it in the job's own fields"))]
    ContainerOfInput {
        /// The option.
        option: &'static str,
    },
    /// Files whose change would mean something.
    #[error("`--watch` is for tests: nobody knows which files a job is about")]
    Watch,
    /// A mount.
    #[error("invalid `--mount`: {0}")]
    #[diagnostic(help(
        "write type=bind,source=PATH,target=PATH[,readonly], or type=tmp,target=PATH"
    ))]
    Mount(#[from] MountError),
    /// A variable.
    #[error("`--env={text}` names no variable")]
    #[diagnostic(help("write NAME=VALUE, or NAME"))]
    Variable {
        /// What was said.
        text: String,
    },
    /// The escape character.
    #[error("invalid `--escape-char`: {0}")]
    #[diagnostic(help(
        "write the character itself, `^` and a letter, or an escape such as `\\x1d`"
    ))]
    Escape(#[from] EscapeCharacterError),
}

impl ProgramError for RunCommandOptionsError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}
