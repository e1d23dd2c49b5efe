//! Reads the fixtures of a file.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::document::{DocumentNode, DocumentTable, DocumentValue, SpanError, TableField};

use super::fixture::{FixtureCaching, FixtureCommand, FixtureDefinition, FixtureService};
use super::policy::read::time;
use super::read_environment;
use super::read_node::{SpecResult, boolean, into_table, list, require, text};
use super::reader::SpecReader;

/// The fields of a fixture.
pub(super) const FIXTURE_FIELDS: [&str; 10] = [
    "filter",
    "command",
    "inputs",
    "environment",
    "directory",
    "timeout",
    "cache",
    "service",
    "ready",
    "ready_timeout",
];

/// The directory below which fixtures have their own, unless they name one.
const DIRECTORIES: &str = "/fixtures";

/// The time limit of a command without one. It is for a command that hangs; few take minutes.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The time within which a service without a limit must be ready. Servers take seconds on a busy
/// machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl SpecReader<'_> {
    /// Reads the table of fixtures, in the order of the file.
    pub(super) fn fixtures(&self, node: DocumentNode) -> SpecResult<Vec<Arc<FixtureDefinition>>> {
        let table = into_table(node, "a table of fixtures")?;
        let mut fixtures: Vec<Arc<FixtureDefinition>> = Vec::new();
        for field in table.fields {
            let span = field.span.clone();
            let fixture = self.fixture(field)?;
            let other = fixtures
                .iter()
                .find(|other| overlap(&other.directory, &fixture.directory));
            if let Some(other) = other {
                let message = format!(
                    "the fixtures `{}` and `{}` have the same directory, or one within the other: \
                     `{}`, `{}`",
                    other.name,
                    fixture.name,
                    other.directory.display(),
                    fixture.directory.display()
                );
                let help = Some("give each a `directory` of its own".to_owned());
                return Err(SpanError {
                    span,
                    message,
                    help,
                });
            }
            fixtures.push(Arc::new(fixture));
        }
        Ok(fixtures)
    }

    fn fixture(&self, field: TableField) -> SpecResult<FixtureDefinition> {
        let TableField { name, span, node } = field;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(SpanError {
                span,
                message: format!("`{name}` cannot be the name of a fixture"),
                help: Some("use letters, digits, `-` and `_`".to_owned()),
            });
        }
        let place = self.document.place(&span);
        let mut table = into_table(node, "a fixture")?;
        let filter = table.take("filter").map(|field| self.filter(field.node));
        let command_field = require(&mut table, "command", "a fixture", &span)?;
        let inputs = table.take("inputs").map_or(Ok(Vec::new()), |field| {
            let patterns = list(field.node, "an array of patterns")?;
            let pattern = |node| text(node, "a pattern of files");
            patterns.into_iter().map(pattern).collect()
        });
        let environment = table.take("environment").map_or(Ok(Vec::new()), |field| {
            read_environment::elements(field.node)
        });
        let own = table.take("directory").map(|field| directory(field.node));
        let timeout = table.take("timeout").map(|field| time(&field.node));
        let cache = table.take("cache").map(|field| boolean(&field.node));
        let service = table.take("service").map(|field| command(field.node));
        let service = match service.transpose()? {
            Some(command) => Some(self.service(&mut table, command)?),
            None => {
                let mut fields = table.fields.iter();
                let alone = fields.find(|field| field.name.starts_with("ready"));
                if let Some(field) = alone {
                    let message =
                        format!("`{}` is about a `service`, which is missing", field.name);
                    let help = Some("add the command that starts the service".to_owned());
                    let span = field.span.clone();
                    return Err(SpanError {
                        span,
                        message,
                        help,
                    });
                }
                None
            }
        };
        table.finish("a fixture", &FIXTURE_FIELDS)?;
        let timeout = timeout.transpose()?.unwrap_or(TIMEOUT);
        Ok(FixtureDefinition {
            filter: filter.transpose()?,
            command: command(command_field.node)?,
            inputs: inputs?,
            environment: environment?,
            directory: own
                .transpose()?
                .unwrap_or_else(|| Path::new(DIRECTORIES).join(&name)),
            timeout: (!timeout.is_zero()).then_some(timeout),
            cache: match cache.transpose()? {
                None | Some(true) => FixtureCaching::Kept,
                Some(false) => FixtureCaching::EachRun,
            },
            service,
            name,
            place,
        })
    }

    fn service(
        &self,
        table: &mut DocumentTable,
        start: FixtureCommand,
    ) -> SpecResult<FixtureService> {
        let ready = table.take("ready").map(|field| command(field.node));
        let limit = table.take("ready_timeout").map(|field| time(&field.node));
        Ok(FixtureService {
            command: start,
            ready: ready.transpose()?,
            ready_timeout: limit.transpose()?.unwrap_or(READY_TIMEOUT),
        })
    }
}

/// Returns whether two directories are equal, or one contains the other.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Reads a command: a text for the shell, or a program and its arguments.
fn command(node: DocumentNode) -> SpecResult<FixtureCommand> {
    let expected = "a text for the shell, or an array of a program and its arguments";
    let span = node.span.clone();
    let empty = |span| SpanError {
        span,
        message: "the command is empty".to_owned(),
        help: None,
    };
    match node.value {
        DocumentValue::Text(_) => match text(node, expected)? {
            line if line.trim().is_empty() => Err(empty(span)),
            line => Ok(FixtureCommand::Shell(line)),
        },
        DocumentValue::List(words) => {
            let word = |node| text(node, "a string");
            let words: Vec<String> = words.into_iter().map(word).collect::<SpecResult<_>>()?;
            match words.first() {
                Some(program) if !program.is_empty() => Ok(FixtureCommand::Words(words)),
                Some(_) | None => Err(empty(span)),
            }
        }
        _ => Err(node.not(expected)),
    }
}

