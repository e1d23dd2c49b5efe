//! Writes the files of `--init`, which contain the defaults and show the other options in comments.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use maelstrom_model::error::ProgramError;

/// The exit code of a program that did not write its file.
const NOT_WRITTEN: u8 = 1;

/// The initial specification file of a test runner.
#[derive(Debug, PartialEq, Eq)]
pub struct StarterFile {
    /// The name of the file in the project directory.
    pub name: &'static str,
    pub text: &'static str,
}

/// The file of `cargo maelstrom`.
pub static CARGO: StarterFile = StarterFile {
    name: "cargo-maelstrom.toml",
    text: include_str!("../../../assets/init/cargo-maelstrom.toml"),
};

/// The file of `maelstrom-go-test`.
pub static GO: StarterFile = StarterFile {
    name: "maelstrom-go-test.toml",
    text: include_str!("../../../assets/init/maelstrom-go-test.toml"),
};

/// The file of `maelstrom-pytest`.
pub static PYTEST: StarterFile = StarterFile {
    name: "maelstrom-pytest.toml",
    text: include_str!("../../../assets/init/maelstrom-pytest.toml"),
};

/// Why the file was not written.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum InitError {
    /// The file exists already.
    #[error("`{}` already exists; it was left as it is", path.display())]
    #[diagnostic(help("remove it first if you want to start over"))]
    Exists { path: PathBuf },
    /// The file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl ProgramError for InitError {
    fn exit_code(&self) -> u8 {
        NOT_WRITTEN
    }
}

impl StarterFile {
    /// Writes the file into the project directory and returns its path.
    pub fn write(&self, project: &Path) -> Result<PathBuf, InitError> {
        let path = project.join(self.name);
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(self.text.as_bytes())?;
            file.flush()
        });
        match written {
            Ok(()) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(InitError::Exists { path })
            }
            Err(source) => Err(InitError::Write { path, source }),
        }
    }
}
