//! Linux containers: namespaces, mounts, layers and the content store.
//!
//! This room knows nothing of tests, queues or screens, and imports nothing of this crate outside
//! itself.
//!
//! - [`spec`]: what a container is, as data.

pub mod spec;
