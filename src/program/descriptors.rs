//! Checks the limit of open files before a service starts: reaching it in the middle of a job would
//! look like the job's fault.
//!
//! The soft limit is raised no further than needed, since jobs inherit it.

use miette::Diagnostic;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use super::failure::ProgramFailure;
use maelstrom_model::error::ProgramError;

/// Of a broker: a connection of each worker and client, and the contents that they read and write.
pub const BROKER: u64 = 4096;

/// Of any program that does several things at a time: its own streams, timers and signals, and what
/// it opens for a moment.
pub const RUNTIME: u64 = 32;

/// Of a worker besides its slots: connections, and inputs that are fetched, many at once.
const WORKER: u64 = 512;

/// Of a job: its streams, its process, what its container is made of while it is made.
const SLOT: u64 = 16;

/// What a worker with so many slots needs.
pub fn of_worker(slots: u32) -> u64 {
    WORKER + SLOT * u64::from(slots)
}

/// Why there cannot be as many open files as are needed.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum LimitError {
    /// The limit that only an administrator raises is lower.
    #[error("the limit of open files is {hard}, and {needed} are needed")]
    #[diagnostic(help(
        "raise it: `ulimit -n {needed}` in the shell that starts this, `LimitNOFILE={needed}` in \
         a unit of systemd; fewer `--slots` need less"
    ))]
    TooLow { hard: rlim_t, needed: u64 },
    /// The kernel does not say, or does not do it.
    #[error("the limit of open files cannot be raised to {needed}")]
    Raise { needed: u64, source: Errno },
}

impl ProgramError for LimitError {}

/// Sees to it that so many files can be open.
pub fn ensure(needed: u64) -> Result<(), ProgramFailure> {
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
