//! Why `cargo maelstrom` failed before or during discovery.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use miette::Diagnostic;

use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_model::job;
use maelstrom_spec::filter::PatternError;

use crate::sandbox::container::ContainerError;
use crate::sandbox::project_spec::ProjectSpecError;

/// What cargo exits with when it gives up.
const CARGO_FAILURE: u8 = 101;

/// Why discovery gave up.
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
    /// `cargo metadata` failed; this is what it said.
    #[error("{}", message(.stderr, "cargo metadata"))]
    Metadata { status: ExitStatus, stderr: String },
    /// `cargo metadata` said something that is no metadata.
    #[error("`cargo metadata` printed something unexpected")]
    #[diagnostic(help("this version of cargo or rustc may be too new or too old"))]
    MetadataForm {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// `rustc --print` failed; this is what it said.
    #[error("{}", message(.stderr, "rustc --print sysroot"))]
    Rustc { status: ExitStatus, stderr: String },
    /// `rustc --print` did not print two paths.
    #[error("`rustc --print sysroot --print target-libdir` printed no two paths: {stdout:?}")]
    #[diagnostic(help("this version of cargo or rustc may be too new or too old"))]
    RustcForm {
        /// What it printed instead.
        stdout: String,
    },
    /// The build's output can't be read, or its end not awaited.
    #[error("can't follow the build")]
    Follow {
        #[source]
        source: io::Error,
    },
    /// The build failed, and has said why.
    #[error("the build failed ({status})")]
    Build { status: ExitStatus },
    /// A configuration file of cargo can't be read.
    #[error("can't read cargo's configuration file {}", path.display())]
    ConfigRead {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A configuration file of cargo is not what it should be.
    #[error("cargo's configuration file {} is not valid TOML", path.display())]
    ConfigForm {
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value of `--exclude` is neither a package of the workspace nor a pattern.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PatternError),
    /// The default container can't be made for this project.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ContainerError),
    /// The project's file, or what it asks for.
    #[error(transparent)]
    #[diagnostic(forward(0))]
    Specified(Box<ProjectSpecError>),
}

impl From<ProjectSpecError> for CargoError {
    fn from(error: ProjectSpecError) -> Self {
        CargoError::Specified(Box::new(error))
    }
}

/// The first line of what the tool said, or at least that it failed.
fn message(stderr: &str, tool: &str) -> String {
    let said = stderr.trim();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    match said.lines().next() {
        None => format!("`{tool}` failed and said nothing"),
        Some(first) => first.trim_end().to_owned(),
    }
}

/// The exit code that stands for how a tool failed.
fn of_tool(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => exit_code::of_tool(job::ExitStatus::Code(code)),
        (None, Some(number)) => exit_code::of_tool(job::ExitStatus::Signal {
            number,
            core_dumped: status.core_dumped(),
        }),
        (None, None) => exit_code::INFRASTRUCTURE,
    };
    // A failure never looks like a success.
    match code {
        exit_code::SUCCESS => exit_code::INFRASTRUCTURE,
        code => code,
    }
}

impl CargoError {
    /// What the tool that failed said, if it is more than this error's own message.
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
            | CargoError::Pattern(_)
            | CargoError::ConfigRead { .. }
            | CargoError::ConfigForm { .. }
            | CargoError::Specified(_)
            | CargoError::Container(_) => None,
        }
    }
}

impl ProgramError for CargoError {
    fn exit_code(&self) -> u8 {
        match self {
            CargoError::Metadata { status, .. } | CargoError::Build { status } => of_tool(*status),
            // What the compiler refuses (a target that it does not know, say), cargo refuses so.
            CargoError::Rustc { status, .. } => match status.code() {
                Some(_) => CARGO_FAILURE,
                None => of_tool(*status),
            },
            CargoError::Specified(error) => error.exit_code(),
            CargoError::Pattern(_)
            | CargoError::ConfigRead { .. }
            | CargoError::ConfigForm { .. } => exit_code::USAGE,
            CargoError::Start { .. }
            | CargoError::MetadataForm { .. }
            | CargoError::RustcForm { .. }
            | CargoError::Follow { .. }
            | CargoError::Container(_) => exit_code::INFRASTRUCTURE,
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            error.to_string(),
            "failed to parse manifest at `Cargo.toml`"
        );
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
        assert_eq!(
            silent.to_string(),
            "`rustc --print sysroot` failed and said nothing"
        );
    }
}
