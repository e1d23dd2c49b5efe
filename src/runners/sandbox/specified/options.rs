//! The options about containers, which all runners have.

use std::path::PathBuf;

use clap::Args;

use crate::sandbox::caches::{CacheOptions, LayerPlaces};
use crate::sandbox::invocation::Invocation;
use maelstrom_engine::materials::Sources;

/// Containers, layers and images.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Containers")]
pub struct ContainerOptions {
    /// Write a file that describes the tests' containers, to begin with, and stop
    #[arg(long, group = "goal")]
    pub init: bool,

    /// Print what a test gets and which directives of the file say so, and stop
    #[arg(long, value_name = "TEST", group = "goal")]
    pub explain: Option<String>,

    /// Layers and images.
    #[command(flatten)]
    pub caches: CacheOptions,
}

impl ContainerOptions {
    /// Where layers and images come from and go. `own` is the runner's own directory in the
    /// project, where images are as well for somebody who has no home.
    pub fn sources(&self, invocation: &Invocation, project: PathBuf, own: PathBuf) -> Sources {
        let places = LayerPlaces {
            project,
            cache: own.join("cache/layers"),
            homeless_depot: own.join("container"),
        };
        self.caches.sources(invocation, places)
    }
}
