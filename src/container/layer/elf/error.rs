//! The errors of finding a program's libraries.

use std::ffi::OsString;
use std::path::PathBuf;

use miette::Diagnostic;

use super::file::ElfFileError;

/// Why a program's libraries cannot be found.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ElfError {
    /// The program or one of its libraries cannot be read or parsed.
    #[error("`{}` is not a usable program or library", path.display())]
    #[diagnostic(help(
        "name dynamically or statically linked programs for this machine; scripts need no shared \
         libraries of their own"
    ))]
    Unusable {
        path: PathBuf,
        /// The cause.
        source: ElfFileError,
    },
    /// A library was not found.
    #[error(
        "the library `{}` that `{}` needs is not found in {}",
        library.display(),
        needed_by.display(),
        list(searched)
    )]
    #[diagnostic(help("install the library, or name its directory in LD_LIBRARY_PATH"))]
    NotFound {
        library: OsString,
        /// The program or library that needs it.
        needed_by: PathBuf,
        /// The directories that were searched, apart from the loader's cache.
        searched: Vec<PathBuf>,
    },
    /// The loader that the program names does not exist.
    #[error("its loader `{}` does not exist", loader.display())]
    #[diagnostic(help("install the C library that the program was linked with"))]
    NoLoader { loader: PathBuf },
}

fn list(directories: &[PathBuf]) -> String {
    if directories.is_empty() {
        return "the loader's cache".to_owned();
    }
    let names: Vec<String> = directories
        .iter()
        .map(|directory| directory.display().to_string())
        .collect();
    names.join(":")
}
