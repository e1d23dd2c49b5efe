//! Jobs and the runs they belong to: identifiers, events, scheduling, execution and history.
//!
//! Data flows one way: down as jobs, back as [`event::Event`]s. Nothing here knows who watches.
//!
//! - [`job`], [`ids`], [`event`]: the shared vocabulary. [`job_file`]: jobs kept for a person.
//! - [`framework`]: what finds the tests, as a trait.
//! - [`filter`]: the pattern language that selects tests.
//! - [`config`]: the values that options, variables and files give a program.
//! - [`document`]: TOML files, read so that every complaint names its place.
//! - [`libraries`]: which shared libraries programs need.
//! - [`materials`]: what containers are made of, made and kept in place.
//! - [`spec`]: which container each test gets, from the files that describe it.
//! - [`log`]: where the program's own log goes.
//! - [`backend`]: what executes jobs, as a trait; [`schedule`] is the pure queue inside it.
//! - [`broker`]: leases jobs of many clients to many workers.
//! - [`client`]: runs programs on a cluster, for programs.
//! - [`run`]: one run, from discovery to exit code; [`exit_code`] says which.
//! - [`output_log`]: what a job wrote, until it has arrived.
//! - [`security`]: who may speak to whom. [`reapi`]: contents by the Remote Execution API.
//! - [`wire`]: the messages of the cluster. [`toolbox`]: whether two machines have the same files.
//! - [`reapi`]: the messages of the Remote Execution API, and what goes with them.
//! - [`worker`]: takes leases from a broker.
//! - [`action`]: everything that can influence a job's outcome, and its digest.

pub mod action;
pub mod backend;
pub mod broker;
pub mod client;
pub mod config;
pub mod document;
pub mod error;
pub mod event;
mod excerpt;
pub mod exit_code;
pub mod filter;
pub mod forwarding;
pub mod framework;
pub mod ids;
pub mod job;
pub mod job_file;
pub mod libraries;
pub mod log;
pub mod materials;
pub mod output_log;
/// How files and directories for the user alone are made.
pub use crate::container::private;

pub mod reapi;
pub mod run;
pub mod schedule;
pub mod secrets;
pub mod security;
pub mod spec;
pub mod toolbox;
pub mod wire;
pub mod worker;

#[cfg(test)]
mod testing;
