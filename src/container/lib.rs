//! Linux containers: namespaces, mounts, layers and the content store.
//!
//! This crate knows nothing about tests, queues or user interfaces, and depends on no other crate
//! of the workspace.
//!
//! ```text
//! ContainerSpec ── plan ──▶ steps ──▶ spawner ──▶ container init (PID 1) ──▶ child ──▶ program
//! ```
//!
//! - [`spec`]: describes a container, as data.
//! - [`plan`], [`step`]: the steps that create a container, still as data. [`limits`]: its share of
//!   the machine's resources.
//! - [`devices`]: the devices of this machine that a container has by name.
//! - [`mountinfo`]: the mounts of this machine. [`kernel`]: the version of its kernel.
//! - [`preflight`]: checks whether this machine allows containers, and how to allow them.
//!   [`exhausted`]: the resources that it can run out of.
//! - [`spawner`], [`init`], [`child`], [`message`]: the processes, from the outermost inwards, and
//!   the messages between them.
//! - [`filter`]: the system calls that a job can make.
//! - [`sys`]: wrappers of system calls.
//! - [`digest`], [`store`]: content digests; blobs and trees by digest, in a cache directory.
//! - [`secrets`]: files that containers hide. [`private`]: files that only their owner can access.

pub mod child;
pub mod devices;
pub mod digest;
pub mod exhausted;
pub mod filter;
pub mod init;
pub mod kernel;
pub mod limits;
pub mod message;
pub mod mountinfo;
pub mod plan;
pub mod preflight;
pub mod private;
pub mod secrets;
pub mod spawner;
pub mod spec;
pub mod step;
pub mod store;
pub mod sys;
