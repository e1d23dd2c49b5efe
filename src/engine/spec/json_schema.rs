//! JSON schemas of the test runners' files and of jobs, made from the tables of fields that the
//! reader uses, so that an editor knows what the reader accepts.
//!
//! A schema is coarser than the reader: it does not check patterns, paths and references, or that
//! containers exist.

use serde_json::{Map, Value, json};

use maelstrom_container::spec::DeviceKind;

use super::container::InheritedFields;
use super::job::JOB_FIELDS;
use super::policy::read::POLICY_FIELDS;
use super::policy::words::{FLAKY_VERDICTS, LEAK_VERDICTS, SHARE_SCOPES, TIMEOUT_VERDICTS};
use super::read::{
    CONTAINER_FIELDS, IMAGE_SCHEMES, NETWORK_MODES, PRIVILEGE_LEVELS, directive_fields,
};
use super::read_fixture::FIXTURE_FIELDS;
use super::read_layer::{KINDS, PREFIX_OPTIONS};
use super::read_mount::mount_types;

/// The version of JSON Schema.
pub const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// The layers that copy files and therefore have the options of [`PREFIX_OPTIONS`].
const LAYERS_WITH_OPTIONS: [&str; 4] = [
    "glob",
    "paths",
    "shared_library_dependencies",
    "shared-library-dependencies",
];

/// Returns the schema of a test runner's file, such as `cargo-maelstrom.toml`.
pub fn container_file() -> Value {
    let mut schema = json!({
        "$schema": DIALECT,
        "title": "The containers of tests, and how tests run",
        "type": "object",
        "properties": {
            "containers": containers(),
            "directives": {
                "description": "Apply from top to bottom, each to the tests that its filter matches",
                "type": "array",
                "items": base_conflict(directive()),
            },
            "fixtures": {
                "description": "Commands that run once, and whose files and variables tests begin with",
                "type": "object",
                "additionalProperties": fixture(),
            },
            "profiles": {
                "description": "What runs use that are started with the name of a profile",
                "type": "object",
                "additionalProperties": profile(),
            },
            "test_groups": {
                "description": "Groups of which a limited number of tests run at a time",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": { "max": described("The number of tests", positive()) },
                    "required": ["max"],
                    "additionalProperties": false,
                },
            },
        },
        "additionalProperties": false,
    });
    schema["definitions"] = definitions();
    schema
}

/// Returns the schema of a fixture.
fn fixture() -> Value {
    let mut schema = table(&FIXTURE_FIELDS, &["command"]);
    let properties = &mut schema["properties"];
    properties["timeout"] = described("The time limit of the command; 0 for none", time());
    properties["filter"] = described("The pattern of the tests that begin with it", string());
    properties["environment"] = described("Variables of the command", reference("environment"));
    schema
}

/// Returns the schema of a profile. It also has options of the run, which are not listed.
fn profile() -> Value {
    let mut schema = table(&POLICY_FIELDS, &[]);
    let properties = &mut schema["properties"];
    properties["timeout"] = described("The time limit; 0 for none", time());
    properties["inherits"] = described("The profile from which it inherits", string());
    properties["filter"] = described("The pattern of the tests that run", string());
    properties["directives"] = json!({ "type": "array", "items": base_conflict(directive()) });
    schema["additionalProperties"] = true.into();
    schema
}

/// Returns the schema of a directive. Its `timeout` and `priority` are those of a test, not of a job.
fn directive() -> Value {
    let mut schema = table(&directive_fields(), &[]);
    schema["properties"]["timeout"] = described("The time limit; 0 for none", time());
    schema
}

/// Returns the schema of an object that `maelstrom-run` reads: a job, or containers for the jobs
/// after it.
pub fn job() -> Value {
    let fields: Vec<&str> = JOB_FIELDS.into_iter().chain(CONTAINER_FIELDS).collect();
    json!({
        "$schema": DIALECT,
        "title": "A job of maelstrom-run, or containers for the jobs after it",
        "anyOf": [
            base_conflict(table(&fields, &["program"])),
            {
                "type": "object",
                "properties": { "containers": containers() },
                "required": ["containers"],
                "additionalProperties": false,
            },
        ],
        "definitions": definitions(),
    })
}

fn containers() -> Value {
    json!({
        "description": "Containers by their names",
        "type": "object",
        "additionalProperties": { "$ref": "#/definitions/container" },
    })
}

fn definitions() -> Value {
    json!({
        "container": base_conflict(table(&CONTAINER_FIELDS, &[])),
        "layer": { "anyOf": layers() },
        "mount": { "anyOf": mounts() },
        "environment": environment(),
    })
}

