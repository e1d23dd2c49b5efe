//! Tests what profiles say, and from which others they inherit.

use std::path::Path;

use super::SUBJECT;
use crate::document::TextDocument;
use crate::filter::vocabulary;
use crate::profile::{ProfileOptions, profile_options};
use crate::{RunnerLayers, SpecContext, SpecResolver, TestSpecification};
use maelstrom_model::error::help_of;

const FILE: &str = r#"
[[directives]]
filter = "name.equals(slow)"
slow = 1
grace = 1

[profiles.default]
retries = 1
stop_after = 9
junit = "default.xml"

[profiles.ci]
filter = "!name.equals(manual)"
slots = 4
stop_after = 3
retries = { count = 2, delay = "1s" }
slow = 2

[[profiles.ci.directives]]
filter = "name.equals(slow)"
slow = 3

[profiles.night]
inherits = "ci"
timeout = "1h"
slots = 2
"#;

fn known() -> Vec<String> {
    ["slots", "stop_after", "junit"].map(str::to_owned).to_vec()
}

fn document(text: &str) -> TextDocument {
    TextDocument::new("cargo-maelstrom.toml", text)
}

/// Returns what a run with a profile uses, or the error.
fn effect(text: &str, profile: &str) -> String {
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/w"),
        variables: &[],
    };
    let document = document(text);
    let options = profile_options(&document, profile, &known());
    let read = TestSpecification::read_profile(&document, &context, profile);
    let (options, specification) = match (options, read) {
        (Ok(options), Ok(specification)) => (options, specification),
        (Err(error), _) | (_, Err(error)) => {
            let help = help_of(&error).unwrap_or_default();
            return format!("{error}\nhelp: {help}\n");
        }
    };
    let mut lines = String::new();
    for option in options.options {
        let place = document.place(&option.span);
        lines.push_str(&format!("{}  # {place}\n", option.name));
    }
    if let Some(filter) = &specification.default_filter {
        lines.push_str(&format!("filter = {filter}\n"));
    }
    let mut resolver = SpecResolver::new(specification, None, RunnerLayers::Some);
    let policy = resolver.resolve(&SUBJECT).unwrap().resolved.policy.clone();
    for field in policy.shown() {
        if let Some(origin) = field.origin {
            lines.push_str(&format!("{} = {}  # {origin}\n", field.name, field.value));
        }
    }
    lines
}

#[test]
fn nearer_profiles_come_before_those_from_which_they_inherit() {
    let effects = ["default", "ci", "night", "absent"]
        .map(|name| format!("=== {name}\n{}", effect(FILE, name)));
    insta::assert_snapshot!(effects.concat());
}

#[test]
fn mistakes_in_profiles_have_their_places() {
    let mistakes = [
        "[profiles.a]\nslot = 1\n",
        "[profiles.a]\nretires = 1\n",
        "[profiles.a]\ninherits = \"b\"\n",
        "[profiles.a]\ninherits = \"b\"\n[profiles.b]\ninherits = \"a\"\n",
        "[profiles.a]\n[profiles.default]\ninherits = \"a\"\n",
        "[profiles.a]\nfilter = \"nme.equals(x)\"\n",
        "[profiles]\na = 1\n",
    ];
    let table = mistakes.map(|text| format!("=== {text}{}", effect(text, "a")));
    insta::assert_snapshot!(table.concat());
}

#[test]
fn a_file_without_profiles_sets_no_options() {
    let options = profile_options(&document("[[directives]]\n"), "ci", &known()).unwrap();
    assert_eq!(options, ProfileOptions::default());
}
