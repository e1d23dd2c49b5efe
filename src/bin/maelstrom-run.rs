//! The shim of `maelstrom-run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::program::run::main)
}
