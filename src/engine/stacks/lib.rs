//! The native stacks of the threads of other processes.
//!
//! ```text
//! program ── read_stacks ──▶ helper ── ptrace ──▶ threads of a job
//!         ◀── names ─────────┤
//!         ◀── names, lines ──┘
//! ```
//!
//! - [`request`]: the program's side: starts the helper, and adds the stacks to a list of threads.
//! - [`helper`]: the helper's side.
//! - `tracer`: stops threads, and reads their registers. `registers`: the part of it that depends on
//!   the processor. `target`: a process in `/proc`.
//! - `modules`: the files that a process executes, and unwinding. `symbols`: names and lines.
//!
//! A job decides what is in its memory and its files, and how long it takes to read them
//! (userfaultfd(2), FUSE). So all of that happens in a process of its own, the same executable under
//! another name, which the program kills after a time. Nothing is written to the job, and when the
//! helper ends, however it does, the kernel lets the threads continue.
//!
//! The helper runs outside of the job's container. It has power over the job because it is of the
//! user who owns the container's user namespace.

pub mod helper;
mod modules;
mod registers;
pub mod request;
mod symbols;
mod target;
mod tracer;

pub use self::helper::run_if_helper;
pub use self::request::{StackRequest, with_stacks};
