//! What all programs share: options, mistakes, logs, and terminals and pipes that go away.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/pseudoterminal.rs"]
mod pseudoterminal;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tmux.rs"]
mod tmux;

mod bad_input;
mod closed_pipe;
mod command_lines;
mod completion;
mod lists;
mod logging;
mod options;
mod registries;
mod reports;
mod run_terminal;
mod schemas;
mod terminal_gone;
