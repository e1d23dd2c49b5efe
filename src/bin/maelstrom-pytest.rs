//! The shim of `maelstrom-pytest`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::program::pytest::main)
}
