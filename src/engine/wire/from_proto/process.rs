//! Converts programs, their arguments and their environments.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use super::super::error::{WireError, at_most};
use super::super::limits::{
    ARGUMENTS_MAX, PATH_BYTES_MAX, STRING_BYTES_MAX, STRINGS_BYTES_MAX, VARIABLES_MAX,
};
use super::super::v1;
use super::{absolute, string};
use maelstrom_model::job::ProcessSpec;

/// Converts a complete program.
pub(super) fn process(message: &v1::Process) -> Result<ProcessSpec, WireError> {
    Ok(ProcessSpec {
        program: program(&message.program)?,
        arguments: arguments(&message.arguments)?,
        environment: Arc::new(environment(BTreeMap::new(), &message.environment)?),
        working_directory: absolute("working directory", &message.working_directory)?.into(),
    })
}

pub(super) fn program(bytes: &[u8]) -> Result<Arc<OsStr>, WireError> {
    if bytes.is_empty() {
        return Err(WireError::Missing { what: "program" });
    }
    Ok(string("program", bytes, PATH_BYTES_MAX)?.into())
}

pub(super) fn arguments(messages: &[impl AsRef<[u8]>]) -> Result<Vec<OsString>, WireError> {
    at_most("arguments", messages.len(), ARGUMENTS_MAX)?;
    // The total is checked before anything is copied, so that a message cannot cost more memory
    // than the limit.
    let lengths = messages.iter().map(|one| one.as_ref().len());
    at_most("bytes of arguments", lengths.sum(), STRINGS_BYTES_MAX)?;
    let arguments = messages.iter();
    arguments
        .map(|bytes| string("argument", bytes.as_ref(), STRING_BYTES_MAX))
        .collect()
}

/// Adds variables to those of a base environment, and overrides existing ones.
pub(super) fn environment(
    mut variables: BTreeMap<OsString, OsString>,
    messages: &[v1::EnvironmentVariable],
) -> Result<BTreeMap<OsString, OsString>, WireError> {
    at_most("variables", messages.len(), VARIABLES_MAX)?;
    let lengths = messages.iter().map(|one| one.name.len() + one.value.len());
    at_most("bytes of variables", lengths.sum(), STRINGS_BYTES_MAX)?;
    // A job may override a variable of its template, but may not set one twice.
    let mut seen = BTreeSet::new();
    for message in messages {
        let name = string("variable", &message.name, STRING_BYTES_MAX)?;
        if name.is_empty() || message.name.contains(&b'=') {
            let expected = "a name without `=`";
            return Err(WireError::invalid("variable", &message.name, expected));
        }
        if !seen.insert(&message.name) {
            return Err(WireError::twice("variable", &message.name));
        }
        let value = string("value of a variable", &message.value, STRING_BYTES_MAX)?;
        variables.insert(name, value);
    }
    Ok(variables)
}
