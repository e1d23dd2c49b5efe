//! Errors in the command line of `maelstrom-run`.

use std::ffi::OsString;

use miette::Diagnostic;

use super::escape::EscapeCharacterError;
use super::mount::MountError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// The error of options that contradict each other or are invalid.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum RunCommandOptionsError {
    /// Neither a program nor an input with jobs.
    #[error("there is nothing to run")]
    #[diagnostic(help(
        "name a program (`maelstrom-run -- ls -l /`), or a file of jobs with `--file`, or write \
         jobs to standard input"
    ))]
    Nothing,
    /// A program together with a file whose jobs all run.
    #[error("`{}` is named next to `--file`, whose jobs have programs of their own", program.display())]
    #[diagnostic(help("`--one` runs it in the container of the file's first job"))]
    ProgramWithFile {
        /// The program that the command line names.
        program: OsString,
    },
    /// A container option for jobs that have their own containers.
    #[error("`{option}` is for a program named on the command line, not for jobs of an input")]
    #[diagnostic(help("say it in the job's own fields"))]
    ContainerOfInput {
        /// The option that does not apply.
        option: &'static str,
    },
    /// `--watch`, which needs tests whose files are known.
    #[error("`--watch` is for tests: nobody knows which files a job is about")]
    Watch,
    /// A report about a job that has the terminal.
    #[error(
        "`--junit` and `--record` are for jobs whose output is read, and with `--tty` a job has the \
         terminal"
    )]
    #[diagnostic(help("leave out one of them"))]
    TerminalReport,
    /// An invalid value of `--mount`.
    #[error("invalid `--mount`: {0}")]
    #[diagnostic(help(
        "write type=bind,source=PATH,target=PATH[,readonly], or type=tmp,target=PATH"
    ))]
    Mount(#[from] MountError),
    /// An invalid value of `--env`.
    #[error("`--env={text}` names no variable")]
    #[diagnostic(help("write NAME=VALUE, or NAME"))]
    Variable {
        /// The value of the option.
        text: String,
    },
    /// An invalid value of `--escape-char`.
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
