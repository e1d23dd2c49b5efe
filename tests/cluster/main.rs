//! Broker, workers and clients, as programs.

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
