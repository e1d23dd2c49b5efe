//! The shim of `maelstrom-broker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    maelstrom::main(maelstrom::ProgramKind::Broker)
}
