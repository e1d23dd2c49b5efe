//! Maelstrom runs every test of a project in its own hermetic, rootless micro-container and shows
//! the run live.
//!
//! This package is the composition root: the one place that sees every member of the workspace.
//! `ARCHITECTURE.md` describes the members and who uses whom.

pub mod program;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// The programs this library makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    CargoMaelstrom,
    GoTest,
    Pytest,
    Run,
    Broker,
    Worker,
}

impl ProgramKind {
    const ALL: [(&str, ProgramKind); 6] = [
        ("cargo-maelstrom", ProgramKind::CargoMaelstrom),
        ("maelstrom-go-test", ProgramKind::GoTest),
        ("maelstrom-pytest", ProgramKind::Pytest),
        ("maelstrom-run", ProgramKind::Run),
        ("maelstrom-broker", ProgramKind::Broker),
        ("maelstrom-worker", ProgramKind::Worker),
    ];
}

/// Runs a program. To be called before anything else: the same executable serves as the helper
/// process that starts containers, which must not have a thread.
pub fn main(program: ProgramKind) -> ExitCode {
    run(|_| Some(program))
}

/// Runs the program whose name this process is called by, as [`main`] does. Of an executable that
/// holds all of them, each program is a hard link: a program that starts itself again finds itself
/// by the name it was started by, which a symbolic link would not leave.
pub fn main_by_name() -> ExitCode {
    run(|called| {
        let name = Path::new(called).file_name()?;
        let program = ProgramKind::ALL.into_iter().find(|(own, _)| name == *own)?;
        Some(program.1)
    })
}

fn run(choose: impl FnOnce(&OsStr) -> Option<ProgramKind>) -> ExitCode {
    if let Some(code) = maelstrom_container::spawner::run_if_helper() {
        return ExitCode::from(maelstrom_model::exit_code::of_helper(code));
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    let called = words.first().map(OsString::as_os_str).unwrap_or_default();
    let code = match choose(called) {
        Some(ProgramKind::CargoMaelstrom) => program::cargo::main(words),
        Some(ProgramKind::GoTest) => program::go::main(words),
        Some(ProgramKind::Pytest) => program::pytest::main(words),
        Some(ProgramKind::Run) => program::run::main(words),
        Some(ProgramKind::Broker) => program::broker::main(words),
        Some(ProgramKind::Worker) => program::worker::main(words),
        None => {
            let names = ProgramKind::ALL.map(|(name, _)| name).join(", ");
            eprintln!("error: this executable is no program by itself; call it as one of {names}");
            maelstrom_model::exit_code::USAGE
        }
    };
    ExitCode::from(code)
}
