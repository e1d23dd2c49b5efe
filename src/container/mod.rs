//! Linux containers: namespaces, mounts, layers and the content store.
//!
//! This room knows nothing of tests, queues or screens, and imports nothing of this crate outside
//! itself.
//!
//! - [`digest`]: names by content.
//! - [`spec`]: what a container is, as data.
//! - [`store`]: blobs and trees by digest, in a cache directory.

pub mod child;
pub mod digest;
pub mod message;
pub mod plan;
pub mod preflight;
pub mod slot;
pub mod spawner;
pub mod spec;
pub mod step;
pub mod store;
pub mod sys;
