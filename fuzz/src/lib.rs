//! What the targets share: input cut into parts, a place for files, and a runtime.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

/// Memory, where there is such a directory: a target writes thousands of files a second.
const MEMORY: &str = "/dev/shm";

static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new(MEMORY);
    let parent = match memory.is_dir() {
        true => memory.to_owned(),
        false => std::env::temp_dir(),
    };
    let made = tempfile::Builder::new().prefix("fuzz-").tempdir_in(parent);
    made.expect("a directory can be made")
});

/// A path in a directory of this process.
pub fn scratch(name: &str) -> PathBuf {
    SCRATCH.path().join(name)
}

/// Writes a file there.
pub fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = scratch(name);
    std::fs::write(&path, content).expect("a file can be written");
    path
}

/// Runs a future to its end, and lets go of whatever it started.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime can be made").block_on(future)
}

/// Input, taken apart.
pub struct Parts<'a>(pub &'a [u8]);

impl<'a> Parts<'a> {
    /// One byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A part behind two bytes of length, or what is left of it.
    pub fn part(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_le_bytes([self.byte(), self.byte()]));
        let (part, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        part
    }

    /// Likewise as text, without what is none.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.part()).into_owned()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
