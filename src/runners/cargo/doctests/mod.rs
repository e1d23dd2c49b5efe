//! Doctests: compiled once by rustdoc, and run as any other test.
//!
//! `cargo test --doc` runs rustdoc once for each library. rustdoc compiles the library's doctests
//! and runs each program at once; nothing else knows how to compile them. So cargo gets this program
//! as its rustdoc, which runs the real one with this program as its run tool, and the run tool keeps
//! each program instead of running it:
//!
//! ```text
//! runner ──▶ cargo test --doc ──▶ wrapper ──▶ rustdoc ──▶ rustc
//!    ▲                             │   ▲        └──────▶ run tool ──▶ directory of the run
//!    └── {"reason":"maelstrom-doctests",…} ──┘   └── test NAME ... ok, FAILED, ignored
//! ```
//!
//! - [`stage`]: starts cargo. [`wrapper`]: runs rustdoc, and finds out which program belongs to which name. [`run_tool`]:
//!   keeps the programs. [`merged`]: lists the doctests of a program that contains several.
//! - [`reuse`]: keeps them for runs in which nothing has changed. [`inputs`]: what may change.
//! - [`report`]: parses what rustdoc and such a program print. [`naming`]: assigns programs to
//!   names. [`captured`]: the result.
//! - [`protocol`]: what they tell one another. [`reader`]: judges the output of a doctest's own process. [`place`]: finds the location of a
//!   failure.
//!
//! What needs no program of its own (a doctest that only has to compile, or must not) keeps the
//! result that rustdoc reports.

pub(super) mod captured;
mod inputs;
mod merged;
mod naming;
mod place;
mod protocol;
pub(super) mod reader;
mod report;
mod reuse;
mod run_tool;
pub(super) mod stage;
mod wrapper;

use std::ffi::{OsStr, OsString};

pub(super) use self::merged::NUMBER;
pub(super) use self::place::of_error;
pub(super) use self::protocol::read_message;
use self::protocol::{DIRECTORY, RUN_TOOL};

/// The `main` of the helpers: if this process is one, returns its exit status.
pub fn run_if_helper(arguments: &[OsString]) -> Option<u8> {
    if let Some(code) = merged::run_if_stand_in() {
        return Some(code);
    }
    std::env::var_os(DIRECTORY)?;
    let (_, arguments) = arguments.split_first()?;
    match arguments {
        // Cargo starts a subcommand of its own with the name of the subcommand.
        [first, ..] if first == OsStr::new("maelstrom") => None,
        [first, program] if first == OsStr::new(RUN_TOOL) => Some(run_tool::main(program.as_ref())),
        arguments => Some(wrapper::main(arguments)),
    }
}
