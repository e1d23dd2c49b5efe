//! Prints the resolved values as an equivalent configuration file, with the source of each value.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::found::{FoundOption, lossy};
use super::schema::{ConfigOption, ConfigOptionKind, ConfigSchema, LOG_LEVEL};

pub(super) fn print(program: &ConfigSchema, matches: &ArgMatches, found: &[FoundOption]) -> String {
    let mut text = format!("# The configuration values of {}.\n", program.name);
    let own = || program.values().chain([&LOG_LEVEL]);
    // Values that only a variable of a replaced tool sets.
    let other = found.iter().map(|found| found.value);
    let other = other.filter(|value| own().all(|own| own.name != value.name));
    for value in own().chain(other) {
        let elsewhere = found.iter().find(|found| found.value.name == value.name);
        let id = id(matches, value);
        let origin = match (elsewhere, id.and_then(|id| matches.value_source(id))) {
            (Some(found), _) => found.origin.name.as_str(),
            (None, Some(ValueSource::CommandLine)) => "command line",
            (None, _) => "default",
        };
        match id.and_then(|id| toml_value(matches, value, id)) {
            Some(toml) => text.push_str(&format!("{} = {toml} # {origin}\n", value.name)),
            None => text.push_str(&format!("# {} is not set\n", value.name)),
        }
    }
    text
}

/// Returns the argument id of a value. The arguments of a derived command line are named after
/// their fields.
fn id<'a>(matches: &'a ArgMatches, value: &ConfigOption) -> Option<&'a str> {
    let field = value.name.replace('-', "_");
    matches
        .ids()
        .map(clap::Id::as_str)
        .find(|id| match value.positional {
            Some(positional) => *id == positional,
            None => *id == value.name || *id == field,
        })
}

fn toml_value(matches: &ArgMatches, value: &ConfigOption, id: &str) -> Option<toml::Value> {
    if value.kind == ConfigOptionKind::Boolean {
        return Some(toml::Value::Boolean(matches.get_flag(id)));
    }
    let mut items = matches.get_raw(id).into_iter().flatten().map(lossy);
    Some(match value.kind {
        ConfigOptionKind::List | ConfigOptionKind::Words => {
            toml::Value::Array(items.map(toml::Value::String).collect())
        }
        ConfigOptionKind::Number | ConfigOptionKind::NumberOrText | ConfigOptionKind::Size => {
            let item = items.next()?;
            match item.parse() {
                Ok(number) => toml::Value::Integer(number),
                Err(_) => toml::Value::String(item),
            }
        }
        ConfigOptionKind::Text | ConfigOptionKind::Character | ConfigOptionKind::Boolean => {
            toml::Value::String(items.next()?)
        }
    })
}
