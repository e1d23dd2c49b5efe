//! Maelstrom runs every test of a project in its own hermetic, rootless micro-container and shows
//! the run live.
//!
//! This file and [`program`] are the composition root: the one place that sees every room. The
//! rooms and who may import whom are described in `ARCHITECTURE.md` and held by `tests/tidy.rs`.

pub mod container;
pub mod engine;
pub mod program;
pub mod runners;
pub mod ui;

pub use engine::client;

use std::process::ExitCode;

/// The programs this library makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `cargo maelstrom`.
    CargoMaelstrom,
    /// `maelstrom-go-test`.
    GoTest,
    /// `maelstrom-pytest`.
    Pytest,
    /// `maelstrom-run`.
    Run,
    /// `maelstrom-broker`.
    Broker,
    /// `maelstrom-worker`.
    Worker,
}

/// All of a program. To be called before anything else: the same executable serves as the helper
/// process that starts containers, which must not have a thread.
pub fn main(program: Program) -> ExitCode {
    if let Some(code) = container::spawner::run_if_helper() {
        return ExitCode::from(engine::exit_code::of_helper(code));
    }
    let code = match program {
        Program::CargoMaelstrom => program::cargo::main(std::env::args_os().collect()),
        Program::GoTest => program::go::main(std::env::args_os().collect()),
        Program::Pytest => program::pytest::main(std::env::args_os().collect()),
        Program::Run => program::run::main(std::env::args_os().collect()),
        Program::Broker => program::broker::main(std::env::args_os().collect()),
        Program::Worker => program::worker::main(std::env::args_os().collect()),
    };
    ExitCode::from(code)
}