/// Returns the schema of a table with these fields.
fn table(fields: &[&str], required: &[&str]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), field(name)?)))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Excludes an image beside a parent: a container has one base.
fn base_conflict(mut table: Value) -> Value {
    table["not"] = json!({ "required": ["image", "parent"] });
    table
}

/// Returns the schema of a field, or `None` if there is no such field.
fn field(name: &str) -> Option<Value> {
    let natural = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    Some(match name {
        "image" => described(
            "The container's image",
            base(
                json!({ "type": "string", "pattern": format!("^({})", IMAGE_SCHEMES.join("|")) }),
                InheritedFields::IMAGE,
            ),
        ),
        "parent" => described(
            "The container that it begins with; `default` is that of tests without a file",
            base(json!({ "type": "string" }), InheritedFields::all()),
        ),
        "layers" => described("Files of the container", list("layer")),
        "added_layers" => described("Files in addition to those of the base", list("layer")),
        "mounts" => described("What is mounted in the container", list("mount")),
        "added_mounts" => described("Mounts in addition to those of the base", list("mount")),
        "environment" => described("Environment variables", reference("environment")),
        "added_environment" => described(
            "Environment variables in addition to those of the base",
            reference("environment"),
        ),
        "network" => described("The network that tests reach", words(&NETWORK_MODES)),
        "privileges" => described(
            "What tests may do in their container",
            words(&PRIVILEGE_LEVELS),
        ),
        "enable_writable_file_system" => described(
            "Whether tests may write everywhere; writes are thrown away",
            boolean(),
        ),
        "toolbox" => described("Whether tests see this machine's programs", boolean()),
        "ignore" => described("Whether the tests are reported as ignored", boolean()),
        "include_shared_libraries" => described(
            "Whether the container has the shared libraries that the test binary needs",
            boolean(),
        ),
        "working_directory" => described("The directory in which tests start", string()),
        "retries" => described("How often a test that failed runs again", retries(natural)),
        "flaky_result" => described(
            "The verdict on a test that passes after it failed",
            words(&FLAKY_VERDICTS),
        ),
        "slow" => described(
            "The time after which a test counts as slow; 0 for never",
            time(),
        ),
        "on_timeout" => described(
            "The verdict on a test that exceeds its time limit",
            words(&TIMEOUT_VERDICTS),
        ),
        "grace" => described("The time between SIGTERM and SIGKILL", time()),
        "leak" => described(
            "The verdict on a test that leaves processes running",
            words(&LEAK_VERDICTS),
        ),
        "test_group" => described("The test group, or an empty text for none", string()),
        "weight" => described(
            "The number of slots that the test takes",
            json!({ "anyOf": [positive(), { "const": "all" }] }),
        ),
        "exclusive" => described("Whether no other test runs meanwhile", boolean()),
        "command" => described("The command that runs once", command()),
        "inputs" => described("Patterns of the files that the command reads", strings()),
        "directory" => described("The directory whose files are kept", string()),
        "cache" => described(
            "Whether later runs use what the command has made",
            boolean(),
        ),
        "service" => described(
            "The command that starts a service beside each test",
            command(),
        ),
        "ready" => described(
            "The command that succeeds when the service is ready",
            command(),
        ),
        "ready_timeout" => described("The maximum time until the service is ready", time()),
        "devices" => described(
            "Devices of the machine, such as /dev/kvm or /dev/nvidia*; with =N, for N at a time",
            strings(),
        ),
        "share" => described(
            "The tests that the test shares a container and a process with",
            words(&SHARE_SCOPES),
        ),
        "user" => described("The user id of tests", natural),
        "group" => described("The group id of tests", natural),
        "timeout" => described("The time limit in seconds; 0 for none", natural),
        "filter" => described(
            "The pattern of the tests that the directive is for",
            string(),
        ),
        "program" => described("The program to run", string()),
        "arguments" => described("Its arguments", strings()),
        "priority" => described(
            "Jobs with a higher number start first",
            json!({ "type": "integer", "minimum": i8::MIN, "maximum": i8::MAX }),
        ),
        _ => return None,
    })
}

/// Returns the schema of a time: a number of seconds, or a text such as `1m 30s`.
fn time() -> Value {
    json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] })
}

/// Returns the schema of a command: a text for the shell, or a program and its arguments.
fn command() -> Value {
    let words = json!({ "type": "array", "items": string(), "minItems": 1 });
    json!({ "anyOf": [string(), words] })
}

fn positive() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
}

fn retries(natural: Value) -> Value {
    json!({
        "anyOf": [
            natural,
            {
                "type": "object",
                "properties": {
                    "count": natural,
                    "backoff": { "enum": ["fixed", "exponential"] },
                    "delay": time(),
                    "max_delay": time(),
                    "jitter": boolean(),
                },
                "required": ["count"],
                "additionalProperties": false,
            },
        ],
    })
}

