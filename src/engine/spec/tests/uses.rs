//! Tests which fields of a container can be combined: each field with each way of inheriting, in
//! each place that describes containers.

use std::path::Path;

use super::super::job::JobFileEntry;
use super::super::read::SpecContext;
use super::read;
use crate::document::{TextDocument, TextPosition};
use crate::filter::vocabulary;

/// The fields that a `use` list may contain: the name there, and the field as written.
const FIELDS: [(&str, &str); 8] = [
    ("layers", r#""layers": [{"stubs": ["/x"]}]"#),
    ("environment", r#""environment": {"A": "b"}"#),
    (
        "mounts",
        r#""mounts": [{"type": "tmp", "mount_point": "/x"}]"#,
    ),
    ("working_directory", r#""working_directory": "/x""#),
    (
        "enable_writable_file_system",
        r#""enable_writable_file_system": true"#,
    ),
    ("network", r#""network": "loopback""#),
    ("user", r#""user": 1"#),
    ("group", r#""group": 1"#),
];

/// The fields that can be inherited from an image.
const OF_IMAGES: [&str; 3] = ["layers", "environment", "working_directory"];

/// A place that describes a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Directive,
    Container,
    Job,
    ContainerOfJobs,
}

impl Place {
    const ALL: [Place; 4] = [
        Place::Directive,
        Place::Container,
        Place::Job,
        Place::ContainerOfJobs,
    ];

    /// Reads these fields in this place and returns the error, if any.
    fn read(self, fields: &[&str]) -> Result<(), String> {
        let fields = fields.join(", ");
        match self {
            Place::Directive => read(&format!("[[directives]]\n{}", toml(&fields))).map(drop),
            Place::Container => read(&format!("[containers.x]\n{}", toml(&fields))).map(drop),
            Place::Job => entry(&format!(r#"{{"program": "x", {fields}}}"#)),
            Place::ContainerOfJobs => entry(&format!(r#"{{"containers": {{"x": {{{fields}}}}}}}"#)),
        }
    }
}

/// Converts fields from JSON to TOML.
fn toml(fields: &str) -> String {
    let table: toml::Table = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
    let lines = table
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"));
    lines.collect()
}

fn entry(text: &str) -> Result<(), String> {
    let document = TextDocument::part("jobs", text, TextPosition { line: 1, column: 1 });
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/w"),
        variables: &[],
    };
    let read = JobFileEntry::read(&document, &context);
    read.map(drop).map_err(|error| error.to_string())
}

/// Formats an image or a parent with its `use` list.
fn base(key: &str, used: Option<&[&str]>) -> String {
    let name = match key {
        "image" => "docker://x",
        _ => "y",
    };
    match used {
        None => format!(r#""{key}": "{name}""#),
        Some(used) => format!(r#""{key}": {{"name": "{name}", "use": {used:?}}}"#),
    }
}

#[test]
fn a_plain_field_drops_out_of_what_is_used_unless_that_lists_it() {
    for place in Place::ALL {
        for (field, said) in FIELDS {
            for key in ["image", "parent"] {
                let inherits = key == "parent" || OF_IMAGES.contains(&field);
                let with = |used: Option<&[&str]>| place.read(&[said, &base(key, used)]);
                assert_eq!(with(None), Ok(()), "{place:?} {key} {field}");
                assert_eq!(with(Some(&[])), Ok(()), "{place:?} {key} {field}");
                let listed = with(Some(&[field]));
                // In a job, a list of elements is added to the inherited ones; a table is an error
                // there too.
                assert!(listed.is_err(), "{place:?} {key} {field}");
                if inherits {
                    let error = listed.unwrap_err();
                    assert!(error.contains(&format!("`{field}`")), "{error}");
                }
            }
        }
    }
}

#[test]
fn an_added_list_needs_something_to_be_added_to() {
    for place in Place::ALL {
        for (field, said) in &FIELDS[..3] {
            let added = said.replacen('"', "\"added_", 1);
            let read = |others: &[&str]| {
                let fields: Vec<&str> = [added.as_str()].iter().chain(others).copied().collect();
                place.read(&fields)
            };
            let case = format!("{place:?} added_{field}");
            // A directive changes what earlier directives have set.
            let alone = place == Place::Directive;
            assert_eq!(read(&[]).is_ok(), alone, "{case}");
            assert_eq!(read(&[said]).is_ok(), alone, "{case} and {field}");
            for key in ["image", "parent"] {
                let has_it = key == "parent" || *field != "mounts";
                assert_eq!(read(&[&base(key, None)]).is_ok(), has_it, "{case} {key}");
                assert!(
                    read(&[said, &base(key, None)]).is_err(),
                    "{case} {key}, {field}"
                );
                assert!(
                    read(&[&base(key, Some(&[]))]).is_err(),
                    "{case} {key} without"
                );
                let other = base(key, Some(&["working_directory"]));
                assert!(read(&[&other]).is_err(), "{case} {key} with another");
                let used = base(key, Some(&[field]));
                assert_eq!(read(&[&used]).is_ok(), has_it, "{case} {key} with");
            }
        }
    }
}

#[test]
fn an_image_and_a_parent_exclude_each_other_everywhere() {
    for place in Place::ALL {
        let error = place
            .read(&[&base("image", None), &base("parent", None)])
            .unwrap_err();
        assert!(error.contains("`image` and `parent`"), "{error}");
    }
}
