//! The directories in which a runner keeps its own files about a project. They are outside the
//! project, so that its tree stays unchanged and tests don't see them.
//!
//! ```text
//! $XDG_STATE_HOME/maelstrom/PROGRAM/NAME-DIGEST/   records of earlier runs
//! $XDG_CACHE_HOME/maelstrom/PROGRAM/NAME-DIGEST/   files of this project's runs
//! $XDG_CACHE_HOME/maelstrom/PROGRAM/               files that can be recreated, for all projects
//! ```
//!
//! `NAME` is the name of the project's directory, for readability. `DIGEST` is derived from its
//! path and distinguishes projects of the same name. Without a home directory, all of this is in
//! `.PROGRAM` in the project, which Git ignores and tests don't see.
//!
//! This module only determines paths. The code that writes into a directory creates it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use maelstrom_container::private;

use super::invocation::Invocation;

/// The number of bytes of the path's SHA-256 digest in the name of a project's directories.
const DIGEST_BYTES: usize = 8;

/// The maximum number of characters of the project's name in the name of its directories.
const NAME_CHARS_MAX: usize = 40;

/// The content of the `.gitignore` in `.PROGRAM`: Git ignores everything there.
const IGNORE_ALL: &str = "*\n";

/// The directories of one runner for one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectDirectories {
    /// Records of earlier runs: outcomes and durations of tests.
    pub state: PathBuf,
    /// Files that this project's runs need while they last.
    pub cache: PathBuf,
    /// Files that can be recreated, shared by all projects.
    pub shared: PathBuf,
    home: StateLocation,
}

/// The location of the state and cache directories.
#[derive(Clone, Debug, PartialEq, Eq)]
enum StateLocation {
    /// In the user's XDG base directories.
    Users,
    /// In this directory of the project, because the user has no home directory.
    InProject(PathBuf),
}

impl ProjectDirectories {
    /// Returns the directories of `program` for the project in the directory `project`.
    pub fn of(invocation: &Invocation, program: &str, project: &Path) -> ProjectDirectories {
        let name = project_name(project);
        match (invocation.state_home(), invocation.cache_home()) {
            (Some(state), Some(cache)) => {
                let place = Path::new("maelstrom").join(program);
                let (state, cache) = (state.join(&place), cache.join(&place));
                ProjectDirectories {
                    state: state.join(&name),
                    cache: cache.join(&name),
                    shared: cache,
                    home: StateLocation::Users,
                }
            }
            _ => {
                let own = project.join(format!(".{program}"));
                ProjectDirectories {
                    state: own.join("state"),
                    cache: own.join("cache"),
                    shared: own.clone(),
                    home: StateLocation::InProject(own),
                }
            }
        }
    }

    /// Returns the directories that tests must not see and whose changes don't count as changes of
    /// the project.
    pub fn hidden(&self) -> Vec<PathBuf> {
        match &self.home {
            StateLocation::Users => vec![self.state.clone(), self.shared.clone()],
            StateLocation::InProject(own) => vec![own.clone()],
        }
    }

    /// Writes a `.gitignore` that ignores everything into `.PROGRAM` in the project, if the
    /// directories are there. An error comes with the path of the `.gitignore` file.
    pub fn write_gitignore(&self) -> Result<(), (PathBuf, io::Error)> {
        let StateLocation::InProject(own) = &self.home else {
            return Ok(());
        };
        let ignore = own.join(".gitignore");
        if ignore.exists() {
            return Ok(());
        }
        private::directory(own)
            .and_then(|()| private::write(&ignore, IGNORE_ALL.as_bytes()))
            .map_err(|error| (ignore, error))
    }
}

/// Returns the `NAME-DIGEST` of a project.
fn project_name(project: &Path) -> String {
    let path = project
        .canonicalize()
        .unwrap_or_else(|_| project.to_owned());
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    let digest = HEXLOWER.encode(digest.get(..DIGEST_BYTES).unwrap_or_default());
    let name = path.file_name().unwrap_or(OsStr::new("root"));
    let plain = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => character,
        _ => '_',
    };
    let name = name.to_string_lossy();
    let name: String = name.chars().take(NAME_CHARS_MAX).map(plain).collect();
    format!("{name}-{digest}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sandbox::invocation::ColorMode;

    fn invocation(variables: &[(&str, &Path)]) -> Invocation {
        let variables = variables.iter();
        Invocation {
            directory: "/w".into(),
            environment: variables
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            colors: ColorMode::Unwanted,
        }
    }

    #[test]
    fn projects_of_one_name_are_kept_apart_in_the_users_own_places() {
        let home = tempfile::tempdir().unwrap();
        let invocation = invocation(&[
            ("HOME", home.path()),
            ("XDG_STATE_HOME", Path::new("/state")),
        ]);
        let of = |path: &str| ProjectDirectories::of(&invocation, "tool", Path::new(path));
        let (one, other) = (of("/a/b c"), of("/b/b c"));
        let name = one.state.strip_prefix("/state/maelstrom/tool").unwrap();
        let name = name.to_str().unwrap().to_owned();
        assert!(name.starts_with("b_c-") && name.len() == 20, "{name}");
        let shared = home.path().join(".cache/maelstrom/tool");
        assert_eq!(one.cache, shared.join(&name));
        assert_eq!(one.hidden(), [one.state.clone(), shared]);
        assert_ne!(one.state, other.state);
        assert_eq!(one, of("/a/b c"));
        one.write_gitignore().unwrap();
        assert!(!one.state.exists());
    }

    #[test]
    fn who_has_no_home_has_an_ignored_directory_in_the_project() {
        let project = tempfile::tempdir().unwrap();
        let gone = project.path().join("gone");
        for variables in [&[][..], &[("HOME", gone.as_path())]] {
            let own = ProjectDirectories::of(&invocation(variables), "tool", project.path());
            let expected = project.path().join(".tool");
            assert_eq!(own.state, expected.join("state"));
            assert_eq!(own.hidden(), std::slice::from_ref(&expected));
            own.write_gitignore().unwrap();
            let ignored = fs::read_to_string(expected.join(".gitignore"));
            assert_eq!(ignored.unwrap(), "*\n");
        }
    }
}
