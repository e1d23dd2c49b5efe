//! Compiles `proto/` without a system `protoc`.

use std::error::Error;
use std::path::Path;

const FILES: [&str; 4] = [
    "maelstrom/v1/job.proto",
    "maelstrom/v1/client.proto",
    "maelstrom/v1/worker.proto",
    "maelstrom/v1/operator.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(FILES.map(|file| Path::new("proto").join(file)), ["proto"])?;
    tonic_prost_build::configure()
        // Outputs and blobs are passed on without being copied.
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
