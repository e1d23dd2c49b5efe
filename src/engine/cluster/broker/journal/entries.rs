//! What the journal is asked to keep, and what it gives back at the next start.

use std::path::PathBuf;

use super::super::owner::RunOwner;

/// A run's 16 bytes.
pub type RunName = [u8; 16];

/// A worker process's 16 bytes.
pub type WorkerInstance = [u8; 16];

/// Something to be written.
#[derive(Clone, Debug)]
pub enum JournalEntry {
    Run {
        run: RunName,
        client: String,
        weight: u32,
        owner: RunOwner,
    },
    /// A run's template, as it came.
    Template {
        run: RunName,
        /// The template's number in the run.
        number: u32,
        template: Vec<u8>,
    },
    /// An accepted job, as it came.
    Job {
        run: RunName,
        /// The job's number in the run.
        job: u64,
        description: Box<[u8]>,
    },
    /// A job that need not be kept.
    JobOver {
        run: RunName,
        /// The job's number in the run.
        job: u64,
    },
    /// A run of which nothing need be kept.
    RunOver { run: RunName },
    /// A worker that may get jobs from now on.
    Worker { instance: WorkerInstance },
    /// A worker that has none any more.
    WorkerOver { instance: WorkerInstance },
}

/// What a broker that ended left unfinished.
#[derive(Debug, Default)]
pub struct RecoveredState {
    /// How many times a broker was started on this journal, this one included.
    pub starts: u64,
    pub runs: Vec<RecoveredRun>,
    pub workers: Vec<WorkerInstance>,
}

/// A run that was not over.
#[derive(Debug)]
pub struct RecoveredRun {
    pub run: RunName,
    pub client: String,
    pub weight: u32,
    pub owner: RunOwner,
    /// Its templates by number.
    pub templates: Vec<(u32, Vec<u8>)>,
    /// Its jobs by number.
    pub jobs: Vec<(u64, Box<[u8]>)>,
}

/// Why there is no journal, or why something is not in it.
#[derive(Debug, thiserror::Error)]
#[error("the journal {} cannot be {doing}", path.display())]
pub struct JournalError {
    pub path: PathBuf,
    pub doing: &'static str,
    pub source: Box<redb::Error>,
}

/// Told when what was asked for is safe, or why it is not.
pub type CommitCallback = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// Something to be carried out.
pub struct JournalRequest {
    /// What is to be written.
    pub entries: Vec<JournalEntry>,
    /// Who waits for it, if somebody does.
    pub done: Option<CommitCallback>,
}

impl JournalRequest {
    pub(super) fn finish(self, result: Result<(), JournalError>) {
        if let Some(done) = self.done {
            done(result);
        }
    }
}
