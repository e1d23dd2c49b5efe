//! The broker: accepts jobs from clients, leases them to workers, and reports their outcomes.
//!
//! - [`scheduler`]: decides which worker runs which job. Pure.
//! - [`core`]: the broker's state. [`journal`]: the part of it that survives a restart.
//! - [`cas`]: the content-addressable storage. [`inventory`]: whether it has the inputs of jobs.
//! - [`operations`]: metrics and health, for operators.
//! - [`services`]: the gRPC services. [`connections`]: the connections and calls to them.
//! - [`limits`]: the limits on clients and workers. [`budgets`]: counts the use of resources per
//!   client. [`owner`]: ownership of runs.

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
