//! What every part of Maelstrom speaks of: jobs and tests, their outcomes, and the events of a run.
//!
//! Data flows one way: down as jobs, back as [`event::Event`]s. Nothing here runs anything, and
//! nothing here knows who watches.
//!
//! - [`ids`], [`job`], [`event`], [`exit_code`]: the shared types.
//! - [`framework`]: what finds the tests, as a trait. [`backend`]: what runs jobs, as a trait.
//! - [`priority`]: which of two waiting jobs starts first.
//! - [`address`], [`byte_size`], [`forwarding`]: values that users write.
//! - [`error`]: an error with its causes.

pub mod address;
pub mod backend;
pub mod byte_size;
pub mod error;
pub mod event;
pub mod exit_code;
pub mod forwarding;
pub mod framework;
pub mod ids;
pub mod job;
pub mod priority;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
