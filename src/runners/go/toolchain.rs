//! Finds the Go toolchain that builds the tests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sandbox::invocation::Invocation;

use super::error::GoError;
use super::options::variable;
use super::options::words::is_taken;

/// The name of the Go program.
pub const GO: &str = "go";

/// The minor version of the oldest supported Go: since 1.20, `-test.v=test2json` distinguishes a
/// test binary's own lines from output of the tested code.
const OLDEST_MINOR: u32 = 20;

/// The output of `go env GOMOD` if there is no module.
const NO_MODULE: &str = "/dev/null";

/// The variables to query with `go env`.
const VARIABLES: [&str; 9] = [
    "GOCACHE",
    "GOENV",
    "GOFLAGS",
    "GOMOD",
    "GOMODCACHE",
    "GOPATH",
    "GOROOT",
    "GOVERSION",
    "GOWORK",
];

/// The Go toolchain, as `go env` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE", default)]
pub struct GoToolchain {
    gocache: String,
    goenv: String,
    goflags: String,
    gomod: String,
    gomodcache: String,
    gopath: String,
    goroot: String,
    goversion: String,
    gowork: String,
}

impl GoToolchain {
    /// Runs `go env`. Returns an error if Go is missing, fails, or is too old.
    pub async fn find(invocation: &Invocation) -> Result<GoToolchain, GoError> {
        let mut command = invocation.command(OsStr::new(GO));
        command.args(["env", "-json"]).args(VARIABLES);
        let output = command
            .output()
            .await
            .map_err(|source| GoError::Start { source })?;
        if !output.status.success() {
            return Err(GoError::Tool {
                command: "go env",
                status: output.status,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        GoToolchain::read(&output.stdout)
    }

    fn read(answer: &[u8]) -> Result<GoToolchain, GoError> {
        let toolchain: GoToolchain =
            serde_json::from_slice(answer).map_err(|source| GoError::Form {
                command: "go env",
                source,
            })?;
        match minor(&toolchain.goversion) {
            Some(minor) if minor < OLDEST_MINOR => Err(GoError::TooOld {
                version: toolchain.goversion,
            }),
            // A Go that was built from its repository has no version number, and is newer.
            Some(_) | None => Ok(toolchain),
        }
    }

    /// Returns the flags in `GOFLAGS`, which every command gets.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        variable::split(&self.goflags).into_iter()
    }

    /// Returns a flag in `GOFLAGS` that this program would have to handle and has not seen: one
    /// that the Go installation sets.
    pub fn unread_flag(&self) -> Option<&str> {
        self.flags().find(|flag| is_taken(flag))
    }

    /// Returns the directory of the `go.work` file in use, if any.
    pub fn workspace(&self) -> Option<&Path> {
        Path::new(&self.gowork)
            .parent()
            // `off` is no path: workspaces are turned off.
            .filter(|_| self.gowork != "off")
    }

    /// Returns whether Go looked for a module and found neither a module nor a workspace. (If
    /// modules are turned off, Go does not look for one, and `GOMOD` is empty.)
    pub fn misses_module(&self) -> bool {
        self.gomod == NO_MODULE && self.workspace().is_none()
    }

    /// Returns the files and directories that tests can read: the toolchain, downloaded modules,
    /// installed programs, and the user's Go settings.
    pub fn lent(&self) -> Vec<PathBuf> {
        let programs = std::env::split_paths(&self.gopath).map(|path| path.join("bin"));
        [&self.goroot, &self.gomodcache, &self.goenv]
            .into_iter()
            .filter(|path| Path::new(path).is_absolute())
            .map(PathBuf::from)
            .chain(programs)
            .collect()
    }

    /// Returns the build cache, so that a test that runs `go build` does not compile the standard
    /// library again.
    pub fn cache(&self) -> &Path {
        Path::new(&self.gocache)
    }
}

/// Returns the minor version of a version such as `go1.26.8`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go1.")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::invocation::ColorMode;

    #[test]
    fn versions_are_told_apart() {
        let read =
            |version: &str| GoToolchain::read(format!(r#"{{"GOVERSION":"{version}"}}"#).as_bytes());
        for fine in ["go1.20", "go1.26.8", "go1.21rc2", "devel go1.27-abc", ""] {
            assert!(read(fine).is_ok(), "{fine}");
        }
        let error = read("go1.19.13").unwrap_err();
        assert_eq!(
            error.to_string(),
            "go1.19.13 is too old; Go 1.20 is the oldest that will do"
        );
        assert!(GoToolchain::read(b"nonsense").is_err());
    }

    #[test]
    fn what_is_lent_is_what_exists_by_a_whole_path() {
        let toolchain = GoToolchain {
            goroot: "/go".into(),
            gomodcache: "/home/u/go/pkg/mod".into(),
            goenv: "off".into(),
            gopath: "/home/u/go:/more".into(),
            gowork: "/w/go.work".into(),
            ..GoToolchain::default()
        };
        let lent = ["/go", "/home/u/go/pkg/mod", "/home/u/go/bin", "/more/bin"];
        assert_eq!(toolchain.lent(), lent.map(PathBuf::from));
        assert_eq!(toolchain.workspace(), Some(Path::new("/w")));
        assert_eq!(GoToolchain::default().workspace(), None);
    }

    #[test]
    fn a_flag_that_nobody_has_read_is_found() {
        let unread = |flags: &str| {
            let toolchain = GoToolchain {
                goflags: flags.to_owned(),
                ..GoToolchain::default()
            };
            toolchain.unread_flag().map(str::to_owned)
        };
        assert_eq!(unread("-tags=x -race -cpu=2 -run -nonsense"), None);
        assert_eq!(unread("-mod=mod -cover"), Some("-cover".to_owned()));
        assert_eq!(unread("-v"), Some("-v".to_owned()));
    }

    #[test]
    fn a_module_is_missed_only_where_one_was_looked_for() {
        let misses = |gomod: &str, gowork: &str| {
            let toolchain = GoToolchain {
                gomod: gomod.to_owned(),
                gowork: gowork.to_owned(),
                ..GoToolchain::default()
            };
            toolchain.misses_module()
        };
        assert!(misses("/dev/null", ""));
        assert!(misses("/dev/null", "off"));
        assert!(!misses("/dev/null", "/w/go.work"));
        assert!(!misses("/w/go.mod", ""));
        assert!(!misses("", ""));
    }

    #[tokio::test]
    async fn a_go_that_is_not_there_is_missed() {
        let invocation = Invocation {
            directory: "/".into(),
            environment: [("PATH".into(), "/nowhere".into())].into(),
            colors: ColorMode::Unwanted,
        };
        let error = GoToolchain::find(&invocation).await.unwrap_err();
        assert_eq!(error.to_string(), "can't start `go`");
    }
}
