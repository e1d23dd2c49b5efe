//! The cluster: a broker leases the jobs of many clients to many workers.
//!
//! - [`broker`]: takes jobs, stores their contents, and leases each to one worker at a time.
//! - [`worker`]: takes leases and runs their jobs in containers.
//! - [`backend`]: runs a test run's jobs through a broker.
//! - [`security`]: who may do what. [`output_log`]: what a job wrote, until it has arrived.

pub mod backend;
pub mod broker;
pub mod output_log;
pub mod security;
pub mod worker;
