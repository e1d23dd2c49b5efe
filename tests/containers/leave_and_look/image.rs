//! An image of one layer with one program, written as an OCI image layout.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Writes the layout to a directory, with the program at `/helper`, under the label `one`.
pub fn write(layout: &Path, program: &[u8]) {
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let layer = archive(program);
    let platform = json!({ "os": "linux", "architecture": architecture() });
    let mut config = platform.clone();
    config["config"] = json!({});
    let layers = json!({ "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] });
    config["rootfs"] = layers;
    let config = blob(layout, "config.v1+json", config.to_string().as_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "config": config,
        "layers": [blob(layout, "layer.v1.tar", &layer)],
    });
    let mut entry = blob(layout, "manifest.v1+json", manifest.to_string().as_bytes());
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "one" });
    entry["platform"] = platform;
    let index = json!({ "schemaVersion": 2, "manifests": [entry] });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn archive(program: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, "helper", program).unwrap();
    archive.into_inner().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a blob; what a document says of it.
fn blob(layout: &Path, kind: &str, bytes: &[u8]) -> Value {
    let digest = hex(bytes);
    fs::write(layout.join("blobs/sha256").join(&digest), bytes).unwrap();
    json!({
        "mediaType": format!("application/vnd.oci.image.{kind}"),
        "digest": format!("sha256:{digest}"),
        "size": bytes.len(),
    })
}
