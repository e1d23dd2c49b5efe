//! Maelstrom runs every test of a project in its own hermetic, rootless micro-container and shows
//! the run live.
//!
//! This package is the composition root, the only one that depends on every member of the
//! workspace. `ARCHITECTURE.md` describes the members and their dependencies.

pub mod program;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// A program: takes its command line, and returns its exit code.
pub type ProgramMain = fn(Vec<OsString>) -> u8;

/// The programs by the names of their executables.
const PROGRAMS: [(&str, ProgramMain); 6] = [
    ("cargo-maelstrom", program::cargo::main),
    ("maelstrom-go-test", program::go::main),
    ("maelstrom-pytest", program::pytest::main),
    ("maelstrom-run", program::run::main),
    ("maelstrom-broker", program::broker::main),
    ("maelstrom-worker", program::worker::main),
];

/// Runs a program. Must be called first in `main`: the same executable also serves as the helper
/// process that starts containers, which must be single-threaded.
///
/// The program is a function, not a value to choose one by, so that the linker leaves the other
/// programs out of the executable.
pub fn main(program: ProgramMain) -> ExitCode {
    run(|_| Some(program))
}

/// Runs the program that this executable is named after, see [`main`]. In an executable that
/// contains all programs, each name must be a hard link: a program that reexecutes itself finds its
/// name by the path of its executable, which a symbolic link does not preserve.
pub fn main_by_name() -> ExitCode {
    run(|called| {
        let name = Path::new(called).file_name()?;
        let program = PROGRAMS.into_iter().find(|(own, _)| name == *own)?;
        Some(program.1)
    })
}

fn run(choose: impl FnOnce(&OsStr) -> Option<ProgramMain>) -> ExitCode {
    if let Some(code) = maelstrom_container::spawner::run_if_helper() {
        return ExitCode::from(maelstrom_model::exit_code::of_helper(code));
    }
    if maelstrom_stacks::run_if_helper() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    let called = words.first().map(OsString::as_os_str).unwrap_or_default();
    let code = match choose(called) {
        Some(program) => program(words),
        None => {
            let names = PROGRAMS.map(|(name, _)| name).join(", ");
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
        let mut known = PROGRAMS.map(|(name, _)| name.to_owned());
        known.sort();
        assert_eq!(made, known);
    }
}
