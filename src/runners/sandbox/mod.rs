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
//! - [`specified`]: what a project's own file makes of all that.
//! - [`kept`]: what must stay as long as jobs may run.
//! - [`own`]: where a runner keeps what is its own.
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
pub mod kept;
pub mod notices;
pub mod own;
pub mod specified;
