//! The errors and warnings of resolving values.

use std::io;
use std::path::PathBuf;

use crate::document::DocumentError;

/// Something in a configuration file or a variable that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// What.
    pub text: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// An error of resolving values.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line: a mistake, or a request for help. `clap` prints both, to where each
    /// belongs.
    #[error(transparent)]
    CommandLine(Box<clap::Error>),
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in a configuration file is wrong.
    #[error(transparent)]
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

impl ConfigError {
    /// How to fix it.
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
