//! The run tool: rustdoc starts it in place of each program that it has compiled.
//!
//! It moves the program to the directory of the run. For a program with one doctest, it then waits
//! until it may end ([`naming`](super::naming)), prints the program's id, and fails. For one with
//! merged doctests, it records their list.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use maelstrom_container::private;

use super::captured::CapturedDoctest;
use super::merged;
use super::naming::{PROGRAM, marked};

/// The exit status of a test that panics. rustdoc reads it as the failure of an ordinary doctest, and
/// as the pass of one that should panic.
const PANICKED: u8 = 101;

/// The directory of programs.
pub(super) const PROGRAMS: &str = "programs";

/// The named pipe that has a byte for each run tool that may end.
pub(super) const PERMITS: &str = "permits";

/// The named pipe to which each run tool that ends writes its id in a line.
pub(super) const RELEASED: &str = "released";

/// The beginning of the name of the files that list merged doctests.
pub(super) const MERGED: &str = "merged-";

/// The environment variable with the directory of the library's own files.
pub(super) const LIBRARY: &str = "MAELSTROM_DOCTESTS_LIBRARY";

/// Runs the run tool for a program, and returns its exit status.
pub(super) fn main(program: &Path) -> u8 {
    // Looked up first, because the program moves.
    let merged = is_merged(program);
    match keep(program, merged) {
        Ok(status) => status,
        Err(error) => {
            if merged {
                // rustdoc does not report which doctests are in the program.
                record_failure(&error);
            }
            // rustdoc reports it as the output of the doctest.
            let _ = writeln!(io::stderr(), "the doctest can't be kept: {error}");
            PANICKED
        }
    }
}

/// Records that merged doctests are lost. If that fails as well, rustdoc's report lacks them.
fn record_failure(error: &io::Error) {
    let Some(library) = std::env::var_os(LIBRARY).map(PathBuf::from) else {
        return;
    };
    let listed: Result<Vec<CapturedDoctest>, String> = Err(error.to_string());
    let place = library.join(format!("{MERGED}failed-{}", std::process::id()));
    if let Ok(listed) = serde_json::to_vec(&listed) {
        let _ = private::write(&place, &listed);
    }
}

fn keep(program: &Path, merged: bool) -> io::Result<u8> {
    let missing = || io::Error::other(format!("{LIBRARY} is not set"));
    let library = PathBuf::from(std::env::var_os(LIBRARY).ok_or_else(missing)?);
    let directory = private::temporary_directory("", &library.join(PROGRAMS))?.keep();
    let kept = directory.join(PROGRAM);
    move_file(program, &kept)?;
    let id = directory.file_name().unwrap_or_default();
    let id = id.to_string_lossy().into_owned();
    if merged {
        let listed = merged::list(&kept, &library.join(format!("calls-{id}")));
        let place = library.join(format!("{MERGED}{id}"));
        private::write(&place, &serde_json::to_vec(&listed)?)?;
        return Ok(0);
    }
    let mut permit = [0];
    if File::open(library.join(PERMITS))?.read(&mut permit)? == 0 {
        return Err(io::Error::other("nobody waits for it"));
    }
    let mut released = OpenOptions::new()
        .write(true)
        .open(library.join(RELEASED))?;
    // One write of a short line is never mixed with another.
    released.write_all(format!("{id}\n").as_bytes())?;
    writeln!(io::stdout(), "{}", marked(&id))?;
    Ok(PANICKED)
}

/// Returns whether a program contains merged doctests: then its source is beside it.
fn is_merged(program: &Path) -> bool {
    let entries = program.parent().map(fs::read_dir);
    let Some(Ok(entries)) = entries else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("doctest_") && name.ends_with(".rs")
    })
}

/// Moves a file. The directories are on one file system, unless rustdoc chose another one.
fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => fs::copy(from, to).map(drop),
        moved => moved,
    }
}
