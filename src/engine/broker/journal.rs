//! What must survive the broker: runs, their templates, and jobs that were accepted and have not
//! been told to be over.
//!
//! A thread of its own writes. Additions are one transaction for as many as have come together, and
//! are on the disk before they are acknowledged. Removals are not hurried: a job that comes back
//! after a loss of power is run once more, and its client, which has heard of it, takes no notice.
//!
//! Absent on purpose: results. They can be had again by running the job.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

/// A run's 16 bytes.
pub type RunName = [u8; 16];

const RUNS: TableDefinition<'_, &[u8; 16], (&str, u32)> = TableDefinition::new("runs");
const TEMPLATES: TableDefinition<'_, (&[u8; 16], u32), &[u8]> = TableDefinition::new("templates");
const JOBS: TableDefinition<'_, (&[u8; 16], u64), &[u8]> = TableDefinition::new("jobs");
const STARTS: TableDefinition<'_, (), u64> = TableDefinition::new("starts");

/// At most this many requests become one transaction, so that the first of them need not wait for
/// ever.
const BATCH_MAX: usize = 1024;

/// The file's name in the broker's directory.
const FILE: &str = "journal.redb";

/// Something to be written.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A run began.
    Run {
        /// Its name.
        run: RunName,
        /// Its client's name.
        client: String,
        /// Its client's weight.
        weight: u32,
    },
    /// A run's template, as it came.
    Template {
        /// The run.
        run: RunName,
        /// The template's number in the run.
        number: u32,
        /// The encoded message.
        template: Vec<u8>,
    },
    /// An accepted job, as it came.
    Job {
        /// The run.
        run: RunName,
        /// The job's number in the run.
        job: u64,
        /// The encoded message.
        description: Box<[u8]>,
    },
    /// A job that need not be kept.
    JobOver {
        /// The run.
        run: RunName,
        /// The job's number in the run.
        job: u64,
    },
    /// A run of which nothing need be kept.
    RunOver {
        /// The run.
        run: RunName,
    },
}

/// What a broker that ended left unfinished.
#[derive(Debug, Default)]
pub struct Remembered {
    /// How many times a broker was started on this journal, this one included.
    pub starts: u64,
    /// The runs.
    pub runs: Vec<RememberedRun>,
}

/// A run that was not over.
#[derive(Debug)]
pub struct RememberedRun {
    /// Its name.
    pub run: RunName,
    /// Its client's name.
    pub client: String,
    /// Its client's weight.
    pub weight: u32,
    /// Its templates by number.
    pub templates: Vec<(u32, Vec<u8>)>,
    /// Its jobs by number.
    pub jobs: Vec<(u64, Box<[u8]>)>,
}

/// Why there is no journal, or why something is not in it.
#[derive(Debug, thiserror::Error)]
#[error("the journal {} cannot be {doing}", path.display())]
pub struct JournalError {
    /// The file.
    pub path: PathBuf,
    /// What was tried.
    pub doing: &'static str,
    /// Why it failed.
    pub source: Box<redb::Error>,
}

/// Told when what was asked for is safe, or why it is not.
pub type Done = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

struct Request {
    entries: Vec<Entry>,
    done: Option<Done>,
}

