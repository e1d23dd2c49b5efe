//! The broker: takes jobs from clients, leases them to workers, and brings the outcomes back.
//!
//! - [`book`]: who holds which job, and what is next. Pure.
//! - [`cas`]: storage for contents, spoken to by the Remote Execution API.

pub mod book;
pub mod cas;
