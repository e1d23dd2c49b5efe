//! The journal's file: tables of runs, templates, jobs and workers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageBackend,
    StorageError, TableDefinition,
};

use super::super::owner::RunOwner;
use maelstrom_container::private;

use super::{JournalEntry, JournalError, JournalRequest, RecoveredRun, RecoveredState};

const RUNS: TableDefinition<'_, &[u8; 16], (&str, u32)> = TableDefinition::new("runs");
/// By run: the credential, and the hash of the secret; empty if absent. Separate from [`RUNS`] for
/// compatibility with the journals of earlier releases.
const OWNERS: TableDefinition<'_, &[u8; 16], (&str, &[u8])> = TableDefinition::new("owners");
const TEMPLATES: TableDefinition<'_, (&[u8; 16], u32), &[u8]> = TableDefinition::new("templates");
const JOBS: TableDefinition<'_, (&[u8; 16], u64), &[u8]> = TableDefinition::new("jobs");
const WORKERS: TableDefinition<'_, &[u8; 16], ()> = TableDefinition::new("workers");
const STARTS: TableDefinition<'_, (), u64> = TableDefinition::new("starts");

/// The size of the database's page cache, in bytes. Nothing is read after the start, so it needs to
/// hold little more than the pages being written; by default it would grow to a gigabyte.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// How many batches that nobody waits for are written before one is synced to disk. Only a sync
/// makes freed pages reusable: without it, a client that only opens and ends runs would let the
/// file grow without bound.
const UNSYNCED_MAX: u32 = 64;

/// An open file.
#[derive(Debug)]
pub struct JournalFile {
    database: Database,
    path: PathBuf,
    unsynced: AtomicU32,
}

impl JournalFile {
    /// Opens a file, increments its number of starts, and returns its content. Only one program can
    /// have it open.
    pub fn open(path: &Path) -> Result<(JournalFile, RecoveredState), JournalError> {
        let file = private::kept(path);
        let file = file.map_err(|error| DatabaseError::from(StorageError::from(error)));
        let database = file
            .and_then(FileBackend::new)
            .and_then(|backend| checking().create_with_backend(backend));
        JournalFile::of(database, path)
    }

    /// Like [`Self::open`] for another backend than a file; `path` is for error messages.
    pub fn open_on(
        backend: impl StorageBackend,
        path: &Path,
    ) -> Result<(JournalFile, RecoveredState), JournalError> {
        JournalFile::of(checking().create_with_backend(backend), path)
    }

    fn of(
        database: Result<Database, DatabaseError>,
        path: &Path,
    ) -> Result<(JournalFile, RecoveredState), JournalError> {
        let failed = |source: redb::Error| JournalError {
            path: path.to_owned(),
            doing: "opened",
            source: Box::new(source),
        };
        let database = database.map_err(|error| failed(error.into()))?;
        let remembered = recall(&database).map_err(failed)?;
        let path = path.to_owned();
        let unsynced = AtomicU32::new(0);
        let records = JournalFile {
            database,
            path,
            unsynced,
        };
        Ok((records, remembered))
    }

    /// Writes requests in one transaction, and calls their callbacks.
    pub fn carry_out(&self, batch: Vec<JournalRequest>) {
        let is_awaited = batch.iter().any(|request| request.done.is_some());
        let unsynced = match is_awaited {
            true => 0,
            false => (self.unsynced.load(Ordering::Relaxed) + 1) % UNSYNCED_MAX,
        };
        self.unsynced.store(unsynced, Ordering::Relaxed);
        let durability = match unsynced {
            0 => Durability::Immediate,
            _ => Durability::None,
        };
        let result = write(&self.database, &batch, durability);
        if let Err(error) = &result {
            tracing::error!(path = %self.path.display(), %error, "the journal cannot be written to");
        }
        // The error cannot be cloned, and each request needs its own.
        let message = result.err().map(|error| error.to_string());
        for request in batch {
            request.finish(match &message {
                None => Ok(()),
                Some(message) => Err(JournalError {
                    path: self.path.clone(),
                    doing: "written to",
                    source: Box::new(redb::Error::Io(std::io::Error::other(message.clone()))),
                }),
            });
        }
    }
}

