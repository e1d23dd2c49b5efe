//! The shim of `maelstrom-go-test`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::program::go::main)
}
