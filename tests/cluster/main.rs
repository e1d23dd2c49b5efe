//! Broker, workers and clients, as programs.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/trivial.rs"]
mod trivial;

mod api_examples;
mod broker_operations;
mod foreign;
mod hostile;
mod machines;
mod misuse;
mod roles;
mod runs;
mod storage_services;
mod strangers;
mod worker;
