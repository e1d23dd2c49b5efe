//! Checks the limit of open files before a service starts: reaching it in the middle of a job would
//! look like the job's fault.
//!
//! The soft limit is raised no further than needed, since jobs inherit it.

use miette::Diagnostic;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use super::failure::ProgramFailure;
use maelstrom_model::error::ProgramError;

/// Descriptors of a broker: a connection for each worker and client, and the files that they read
/// and write.
pub(super) const BROKER: u64 = 4096;

/// Descriptors of any program with a runtime: its streams, timers and signals, and files that it
/// opens briefly.
pub(super) const RUNTIME: u64 = 32;

/// Descriptors of a worker besides those of its slots: connections, and many inputs that are
/// fetched at once.
const WORKER: u64 = 512;

/// Descriptors of a slot: the job's streams and process, and those that building its container
/// takes.
const SLOT: u64 = 16;

/// Returns the number of descriptors that a worker with `slots` slots needs.
pub(super) fn of_worker(slots: u32) -> u64 {
    WORKER + SLOT * u64::from(slots)
}

/// An error while raising the limit of open files.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum LimitError {
    /// The hard limit, which only an administrator can raise, is too low.
    #[error("the limit of open files is {hard}, and {needed} are needed")]
    #[diagnostic(help(
        "raise it: `ulimit -n {needed}` in the shell that starts this, `LimitNOFILE={needed}` in \
         a unit of systemd; fewer `--slots` need less"
    ))]
    TooLow { hard: rlim_t, needed: u64 },
    /// The kernel refuses to return or to change the limit.
    #[error("the limit of open files cannot be raised to {needed}")]
    Raise { needed: u64, source: Errno },
}

impl ProgramError for LimitError {}

/// Raises the soft limit of open files to `needed`, if it is lower.
pub(super) fn ensure(needed: u64) -> Result<(), ProgramFailure> {
    Ok(limit(needed)?)
}

fn limit(needed: u64) -> Result<(), LimitError> {
    let failed = |source| LimitError::Raise { needed, source };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    if soft >= needed {
        return Ok(());
    }
    if hard < needed {
        return Err(LimitError::TooLow { hard, needed });
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, hard).map_err(failed)?;
    tracing::info!(from = soft, to = needed, "more files may be open");
    Ok(())
}
