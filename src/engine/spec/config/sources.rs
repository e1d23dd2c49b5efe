//! Finds configuration values in variables and files.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::document::{self, DocumentNode, DocumentTable, SpanError, TableField, TextDocument};

use super::environment::ConfigEnvironment;
use super::error::{ConfigError, ConfigWarning};
use super::found::{FoundOption, OptionOrigin, OptionOriginKind, lossy};
use super::schema::{
    ConfigOption, ConfigOptionKind, ConfigSchema, LOG_LEVEL, ReplacedVariable, did_you_mean,
    known_names, variable,
};

/// The prefix of the variables that apply to all programs.
const GENERIC_PREFIX: &str = "MAELSTROM";
const FILE_NAME: &str = "config.toml";
/// The precedence of the variables of a tool that the program replaces; that of the command line is
/// 1.
const REPLACED_TOOL: usize = 4;
/// The precedence of the first of the project's own files.
pub(super) const PROJECT: usize = 5;
/// The maximum number of the project's own files.
const PROJECT_FILES_MAX: usize = 2;
/// The precedence of the first configuration file.
const FIRST_FILE: usize = PROJECT + PROJECT_FILES_MAX;

/// The existing configuration files, those of highest precedence first.
pub(super) struct ConfigFiles {
    files: Vec<ParsedConfigFile>,
}

struct ParsedConfigFile {
    document: TextDocument,
    table: DocumentTable,
}

/// Which configuration files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigFileChoice {
    /// The files in the search list that exist.
    Search,
    Only(PathBuf),
    None,
}

