//! Which tests depend on the files that changed since a commit (`--changed-since`).
//!
//! ```text
//! git ──▶ ChangedFiles ──▶ choose (pure) ──▶ ChangedUnits ──▶ the units to test, and a notice
//!                             ▲
//! runner ── units, owners ────┘
//! ```
//!
//! - [`git`]: the files that differ from a commit, uncommitted and untracked ones included.
//! - [`plan`]: from these files and the project's units (packages, or modules) to the units whose
//!   tests may have another result. [`notice`]: the notices about that.
//!
//! Each runner says what its units are, and to which of them a file belongs. A file that belongs to no
//! unit may be read by any test, so it makes everything changed: a test that is left out depends on
//! no changed file, as far as files and dependencies can tell.

mod error;
pub(crate) mod git;
pub(crate) mod notice;
pub(crate) mod plan;

use std::path::{Path, PathBuf};

use crate::options::changed::ChangedSettings;
use crate::sandbox::invocation::Invocation;

pub use self::error::ChangedError;
use self::git::ChangedFiles;

/// Returns the files that changed since the commit that the settings name, without those that the
/// settings leave out. `None` if the settings name none.
pub(crate) async fn changed_files(
    settings: &ChangedSettings,
    invocation: &Invocation,
    project: &Path,
) -> Result<Option<ChangedFiles>, ChangedError> {
    let Some(reference) = &settings.changed_since else {
        return Ok(None);
    };
    let mut files = git::changed_files(invocation, project, reference).await?;
    let ChangedFiles { top, paths, .. } = &mut files;
    paths.retain(|path| {
        let inside = path.strip_prefix(&*top).unwrap_or(path);
        !settings.leaves_out(inside)
    });
    Ok(Some(files))
}

/// Returns a path without symbolic links, as git has those of changed files. A path that does not
/// exist stays as it is.
pub(crate) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
