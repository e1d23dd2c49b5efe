//! What the runners share: the container, the environment and the calling process.
//!
//! Each language's runner knows the project's directories and the toolchain that built its tests;
//! everything else is the same for all.
//!
//! - [`invocation`]: the program's working directory, arguments and environment.
//! - [`environment`]: the caller's environment, filtered for tests.
//! - [`caches`]: the directories of layers and images.
//! - [`cluster`]: the options for a cluster.
//! - [`container`]: the default container. [`devices`]: those that every program expects.
//! - [`project_spec`]: applies a project's own file.
//! - [`keep_alive`]: what must stay as long as jobs may run.
//! - [`project_directories`]: where a runner keeps its own files.
//! - [`hints`]: what a container may lack when a test fails.
//! - [`notices`]: notices to the user.
//!
//! Nothing here is specific to one language.

pub mod caches;
pub mod cluster;
pub mod container;
pub mod devices;
pub mod environment;
pub mod hints;
pub mod invocation;
pub mod keep_alive;
pub mod notices;
pub mod project_directories;
pub mod project_spec;
