//! The errors of rejected templates.

use std::path::PathBuf;

use maelstrom_wire::error::WireError;

/// The error of a rejected template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template is invalid.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The template's architecture is unknown.
    #[error("the template is for the architecture `{name}`; `x86_64` and `aarch64` are known here")]
    Architecture { name: String },
    /// The template mounts a host path of the worker that its toolbox does not list.
    #[error(
        "the template shows {} of the worker's machine, which its toolbox does not list",
        path.display()
    )]
    Toolbox { path: PathBuf },
}
