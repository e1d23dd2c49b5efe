//! Maelstrom runs every test of a project in its own hermetic, rootless micro-container and shows
//! the run live.
//!
//! This package is the composition root, the only one that depends on every member of the
//! workspace. `ARCHITECTURE.md` describes the members and their dependencies.

// Private modules say `pub` for what the rest of this package uses.
#![allow(unreachable_pub)]

pub mod program;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// The programs in this library.
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

/// Runs a program. Must be called first in `main`: the same executable also serves as the helper
/// process that starts containers, which must be single-threaded.
pub fn main(program: ProgramKind) -> ExitCode {
    run(|_| Some(program))
}

/// Runs the program that this executable is named after, see [`main`]. In an executable that
/// contains all programs, each name must be a hard link: a program that reexecutes itself finds its
/// name by the path of its executable, which a symbolic link does not preserve.
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
            eprintln!(
                "error: this executable is not a program by itself; call it as one of {names}"
            );
            maelstrom_model::exit_code::USAGE
        }
    };
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_known_by_the_name_of_its_executable() {
        let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
        let stem = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_string_lossy().into_owned()
        };
        let mut made: Vec<String> = std::fs::read_dir(bin).unwrap().map(stem).collect();
        made.retain(|name| name != "maelstrom");
        made.sort();
        let mut known = ProgramKind::ALL.map(|(name, _)| name.to_owned());
        known.sort();
        assert_eq!(made, known);
    }
}
