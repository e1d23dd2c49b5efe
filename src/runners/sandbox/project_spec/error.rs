//! Errors in a project's container file, or in what it refers to.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use maelstrom_engine::layer_cache::LayerCacheError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::SpecError;
use maelstrom_spec::document::DocumentError;
use maelstrom_spec::environment::ExpansionError;

/// Why the container that a project's file describes cannot be created.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ProjectSpecError {
    /// The file exists and cannot be read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(help("check its permissions"))]
    Read { path: PathBuf, source: io::Error },
    /// The file is invalid. The message omits the excerpt of the file, because it becomes one line.
    #[error("{}: {}", .0.place, .0.message)]
    #[diagnostic(forward(0))]
    Document(Box<DocumentError>),
    /// The parts of the file do not form a valid container.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Resolve(#[from] SpecError),
    /// A layer or an image is not available.
    #[error("{place}: {what}")]
    #[diagnostic(forward(source))]
    Material {
        /// The place in the file.
        place: String,
        /// The layer or image.
        what: String,
        /// The reason why it is not available.
        source: Box<LayerCacheError>,
    },
    /// A variable without a value is expanded.
    #[error("{place}: {source}")]
    #[diagnostic(forward(source))]
    Environment {
        /// The place in the file.
        place: String,
        source: ExpansionError,
    },
    /// A file of a layer would be hidden by the default container.
    #[error(
        "{place}: `{}` of the layers would be hidden: the default container has {what} at `{}`",
        path.display(), hidden_by.display()
    )]
    #[diagnostic(help(
        "give it another place, or begin with an image or layers of your own in the place of \
         `parent = \"default\"`"
    ))]
    Hidden {
        place: String,
        path: PathBuf,
        what: &'static str,
        hidden_by: PathBuf,
    },
    /// The container has no file or directory at a mount point.
    #[error("{place}: there is no `{}` in the container to mount on", mount_point.display())]
    #[diagnostic(help("make one by a layer: {{ stubs = [\"{stub}\"] }}"))]
    NoMountPoint {
        /// The place of the mount in the file.
        place: String,
        mount_point: PathBuf,
        /// The stub that creates the mount point.
        stub: String,
    },
    /// The source of a bind mount does not exist or is not accessible.
    #[error("{place}: `{}` is to be mounted, and cannot be looked at", path.display())]
    #[diagnostic(help("create it first; relative paths start at the project directory"))]
    NoSource {
        /// The place of the mount in the file.
        place: String,
        /// The path on this machine.
        path: PathBuf,
        source: io::Error,
    },
    /// The directory of a fixture's files cannot be made or read.
    #[error("cannot keep the files of a fixture in `{}`", path.display())]
    #[diagnostic(help("check its permissions"))]
    FixtureDirectory { path: PathBuf, source: io::Error },
    /// `toolbox = true` for a container that is not based on the default one.
    #[error(
        "{place}: `toolbox = true` has a meaning only for containers that begin with `default`"
    )]
    #[diagnostic(help("write `parent = \"default\"`, or leave `toolbox` out"))]
    Toolbox { place: String },
}

impl From<DocumentError> for ProjectSpecError {
    fn from(error: DocumentError) -> Self {
        ProjectSpecError::Document(Box::new(error))
    }
}

impl ProgramError for ProjectSpecError {
    fn exit_code(&self) -> u8 {
        match self {
            ProjectSpecError::Material { source, .. } => source.exit_code(),
            ProjectSpecError::FixtureDirectory { .. } => exit_code::INFRASTRUCTURE,
            ProjectSpecError::Read { .. }
            | ProjectSpecError::Document(_)
            | ProjectSpecError::Resolve(_)
            | ProjectSpecError::Environment { .. }
            | ProjectSpecError::Hidden { .. }
            | ProjectSpecError::NoMountPoint { .. }
            | ProjectSpecError::NoSource { .. }
            | ProjectSpecError::Toolbox { .. } => exit_code::USAGE,
        }
    }
}
