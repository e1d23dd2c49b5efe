//! JSON schemas of the files that users write. Those of containers and jobs come from
//! `maelstrom_spec::json_schema`; that of a program's configuration is made from its options.

use clap::{Arg, Command};
use serde_json::{Map, Value, json};

use super::manual::ProgramManual;
use maelstrom_spec::config::ConfigOptionKind;
use maelstrom_spec::json_schema::{self, DIALECT};
use maelstrom_ui::dashboard::keys::ACTIONS;

/// The schema of `cargo-maelstrom.toml`, `maelstrom-go-test.toml` and `maelstrom-pytest.toml`.
const CONTAINERS: &str = "containers";
/// The schema of a job of `maelstrom-run`.
const JOB: &str = "job";
/// The schema of the dashboard's settings.
const UI: &str = "ui";
/// The schema of the program's `config.toml`.
const CONFIG: &str = "config";

/// Returns the names of the schemas that a program has.
pub fn names(manual: &ProgramManual) -> Vec<&'static str> {
    match manual.schema.name {
        "maelstrom-broker" | "maelstrom-worker" => vec![CONFIG],
        "maelstrom-run" => vec![CONFIG, JOB, UI],
        _ => vec![CONFIG, CONTAINERS, UI],
    }
}

/// Returns the text of a schema, or `None` if the program has none of this name.
pub fn schema(manual: &ProgramManual, name: &str) -> Option<String> {
    names(manual).into_iter().find(|known| *known == name)?;
    let schema = match name {
        CONTAINERS => json_schema::container_file(),
        JOB => json_schema::job(),
        UI => ui(),
        _ => config(manual),
    };
    Some(format!("{schema:#}\n"))
}

/// Returns the schema of `ui.toml`.
fn ui() -> Value {
    let keys = ACTIONS.iter().map(|action| {
        let schema = json!({
            "description": action.help,
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            "default": action.keys,
        });
        (action.name.to_owned(), schema)
    });
    json!({
        "$schema": DIALECT,
        "title": "The dashboard's theme and keys",
        "type": "object",
        "properties": {
            "theme": {
                "description": "dark, light, monochrome, or the path of a theme file",
                "type": "string",
            },
            "keys": {
                "description": "The keys of actions",
                "type": "object",
                "properties": keys.collect::<Map<String, Value>>(),
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
    })
}

/// Returns the schema of a program's `config.toml`.
fn config(manual: &ProgramManual) -> Value {
    let command = manual.command();
    let values = manual.schema.values().map(|value| {
        let id = value.positional;
        (value.name, value.kind, id)
    });
    let values = values.chain([("log-level", ConfigOptionKind::Text, None)]);
    let properties = values.map(|(name, kind, id)| {
        let schema = match argument(&command, name, id) {
            Some(arg) => config_value(kind, arg),
            None => json!({}),
        };
        (name.to_owned(), schema)
    });
    json!({
        "$schema": DIALECT,
        "title": format!("The configuration of {}", manual.called()),
        "type": "object",
        "properties": properties.collect::<Map<String, Value>>(),
        "additionalProperties": false,
    })
}

fn argument<'a>(command: &'a Command, name: &str, positional: Option<&str>) -> Option<&'a Arg> {
    // A program may give an option of the configuration another name on its command line.
    let id = positional.map_or_else(|| name.replace('-', "_"), str::to_owned);
    command
        .get_arguments()
        .find(|arg| *arg.get_id() == id || arg.get_id() == name || arg.get_long() == Some(name))
}

fn config_value(kind: ConfigOptionKind, arg: &Arg) -> Value {
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    let mut schema = match kind {
        ConfigOptionKind::Text => json!({ "type": "string" }),
        ConfigOptionKind::Number => json!({ "type": "integer" }),
        ConfigOptionKind::NumberOrText | ConfigOptionKind::Size | ConfigOptionKind::Character => {
            json!({ "type": ["integer", "string"] })
        }
        ConfigOptionKind::Boolean => json!({ "type": "boolean" }),
        ConfigOptionKind::List => strings,
        ConfigOptionKind::Words => json!({ "anyOf": [{ "type": "string" }, strings] }),
    };
    let words = arg.get_possible_values();
    if kind == ConfigOptionKind::Text && !words.is_empty() {
        let names = words.iter().flat_map(|word| word.get_name_and_aliases());
        schema["enum"] = names.map(str::to_owned).collect();
    }
    if let Some(help) = arg.get_help() {
        schema["description"] = help.to_string().into();
    }
    schema
}
