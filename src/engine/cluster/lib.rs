//! The cluster: a broker leases the jobs of many clients to many workers.
//!
//! - [`broker`]: accepts jobs, stores their inputs, and leases each job to one worker at a time.
//! - [`worker`]: takes leases and runs their jobs in containers.
//! - [`backend`]: runs a test run's jobs through a broker.
//! - [`security`]: authentication and authorization. [`output_log`]: buffers the output of jobs.

pub mod backend;
pub mod broker;
pub mod output_log;
pub mod security;
pub mod worker;
