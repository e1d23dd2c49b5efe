//! Tests the language of the files against its reference, row by row, and properties of all files.
//!
//! A row is a file, and what it specifies for a test named `slow` of the package `courier`, or the
//! error. The snapshots contain both, so that they read as a table.

pub(crate) mod laws;
mod parts;
mod profiles;
mod rows;
mod shapes;
mod uses;

use std::path::Path;

use super::*;
use crate::document::TextDocument;
use crate::filter::{CargoSubject, SubjectTarget, TargetKind, vocabulary};
use maelstrom_model::error::help_of;

pub(super) const SUBJECT: CargoSubject<'static> = CargoSubject {
    package: "courier",
    target: Some(SubjectTarget {
        name: "courier",
        kind: TargetKind::Library,
    }),
    case: Some("slow"),
    past: None,
};

/// Reads a file of `cargo maelstrom`. Errors are returned as shown to the user.
pub(super) fn read(text: &str) -> Result<TestSpecification, String> {
    let variables = [TemplateVariable {
        name: "build-dir",
        value: "/w/target/debug".to_owned(),
    }];
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/w"),
        variables: &variables,
    };
    let document = TextDocument::new("cargo-maelstrom.toml", text);
    TestSpecification::read(&document, &context).map_err(|error| match &error.help {
        Some(help) => format!("{error}\nhelp: {help}"),
        None => error.to_string(),
    })
}

pub(crate) fn resolver(text: &str) -> Result<SpecResolver, String> {
    Ok(SpecResolver::new(read(text)?, None, RunnerLayers::Some))
}

pub(crate) fn resolve(resolver: &mut SpecResolver) -> Result<SpecResolution, String> {
    resolver
        .resolve(&SUBJECT)
        .map_err(|error| format!("{error}\nhelp: {}", help_of(&error).unwrap()))
}

pub(super) fn resolved(text: &str) -> Result<ResolvedSpec, String> {
    let resolution = resolve(&mut resolver(text)?)?;
    Ok(resolution.resolved.as_ref().clone())
}

/// Formats a row of the table: the file and its result.
pub(super) fn row(title: &str, text: &str) -> String {
    let outcome = match resolved(text) {
        Ok(resolved) => explain::print(&resolved),
        Err(error) => format!("{error}\n"),
    };
    format!("=== {title}\n{}\n---\n{outcome}\n", text.trim())
}

pub(super) fn table(rows: &[(&str, &str)]) -> String {
    rows.iter().map(|(title, text)| row(title, text)).collect()
}

#[test]
fn without_a_file_every_test_gets_the_default_container() {
    let mut built_in = SpecResolver::new(TestSpecification::built_in(), None, RunnerLayers::None);
    let resolution = resolve(&mut built_in).unwrap();
    assert_eq!(
        resolution.resolved.base,
        ResolvedBase::Default {
            inherited: InheritedFields::all()
        }
    );
    assert!(resolution.resolved.include_shared_libraries);
    for starter in [&init::CARGO, &init::GO, &init::PYTEST] {
        assert_eq!(
            &resolved(starter.text).unwrap(),
            resolution.resolved.as_ref()
        );
    }
}

#[test]
fn the_starter_files_examples_are_valid_when_they_count() {
    for (starter, words) in [
        (&init::CARGO, &vocabulary::CARGO),
        (&init::GO, &vocabulary::GO),
        (&init::PYTEST, &vocabulary::PYTEST),
    ] {
        let lines = starter
            .text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(example) if !example.starts_with(' ') || example.starts_with("    ") => {
                    example
                }
                Some(_) | None => line,
            });
        let text = lines.collect::<Vec<_>>().join("\n");
        let variables = [TemplateVariable {
            name: "build-dir",
            value: "/b".to_owned(),
        }];
        let context = SpecContext {
            vocabulary: words,
            project: Path::new("/w"),
            variables: &variables,
        };
        let document = TextDocument::new(starter.name, text);
        let specification = TestSpecification::read(&document, &context).unwrap();
        assert_eq!(specification.directives.len(), 5, "{}", starter.name);
        assert_eq!(specification.containers.len(), 1, "{}", starter.name);
    }
}

#[test]
fn a_starter_file_is_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = init::CARGO.write(directory.path()).unwrap();
    assert_eq!(path, directory.path().join("cargo-maelstrom.toml"));
    std::fs::write(&path, "mine").unwrap();
    let error = init::CARGO.write(directory.path()).unwrap_err();
    assert!(matches!(error, init::InitError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let error = init::CARGO
        .write(&directory.path().join("absent"))
        .unwrap_err();
    assert!(matches!(error, init::InitError::Write { .. }), "{error}");
}

#[test]
fn a_tests_container_is_explained_as_a_file() {
    let mut resolver = resolver(
        r#"
[containers.tools]
layers = [{ paths = ["<build-dir>/helper"], canonicalize = true }]
user = 7

[[directives]]
filter = "library"
parent = "tools"

[[directives]]
filter = "package.equals(other)"
ignore = true

[[directives]]
filter = "package.equals(courier)"
parent = { name = "tools", use = ["layers"] }
added_layers = [{ stubs = ["/var/spool/"] }]
mounts = [{ type = "tmp", mount_point = "/var/spool" }]
timeout = 45
"#,
    )
    .unwrap();
    let resolution = resolve(&mut resolver).unwrap();
    let explained = explain("courier slow", resolver.specification(), &resolution);
    assert_eq!(
        resolved(&explained).as_ref(),
        Ok(resolution.resolved.as_ref())
    );
    insta::assert_snapshot!(explained);
}

#[test]
fn tests_with_the_same_directives_share_a_result() {
    let mut resolver = resolver("[[directives]]\nuser = 1\n").unwrap();
    let one = resolve(&mut resolver).unwrap().resolved;
    let other = resolver
        .resolve(&CargoSubject {
            case: Some("other"),
            past: None,
            ..SUBJECT
        })
        .unwrap()
        .resolved;
    assert!(std::sync::Arc::ptr_eq(&one, &other));
}

#[test]
fn the_configured_timeout_replaces_the_directives() {
    let file = "[[directives]]\ntimeout = 45\n";
    let timeout = |configured| {
        let mut resolver = SpecResolver::new(read(file).unwrap(), configured, RunnerLayers::Some);
        let timeout = resolve(&mut resolver).unwrap().resolved.timeout;
        timeout.map(|timeout| timeout.as_secs())
    };
    assert_eq!(timeout(None), Some(45));
    assert_eq!(timeout(Some(9)), Some(9));
    assert_eq!(timeout(Some(0)), None);
}

#[test]
fn a_container_needs_a_layer_unless_the_runner_adds_one() {
    let error = |file| {
        let mut resolver = SpecResolver::new(read(file).unwrap(), None, RunnerLayers::None);
        resolver
            .resolve(&SUBJECT)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("[[directives]]\nuser = 1\n"),
        "cargo-maelstrom.toml:1:1: the container has no layer, so there would be nothing in it"
    );
    assert_eq!(
        error(""),
        "no directive applies: the container has no layer, so there would be nothing in it"
    );
    assert!(
        error("[[directives]]\nimage = { name = \"docker://a\", use = [\"environment\"] }\n")
            .contains("no layer")
    );
    assert!(resolved("").is_ok());
}
