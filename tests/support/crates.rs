//! Crates that tests make.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A crate `victim` of this source, its tests built.
pub fn built(source: &str) -> TempDir {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), source);
    let mut build = Command::new("cargo");
    build
        .args(["test", "--no-run", "--quiet"])
        .current_dir(project.path());
    assert!(build.status().unwrap().success());
    project
}

fn write(directory: &Path, source: &str) {
    let manifest =
        "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("src/lib.rs"), source).unwrap();
}
