//! Compiles `proto/` without a system `protoc`.

use std::error::Error;
use std::path::Path;

use protox::prost::Message;

const PROTO: &str = "../../../proto";

const FILES: [&str; 4] = [
    "maelstrom/v1/job.proto",
    "maelstrom/v1/client.proto",
    "maelstrom/v1/worker.proto",
    "maelstrom/v1/operator.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../../proto");
    let files = protox::compile(FILES.map(|file| Path::new(PROTO).join(file)), [PROTO])?;
    // A test inspects every field of every message.
    let described = Path::new(&std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(described, files.encode_to_vec())?;
    tonic_prost_build::configure()
        // Outputs and blobs are forwarded without copying.
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
