//! Code that all runners share: the container, the environment and the calling process.
//!
//! A language's runner supplies the project's directories and the toolchain that built its tests.
//! Everything else is the same for all languages and lives here.
//!
//! - [`fixture`]: commands that run once, before tests that need what they make.
//! - [`invocation`]: the program's working directory and environment.
//! - [`environment`]: the caller's environment, filtered for tests.
//! - [`caches`]: the options for the caches of layers and images.
//! - [`cluster`]: the options for a cluster.
//! - [`container`]: the default container. [`devices`]: the device files in `/dev` that programs
//!   expect.
//! - [`project_spec`]: applies the project's specification file (`cargo-maelstrom.toml` and the
//!   like).
//! - [`keep_alive`]: keeps directories that jobs may use from being deleted.
//! - [`project_directories`]: the directories for a runner's state and caches.
//! - [`run_directory`]: a directory for the programs that one run builds.
//! - [`hints`]: guesses from a failed test's output what the container lacks.
//! - [`notices`]: notices to the user that every runner can show.

pub mod caches;
pub mod cluster;
pub mod container;
pub mod devices;
pub mod environment;
pub mod fixture;
pub mod hints;
pub mod invocation;
pub mod keep_alive;
pub mod notices;
pub mod project_directories;
pub mod project_spec;
pub(crate) mod run_directory;
