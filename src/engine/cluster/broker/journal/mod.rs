//! The journal: the state that must survive a restart of the broker. It holds runs, their
//! templates, accepted jobs that are not known to be over, and the workers that may still run them.
//!
//! - `entries`: the entries and the recovered state. [`records`]: the file.
//! - A [`Journal`] sends [`JournalRequest`]s to a writer: its own thread, or the function given to
//!   [`Journal::handing_over`].
//!
//! Additions that arrive together share a transaction, and are durable before they are
//! acknowledged. Removals are not urgent: a job that reappears after a power loss runs again, and
//! its client, which has its outcome, ignores that.
//!
//! Results are not in the journal: running the job again reproduces them.

mod entries;
pub mod records;

use std::path::Path;
use std::sync::mpsc::{SendError, channel};
use std::thread::JoinHandle;

use self::records::JournalFile;

pub use self::entries::{
    CommitCallback, JournalEntry, JournalError, JournalRequest, RecoveredRun, RecoveredState,
    RunName, WorkerInstance,
};

/// The maximum number of requests in one transaction, so that the first of them need not wait
/// forever.
const BATCH_MAX: usize = 1024;

/// The file's name in the broker's directory.
const FILE: &str = "journal.redb";

/// The sending end of the journal. Dropping it waits until the thread has written all pending
/// entries.
pub struct Journal {
    requests: Option<Box<dyn Fn(JournalRequest) + Send>>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal in a broker's directory, and returns its content. Only one broker can have
    /// it open.
    pub fn open(directory: &Path) -> Result<(Journal, RecoveredState), JournalError> {
        let path = directory.join(FILE);
        let (records, remembered) = JournalFile::open(&path)?;
        let (requests, inbox) = channel();
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                while let Ok(first) = inbox.recv() {
                    let mut batch = vec![first];
                    // One fsync serves all waiting requests, because it takes far longer than
                    // writing them.
                    batch.extend(inbox.try_iter().take(BATCH_MAX - 1));
                    records.carry_out(batch);
                }
            })
            .map_err(|error| JournalError {
                path: directory.join(FILE),
                doing: "given a thread",
                source: Box::new(redb::Error::Io(error)),
            })?;
        let path = directory.join(FILE);
        let journal = Journal {
            requests: Some(Box::new(move |request| {
                if let Err(SendError(request)) = requests.send(request) {
                    request.finish(Err(JournalError {
                        path: path.clone(),
                        doing: "written to: the thread that does so has ended",
                        source: Box::new(redb::Error::Io(std::io::ErrorKind::BrokenPipe.into())),
                    }));
                }
            })),
            writer: Some(writer),
        };
        Ok((journal, remembered))
    }

    /// Creates a journal that passes its requests, in order, to this function.
    pub fn handing_over(requests: impl Fn(JournalRequest) + Send + 'static) -> Journal {
        Journal {
            requests: Some(Box::new(requests)),
            writer: None,
        }
    }

    /// Creates a journal that stores nothing.
    pub fn none() -> Journal {
        Journal::handing_over(|request| request.finish(Ok(())))
    }

    /// Writes entries, and calls `done` when they are durable.
    pub fn keep(&self, entries: Vec<JournalEntry>, done: CommitCallback) {
        self.request(entries, Some(done));
    }

    /// Writes entries eventually.
    pub fn forget(&self, entries: Vec<JournalEntry>) {
        self.request(entries, None);
    }

    fn request(&self, entries: Vec<JournalEntry>, done: Option<CommitCallback>) {
        if let Some(requests) = &self.requests {
            requests(JournalRequest { entries, done });
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Closing the channel ends the thread, so this precedes joining it.
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::owner::RunOwner;

    const RUN: RunName = [7; 16];

    fn keep(journal: &Journal, entries: Vec<JournalEntry>) {
        let (sender, receiver) = channel();
        let done = move |result: Result<(), JournalError>| sender.send(result.is_ok()).unwrap();
        journal.keep(entries, Box::new(done));
        assert!(receiver.recv().unwrap());
    }

    fn run(run: RunName) -> JournalEntry {
        JournalEntry::Run {
            run,
            client: "somebody".to_owned(),
            weight: 2,
            owner: RunOwner::new(Some("client ann".to_owned()), &[3; 16]).unwrap(),
        }
    }

    fn job(run: RunName, job: u64) -> JournalEntry {
        JournalEntry::Job {
            run,
            job,
            description: job.to_be_bytes().into(),
        }
    }

    #[test]
    fn what_was_kept_and_not_forgotten_is_there_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, remembered) = Journal::open(directory.path()).unwrap();
        assert_eq!(remembered.starts, 1);
        assert!(remembered.runs.is_empty());
        let other = [8; 16];
        let template = JournalEntry::Template {
            run: RUN,
            number: 3,
            template: b"t".to_vec(),
        };
        keep(&journal, vec![run(RUN), run(other), template, job(RUN, 1)]);
        keep(&journal, vec![job(RUN, 2), job(other, 2)]);
        let workers = [1, 2].map(|number| JournalEntry::Worker {
            instance: [number; 16],
        });
        keep(&journal, workers.to_vec());
        journal.forget(vec![
            JournalEntry::JobOver { run: RUN, job: 1 },
            JournalEntry::RunOver { run: other },
            JournalEntry::WorkerOver { instance: [1; 16] },
        ]);
        drop(journal);
        let (_journal, remembered) = Journal::open(directory.path()).unwrap();
        assert_eq!(remembered.starts, 2);
        let [run] = remembered.runs.as_slice() else {
            panic!("{remembered:?}");
        };
        assert_eq!(
            (run.run, run.client.as_str(), run.weight),
            (RUN, "somebody", 2)
        );
        let owner = RunOwner::new(Some("client ann".to_owned()), &[3; 16]).unwrap();
        assert_eq!(run.owner, owner);
        assert_eq!(run.templates, [(3, b"t".to_vec())]);
        assert_eq!(run.jobs, [(2, 2_u64.to_be_bytes().into())]);
        assert_eq!(remembered.workers, [[2; 16]]);
    }

    /// A file of the first release, which has stored a run with a template and two jobs, and a
    /// worker, and removed the first job. That release had no owners of runs.
    const FIRST: &[u8] = include_bytes!("journal-0.1.redb.zst");

    #[test]
    fn the_journal_of_the_first_build_is_recovered() {
        let directory = tempfile::tempdir().unwrap();
        let file = zstd::decode_all(FIRST).unwrap();
        std::fs::write(directory.path().join(FILE), file).unwrap();
        let (journal, remembered) = Journal::open(directory.path()).unwrap();
        assert_eq!(remembered.starts, 2);
        assert_eq!(remembered.workers, [[2; 16]]);
        let [old] = remembered.runs.as_slice() else {
            panic!("{remembered:?}");
        };
        assert_eq!(
            (old.run, old.client.as_str(), old.weight),
            (RUN, "somebody", 2)
        );
        assert_eq!(old.owner, RunOwner::default());
        assert_eq!(old.templates, [(3, b"a template".to_vec())]);
        assert_eq!(old.jobs, [(2, b"another".as_slice().into())]);
        // The file can also be written to.
        keep(&journal, vec![job(RUN, 4)]);
        drop(journal);
        let (_journal, remembered) = Journal::open(directory.path()).unwrap();
        let jobs: Vec<u64> = remembered.runs[0]
            .jobs
            .iter()
            .map(|(job, _)| *job)
            .collect();
        assert_eq!(jobs, [2, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn what_something_else_has_written_to_is_no_panic(
            scribbles in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let (journal, _) = Journal::open(directory.path()).unwrap();
            keep(&journal, vec![run(RUN), job(RUN, 1), job(RUN, 2)]);
            drop(journal);
            let path = directory.path().join(FILE);
            let mut bytes = std::fs::read(&path).unwrap();
            for (place, byte) in scribbles {
                // The beginning of the file locates everything else.
                let place = place.index(bytes.len().min(16_384));
                bytes[place] = byte;
            }
            std::fs::write(&path, bytes).unwrap();
            if let Ok((mut journal, _)) = Journal::open(directory.path()) {
                journal.forget(vec![JournalEntry::RunOver { run: RUN }]);
                journal.requests = None;
                prop_assert!(journal.writer.take().unwrap().join().is_ok());
            }
        }
    }

    #[test]
    fn two_brokers_cannot_share_one() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Journal::open(directory.path()).unwrap();
        let error = Journal::open(directory.path()).err().unwrap();
        assert_eq!(error.doing, "opened");
    }
}
