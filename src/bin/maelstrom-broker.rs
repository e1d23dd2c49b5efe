//! The shim of `maelstrom-broker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::program::broker::main)
}
