//! Errors in a project's file, or in what it refers to.

use std::io;
use std::path::PathBuf;

use maelstrom_engine::layer_cache::LayerCacheError;
use maelstrom_model::exit_code;
use maelstrom_spec::SpecError;
use maelstrom_spec::document::DocumentError;
use maelstrom_spec::environment::ExpansionError;

/// Why a test cannot have what its project's file says.
#[derive(Debug, thiserror::Error)]
pub enum ProjectSpecError {
    /// The file is there and cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Something in it has no meaning. Without the excerpt of the file, since this becomes a line.
    #[error("{}: {}", .0.place, .0.message)]
    Document(Box<DocumentError>),
    /// Its parts don't make a container.
    #[error(transparent)]
    Resolve(#[from] SpecError),
    /// A layer or an image cannot be had.
    #[error("{place}: {what}")]
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
    Hidden {
        place: String,
        path: PathBuf,
        what: &'static str,
        hidden_by: PathBuf,
    },
    /// Something is to be mounted where nothing stands.
    #[error("{place}: there is no `{}` in the container to mount on", mount_point.display())]
    NoMountPoint {
        /// Where the mount stands.
        place: String,
        mount_point: PathBuf,
        /// The stub that would help.
        stub: String,
    },
    /// A directory or file that is to be bound and is not there.
    #[error("{place}: `{}` is to be mounted, and cannot be looked at", path.display())]
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
    Toolbox { place: String },
}

impl From<DocumentError> for ProjectSpecError {
    fn from(error: DocumentError) -> Self {
        ProjectSpecError::Document(Box::new(error))
    }
}

impl ProjectSpecError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            ProjectSpecError::Read { .. } => Some("check its permissions".to_owned()),
            ProjectSpecError::Document(error) => error.help.clone(),
            ProjectSpecError::Resolve(error) => Some(error.help()),
            ProjectSpecError::Material { source, .. } => Some(source.help().to_owned()),
            ProjectSpecError::Environment { source, .. } => Some(source.help()),
            ProjectSpecError::Hidden { .. } => Some(
                "give it another place, or begin with an image or layers of your own in the place \
                 of `parent = \"default\"`"
                    .to_owned(),
            ),
            ProjectSpecError::NoMountPoint { stub, .. } => {
                Some(format!("make one by a layer: {{ stubs = [\"{stub}\"] }}"))
            }
            ProjectSpecError::NoSource { .. } => {
                Some("create it first; relative paths start at the project directory".to_owned())
            }
            ProjectSpecError::Toolbox { .. } => {
                Some("write `parent = \"default\"`, or leave `toolbox` out".to_owned())
            }
        }
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
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
