//! The programs, put together from the rooms: no decisions of their own, only wiring.
//!
//! - [`cargo`]: `cargo maelstrom`, from its command line to its exit code.
//! - [`go`]: `maelstrom-go-test`, likewise.
//! - [`pytest`]: `maelstrom-pytest`, likewise.
//! - [`run`]: `maelstrom-run`, likewise.
//! - [`broker`]: `maelstrom-broker`. [`worker`]: `maelstrom-worker`.
//! - [`startup`]: what they share before a run. [`ui_choice`]: what it is shown on.
//! - [`session`]: one run with everything around it: backend, screen, signals, recording.
//! - [`session_options`]: what a program says of it.
//! - [`ui_thread`]: the thread that shows a run.
//! - [`specification`]: files that describe containers, begun and explained.
//! - [`systemd`], [`descriptors`]: what services say to, and need of, the system.
//! - [`failure`]: why a program ends before its run, as a person reads it.

mod backend;
pub mod broker;
pub mod cargo;
mod descriptors;
pub mod failure;
pub mod go;
mod logging;
pub mod pytest;
pub mod run;
pub mod session;
pub mod session_options;
pub mod specification;
pub mod startup;
mod systemd;
pub mod ui_choice;
pub mod ui_thread;
pub mod worker;
