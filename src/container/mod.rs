//! Linux containers: namespaces, mounts, layers and the content store.
//!
//! This room knows nothing of tests, queues or screens, and imports nothing of this crate outside
//! itself.
//!
//! ```text
//! ContainerSpec ── plan ──▶ steps ──▶ spawner ──▶ slot (PID 1 of the container) ──▶ child ──▶ program
//! ```
//!
//! - [`spec`]: what a container is, as data.
//! - [`plan`], [`step`]: the steps that make one, still as data.
//! - [`mountinfo`]: what is mounted where on this machine.
//! - [`preflight`]: whether this machine allows containers, and what cures it.
//! - [`spawner`], [`slot`], [`child`], [`message`]: the processes, from the outermost inwards, and
//!   what they say to one another.
//! - [`sys`]: the system calls behind them.
//! - [`digest`], [`store`]: names by content; blobs and trees by digest, in a cache directory.
//! - [`layer`]: recipes of file trees, and how they become trees.
//! - [`image`]: container images, from registries and files.

pub mod child;
pub mod digest;
pub mod image;
pub mod layer;
pub mod message;
pub mod mountinfo;
pub mod plan;
pub mod preflight;
pub mod slot;
pub mod spawner;
pub mod spec;
pub mod step;
pub mod store;
pub mod sys;
