//! Values that a project's own files set, such as those of a profile. Which files these are, and
//! which of their tables count, depends on the program and on its command line.

use std::sync::Arc;

use super::error::{ConfigError, ConfigWarning};
use super::found::{FoundOption, OptionOrigin, OptionOriginKind};
use super::schema::{ConfigOption, ReplacedVariable};
use super::sources::{PROJECT, items_of_node, named};
use crate::document::{TableField, TextDocument};

/// The command line of a program, in the words of the tool that it replaces.
pub struct ConfigDialect<'a> {
    /// The command line. An argument for a configuration value has the value's name as its id, with
    /// `_` for `-`; its spellings may be others.
    pub command: clap::Command,
    /// The variables of the replaced tool. They have a lower precedence than the program's own.
    pub variables: &'static [ReplacedVariable],
    /// Reads the files of the project, if the program has some.
    pub project: Option<ReadProject<'a>>,
}

/// What a project's files say about a run.
#[derive(Debug, Default)]
pub struct ProjectValues {
    pub values: Vec<ProjectValue>,
    /// Warnings to show to the user.
    pub warnings: Vec<ConfigWarning>,
}

/// A value in a project's file.
#[derive(Clone, Debug)]
pub struct ProjectValue {
    /// The value that it sets: one of the schema, or one that no variable and no other file sets.
    pub option: &'static ConfigOption,
    /// Which of the project's files it is in: 0 or 1, where lower numbers come first.
    pub rank: usize,
    pub document: Arc<TextDocument>,
    /// The key and the value, the latter as a configuration file has it.
    pub field: TableField,
}

/// The options of the run that are known before the project's files are read.
pub trait KnownValues {
    /// Returns the text of an option, by the name of its value: as typed, or else from a variable
    /// or a configuration file.
    fn text(&self, name: &str) -> Option<String>;

    /// Returns all typed texts of an option, by its id.
    fn typed(&self, id: &str) -> Vec<String>;
}

/// Reads the project's files.
pub type ReadProject<'a> =
    Box<dyn FnOnce(&dyn KnownValues) -> Result<ProjectValues, ConfigError> + 'a>;

impl ProjectValue {
    pub(super) fn found(&self) -> Result<FoundOption, ConfigError> {
        let (option, document) = (self.option, &self.document);
        let items = items_of_node(option, &self.field.node)
            .map_err(|fault| ConfigError::File(document.locate(named(option, fault))))?;
        Ok(FoundOption {
            value: option,
            items,
            origin: OptionOrigin {
                strength: PROJECT + self.rank,
                name: document.place(&self.field.span),
                complaint: OptionOriginKind::File(Box::new(
                    document.locate(self.field.node.fault("")),
                )),
            },
        })
    }
}
