//! The command-line options for containers, which all runners have.

use std::path::PathBuf;

use clap::Args;

use crate::sandbox::caches::{LayerDirectories, RunnerCacheOptions};
use crate::sandbox::invocation::Invocation;
use maelstrom_engine::layer_cache::LayerCacheOptions;

/// Options for the specification file and for the caches of layers and images.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Containers")]
pub struct TestContainerOptions {
    /// Write a starter file that describes the tests' containers, and exit
    #[arg(long, group = "goal")]
    pub init: bool,

    /// Print the container of a test and the directives of the file that apply to it, and exit
    #[arg(long, value_name = "TEST", group = "goal")]
    pub explain: Option<String>,

    /// Print how a test runs and where each value comes from, and exit
    #[arg(long, value_name = "TEST", group = "goal")]
    pub show_config: Option<String>,

    /// The options for layers and images.
    #[command(flatten)]
    pub caches: RunnerCacheOptions,
}

/// What is explained of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainedPart {
    /// Its container.
    Container,
    /// How it runs.
    Policy,
}

impl TestContainerOptions {
    /// Returns the name of the test to explain, if any, and what is explained of it.
    pub fn asked(&self) -> (Option<&str>, ExplainedPart) {
        match &self.show_config {
            Some(name) => (Some(name), ExplainedPart::Policy),
            None => (self.explain.as_deref(), ExplainedPart::Container),
        }
    }

    /// Returns the options of the layer cache. `own` is the runner's own directory, which holds the
    /// cache of layers. For a user without a home directory, it also holds the images.
    pub fn sources(
        &self,
        invocation: &Invocation,
        project: PathBuf,
        own: PathBuf,
    ) -> LayerCacheOptions {
        let places = LayerDirectories {
            project,
            cache: own.join("cache/layers"),
            homeless_depot: own.join("container"),
        };
        self.caches.sources(invocation, places)
    }
}
