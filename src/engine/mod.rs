//! Jobs and the runs they belong to: identifiers, events, scheduling, execution and history.
//!
//! Data flows one way: down as jobs, back as [`event::Event`]s. Nothing here knows who watches.

pub mod event;
pub mod ids;
pub mod job;
