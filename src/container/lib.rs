//! Linux containers: namespaces, mounts, layers and the content store.
//!
//! This crate knows nothing of tests, queues or screens, and uses no other member of the workspace.
//!
//! ```text
//! ContainerSpec ── plan ──▶ steps ──▶ spawner ──▶ container init (PID 1) ──▶ child ──▶ program
//! ```
//!
//! - [`spec`]: describes a container, as data.
//! - [`plan`], [`step`]: the steps that make one, still as data.
//! - [`mountinfo`]: the mounts of this machine. [`kernel`]: its version.
//! - [`preflight`]: checks whether this machine allows containers, with help if not.
//! - [`spawner`], [`init`], [`child`], [`message`]: the processes, from the outermost inwards, and
//!   the messages between them.
//! - [`filter`]: which system calls a job can make.
//! - [`sys`]: wrappers of the system calls.
//! - [`digest`], [`store`]: content digests; blobs and trees by digest, in a cache directory.
//! - [`secrets`]: files for their owner only, which containers hide.

pub mod child;
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
