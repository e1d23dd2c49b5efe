//! The errors and warnings of resolving configuration values.

use std::io;
use std::path::PathBuf;

use crate::document::DocumentError;

/// A setting in a configuration file or a variable that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// The warning message.
    pub text: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// Why the configuration values cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A mistake on the command line, or a request for help. `clap` prints either to the
    /// appropriate stream.
    #[error(transparent)]
    CommandLine(Box<clap::Error>),
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A configuration file contains a mistake.
    #[error(transparent)]
    File(DocumentError),
    /// A variable has an invalid value.
    #[error("the variable {name}: {reason}")]
    Variable {
        /// The name of the variable.
        name: String,
        /// What is wrong with the value.
        reason: String,
    },
}

impl ConfigError {
    /// Returns how to fix the error.
    pub fn help(&self) -> Option<String> {
        match self {
            ConfigError::CommandLine(_) | ConfigError::Variable { .. } => None,
            ConfigError::Read { .. } => {
                Some("name another one by --config-file, or `-` for none".to_owned())
            }
            ConfigError::File(error) => error.help.clone(),
        }
    }
}
