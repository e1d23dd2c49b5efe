//! What was done, written down line by line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A diary in a file.
#[derive(Debug)]
pub struct Diary {
    path: PathBuf,
    file: File,
}

impl Diary {
    /// Begins a new diary; there may not be one yet.
    pub fn begin(path: &Path) -> io::Result<Diary> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Diary {
            path: path.to_owned(),
            file,
        })
    }

    /// Adds a line.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.file, "{line}")
    }

    /// Everything that was written.
    pub fn read(&self) -> io::Result<String> {
        std::fs::read_to_string(&self.path)
    }
}
