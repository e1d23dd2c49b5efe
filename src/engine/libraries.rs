//! Finds the shared libraries that programs need, for runners whose containers hold nothing else.

use std::path::PathBuf;

pub use maelstrom_layer::{ElfError, shared_libraries};
use maelstrom_layer::{LayerSpec, PrefixOptions, SymlinkMode};

/// A layer of the shared libraries that a program needs, each a file under the name by which it is
/// looked for.
pub fn own_libraries(program: PathBuf) -> LayerSpec {
    LayerSpec::SharedLibraryDependencies {
        binaries: vec![program],
        prefix: PrefixOptions {
            links: SymlinkMode::Follow,
            ..PrefixOptions::default()
        },
    }
}