/// The journal's writing end. Dropping it writes what is left and waits for that.
pub struct Journal {
    requests: Option<Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal of a broker's directory, and tells what it holds. Only one broker can.
    pub fn open(directory: &Path) -> Result<(Journal, Remembered), JournalError> {
        let path = directory.join(FILE);
        let failed = |source: redb::Error| JournalError {
            path: path.clone(),
            doing: "opened",
            source: Box::new(source),
        };
        let database = Database::create(&path).map_err(|error| failed(error.into()))?;
        let remembered = recall(&database).map_err(failed)?;
        let (requests, inbox) = channel();
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(&database, &path, &inbox))
            .map_err(|error| JournalError {
                path: directory.join(FILE),
                doing: "given a thread",
                source: Box::new(redb::Error::Io(error)),
            })?;
        let journal = Journal {
            requests: Some(requests),
            writer: Some(writer),
        };
        Ok((journal, remembered))
    }

    /// A journal of a broker that keeps nothing.
    pub fn none() -> Journal {
        Journal {
            requests: None,
            writer: None,
        }
    }

    /// Writes, and calls when it is safe.
    pub fn keep(&self, entries: Vec<Entry>, done: Done) {
        let request = Request {
            entries,
            done: Some(done),
        };
        match &self.requests {
            Some(requests) => drop(requests.send(request)),
            None => request.finish(Ok(())),
        }
    }

    /// Writes when there is time.
    pub fn forget(&self, entries: Vec<Entry>) {
        if let Some(requests) = &self.requests {
            drop(requests.send(Request {
                entries,
                done: None,
            }));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl Request {
    fn finish(self, result: Result<(), JournalError>) {
        if let Some(done) = self.done {
            done(result);
        }
    }
}

fn write_all(database: &Database, path: &Path, inbox: &Receiver<Request>) {
    while let Ok(first) = inbox.recv() {
        let mut batch = vec![first];
        batch.extend(inbox.try_iter().take(BATCH_MAX - 1));
        let result = write(database, &batch);
        if let Err(error) = &result {
            tracing::error!(path = %path.display(), %error, "the journal cannot be written to");
        }
        let message = result.err().map(|error| error.to_string());
        for request in batch {
            request.finish(match &message {
                None => Ok(()),
                Some(message) => Err(JournalError {
                    path: path.to_owned(),
                    doing: "written to",
                    source: Box::new(redb::Error::Io(std::io::Error::other(message.clone()))),
                }),
            });
        }
    }
}

fn write(database: &Database, batch: &[Request]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    let is_awaited = batch.iter().any(|request| request.done.is_some());
    transaction
        .set_durability(match is_awaited {
            true => Durability::Immediate,
            false => Durability::None,
        })
        .map_err(|error| redb::Error::Io(std::io::Error::other(error.to_string())))?;
    {
        let mut runs = transaction.open_table(RUNS)?;
        let mut templates = transaction.open_table(TEMPLATES)?;
        let mut jobs = transaction.open_table(JOBS)?;
        for entry in batch.iter().flat_map(|request| &request.entries) {
            match entry {
                Entry::Run {
                    run,
                    client,
                    weight,
                } => {
                    runs.insert(run, (client.as_str(), *weight))?;
                }
                Entry::Template {
                    run,
                    number,
                    template,
                } => {
                    templates.insert((run, *number), template.as_slice())?;
                }
                Entry::Job {
                    run,
                    job,
                    description,
                } => {
                    jobs.insert((run, *job), &**description)?;
                }
                Entry::JobOver { run, job } => {
                    jobs.remove((run, *job))?;
                }
                Entry::RunOver { run } => {
                    runs.remove(run)?;
                    templates.retain_in((run, 0)..=(run, u32::MAX), |_, _| false)?;
                    jobs.retain_in((run, 0)..=(run, u64::MAX), |_, _| false)?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn recall(database: &Database) -> Result<Remembered, redb::Error> {
    let transaction = database.begin_write()?;
    let starts = {
        let mut table = transaction.open_table(STARTS)?;
        let before = table.get(())?.map_or(0, |number| number.value());
        table.insert((), before + 1)?;
        transaction.open_table(RUNS)?;
        transaction.open_table(TEMPLATES)?;
        transaction.open_table(JOBS)?;
        before + 1
    };
    transaction.commit()?;
    let reading = database.begin_read()?;
    let (templates, jobs) = (reading.open_table(TEMPLATES)?, reading.open_table(JOBS)?);
    let mut runs = Vec::new();
    for entry in reading.open_table(RUNS)?.iter()? {
        let (key, value) = entry?;
        let run = *key.value();
        let (client, weight) = value.value();
        let templates = templates.range((&run, 0)..=(&run, u32::MAX))?;
        let jobs = jobs.range((&run, 0)..=(&run, u64::MAX))?;
        runs.push(RememberedRun {
            run,
            client: client.to_owned(),
            weight,
            templates: templates
                .map(|entry| entry.map(|(key, value)| (key.value().1, value.value().to_vec())))
                .collect::<Result<_, _>>()?,
            jobs: jobs
                .map(|entry| entry.map(|(key, value)| (key.value().1, value.value().into())))
                .collect::<Result<_, _>>()?,
        });
    }
    Ok(Remembered { starts, runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunName = [7; 16];

    fn keep(journal: &Journal, entries: Vec<Entry>) {
        let (sender, receiver) = channel();
        let done = move |result: Result<(), JournalError>| sender.send(result.is_ok()).unwrap();
        journal.keep(entries, Box::new(done));
        assert!(receiver.recv().unwrap());
    }

    fn run(run: RunName) -> Entry {
        Entry::Run {
            run,
            client: "somebody".to_owned(),
            weight: 2,
        }
    }

    fn job(run: RunName, job: u64) -> Entry {
        Entry::Job {
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
        let template = Entry::Template {
            run: RUN,
            number: 3,
            template: b"t".to_vec(),
        };
        keep(&journal, vec![run(RUN), run(other), template, job(RUN, 1)]);
        keep(&journal, vec![job(RUN, 2), job(other, 2)]);
        journal.forget(vec![
            Entry::JobOver { run: RUN, job: 1 },
            Entry::RunOver { run: other },
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
        assert_eq!(run.templates, [(3, b"t".to_vec())]);
        assert_eq!(run.jobs, [(2, 2_u64.to_be_bytes().into())]);
    }

    #[test]
    fn two_brokers_cannot_share_one() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Journal::open(directory.path()).unwrap();
        let error = Journal::open(directory.path()).err().unwrap();
        assert_eq!(error.doing, "opened");
    }
}
