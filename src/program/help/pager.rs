//! Shows a text to a person: through a pager if standard output is a terminal, else as it is.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::program::failure::ProgramFailure;
use crate::program::startup::print_out;
use maelstrom_model::exit_code;

/// The pager without `PAGER`.
const PAGER: &str = "less";

/// The options of `less`, unless the user has set some: leave at once if the text fits the screen,
/// show styles, and leave the text on the screen.
const LESS: &str = "FRX";

/// Whether a pager may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagerUse {
    IfTerminal,
    Never,
}

/// Shows a text.
pub fn show(text: &str, pager: PagerUse) -> Result<u8, ProgramFailure> {
    let wanted = pager == PagerUse::IfTerminal && io::stdout().is_terminal();
    if wanted && paged(text) {
        return Ok(exit_code::SUCCESS);
    }
    print_out(text)
}

/// Shows a text through the pager. Returns false if there is none.
fn paged(text: &str) -> bool {
    let program = std::env::var_os("PAGER").filter(|value| !value.is_empty());
    let program = program.unwrap_or_else(|| OsString::from(PAGER));
    // `PAGER` is a command of the shell, which may have arguments.
    let mut command = Command::new("/bin/sh");
    let mut line = OsString::from("exec ");
    line.push(program);
    command.arg("-c").arg(line).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut input) = child.stdin.take() {
        // A pager that is left before the end of the text closes the pipe.
        drop(input.write_all(text.as_bytes()));
    }
    // The shell ends with 127 if there is no such program.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}
