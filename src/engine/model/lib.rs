//! The vocabulary shared by all of Maelstrom: jobs and tests, their outcomes, and the events of a
//! run.
//!
//! Data flows one way: down as jobs, back as [`event::Event`]s. This crate runs nothing, and does
//! not know the observers of a run.
//!
//! - [`ids`], [`job`], [`event`], [`exit_code`]: the shared types.
//! - [`framework`]: the trait that finds tests. [`backend`]: the trait that runs jobs.
//! - [`priority`]: which of two waiting jobs starts first. [`policy`]: how a project's tests run;
//!   [`retry_delay`]: when a retry starts.
//! - [`shared_process`]: tests that run in one process.
//! - [`describe`]: describes a job for a detail screen. [`variables`]: the variables that tell a
//!   test about itself.
//! - [`address`], [`byte_size`], [`forwarding`]: values that users write.
//! - [`error`]: formats an error with its causes.

pub mod address;
pub mod backend;
pub mod byte_size;
pub mod describe;
pub mod error;
pub mod event;
pub mod exit_code;
pub mod forwarding;
pub mod framework;
pub mod ids;
pub mod job;
pub mod policy;
pub mod priority;
pub mod retry_delay;
pub mod shared_process;
pub mod variables;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
