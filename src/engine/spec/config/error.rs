//! The errors and warnings of resolving configuration values.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use crate::document::DocumentError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// A setting in a configuration file or a variable that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// The warning message.
    pub text: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// Why the configuration values cannot be resolved.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ConfigError {
    /// A mistake on the command line, or a request for help. `clap` prints either to the
    /// appropriate stream.
    #[error(transparent)]
    CommandLine(Box<clap::Error>),
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    #[diagnostic(help("name another one by --config-file, or `-` for none"))]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A configuration file contains a mistake.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(DocumentError),
    /// No file of the project has a profile of this name.
    #[error("there is no profile `{name}`")]
    #[diagnostic(help("{help}"))]
    UnknownProfile {
        /// The name that was asked for.
        name: String,
        /// Which profiles there are.
        help: String,
    },
    /// A variable has an invalid value.
    #[error("the variable {name}: {reason}")]
    Variable {
        /// The name of the variable.
        name: String,
        /// What is wrong with the value.
        reason: String,
    },
}

impl ProgramError for ConfigError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}
