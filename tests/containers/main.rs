//! Real containers: what they are made of, what they keep from one another, and what stays behind.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/feed.rs"]
mod feed;
#[path = "../support/mod.rs"]
mod support;

mod container;
mod devices;
mod hermeticity;
mod hermeticity_go;
mod job_endings;
mod leave_and_look;
mod leave_and_look_forks;
mod limits;
mod local_backend;
mod mounts;
mod nested_sandboxes;
mod network;
mod process_backend;
mod secrets;
mod system_calls;
