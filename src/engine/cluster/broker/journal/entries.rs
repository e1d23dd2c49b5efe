//! Journal entries, and the state recovered from them.

use std::path::PathBuf;

use super::super::owner::RunOwner;

/// The 16-byte name of a run.
pub type RunName = [u8; 16];

/// The 16-byte id of a worker process.
pub type WorkerInstance = [u8; 16];

/// A change to the journal.
#[derive(Clone, Debug)]
pub enum JournalEntry {
    Run {
        run: RunName,
        client: String,
        weight: u32,
        owner: RunOwner,
    },
    /// A template of a run, encoded.
    Template {
        run: RunName,
        /// The template's number in the run.
        number: u32,
        template: Vec<u8>,
    },
    /// An accepted job, encoded.
    Job {
        run: RunName,
        /// The job's number in the run.
        job: u64,
        description: Box<[u8]>,
    },
    /// A job that no longer needs to be stored.
    JobOver {
        run: RunName,
        /// The job's number in the run.
        job: u64,
    },
    /// A run that no longer needs to be stored.
    RunOver { run: RunName },
    /// A worker that may hold leases from now on.
    Worker { instance: WorkerInstance },
    /// A worker that no longer holds leases.
    WorkerOver { instance: WorkerInstance },
}

/// The unfinished state of the previous broker.
#[derive(Debug, Default)]
pub struct RecoveredState {
    /// The number of brokers that were started on this journal, including this one.
    pub starts: u64,
    pub runs: Vec<RecoveredRun>,
    pub workers: Vec<WorkerInstance>,
}

/// An unfinished run.
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

/// The error of opening or writing the journal.
#[derive(Debug, thiserror::Error)]
#[error("the journal {} cannot be {doing}", path.display())]
pub struct JournalError {
    pub path: PathBuf,
    pub doing: &'static str,
    pub source: Box<redb::Error>,
}

/// A callback that is called once the entries are durable, or with the error.
pub type CommitCallback = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// A request to write entries.
pub struct JournalRequest {
    /// The entries to write.
    pub entries: Vec<JournalEntry>,
    /// Called when they are durable.
    pub done: Option<CommitCallback>,
}

impl JournalRequest {
    pub(super) fn finish(self, result: Result<(), JournalError>) {
        if let Some(done) = self.done {
            done(result);
        }
    }
}
