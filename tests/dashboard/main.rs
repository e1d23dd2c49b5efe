//! The dashboard's checks, by the numbers of its design.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../support/executable.rs"]
mod executable;
#[path = "../support/harness.rs"]
mod harness;
#[path = "../support/pseudoterminal.rs"]
mod pseudoterminal;
#[path = "../support/stream.rs"]
mod stream;
#[path = "../support/tmux.rs"]
mod tmux;

mod program;
mod replay;
mod screens;
mod terminal;
mod watch;