fn described(text: &str, mut schema: Value) -> Value {
    schema["description"] = text.into();
    schema
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn strings() -> Value {
    json!({ "type": "array", "items": string() })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn reference(name: &str) -> Value {
    json!({ "allOf": [{ "$ref": format!("#/definitions/{name}") }] })
}

fn list(name: &str) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/definitions/{name}") } })
}

fn words<T>(known: &[(&str, T)]) -> Value {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    json!({ "enum": names })
}

/// Returns the schema of a base: a name, or a table of a name and the fields that are inherited.
fn base(name: Value, available: InheritedFields) -> Value {
    let inherited = InheritedFields::NAMES
        .into_iter()
        .filter(|(_, flag)| available.contains(*flag));
    let inherited: Vec<&str> = inherited.map(|(name, _)| name).collect();
    json!({
        "anyOf": [
            name,
            {
                "type": "object",
                "properties": {
                    "name": name,
                    "use": { "type": "array", "items": { "enum": inherited } },
                },
                "required": ["name"],
                "additionalProperties": false,
            },
        ],
    })
}

fn environment() -> Value {
    let variables = json!({ "type": "object", "additionalProperties": string() });
    json!({
        "anyOf": [
            variables,
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "vars": variables, "extend": boolean() },
                    "required": ["vars", "extend"],
                    "additionalProperties": false,
                },
            },
        ],
    })
}

fn layers() -> Vec<Value> {
    let kinds = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, layer(kind)?)));
    kinds
        .map(|(kind, value)| {
            let mut properties = Map::new();
            properties.insert(kind.to_owned(), value);
            if LAYERS_WITH_OPTIONS.contains(&kind) {
                let options = PREFIX_OPTIONS.into_iter();
                properties.extend(options.map(|name| (name.to_owned(), prefix_option(name))));
            }
            json!({
                "type": "object",
                "properties": properties,
                "required": [kind],
                "additionalProperties": false,
            })
        })
        .collect()
}

/// Returns the schema of a layer's own key, or `None` for a kind that the reader refuses.
fn layer(kind: &str) -> Option<Value> {
    Some(match kind {
        "tar" => described("The files of a tar archive", string()),
        "glob" => described("The files of the project that match a pattern", string()),
        "paths" => described("Files and directories", strings()),
        "stubs" => described("Empty files, and directories that end with `/`", strings()),
        "shared_library_dependencies" | "shared-library-dependencies" => {
            described("The shared libraries that programs need", strings())
        }
        "symlinks" => described(
            "Symbolic links",
            json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "link": string(), "target": string() },
                    "required": ["link", "target"],
                    "additionalProperties": false,
                },
            }),
        ),
        _ => return None,
    })
}

fn prefix_option(name: &str) -> Value {
    match name {
        "follow_symlinks" => described("Whether to copy what links lead to", boolean()),
        "canonicalize" => described("Whether to use the paths without links", boolean()),
        "strip_prefix" => described("What to remove from the paths", string()),
        _ => described("What to put before the paths", string()),
    }
}

fn mounts() -> Vec<Value> {
    let types = mount_types();
    types
        .map(|(name, fields)| {
            let properties = fields.iter().map(|field| {
                let schema = match *field {
                    "type" => json!({ "const": name }),
                    "read_only" => boolean(),
                    "devices" => {
                        let devices = DeviceKind::ALL.map(DeviceKind::name);
                        json!({ "type": "array", "items": { "enum": devices } })
                    }
                    _ => string(),
                };
                ((*field).to_owned(), schema)
            });
            let optional = ["read_only"];
            let required = fields.iter().filter(|field| !optional.contains(*field));
            json!({
                "type": "object",
                "properties": properties.collect::<Map<String, Value>>(),
                "required": required.collect::<Vec<_>>(),
                "additionalProperties": false,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_reader_has_a_schema() {
        let tables = [
            CONTAINER_FIELDS.as_slice(),
            JOB_FIELDS.as_slice(),
            &directive_fields(),
        ];
        for name in tables.concat() {
            assert!(field(name).is_some(), "{name}");
        }
        assert!(field("no such field").is_none());
    }

    #[test]
    fn every_kind_of_layer_and_mount_has_a_schema() {
        // The reader knows `command` only to refuse it.
        let missing = KINDS.into_iter().filter(|kind| layer(kind).is_none());
        assert_eq!(missing.collect::<Vec<_>>(), ["command"]);
        assert_eq!(mounts().len(), mount_types().count());
        for kind in LAYERS_WITH_OPTIONS {
            assert!(KINDS.contains(&kind));
        }
    }
}
