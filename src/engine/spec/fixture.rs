//! Fixtures: commands that run once, and whose files and variables tests begin with.
//!
//! ```toml
//! [fixtures.db]
//! filter = "name.starts_with(db_)"
//! command = "initdb -D $MAELSTROM_FIXTURE_DIR/data"
//! inputs = ["migrations/*.sql"]
//! service = "exec postgres -D $MAELSTROM_FIXTURE_DIR/data"
//! ready = ["pg_isready"]
//! ```
//!
//! This module reads them; what they mean for a test's container is decided by the runners.

use std::path::PathBuf;
use std::time::Duration;

use crate::filter::{FilterSubject, TestPattern, TruthValue};

use super::environment::EnvironmentElement;

/// A command that runs once, and whose files and variables tests begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureDefinition {
    pub name: String,
    /// The position in the file, for messages.
    pub place: String,
    /// The tests that begin with it; `None` means all tests.
    pub filter: Option<TestPattern>,
    pub command: FixtureCommand,
    /// Patterns of the project's files that the command reads, relative to the project directory.
    pub inputs: Vec<String>,
    /// The variables of the command, in addition to the few that it gets in any case.
    pub environment: Vec<EnvironmentElement>,
    /// The directory whose files are kept, in the container of the command and in those of tests.
    pub directory: PathBuf,
    /// The time limit of the command; `None` means no limit.
    pub timeout: Option<Duration>,
    /// Whether a later run uses what this one has made.
    pub cache: FixtureCaching,
    /// What runs beside each test.
    pub service: Option<FixtureService>,
}

/// Whether a later run uses what a fixture's command has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixtureCaching {
    /// Until what it is made from changes.
    Kept,
    /// Each run makes it again.
    EachRun,
}

/// A command as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixtureCommand {
    /// A text for `/bin/sh`.
    Shell(String),
    /// A program and its arguments. Not empty.
    Words(Vec<String>),
}

impl FixtureCommand {
    /// Returns the program and its arguments.
    pub fn words(&self) -> Vec<String> {
        match self {
            FixtureCommand::Shell(text) => ["/bin/sh", "-c", text].map(str::to_owned).into(),
            FixtureCommand::Words(words) => words.clone(),
        }
    }
}

/// A program that runs beside each test, started from the files of its fixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureService {
    pub command: FixtureCommand,
    /// The command that succeeds when the service is ready. Without it, a service is ready as soon
    /// as it is started.
    pub ready: Option<FixtureCommand>,
    /// The maximum time until it is ready.
    pub ready_timeout: Duration,
}

impl FixtureDefinition {
    /// Returns whether a test begins with the fixture. The test must be fully known.
    pub fn applies_to<S: FilterSubject + ?Sized>(&self, subject: &S) -> bool {
        match &self.filter {
            None => true,
            Some(filter) => filter.evaluate(subject) == TruthValue::True,
        }
    }
}
