//! Places of a test's own for what programs keep for their user.

use std::path::{Path, PathBuf};
use std::process::Command;

/// They are gone with everything in them when this is dropped.
pub struct Homes {
    directory: tempfile::TempDir,
}

impl Homes {
    pub fn new() -> Homes {
        Homes {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Where programs keep what they have seen.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Where programs keep what they can make again.
    pub fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    /// Makes a program use them. What Go has built stays where it is by default, since to build it
    /// again takes long.
    pub fn tell(&self, command: &mut Command) {
        let known = std::env::var_os("GOCACHE").map(PathBuf::from);
        let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let built = known.or_else(|| caches.or(home).map(|caches| caches.join("go-build")));
        command
            .env("XDG_STATE_HOME", self.state())
            .env("XDG_CACHE_HOME", self.cache())
            .envs(built.map(|built| ("GOCACHE", built)));
    }

    /// The only directory below one of them that is about one project.
    pub fn of_project(home: &Path, program: &str) -> PathBuf {
        let all = home.join("maelstrom").join(program);
        let entries = std::fs::read_dir(&all).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        paths.remove(0)
    }
}
