//! The shim of `cargo-maelstrom`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::program::cargo::main)
}
