//! The JSON schemas of the files that users write: they accept what the documentation shows, and
//! refuse what the reader refuses.

use std::fs;
use std::path::{Path, PathBuf};

use maelstrom::program::help::manual::{self, PROGRAM_MANUALS, ProgramManual};
use maelstrom::program::help::schemas;
use maelstrom_spec::TestSpecification;
use maelstrom_spec::document::TextDocument;
use maelstrom_spec::filter::vocabulary;
use maelstrom_spec::job::JobFileEntry;
use maelstrom_spec::read::SpecContext;
use serde_json::Value;

fn schema(manual: &ProgramManual, name: &str) -> jsonschema::Validator {
    let text = schemas::schema(manual, name).unwrap();
    jsonschema::draft7::new(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn toml_value(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).ok()?;
    serde_json::to_value(table).ok()
}

/// Returns the mistakes that a schema finds.
fn mistakes(schema: &jsonschema::Validator, value: &Value) -> Vec<String> {
    let errors = schema.iter_errors(value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<(PathBuf, String)> {
    let documents = fs::read_dir(root().join("docs")).unwrap();
    let paths = documents.map(|entry| entry.unwrap().path());
    let paths = paths.chain([root().join("README.md")]);
    let pages = paths.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    pages
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// Returns the code blocks of one language.
fn blocks(language: &str) -> Vec<(PathBuf, String)> {
    let fence = format!("```{language}\n");
    let of_page = |(path, text): (PathBuf, String)| {
        let parts: Vec<String> = text
            .split(fence.as_str())
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap().to_owned())
            .collect();
        parts.into_iter().map(move |part| (path.clone(), part))
    };
    pages().into_iter().flat_map(of_page).collect()
}

#[test]
fn documented_container_files_fit_their_schema() {
    let schema = schema(&manual::CARGO, "containers");
    let mut seen = 0;
    for (path, text) in blocks("toml") {
        if !text.contains("[containers") && !text.contains("[[directives]]") {
            continue;
        }
        let value = toml_value(&text).unwrap();
        assert_eq!(mistakes(&schema, &value), [""; 0], "{}", path.display());
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn starter_files_fit_their_schema_with_and_without_their_comments() {
    let schema = schema(&manual::CARGO, "containers");
    for entry in fs::read_dir(root().join("assets/init")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            // Comments have a space after the `#`, and code has none.
            Some(code) if !code.starts_with(' ') => code,
            Some(code) if code.starts_with("    ") => code,
            Some(_) => "",
            None => line,
        });
        let uncommented: String = lines.map(|line| format!("{line}\n")).collect();
        for text in [text.clone(), uncommented] {
            let value = toml_value(&text).unwrap();
            assert_eq!(mistakes(&schema, &value), [""; 0], "{text}");
        }
    }
}

#[test]
fn documented_jobs_fit_their_schema() {
    let schema = schema(&manual::RUN, "job");
    let mut seen = 0;
    for (path, text) in blocks("json")
        .iter()
        .filter(|(path, _)| path.ends_with("run.md"))
    {
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(mistakes(&schema, &value), [""; 0], "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_documented_settings_of_the_dashboard_fit_their_schema() {
    let schema = schema(&manual::RUN, "ui");
    let blocks = blocks("toml");
    let documented = blocks.iter().filter(|(_, text)| text.contains("[keys]"));
    let values: Vec<Value> = documented
        .filter_map(|(_, text)| toml_value(text))
        .collect();
    assert!(!values.is_empty());
    for value in &values {
        assert_eq!(mistakes(&schema, value), [""; 0]);
    }
    for wrong in ["colour = true", "[keys]\nrerunn = \"r\"", "theme = 7"] {
        assert!(
            !mistakes(&schema, &toml_value(wrong).unwrap()).is_empty(),
            "{wrong}"
        );
    }
}

#[test]
fn configuration_values_fit_their_schema_and_others_do_not() {
    for manual in PROGRAM_MANUALS {
        let schema = schema(manual, "config");
        let name = manual.schema.name;
        let value = toml_value("log-level = \"debug\"").unwrap();
        assert_eq!(mistakes(&schema, &value), [""; 0], "{name}");
        let text: Value =
            serde_json::from_str(&schemas::schema(manual, "config").unwrap()).unwrap();
        for (key, value) in text["properties"].as_object().unwrap() {
            assert!(
                value.get("type").or(value.get("anyOf")).is_some(),
                "{name}: {key}"
            );
        }
        for wrong in ["log-level = \"loud\"", "slotss = 1", "cache-size = true"] {
            assert!(
                !mistakes(&schema, &toml_value(wrong).unwrap()).is_empty(),
                "{name}: {wrong}"
            );
        }
    }
    let cargo = schema(&manual::CARGO, "config");
    let all = "slots = 2\nlocked = true\nfeatures = \"a,b\"\nwhole = [\"test.equals(ui)\"]\n\
               cache-size = \"1 GB\"\ntimeout = 3\nui = \"plain\"\n";
    assert_eq!(mistakes(&cargo, &toml_value(all).unwrap()), [""; 0]);
}

/// Returns whether the reader of a container file accepts a text.
fn is_read(text: &str) -> bool {
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/p"),
        variables: &[],
    };
    let document = TextDocument::new("test.toml", text);
    TestSpecification::read(&document, &context).is_ok()
}

/// Returns whether the reader of jobs accepts a text.
fn is_job(text: &str) -> bool {
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/p"),
        variables: &[],
    };
    JobFileEntry::read(&TextDocument::new("jobs", text), &context).is_ok()
}

#[test]
fn the_schema_of_container_files_agrees_with_their_reader() {
    let schema = schema(&manual::CARGO, "containers");
    let accepted = [
        "",
        "[[directives]]\nuser = 7\ntoolbox = false",
        "[[directives]]\nparent = { name = \"default\", use = [\"layers\"] }",
        "[containers.a]\nimage = { name = \"docker://a\", use = [\"environment\"] }",
        "[containers.a]\nlayers = [{ tar = \"a.tar\" }, { glob = \"**\", canonicalize = true }]",
        "[containers.a]\nenvironment = [{ vars = { A = \"1\" }, extend = true }]",
        "[containers.a]\nmounts = [{ type = \"tmp\", mount_point = \"/t\" }]",
        "[containers.a]\nmounts = [{ type = \"devices\", devices = [\"null\"] }]",
        "[containers.a]\nprivileges = \"full\"\nnetwork = \"local\"",
    ];
    let refused = [
        "directive = []",
        "directives = {}",
        "[[directives]]\nusers = 7",
        "[[directives]]\nuser = -1",
        "[[directives]]\nuser = \"7\"",
        "[[directives]]\nnetwork = \"none\"",
        "[[directives]]\nignore = 1",
        "[[directives]]\nparent = { nam = \"default\" }",
        "[[directives]]\nparent = { name = \"default\", uses = [] }",
        "[[directives]]\nimage = \"debian\"",
        "[[directives]]\nimage = \"docker://a\"\nparent = \"b\"",
        "[[directives]]\nimage = { name = \"docker://a\", use = [\"mounts\"] }",
        "[containers.a]\nfilter = \"all\"",
        "[containers.a]\nlayers = [{ tar = \"a\", glob = \"b\" }]",
        "[containers.a]\nlayers = [{ tar = \"a\", canonicalize = true }]",
        "[containers.a]\nlayers = [{ command = [\"a\"] }]",
        "[containers.a]\nlayers = [{ symlinks = [{ link = \"/a\" }] }]",
        "[containers.a]\nenvironment = [{ vars = { A = \"1\" } }]",
        "[containers.a]\nenvironment = { A = 1 }",
        "[containers.a]\nmounts = [{ type = \"tmp\" }]",
        "[containers.a]\nmounts = [{ type = \"tmp\", mount_point = \"/t\", read_only = true }]",
        "[containers.a]\nmounts = [{ type = \"devices\", devices = [\"nul\"] }]",
        "[containers.a]\nmounts = [{ mount_point = \"/t\" }]",
    ];
    for text in accepted {
        assert!(is_read(text), "{text}");
        assert_eq!(
            mistakes(&schema, &toml_value(text).unwrap()),
            [""; 0],
            "{text}"
        );
    }
    for text in refused {
        assert!(!is_read(text), "{text}");
        assert!(
            !mistakes(&schema, &toml_value(text).unwrap()).is_empty(),
            "{text}"
        );
    }
}

#[test]
fn the_schema_of_jobs_agrees_with_their_reader() {
    let schema = schema(&manual::RUN, "job");
    let cases = [
        (
            r#"{"program": "x", "arguments": ["-q"], "timeout": 9, "priority": -128}"#,
            true,
        ),
        (
            r#"{"program": "x", "layers": [{"stubs": ["/a"]}], "parent": "default"}"#,
            true,
        ),
        (r#"{"containers": {"a": {"user": 7}}}"#, true),
        (r#"{"arguments": []}"#, false),
        (r#"{"program": 1}"#, false),
        (r#"{"program": "x", "argument": []}"#, false),
        (r#"{"program": "x", "priority": 128}"#, false),
        (r#"{"program": "x", "timeout": null}"#, false),
        (r#"{"program": "x", "containers": {}}"#, false),
        (r#"{"program": "x", "filter": "all"}"#, false),
        (r#"{"containers": {"a": {"layer": []}}}"#, false),
        (r#"["program"]"#, false),
    ];
    for (text, fits) in cases {
        assert_eq!(is_job(text), fits, "{text}");
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(mistakes(&schema, &value).is_empty(), fits, "{text}");
    }
}
