//! Provides the shared libraries that a program needs, for containers that hold nothing else.

use std::path::PathBuf;

pub use maelstrom_layer::{ElfError, shared_libraries};
use maelstrom_layer::{LayerSpec, PrefixOptions, SymlinkMode};

/// Returns a layer with the shared libraries that a program needs, each as a file under the name by
/// which the program looks it up.
pub fn own_libraries(program: PathBuf) -> LayerSpec {
    LayerSpec::SharedLibraryDependencies {
        binaries: vec![program],
        prefix: PrefixOptions {
            links: SymlinkMode::Follow,
            ..PrefixOptions::default()
        },
    }
}
