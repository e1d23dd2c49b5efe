//! The options for containers that all runners have.

use std::path::PathBuf;

use clap::Args;

use crate::sandbox::caches::{LayerDirectories, RunnerCacheOptions};
use crate::sandbox::invocation::Invocation;
use maelstrom_engine::layer_cache::LayerCacheOptions;

/// Containers, layers and images.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Containers")]
pub struct TestContainerOptions {
    /// Write a file that describes the tests' containers, to begin with, and stop
    #[arg(long, group = "goal")]
    pub init: bool,

    /// Print what a test gets and which directives of the file say so, and stop
    #[arg(long, value_name = "TEST", group = "goal")]
    pub explain: Option<String>,

    /// Layers and images.
    #[command(flatten)]
    pub caches: RunnerCacheOptions,
}

impl TestContainerOptions {
    /// Where layers and images come from and go. `own` is the runner's own directory in the
    /// project, where images are as well for somebody who has no home.
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
