//! Errors in a project's file, or in what it refers to.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use maelstrom_engine::layer_cache::LayerCacheError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::SpecError;
use maelstrom_spec::document::DocumentError;
use maelstrom_spec::environment::ExpansionError;

/// Why a test cannot have what its project's file says.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ProjectSpecError {
    /// The file is there and cannot be read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(help("check its permissions"))]
    Read { path: PathBuf, source: io::Error },
    /// Something in it has no meaning. Without the excerpt of the file, since this becomes a line.
    #[error("{}: {}", .0.place, .0.message)]
    #[diagnostic(forward(0))]
    Document(Box<DocumentError>),
    /// Its parts don't make a container.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Resolve(#[from] SpecError),
    /// A layer or an image cannot be had.
    #[error("{place}: {what}")]
    #[diagnostic(forward(source))]
    Material {
        /// Where it is asked for.
        place: String,
        /// What is asked for.
        what: String,
        /// Why it can't be had.
        source: Box<LayerCacheError>,
    },
    /// A variable has no value.
    #[error("{place}: {source}")]
    #[diagnostic(forward(source))]
    Environment {
        /// Where it is asked for.
        place: String,
        source: ExpansionError,
    },
    /// A layer's file that nobody would see.
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
    /// Something is to be mounted where nothing stands.
    #[error("{place}: there is no `{}` in the container to mount on", mount_point.display())]
    #[diagnostic(help("make one by a layer: {{ stubs = [\"{stub}\"] }}"))]
    NoMountPoint {
        /// Where the mount stands.
        place: String,
        mount_point: PathBuf,
        /// The stub that would help.
        stub: String,
    },
    /// A directory or file that is to be bound and is not there.
    #[error("{place}: `{}` is to be mounted, and cannot be looked at", path.display())]
    #[diagnostic(help("create it first; relative paths start at the project directory"))]
    NoSource {
        /// Where the mount stands.
        place: String,
        /// The path on this machine.
        path: PathBuf,
        source: io::Error,
    },
    /// This machine's programs in a container that is not the default one.
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
