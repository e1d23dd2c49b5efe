//! Jobs and the runs they belong to: identifiers, events, scheduling, execution and history.
//!
//! Data flows one way: down as jobs, back as [`event::Event`]s. Nothing here knows who watches.
//!
//! - [`job`], [`ids`], [`event`]: the shared vocabulary.
//! - [`framework`]: what finds the tests, as a trait.
//! - [`filter`]: the pattern language that selects tests.
//! - [`backend`]: what executes jobs, as a trait; [`schedule`] is the pure queue inside it.
//! - [`run`]: one run, from discovery to exit code; [`exit_code`] says which.

pub mod backend;
pub mod error;
pub mod event;
pub mod exit_code;
pub mod filter;
pub mod framework;
pub mod ids;
pub mod job;
pub mod run;
pub mod schedule;

#[cfg(test)]
mod testing;
