//! The command-line options for the caches of layers and images, which every program has.

use std::path::PathBuf;

use clap::Args;

use super::invocation::Invocation;
use maelstrom_engine::layer_cache::{LayerCacheOptions, TlsVerification};
use maelstrom_spec::config::{ByteSize, ConfigOption, ConfigOptionKind};

/// The default of `--cache-size`.
const SIZE_DEFAULT: &str = "1 GB";

/// The options in [`RunnerCacheOptions`] that can also be set in configuration files and
/// environment variables.
pub const CACHE_VALUES: [ConfigOption; 4] = [
    ConfigOption::new("cache-size", ConfigOptionKind::Size),
    ConfigOption::new("inline-limit", ConfigOptionKind::Size),
    ConfigOption::new("container-image-depot-root", ConfigOptionKind::Text),
    ConfigOption::new(
        "accept-invalid-remote-container-tls-certs",
        ConfigOptionKind::Boolean,
    ),
];

/// Options for the size of the caches, the directory of images, and trust in registries.
#[derive(Clone, Debug, Args)]
pub struct RunnerCacheOptions {
    /// Maximum size of the layer cache, and of the image cache
    #[arg(long, value_name = "SIZE", default_value = SIZE_DEFAULT)]
    pub cache_size: ByteSize,

    /// Directory of the image cache, which all projects share [default:
    /// $XDG_CACHE_HOME/maelstrom/container]
    #[arg(long, value_name = "DIRECTORY")]
    pub container_image_depot_root: Option<PathBuf>,

    /// Also fetch images from registries whose certificates are not trusted
    #[arg(long)]
    pub accept_invalid_remote_container_tls_certs: bool,

    /// How much of a job's output is kept: scripts that say it go on working, and all of it is kept
    /// anyway
    #[arg(long, value_name = "SIZE", default_value = "1 MB", hide = true)]
    pub inline_limit: ByteSize,
}

/// The directories from which [`RunnerCacheOptions::sources`] derives a program's layer cache.
#[derive(Clone, Debug)]
pub struct LayerDirectories {
    /// The project's directory, where relative paths in layers start.
    pub project: PathBuf,
    /// The directory of the layer cache.
    pub cache: PathBuf,
    /// The directory of images for a user without a home directory.
    pub homeless_depot: PathBuf,
}

impl RunnerCacheOptions {
    /// Returns the options of the layer cache. A relative `--container-image-depot-root` starts at
    /// the working directory of the invocation.
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
