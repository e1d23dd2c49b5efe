//! The dashboard's checks, by the numbers of its design.

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
