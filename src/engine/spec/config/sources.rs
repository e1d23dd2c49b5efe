//! Values in variables and files: where they are looked for, and their form there.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::document::{self, Document, Fault, Field, Node, Table};

use super::{
    Complaint, ConfigError, ConfigWarning, Found, Kind, LOG_LEVEL, Origin, Program, System, Value,
    did_you_mean, known_names, lossy, variable,
};

/// What the variables of all programs begin with.
const GENERIC_PREFIX: &str = "MAELSTROM";
const FILE_NAME: &str = "config.toml";
/// The strength of the first configuration file; 1 is the command line's.
const FIRST_FILE: usize = 4;

/// The configuration files that are there, the strongest first.
pub(super) struct Files {
    files: Vec<File>,
}

struct File {
    document: Document,
    table: Table,
}

/// Which files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigFile {
    /// Those of the search list that exist.
    Search,
    /// This one.
    Only(PathBuf),
    /// None.
    None,
}

/// Where files are looked for, the strongest place first.
pub(super) fn search_list(program: &Program, system: &impl System) -> Vec<PathBuf> {
    let set = |name: &str| system.variable(name).filter(|value| !value.is_empty());
    let own = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")));
    let shared = set("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    own.into_iter()
        .chain(std::env::split_paths(&shared))
        // The base directory specification says to ignore relative ones.
        .filter(|base| base.is_absolute())
        .flat_map(|base| {
            let below = program.directories.iter();
            below.map(move |directory| base.join(directory).join(FILE_NAME))
        })
        .collect()
}

/// Reads the configuration files.
pub(super) fn files(
    program: &Program,
    which: ConfigFile,
    system: &impl System,
) -> Result<Files, ConfigError> {
    let (paths, missing) = match which {
        ConfigFile::Search => (search_list(program, system), Missing::Fine),
        ConfigFile::Only(path) => (vec![path], Missing::Error),
        ConfigFile::None => (Vec::new(), Missing::Fine),
    };
    let mut files = Vec::new();
    for path in paths {
        let text = match system.read(&path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) && missing == Missing::Fine => continue,
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        let document = Document::new(path.display().to_string(), text);
        let table = document.read_toml().map_err(ConfigError::File)?;
        files.push(File { document, table });
    }
    Ok(Files { files })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fine,
    Error,
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl Files {
    /// The value as the strongest file that has it says.
    pub(super) fn find(&self, value: &'static Value) -> Result<Option<Found>, ConfigError> {
        for (index, file) in self.files.iter().enumerate() {
            let fields = &file.table.fields;
            let Some(field) = fields.iter().find(|field| field.name == value.name) else {
                continue;
            };
            let items = items_of_node(value, &field.node)
                .map_err(|fault| ConfigError::File(file.document.locate(named(value, fault))))?;
            let origin = Origin {
                strength: FIRST_FILE + index,
                name: file.document.place(&field.span),
                complaint: Complaint::File(Box::new(file.document.locate(field.node.fault("")))),
            };
            return Ok(Some(Found {
                value,
                items,
                origin,
            }));
        }
        Ok(None)
    }

    /// Keys that mean nothing to this program.
    pub(super) fn unknown_keys(&self, program: &Program) -> Vec<ConfigWarning> {
        let known = known_names(program);
        let unknown = |field: &&Field| !known.contains(&field.name.as_str());
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

fn named(value: &Value, fault: Fault) -> Fault {
    Fault {
        message: format!("`{}`: {}", value.name, fault.message),
        ..fault
    }
}

fn items_of_node(value: &Value, node: &Node) -> Result<Vec<OsString>, Fault> {
    use document::Value::{Boolean, Integer, List, Text};
    let one = |item: String| Ok(vec![OsString::from(item)]);
    match (value.kind, &node.value) {
        (Kind::Boolean, Boolean(true)) => one(String::new()),
        (Kind::Boolean, Boolean(false)) => Ok(Vec::new()),
        (Kind::Boolean, _) => Err(node.not("true or false")),
        (
            Kind::Text | Kind::NumberOrText | Kind::Size | Kind::Character | Kind::Words,
            Text(text),
        ) => one(text.clone()),
        (Kind::Number | Kind::NumberOrText | Kind::Size, Integer(number)) => {
            one(number.to_string())
        }
        (Kind::Character, Integer(code)) => match u8::try_from(*code) {
            Ok(code) if code.is_ascii() => one(format!("\\x{code:02x}")),
            Ok(_) | Err(_) => {
                Err(node.fault(format!("{code} is not the code of an ASCII character")))
            }
        },
        (Kind::Text, _) => Err(node.not("a string")),
        (Kind::Number, _) => Err(node.not("an integer")),
        (Kind::NumberOrText, _) => Err(node.not("an integer or a string")),
        (Kind::Size, _) => Err(node.not("an integer, or a string such as \"1 GB\"")),
        (Kind::Character, _) => Err(node.not("a string, or the code of a character")),
        (Kind::List | Kind::Words, List(items)) => items
            .iter()
            .map(|item| match &item.value {
                Text(text) => Ok(OsString::from(text)),
                _ => Err(item.not("a string")),
            })
            .collect(),
        (Kind::List, _) => Err(node.not("an array of strings")),
        (Kind::Words, _) => Err(node.not("a string or an array of strings")),
    }
}

/// The value as a variable says.
pub(super) fn from_variables(
    program: &Program,
    value: &'static Value,
    system: &impl System,
) -> Result<Option<Found>, ConfigError> {
    for (prefix, strength) in [(program.prefix, 2), (GENERIC_PREFIX, 3)] {
        let name = variable(prefix, value.name);
        let Some(text) = system.variable(&name) else {
            continue;
        };
        let items = match items_of_variable(value.kind, text) {
            Ok(items) => items,
            Err(reason) => return Err(ConfigError::Variable { name, reason }),
        };
        let origin = Origin {
            strength,
            name,
            complaint: Complaint::Variable,
        };
        return Ok(Some(Found {
            value,
            items,
            origin,
        }));
    }
    Ok(None)
}

fn items_of_variable(kind: Kind, text: OsString) -> Result<Vec<OsString>, String> {
    match kind {
        Kind::Text
        | Kind::Number
        | Kind::NumberOrText
        | Kind::Size
        | Kind::Character
        | Kind::Words => Ok(vec![text]),
        Kind::Boolean => match text.to_str() {
            Some("true") => Ok(vec![OsString::new()]),
            Some("false") => Ok(Vec::new()),
            Some(_) | None => Err(format!(
                "expected `true` or `false`, found `{}`",
                lossy(&text)
            )),
        },
        Kind::List => match text.to_str() {
            Some(text) => Ok(text.split_whitespace().map(OsString::from).collect()),
            None => Err(format!("`{}` is not UTF-8", lossy(&text))),
        },
    }
}

/// The program's own variables that name no value.
pub(super) fn unknown_variables(program: &Program, system: &impl System) -> Vec<ConfigWarning> {
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
