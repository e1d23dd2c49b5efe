//! What the runners share: the container, the environment and the calling process around a test.
//!
//! Each language's runner says which directories are the project's and which toolchain built its
//! tests; everything else is the same for all.
//!
//! - [`invocation`]: where and with what we were called.
//! - [`environment`]: what of the calling environment means something to a test.
//! - [`caches`]: where layers and images are.
//! - [`cluster`]: where jobs run, if not only here.
//! - [`container`]: the default container. - [`devices`]: those that every program expects.
//! - [`project_spec`]: what a project's own file makes of all that.
//! - [`keep_alive`]: what must stay as long as jobs may run.
//! - [`project_directories`]: where a runner keeps what is its own.
//! - [`hints`]: what a container may lack when a test fails.
//! - [`notices`]: what a user should know about it.
//!
//! Deliberately absent: anything that only one language has.

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
