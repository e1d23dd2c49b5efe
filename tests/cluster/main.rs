//! Broker, workers and clients, as programs.

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/trivial.rs"]
mod trivial;

#[cfg(feature = "system-tests")]
mod api_examples;
mod broker_operations;
#[cfg(feature = "system-tests")]
mod foreign;
#[cfg(feature = "system-tests")]
mod hostile;
#[cfg(feature = "system-tests")]
mod machines;
mod misuse;
mod roles;
mod runs;
mod storage_services;
mod strangers;
mod worker;
