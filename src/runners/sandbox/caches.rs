//! The options for layers and images that every program has.

use std::path::PathBuf;

use clap::Args;

use super::invocation::Invocation;
use maelstrom_engine::layer_cache::{LayerCacheOptions, TlsVerification};
use maelstrom_spec::config::{ByteSize, ConfigOption, ConfigOptionKind};

/// What the caches take up unless somebody says otherwise.
const SIZE_DEFAULT: &str = "1 GB";

/// Which of [`RunnerCacheOptions`] are configuration values.
pub const CACHE_VALUES: [ConfigOption; 4] = [
    ConfigOption::new("cache-size", ConfigOptionKind::Size),
    ConfigOption::new("inline-limit", ConfigOptionKind::Size),
    ConfigOption::new("container-image-depot-root", ConfigOptionKind::Text),
    ConfigOption::new(
        "accept-invalid-remote-container-tls-certs",
        ConfigOptionKind::Boolean,
    ),
];

/// How much is kept, where images are, and which registries are trusted.
#[derive(Clone, Debug, Args)]
pub struct RunnerCacheOptions {
    /// What the cache of layers, and that of images, should take up at most
    #[arg(long, value_name = "SIZE", default_value = SIZE_DEFAULT)]
    pub cache_size: ByteSize,

    /// Where images are kept, for all projects [default: $XDG_CACHE_HOME/maelstrom/container]
    #[arg(long, value_name = "DIRECTORY")]
    pub container_image_depot_root: Option<PathBuf>,

    /// Fetch images also from registries whose certificates are not trusted
    #[arg(long)]
    pub accept_invalid_remote_container_tls_certs: bool,

    /// How much of a job's output is kept: scripts that say it go on working, and all of it is kept
    /// anyway
    #[arg(long, value_name = "SIZE", default_value = "1 MB", hide = true)]
    pub inline_limit: ByteSize,
}

/// Where a program's layers are.
#[derive(Clone, Debug)]
pub struct LayerDirectories {
    /// The project's directory.
    pub project: PathBuf,
    /// The cache of layers.
    pub cache: PathBuf,
    /// Where images are for somebody who has no home.
    pub homeless_depot: PathBuf,
}

impl RunnerCacheOptions {
    /// Where layers and images come from and go. Relative paths that were said start where the
    /// program was called.
    pub fn sources(&self, invocation: &Invocation, places: LayerDirectories) -> LayerCacheOptions {
        let LayerDirectories {
            project,
            cache,
            homeless_depot,
        } = places;
        let depot = match &self.container_image_depot_root {
            Some(root) => invocation.directory.join(root),
            None => invocation
                .cache_home()
                .map_or(homeless_depot, |home| home.join("maelstrom/container")),
        };
        LayerCacheOptions {
            project,
            cache,
            depot,
            size_target_bytes: self.cache_size.0,
            certificates: match self.accept_invalid_remote_container_tls_certs {
                true => TlsVerification::AnyAccepted,
                false => TlsVerification::Checked,
            },
            library_path: Vec::new(),
        }
    }
}