/// Reads an absolute path in a container.
fn directory(node: DocumentNode) -> SpecResult<PathBuf> {
    let span = node.span.clone();
    let written = PathBuf::from(text(node, "a path")?);
    let mut components = written.components();
    let is_straight = components.next() == Some(Component::RootDir)
        && written.parent().is_some()
        && components.all(|part| matches!(part, Component::Normal(_)));
    match is_straight {
        true => Ok(written.components().collect()),
        false => Err(SpanError {
            span,
            message: "the directory of a fixture is an absolute path below `/`, without `..`"
                .to_owned(),
            help: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::TextDocument;
    use crate::filter::vocabulary;
    use crate::{SpecContext, TestSpecification};

    fn read(text: &str) -> Result<Vec<Arc<FixtureDefinition>>, String> {
        let document = TextDocument::new("cargo-maelstrom.toml", text);
        let context = SpecContext {
            vocabulary: &vocabulary::CARGO,
            project: Path::new("/p"),
            variables: &[],
        };
        let read = TestSpecification::read(&document, &context);
        let told = |error: crate::document::DocumentError| match &error.help {
            Some(help) => format!("{error}\n  help: {help}"),
            None => error.to_string(),
        };
        read.map(|specification| specification.fixtures)
            .map_err(told)
    }

    #[test]
    fn a_fixture_needs_only_a_command() {
        let read = read("[fixtures.certs]\ncommand = [\"mkcert\", \"-x\"]").unwrap();
        let [fixture] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!(fixture.name, "certs");
        assert_eq!(fixture.place, "cargo-maelstrom.toml:1:11");
        assert_eq!(fixture.command.words(), ["mkcert", "-x"]);
        assert_eq!(fixture.directory, Path::new("/fixtures/certs"));
        assert_eq!(fixture.timeout, Some(TIMEOUT));
        assert_eq!(fixture.cache, FixtureCaching::Kept);
        assert_eq!((&fixture.filter, &fixture.service), (&None, &None));
    }

    #[test]
    fn a_fixture_has_files_variables_and_a_service() {
        let read = read(
            r#"
            [fixtures.db]
            filter = "name.starts_with(db_)"
            command = "seed > $MAELSTROM_FIXTURE_DIR/x"
            inputs = ["migrations/*.sql"]
            environment = { LEVEL = "$env{LEVEL:-1}" }
            directory = "/var/lib/db/"
            timeout = 0
            cache = false
            service = "exec serve"
            ready = ["ping", "-q"]
            ready_timeout = "5s"
            [fixtures.after]
            command = "true"
            "#,
        );
        let read = read.unwrap();
        let names: Vec<&str> = read.iter().map(|fixture| fixture.name.as_str()).collect();
        assert_eq!(names, ["db", "after"]);
        let db = &read[0];
        let words = ["/bin/sh", "-c", "seed > $MAELSTROM_FIXTURE_DIR/x"];
        assert_eq!(db.command.words(), words);
        assert_eq!(db.inputs, ["migrations/*.sql"]);
        assert_eq!(db.environment.len(), 1);
        assert_eq!(db.directory, Path::new("/var/lib/db"));
        assert_eq!((db.timeout, db.cache), (None, FixtureCaching::EachRun));
        let service = db.service.as_ref().unwrap();
        assert_eq!(service.command, FixtureCommand::Shell("exec serve".into()));
        let ready = FixtureCommand::Words(vec!["ping".into(), "-q".into()]);
        assert_eq!(service.ready, Some(ready));
        assert_eq!(service.ready_timeout, Duration::from_secs(5));
    }

    #[test]
    fn every_mistake_has_its_place() {
        let mistakes = [
            "fixtures = 1",
            "[fixtures.\"a b\"]\ncommand = \"x\"",
            "[fixtures.a]",
            "[fixtures.a]\ncommand = \" \"",
            "[fixtures.a]\ncommand = []",
            "[fixtures.a]\ncommand = [1]",
            "[fixtures.a]\ncommand = 1",
            "[fixtures.a]\ncommand = \"x\"\ncomand = \"y\"",
            "[fixtures.a]\ncommand = \"x\"\ninputs = \"y\"",
            "[fixtures.a]\ncommand = \"x\"\ndirectory = \"y\"",
            "[fixtures.a]\ncommand = \"x\"\ndirectory = \"/\"",
            "[fixtures.a]\ncommand = \"x\"\ndirectory = \"/a/../b\"",
            "[fixtures.a]\ncommand = \"x\"\ntimeout = \"soon\"",
            "[fixtures.a]\ncommand = \"x\"\nready = \"y\"",
            "[fixtures.a]\ncommand = \"x\"\nready_timeout = 1",
            "[fixtures.a]\ncommand = \"x\"\nfilter = \"number.equals(x)\"",
            "[fixtures.a]\ncommand = \"x\"\nenvironment = { A = \"$b\" }",
            "[fixtures.a]\ncommand = \"x\"\n[fixtures.b]\ncommand = \"x\"\ndirectory = \"/fixtures/a/b\"",
        ];
        let told = mistakes.map(|text| read(text).unwrap_err());
        insta::assert_snapshot!(told.join("\n\n"));
    }
}
