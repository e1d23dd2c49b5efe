//! A crate of tests that do nothing: what a runner costs is all there is to measure.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes a crate of so many tests.
pub fn make(directory: &Path, tests: usize) -> io::Result<()> {
    fs::create_dir(directory.join("src"))?;
    let manifest =
        "[package]\nname = \"trivial\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(directory.join("Cargo.toml"), manifest)?;
    let mut source = io::BufWriter::new(fs::File::create(directory.join("src/lib.rs"))?);
    for number in 0..tests {
        writeln!(source, "#[test]\nfn t{number:04}() {{}}")?;
    }
    source.flush()
}
