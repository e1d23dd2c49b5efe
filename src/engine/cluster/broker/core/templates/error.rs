//! Why a template is rejected.

use std::path::PathBuf;

use maelstrom_wire::error::WireError;

/// Why a template is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is invalid.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its architecture is unknown.
    #[error("the template is for the architecture `{name}`; `x86_64` and `aarch64` are known here")]
    Architecture { name: String },
    /// It mounts a path of the worker's host that its toolbox does not name.
    #[error(
        "the template shows {} of the worker's machine, which its toolbox does not list",
        path.display()
    )]
    Toolbox { path: PathBuf },
}
