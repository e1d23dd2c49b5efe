//! Errors in the command line of `maelstrom-run`.

use std::ffi::OsString;

use super::escape::EscapeCharacterError;
use super::mount::MountError;

/// Options that don't mean anything.
#[derive(Debug, thiserror::Error)]
pub enum RunCommandOptionsError {
    /// No job.
    #[error("there is nothing to run")]
    Nothing,
    /// A program where a whole input is run.
    #[error("`{}` is named next to `--file`, whose jobs have programs of their own", program.display())]
    ProgramWithFile {
        /// The program.
        program: OsString,
    },
    /// A container for jobs that have their own.
    #[error("`{option}` is for a program named on the command line, not for jobs of an input")]
    ContainerOfInput {
        /// The option.
        option: &'static str,
    },
    /// Files whose change would mean something.
    #[error("`--watch` is for tests: nobody knows which files a job is about")]
    Watch,
    /// A mount.
    #[error("invalid `--mount`: {0}")]
    Mount(#[from] MountError),
    /// A variable.
    #[error("`--env={text}` names no variable")]
    Variable {
        /// What was said.
        text: String,
    },
    /// The escape character.
    #[error("invalid `--escape-char`: {0}")]
    Escape(#[from] EscapeCharacterError),
}

impl RunCommandOptionsError {
    /// What to do about it, if more can be said than what is wrong.
    pub fn help(&self) -> Option<String> {
        match self {
            RunCommandOptionsError::Nothing => Some(
                "name a program (`maelstrom-run -- ls -l /`), or a file of jobs with `--file`, or \
                 write jobs to standard input"
                    .to_owned(),
            ),
            RunCommandOptionsError::ProgramWithFile { .. } => {
                Some("`--one` runs it in the container of the file's first job".to_owned())
            }
            RunCommandOptionsError::Watch => None,
            RunCommandOptionsError::ContainerOfInput { .. } => {
                Some("say it in the job's own fields".to_owned())
            }
            RunCommandOptionsError::Mount(_) => Some(
                "write type=bind,source=PATH,target=PATH[,readonly], or type=tmp,target=PATH"
                    .to_owned(),
            ),
            RunCommandOptionsError::Variable { .. } => Some("write NAME=VALUE, or NAME".to_owned()),
            RunCommandOptionsError::Escape(_) => Some(
                "write the character itself, `^` and a letter, or an escape such as `\\x1d`"
                    .to_owned(),
            ),
        }
    }
}
