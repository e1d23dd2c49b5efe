//! The worker: takes leases from a broker, runs their jobs on this machine, and reports.
//!
//! ```text
//!            ┌──────────────────────────── event loop ────────────────────────────┐
//!  broker ──▶│ connection ─▶ orders ─▶ leases ─▶ executor ─▶ leases ─▶ connection │──▶ broker
//!            │                  └─▶ template ─▶ inputs ──▲                        │
//!            └────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! - [`event_loop`]: the single-threaded loop that handles all events.
//! - [`broker_connection`]: the connection, which reconnects. [`executor`]: what runs the jobs.
//! - [`leases`]: the stage of each lease, and its reports to the broker.
//! - [`template`]: the templates of leases. [`inputs`]: from digests to a container;
//!   [`content_fetcher`]: where blobs come from.
//! - [`allowance`]: privileges that jobs may request. [`health`]: the machine's state.
//!
//! Invariants:
//! - A job runs only while this worker holds its lease. The broker decides which of two attempts
//!   counts, by their tokens; a worker that was disconnected continues its jobs until it is told.
//! - What this machine lacks is never a test failure: it is an infrastructure failure that names
//!   this machine.
//! - No job may access more of this machine than its operator allows, whoever sent it.
//! - No message from the broker makes the worker panic, or use memory beyond a named limit.
//!
//! Scheduling and retries are the broker's concern.

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
