//! The broker: takes jobs from clients, leases them to workers, and brings the outcomes back.
//!
//! - [`scheduler`]: who holds which job, and what is next. Pure.
//! - [`cas`]: storage for contents, spoken to by the Remote Execution API.
//! - [`core`]: everything else that the broker knows, in one place. [`journal`]: what survives it.
//! - [`inventory`]: whether the storage has what jobs need.
//! - [`operations`]: figures and health, for operators.
//! - [`services`]: what is called. [`connections`]: on what, and by whom. [`limits`]: what the broker takes from others, and [`budgets`]: from
//!   whom. [`owner`]: whose a run is.

pub mod budgets;
pub mod cas;
pub mod connections;
pub mod core;
pub mod inventory;
pub mod journal;
pub mod limits;
pub mod operations;
pub mod owner;
pub mod scheduler;
pub mod services;
