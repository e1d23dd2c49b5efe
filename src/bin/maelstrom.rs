//! All programs in one executable, which runs as the one whose name it is called by.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main_by_name()
}