/// Verifies the file when it is opened: a file that was modified from outside would otherwise cause
/// a panic later. The check is quick.
fn checking() -> Builder {
    let mut builder = Database::builder();
    builder.set_check_integrity_on_open(true);
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn write(
    database: &Database,
    batch: &[JournalRequest],
    durability: Durability,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction
        .set_durability(durability)
        .map_err(|error| redb::Error::Io(std::io::Error::other(error.to_string())))?;
    {
        let mut runs = transaction.open_table(RUNS)?;
        let mut owners = transaction.open_table(OWNERS)?;
        let mut templates = transaction.open_table(TEMPLATES)?;
        let mut jobs = transaction.open_table(JOBS)?;
        let mut workers = transaction.open_table(WORKERS)?;
        for entry in batch.iter().flat_map(|request| &request.entries) {
            match entry {
                JournalEntry::Run {
                    run,
                    client,
                    weight,
                    owner,
                } => {
                    runs.insert(run, (client.as_str(), *weight))?;
                    owners.insert(run, owner.recorded())?;
                }
                JournalEntry::Template {
                    run,
                    number,
                    template,
                } => {
                    templates.insert((run, *number), template.as_slice())?;
                }
                JournalEntry::Job {
                    run,
                    job,
                    description,
                } => {
                    jobs.insert((run, *job), &**description)?;
                }
                JournalEntry::JobOver { run, job } => {
                    jobs.remove((run, *job))?;
                }
                JournalEntry::RunOver { run } => {
                    runs.remove(run)?;
                    // The run's template and jobs are removed in the same transaction: without
                    // their run they would stay forever.
                    owners.remove(run)?;
                    templates.retain_in((run, 0)..=(run, u32::MAX), |_, _| false)?;
                    jobs.retain_in((run, 0)..=(run, u64::MAX), |_, _| false)?;
                }
                JournalEntry::Worker { instance } => {
                    workers.insert(instance, ())?;
                }
                JournalEntry::WorkerOver { instance } => {
                    workers.remove(instance)?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn recall(database: &Database) -> Result<RecoveredState, redb::Error> {
    let transaction = database.begin_write()?;
    let starts = {
        let mut table = transaction.open_table(STARTS)?;
        let before = table.get(())?.map_or(0, |number| number.value());
        table.insert((), before.saturating_add(1))?;
        // A write transaction creates missing tables; a read transaction fails on them.
        transaction.open_table(RUNS)?;
        transaction.open_table(OWNERS)?;
        transaction.open_table(TEMPLATES)?;
        transaction.open_table(JOBS)?;
        transaction.open_table(WORKERS)?;
        before.saturating_add(1)
    };
    transaction.commit()?;
    let reading = database.begin_read()?;
    let (templates, jobs) = (reading.open_table(TEMPLATES)?, reading.open_table(JOBS)?);
    let owners = reading.open_table(OWNERS)?;
    let mut runs = Vec::new();
    for entry in reading.open_table(RUNS)?.iter()? {
        let (key, value) = entry?;
        let run = *key.value();
        let (client, weight) = value.value();
        let templates = templates.range((&run, 0)..=(&run, u32::MAX))?;
        let jobs = jobs.range((&run, 0)..=(&run, u64::MAX))?;
        runs.push(RecoveredRun {
            run,
            client: client.to_owned(),
            weight,
            owner: owners.get(&run)?.map_or_else(RunOwner::default, |record| {
                let (member, secret) = record.value();
                RunOwner::of_record(member, secret)
            }),
            templates: templates
                .map(|entry| entry.map(|(key, value)| (key.value().1, value.value().to_vec())))
                .collect::<Result<_, _>>()?,
            jobs: jobs
                .map(|entry| entry.map(|(key, value)| (key.value().1, value.value().into())))
                .collect::<Result<_, _>>()?,
        });
    }
    let workers = reading.open_table(WORKERS)?;
    let workers = workers.iter()?.map(|entry| Ok(*entry?.0.value()));
    Ok(RecoveredState {
        starts,
        runs,
        workers: workers.collect::<Result<_, redb::Error>>()?,
    })
}
