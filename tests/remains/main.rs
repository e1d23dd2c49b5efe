//! What programs leave behind that are killed at random moments: nothing. A program by itself, since
//! its tests wait for every process that descends from it, one test at a time.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/remains.rs"]
mod remains;
#[path = "../support/mod.rs"]
mod support;

mod hygiene;
mod kills;