/// Returns the paths to search for configuration files, those of highest precedence first.
pub(super) fn search_list(program: &ConfigSchema, system: &impl ConfigEnvironment) -> Vec<PathBuf> {
    let set = |name: &str| system.variable(name).filter(|value| !value.is_empty());
    let own = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")));
    let shared = set("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    own.into_iter()
        .chain(std::env::split_paths(&shared))
        // The XDG base directory specification requires that relative paths be ignored.
        .filter(|base| base.is_absolute())
        .flat_map(|base| {
            let below = program.directories.iter();
            below.map(move |directory| base.join(directory).join(FILE_NAME))
        })
        .collect()
}

/// Reads the configuration files.
pub(super) fn files(
    program: &ConfigSchema,
    which: ConfigFileChoice,
    system: &impl ConfigEnvironment,
) -> Result<ConfigFiles, ConfigError> {
    let (paths, missing) = match which {
        ConfigFileChoice::Search => (search_list(program, system), MissingFilePolicy::Fine),
        ConfigFileChoice::Only(path) => (vec![path], MissingFilePolicy::Error),
        ConfigFileChoice::None => (Vec::new(), MissingFilePolicy::Fine),
    };
    let mut files = Vec::new();
    for path in paths {
        let text = match system.read(&path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) && missing == MissingFilePolicy::Fine => continue,
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        let document = TextDocument::new(path.display().to_string(), text);
        let table = document.read_toml().map_err(ConfigError::File)?;
        files.push(ParsedConfigFile { document, table });
    }
    Ok(ConfigFiles { files })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MissingFilePolicy {
    Fine,
    Error,
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl ConfigFiles {
    /// Finds a value in the file of highest precedence that has it.
    pub(super) fn find(
        &self,
        value: &'static ConfigOption,
    ) -> Result<Option<FoundOption>, ConfigError> {
        for (index, file) in self.files.iter().enumerate() {
            let fields = &file.table.fields;
            let Some(field) = fields.iter().find(|field| field.name == value.name) else {
                continue;
            };
            let items = items_of_node(value, &field.node)
                .map_err(|fault| ConfigError::File(file.document.locate(named(value, fault))))?;
            let origin = OptionOrigin {
                strength: FIRST_FILE + index,
                name: file.document.place(&field.span),
                complaint: OptionOriginKind::File(Box::new(
                    file.document.locate(field.node.fault("")),
                )),
            };
            return Ok(Some(FoundOption {
                value,
                items,
                origin,
            }));
        }
        Ok(None)
    }

    /// Returns warnings about keys that are not values of this program.
    pub(super) fn unknown_keys(&self, program: &ConfigSchema) -> Vec<ConfigWarning> {
        let known = known_names(program);
        let unknown = |field: &&TableField| !known.contains(&field.name.as_str());
        self.files
            .iter()
            .flat_map(|file| {
                let fields = file.table.fields.iter().filter(unknown);
                fields.map(|field| ConfigWarning {
                    text: format!(
                        "{}: {} has no configuration value `{}`; it is ignored",
                        file.document.place(&field.span),
                        program.name,
                        field.name
                    ),
                    help: did_you_mean(&field.name, program),
                })
            })
            .collect()
    }
}

pub(super) fn named(value: &ConfigOption, fault: SpanError) -> SpanError {
    SpanError {
        message: format!("`{}`: {}", value.name, fault.message),
        ..fault
    }
}

pub(super) fn items_of_node(
    value: &ConfigOption,
    node: &DocumentNode,
) -> Result<Vec<OsString>, SpanError> {
    use document::DocumentValue::{Boolean, Integer, List, Text};
    let one = |item: String| Ok(vec![OsString::from(item)]);
    match (value.kind, &node.value) {
        (ConfigOptionKind::Boolean, Boolean(true)) => one(String::new()),
        (ConfigOptionKind::Boolean, Boolean(false)) => Ok(Vec::new()),
        (ConfigOptionKind::Boolean, _) => Err(node.not("true or false")),
        (
            ConfigOptionKind::Text
            | ConfigOptionKind::NumberOrText
            | ConfigOptionKind::Size
            | ConfigOptionKind::Character
            | ConfigOptionKind::Words,
            Text(text),
        ) => one(text.clone()),
        (
            ConfigOptionKind::Number | ConfigOptionKind::NumberOrText | ConfigOptionKind::Size,
            Integer(number),
        ) => one(number.to_string()),
        (ConfigOptionKind::Character, Integer(code)) => match u8::try_from(*code) {
            Ok(code) if code.is_ascii() => one(format!("\\x{code:02x}")),
            Ok(_) | Err(_) => {
                Err(node.fault(format!("{code} is not the code of an ASCII character")))
            }
        },
        (ConfigOptionKind::Text, _) => Err(node.not("a string")),
        (ConfigOptionKind::Number, _) => Err(node.not("an integer")),
        (ConfigOptionKind::NumberOrText, _) => Err(node.not("an integer or a string")),
        (ConfigOptionKind::Size, _) => Err(node.not("an integer, or a string such as \"1 GB\"")),
        (ConfigOptionKind::Character, _) => Err(node.not("a string, or the code of a character")),
        (ConfigOptionKind::List | ConfigOptionKind::Words, List(items)) => items
            .iter()
            .map(|item| match &item.value {
                Text(text) => Ok(OsString::from(text)),
                _ => Err(item.not("a string")),
            })
            .collect(),
        (ConfigOptionKind::List, _) => Err(node.not("an array of strings")),
        (ConfigOptionKind::Words, _) => Err(node.not("a string or an array of strings")),
    }
}

/// Finds a value in the program's variable or the variable of all programs.
pub(super) fn from_variables(
    program: &ConfigSchema,
    value: &'static ConfigOption,
    system: &impl ConfigEnvironment,
) -> Result<Option<FoundOption>, ConfigError> {
    for (prefix, strength) in [(program.prefix, 2), (GENERIC_PREFIX, 3)] {
        let name = variable(prefix, value.name);
        let Some(text) = system.variable(&name) else {
            continue;
        };
        let items = match items_of_variable(value.kind, text) {
            Ok(items) => items,
            Err(reason) => return Err(ConfigError::Variable { name, reason }),
        };
        let origin = OptionOrigin {
            strength,
            name,
            complaint: OptionOriginKind::Variable,
        };
        return Ok(Some(FoundOption {
            value,
            items,
            origin,
        }));
    }
    Ok(None)
}

/// Finds a value in the variables of a tool that the program replaces.
pub(super) fn from_replaced_tool(
    variables: &'static [ReplacedVariable],
    value: &'static ConfigOption,
    system: &impl ConfigEnvironment,
) -> Result<Option<FoundOption>, ConfigError> {
    let variables = variables.iter();
    for variable in variables.filter(|variable| variable.option.name == value.name) {
        let Some(text) = system.variable(variable.name) else {
            continue;
        };
        let name = variable.name.to_owned();
        let Some(text) = text.to_str() else {
            let reason = format!("`{}` is not UTF-8", lossy(&text));
            return Err(ConfigError::Variable { name, reason });
        };
        let Some(meant) = (variable.read)(text) else {
            continue;
        };
        let items = items_of_variable(value.kind, meant.into());
        let items = items.map_err(|reason| ConfigError::Variable {
            name: name.clone(),
            reason,
        })?;
        return Ok(Some(FoundOption {
            value,
            items,
            origin: OptionOrigin {
                strength: REPLACED_TOOL,
                name,
                complaint: OptionOriginKind::Variable,
            },
        }));
    }
    Ok(None)
}

fn items_of_variable(kind: ConfigOptionKind, text: OsString) -> Result<Vec<OsString>, String> {
    match kind {
        ConfigOptionKind::Text
        | ConfigOptionKind::Number
        | ConfigOptionKind::NumberOrText
        | ConfigOptionKind::Size
        | ConfigOptionKind::Character
        | ConfigOptionKind::Words => Ok(vec![text]),
        ConfigOptionKind::Boolean => match text.to_str() {
            Some("true") => Ok(vec![OsString::new()]),
            Some("false") => Ok(Vec::new()),
            Some(_) | None => Err(format!(
                "expected `true` or `false`, found `{}`",
                lossy(&text)
            )),
        },
        ConfigOptionKind::List => match text.to_str() {
            Some(text) => Ok(text.split_whitespace().map(OsString::from).collect()),
            None => Err(format!("`{}` is not UTF-8", lossy(&text))),
        },
    }
}

/// Returns warnings about variables with the program's own prefix that name no value.
pub(super) fn unknown_variables(
    program: &ConfigSchema,
    system: &impl ConfigEnvironment,
) -> Vec<ConfigWarning> {
    let known: Vec<String> = program
        .values()
        .chain([&LOG_LEVEL])
        .map(|value| variable(program.prefix, value.name))
        .collect();
    let own = format!("{}_", program.prefix);
    let mut names: Vec<OsString> = system.variable_names();
    names.sort();
    names
        .iter()
        .filter_map(|name| OsStr::to_str(name))
        .filter(|name| name.starts_with(&own) && !known.iter().any(|known| known == name))
        .map(|name| {
            let value = name[own.len()..].to_ascii_lowercase().replace('_', "-");
            ConfigWarning {
                text: format!(
                    "the variable {name} names no configuration value of {}; it is ignored",
                    program.name
                ),
                help: did_you_mean(&value, program),
            }
        })
        .collect()
}
