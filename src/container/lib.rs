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
//! - [`mountinfo`]: what is mounted where on this machine. [`kernel`]: its version.
//! - [`preflight`]: whether this machine allows containers, and what cures it.
//! - [`spawner`], [`init`], [`child`], [`message`]: the processes, from the outermost inwards, and
//!   what they say to one another.
//! - [`filter`]: what system calls a job can make.
//! - [`sys`]: the system calls behind them.
//! - [`digest`], [`store`]: names by content; blobs and trees by digest, in a cache directory.
//! - [`secrets`]: files that are for their owner alone, which no container shows.

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
