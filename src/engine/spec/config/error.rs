//! The errors and warnings of resolving values.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use crate::document::DocumentError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// Something in a configuration file or a variable that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// What.
    pub text: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// An error of resolving values.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ConfigError {
    /// The command line: a mistake, or a request for help. `clap` prints both, to where each
    /// belongs.
    #[error(transparent)]
    CommandLine(Box<clap::Error>),
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    #[diagnostic(help("name another one by --config-file, or `-` for none"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in a configuration file is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(DocumentError),
    /// Something in a variable is wrong.
    #[error("the variable {name}: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl ProgramError for ConfigError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}
