//! A value found in a variable or a file, on its way to the command line.

use std::ffi::{OsStr, OsString};

use crate::document::DocumentError;

use super::error::ConfigError;
use super::schema::ConfigOption;

/// A value found elsewhere than on the command line.
#[derive(Clone, Debug)]
pub(super) struct FoundOption {
    pub(super) value: &'static ConfigOption,
    /// What it would be on the command line: the items of a list, one item otherwise. A boolean
    /// has one empty item when it is true, and none when it is false.
    pub(super) items: Vec<OsString>,
    pub(super) origin: OptionOrigin,
}

/// Where a value was found.
#[derive(Clone, Debug)]
pub(super) struct OptionOrigin {
    /// 2 for the program's variable, 3 for the variable of all programs, from 4 on for files.
    pub(super) strength: usize,
    /// For a person: a variable's name, or the place in a file.
    pub(super) name: String,
    /// How to complain about it.
    pub(super) complaint: OptionOriginKind,
}

#[derive(Clone, Debug)]
pub(super) enum OptionOriginKind {
    Variable,
    File(Box<DocumentError>),
}

impl FoundOption {
    /// What is wrong with it, told where it was found.
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

/// Text for a person, or for TOML, which holds UTF-8 only.
pub(super) fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}
