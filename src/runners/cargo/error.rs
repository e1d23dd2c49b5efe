//! The errors of `cargo maelstrom` before and during discovery.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use miette::Diagnostic;

use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::filter::PatternError;
use maelstrom_spec::filterset::FiltersetError;

use crate::changed::ChangedError;
use crate::process::of_tool;
use crate::sandbox::container::ContainerError;
use crate::sandbox::project_spec::ProjectSpecError;
use crate::sharing::SharingError;

/// The exit code of cargo when it fails.
const CARGO_FAILURE: u8 = 101;

/// The error of a failed discovery.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CargoError {
    /// A program could not be started.
    #[error("can't start `{program}`")]
    #[diagnostic(help(
        "install Rust (https://rustup.rs), or put the directory of `{program}` on PATH"
    ))]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// `cargo metadata` failed; a message of one line is its own.
    #[error("{}", message(.stderr, "cargo metadata"))]
    Metadata { status: ExitStatus, stderr: String },
    /// The output of `cargo metadata` cannot be parsed.
    #[error("`cargo metadata` printed something unexpected")]
    #[diagnostic(help("this version of cargo or rustc may be too new or too old"))]
    MetadataForm {
        #[source]
        source: serde_json::Error,
    },
    /// `rustc --print` failed; a message of one line is its own.
    #[error("{}", message(.stderr, "rustc --print sysroot"))]
    Rustc { status: ExitStatus, stderr: String },
    /// `rustc --print` did not print two paths.
    #[error("`rustc --print sysroot --print target-libdir` printed no two paths: {stdout:?}")]
    #[diagnostic(help("this version of cargo or rustc may be too new or too old"))]
    RustcForm {
        /// What it printed instead.
        stdout: String,
    },
    /// The build's output cannot be read, or its exit status not be determined.
    #[error("can't follow the build")]
    Follow {
        #[source]
        source: io::Error,
    },
    /// The programs of doctests cannot be kept.
    #[error("can't keep doctests in {}", path.display())]
    Keep {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The build failed, and has printed the reason.
    #[error("the build failed ({status})")]
    Build { status: ExitStatus },
    /// A configuration file of cargo cannot be read.
    #[error("can't read cargo's configuration file {}", path.display())]
    ConfigRead {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A configuration file of cargo is not valid TOML.
    #[error("cargo's configuration file {} is not valid TOML", path.display())]
    ConfigForm {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// An option that selects tests is invalid in this workspace.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Selection(#[from] SelectionError),
    /// Tests cannot share a process as the project wants it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sharing(#[from] SharingError),
    /// A value of `--config` is neither a file nor a setting.
    #[error("`--config {value}` is neither a file nor a setting in TOML, such as `KEY=VALUE`")]
    ConfigOption {
        value: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The changed files cannot be known.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Changed(#[from] ChangedError),
    /// The default container cannot be created for this project.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ContainerError),
    /// The project's container file, or something that it refers to, is invalid.
    #[error(transparent)]
    #[diagnostic(forward(0))]
    Specified(Box<ProjectSpecError>),
}

/// The error of an option that selects tests or packages.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum SelectionError {
    /// A value of `--exclude` is neither a package of the workspace nor a pattern.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    /// A filterset names something that does not exist in the workspace.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Filterset(#[from] FiltersetError),
}

impl From<ProjectSpecError> for CargoError {
    fn from(error: ProjectSpecError) -> Self {
        CargoError::Specified(Box::new(error))
    }
}

/// Returns the tool's message if it is one line; [`CargoError::tool_output`] has a longer one.
fn message(stderr: &str, tool: &str) -> String {
    let said = stderr.trim();
    match said.lines().count() {
        0 => format!("`{tool}` failed and said nothing"),
        1 => said.strip_prefix("error: ").unwrap_or(said).to_owned(),
        _ => format!("`{tool}` failed"),
    }
}

impl CargoError {
    /// Returns the tool's standard error, if this error's own message does not have it.
    pub fn tool_output(&self) -> Option<&str> {
        match self {
            CargoError::Metadata { stderr, .. } | CargoError::Rustc { stderr, .. } => {
                (stderr.trim().lines().count() > 1).then_some(stderr)
            }
            CargoError::Start { .. }
            | CargoError::MetadataForm { .. }
            | CargoError::RustcForm { .. }
            | CargoError::Follow { .. }
            | CargoError::Build { .. }
            | CargoError::Selection(_)
            | CargoError::Sharing(_)
            | CargoError::ConfigOption { .. }
            | CargoError::ConfigRead { .. }
            | CargoError::ConfigForm { .. }
            | CargoError::Specified(_)
            | CargoError::Keep { .. }
            | CargoError::Changed(_)
            | CargoError::Container(_) => None,
        }
    }
}

impl ProgramError for CargoError {
    fn exit_code(&self) -> u8 {
        match self {
            CargoError::Metadata { status, .. } | CargoError::Build { status } => of_tool(*status),
            // cargo exits with its own code when the compiler rejects something, such as an unknown
            // target.
            CargoError::Rustc { status, .. } => match status.code() {
                Some(_) => CARGO_FAILURE,
                None => of_tool(*status),
            },
            CargoError::Specified(error) => error.exit_code(),
            CargoError::Changed(error) => error.exit_code(),
            CargoError::Selection(_)
            | CargoError::Sharing(_)
            | CargoError::ConfigOption { .. }
            | CargoError::ConfigRead { .. }
            | CargoError::ConfigForm { .. } => exit_code::USAGE,
            CargoError::Start { .. }
            | CargoError::MetadataForm { .. }
            | CargoError::RustcForm { .. }
            | CargoError::Follow { .. }
            | CargoError::Keep { .. }
            | CargoError::Container(_) => exit_code::INFRASTRUCTURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_build_gives_its_own_code_or_128_and_the_signal() {
        let code = |raw: i32| of_tool(ExitStatus::from_raw(raw));
        assert_eq!(code(101 << 8), 101);
        assert_eq!(code(9), 137);
        assert_eq!(code(0), exit_code::INFRASTRUCTURE);
    }

    #[test]
    fn a_tool_speaks_for_itself() {
        let error = CargoError::Metadata {
            status: ExitStatus::from_raw(101 << 8),
            stderr: "error: failed to parse manifest at `Cargo.toml`\n\nCaused by:\n  x\n"
                .to_owned(),
        };
        assert_eq!(error.to_string(), "`cargo metadata` failed");
        assert!(
            error
                .tool_output()
                .is_some_and(|said| said.ends_with("Caused by:\n  x\n"))
        );
        let silent = CargoError::Rustc {
            status: ExitStatus::from_raw(9),
            stderr: String::new(),
        };
        assert_eq!(silent.exit_code(), 137);
        let unknown = CargoError::Rustc {
            status: ExitStatus::from_raw(1 << 8),
            stderr: "error: could not find specification for target \"x\"\n".to_owned(),
        };
        assert_eq!(unknown.exit_code(), 101);
        assert_eq!(unknown.tool_output(), None);
        assert_eq!(
            unknown.to_string(),
            "could not find specification for target \"x\""
        );
        assert_eq!(
            silent.to_string(),
            "`rustc --print sysroot` failed and said nothing"
        );
    }
}
