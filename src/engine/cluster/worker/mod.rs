//! A worker of a cluster: takes leases from a broker, runs their jobs on this machine, and reports.
//!
//! ```text
//!            ┌──────────────────────── work ────────────────────────┐
//!  broker ──▶│ line ─▶ orders ─▶ ledger ─▶ backend ─▶ ledger ─▶ line │──▶ broker
//!            │            └─▶ template ─▶ inputs ──▲                 │
//!            └──────────────────────────────────────────────────────┘
//! ```
//!
//! - [`event_loop`]: the loop, on one thread: everything that happens is one event.
//! - [`broker_connection`]: the connection, dialled again whenever it breaks. [`executor`]: what runs the jobs.
//! - [`leases`]: how far each lease has come and what the broker knows of it.
//! - [`template`]: what leases have in common. [`inputs`]: from digests to a container that can be
//!   made; [`content_fetcher`]: where the bytes come from.
//! - [`allowance`]: what jobs may ask for. [`health`]: how the machine does.
//!
//! Invariants:
//! - A job runs only while this worker holds its lease. The broker decides which of two attempts
//!   counts, by their tokens; a worker that was away goes on with what it has and is told.
//! - What this machine lacks is never a test's failure: it is an infrastructure failure that names
//!   this machine.
//! - No job sees or may do more on this machine than its operator says, whoever sent it.
//! - Nothing that the broker sends makes the worker panic, or take memory beyond a named limit.
//!
//! Deliberately absent: which job is next, and attempts, which are the broker's.

pub mod allowance;
pub mod broker_connection;
pub mod content_fetcher;
pub mod event_loop;
pub mod executor;
pub mod health;
pub mod inputs;
pub mod leases;
pub mod template;

pub use self::event_loop::{Worker, WorkerConfig, WorkerError, WorkerEvent};
