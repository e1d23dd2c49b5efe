//! The options about containers, layers and images, which all runners have.

use std::path::PathBuf;

use clap::Args;

use crate::engine::config::ByteSize;
use crate::engine::materials::{Certificates, Sources};
use crate::runners::sandbox::invocation::Invocation;

/// What the caches take up unless somebody says otherwise.
const SIZE_DEFAULT: &str = "1 GB";

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

    /// What the cache of layers, and that of images, should take up at most
    #[arg(long, value_name = "SIZE", default_value = SIZE_DEFAULT)]
    pub cache_size: ByteSize,

    /// Where images are kept, for all projects [default: $XDG_CACHE_HOME/maelstrom/container]
    #[arg(long, value_name = "DIRECTORY")]
    pub container_image_depot_root: Option<PathBuf>,

    /// Fetch images also from registries whose certificates are not trusted
    #[arg(long)]
    pub accept_invalid_remote_container_tls_certs: bool,
}

impl ContainerOptions {
    /// Where layers and images come from and go. `own` is the runner's own directory in the
    /// project.
    pub fn sources(&self, invocation: &Invocation, project: PathBuf, own: PathBuf) -> Sources {
        let depot = match &self.container_image_depot_root {
            Some(root) => invocation.directory.join(root),
            // Who has no home keeps images with the project.
            None => invocation.cache_home().map_or_else(
                || own.join("container"),
                |cache| cache.join("maelstrom/container"),
            ),
        };
        Sources {
            project,
            depot,
            cache: own.join("cache/layers"),
            size_target_bytes: self.cache_size.0,
            certificates: match self.accept_invalid_remote_container_tls_certs {
                true => Certificates::AnyAccepted,
                false => Certificates::Checked,
            },
            library_path: Vec::new(),
        }
    }
}
