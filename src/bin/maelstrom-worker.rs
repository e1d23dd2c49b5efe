//! The shim of `maelstrom-worker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::program::worker::main)
}
