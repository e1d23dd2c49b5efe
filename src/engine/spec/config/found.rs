//! A value from a variable or a file, before it is added to the command line.

use std::ffi::{OsStr, OsString};

use crate::document::DocumentError;

use super::error::ConfigError;
use super::schema::ConfigOption;

/// A value from a variable or a file.
#[derive(Clone, Debug)]
pub(super) struct FoundOption {
    pub(super) value: &'static ConfigOption,
    /// The values to put on the command line: the items of a list, or a single item. A boolean has
    /// one empty item if it is true, and none if it is false.
    pub(super) items: Vec<OsString>,
    pub(super) origin: OptionOrigin,
}

/// The source of a value.
#[derive(Clone, Debug)]
pub(super) struct OptionOrigin {
    /// The precedence, where lower numbers win: 2 for the program's variable, 3 for the variable of
    /// all programs, 4 for a variable of the replaced tool, 5 and 6 for the project's own
    /// files, from 7 on for configuration files.
    pub(super) strength: usize,
    /// The name of the variable, or the position in the file, for messages.
    pub(super) name: String,
    /// How to report an error in the value.
    pub(super) complaint: OptionOriginKind,
}

#[derive(Clone, Debug)]
pub(super) enum OptionOriginKind {
    Variable,
    File(Box<DocumentError>),
}

impl FoundOption {
    /// Returns the error for an invalid value, located at its source.
    pub(super) fn refused(&self, reason: String) -> ConfigError {
        match &self.origin.complaint {
            OptionOriginKind::Variable => ConfigError::Variable {
                name: self.origin.name.clone(),
                reason,
            },
            OptionOriginKind::File(at) => {
                let mut error = at.as_ref().clone();
                error.message = format!("`{}`: {reason}", self.value.name);
                ConfigError::File(error)
            }
        }
    }
}

/// Converts text to UTF-8 for messages or TOML, replacing invalid characters.
pub(super) fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}
