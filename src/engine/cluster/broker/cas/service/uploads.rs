//! Uploads in progress.
//!
//! A client names each upload, and continues it under the same name after a reconnect. So an upload
//! outlives the stream that began it, for a limited time.
//!
//! Invariants:
//! - Only the stream that claimed an upload last adds to it. An earlier one, whose connection may
//!   be dead unnoticed, is refused with its next chunk.
//! - An abandoned upload is removed after [`UPLOAD_IDLE`]; a damaged one at once.
//! - An upload belongs to its client: nobody else can continue it, under whatever name.
//! - Each client has a budget of uploads, and the total is limited to [`UPLOADS_MAX`], beyond which
//!   each client is guaranteed a few.

use std::collections::{HashMap, hash_map};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;
use tonic::Status;

use super::super::error::CasStorageError;
use super::super::storage::CasStorage;
use super::super::writer::BlobWriter;
use crate::broker::budgets::{BudgetPermit, Principal, ResourceBudgets};
use crate::broker::limits::{ClientResource, UPLOADS_GUARANTEED, UPLOADS_MAX};
use maelstrom_container::digest::Digest;
use maelstrom_model::error::with_causes;
use maelstrom_wire::reapi::compression::{self, ZstdDecoder};
use maelstrom_wire::reapi::limits::UPLOAD_IDLE;
use maelstrom_wire::reapi::resource::{BlobEncoding, WriteName};

/// How often idle uploads are swept, as a fraction of their lifetime.
const SWEEPS_PER_IDLE: u32 = 4;

/// All uploads of a broker.
#[derive(Clone, Debug)]
pub(in super::super) struct UploadRegistry {
    table: Arc<Mutex<UploadTable>>,
    storage: CasStorage,
    budgets: ResourceBudgets,
}

/// The owner of an upload, and the owner's name for it.
type UploadKey = (Principal, WriteName);

#[derive(Debug, Default)]
struct UploadTable {
    uploads: HashMap<UploadKey, UploadEntry>,
    claims: u64,
}

#[derive(Debug)]
struct UploadEntry {
    upload: Arc<Mutex<PartialUpload>>,
    state: UploadState,
    _budget: [BudgetPermit; 2],
}

#[derive(Debug)]
enum UploadState {
    /// By the stream with this claim.
    Claimed(u64),
    /// No stream has claimed it since then.
    Idle(Instant),
}

/// What has been received.
struct PartialUpload {
    name: WriteName,
    claim: u64,
    /// Bytes received over the wire.
    arrived_bytes: u64,
    sink: UploadSink,
}

impl std::fmt::Debug for PartialUpload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Upload")
            .field("name", &self.name)
            .field("arrived_bytes", &self.arrived_bytes)
            .finish_non_exhaustive()
    }
}

enum UploadSink {
    Unopened,
    Plain(Box<BlobWriter>),
    Packed(Box<ZstdDecoder<UnpackTarget>>),
    /// Finished, or failed.
    Over,
}

/// A stream's claim on an upload. When it is dropped, another stream may claim it.
#[derive(Debug)]
pub(in super::super) struct UploadClaim {
    uploads: UploadRegistry,
    key: UploadKey,
    number: u64,
    upload: Arc<Mutex<PartialUpload>>,
}

/// The state of an upload after a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum UploadOutcome {
    /// This many bytes have arrived, and more are expected.
    Arrived(u64),
    /// It is complete, after this many bytes.
    Whole(u64),
}

/// Where in its stream a chunk comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum PartPosition {
    /// First, where the upload may restart.
    First,
    Next,
}

impl UploadRegistry {
    /// An empty registry. Must be called within a runtime, on which it sweeps idle uploads.
    pub(super) fn start(storage: CasStorage, budgets: ResourceBudgets) -> Self {
        let table = Arc::default();
        tokio::spawn(sweep_now_and_then(Arc::downgrade(&table)));
        UploadRegistry {
            table,
            storage,
            budgets,
        }
    }

    /// Claims an upload, or begins one.
    pub(super) fn claim(&self, who: Principal, name: WriteName) -> Result<UploadClaim, Status> {
        let key = (who, name);
        let mut table = lock(&self.table);
        table.claims += 1;
        let number = table.claims;
        let count = table.uploads.len();
        let entry = match table.uploads.entry(key.clone()) {
            hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hash_map::Entry::Vacant(entry) => {
                let budget = self.afford(&key, count)?;
                entry.insert(UploadEntry {
                    upload: Arc::new(Mutex::new(PartialUpload {
                        name: key.1.clone(),
                        claim: number,
                        arrived_bytes: 0,
                        sink: UploadSink::Unopened,
                    })),
                    state: UploadState::Claimed(number),
                    _budget: budget,
                })
            }
        };
        entry.state = UploadState::Claimed(number);
        Ok(UploadClaim {
            upload: Arc::clone(&entry.upload),
            uploads: self.clone(),
            key,
            number,
        })
    }

    /// Reserves the budget of one more upload, given the number of all uploads.
    fn afford(&self, (who, name): &UploadKey, count: usize) -> Result<[BudgetPermit; 2], Status> {
        if count >= UPLOADS_MAX
            && self.budgets.used(who, ClientResource::Uploads) >= UPLOADS_GUARANTEED
        {
            return Err(Status::resource_exhausted(format!(
                "{UPLOADS_MAX} uploads of all clients are under way: try {} again later",
                name.digest
            )));
        }
        let one = self.budgets.take(who, ClientResource::Uploads, 1)?;
        let bytes = name.digest.size_bytes;
        Ok([
            one,
            self.budgets.take(who, ClientResource::UploadBytes, bytes)?,
        ])
    }

    /// How many bytes of an upload have arrived, if it exists.
    pub(super) fn arrived_bytes(&self, key: &UploadKey) -> Option<u64> {
        let upload = Arc::clone(&lock(&self.table).uploads.get(key)?.upload);
        Some(lock(&upload).arrived_bytes)
    }
}

impl UploadTable {
    /// Removes idle uploads; each deletes its file when it is dropped.
    fn sweep(&mut self, now: Instant) -> Vec<UploadEntry> {
        let is_over = |_key: &UploadKey, entry: &mut UploadEntry| match entry.state {
            UploadState::Claimed(_) => false,
            UploadState::Idle(since) => now.saturating_duration_since(since) >= UPLOAD_IDLE,
        };
        self.uploads
            .extract_if(is_over)
            .map(|(_key, entry)| entry)
            .collect()
    }
}

async fn sweep_now_and_then(table: Weak<Mutex<UploadTable>>) {
    let mut ticks = tokio::time::interval(UPLOAD_IDLE / SWEEPS_PER_IDLE);
    loop {
        let now = ticks.tick().await;
        let Some(table) = table.upgrade() else {
            return;
        };
        let over = lock(&table).sweep(now);
        if !over.is_empty() {
            tracing::info!(
                uploads = over.len(),
                "uploads that nobody continued are removed"
            );
            tokio::task::spawn_blocking(move || drop(over));
        }
    }
}

impl UploadClaim {
    /// Appends a chunk at `offset`, and finishes the upload if it is the last one. Blocks.
    pub(super) fn write(
        &self,
        part: PartPosition,
        offset: u64,
        data: &[u8],
        last: FinishWrite,
    ) -> Result<UploadOutcome, Status> {
        let mut upload = lock(&self.upload);
        if part == PartPosition::First {
            // Two streams may acquire the lock in either order: the later claim wins.
            upload.claim = upload.claim.max(self.number);
        }
        if upload.claim != self.number {
            return Err(Status::aborted(format!(
                "another stream has taken over the upload of {}",
                self.key.1.digest
            )));
        }
        upload.check_offset(part, offset)?;
        let written = upload
            .write(&self.uploads.storage, data)
            .and_then(|()| match last {
                FinishWrite::No => Ok(UploadOutcome::Arrived(upload.arrived_bytes)),
                FinishWrite::Yes => {
                    upload.finish()?;
                    Ok(UploadOutcome::Whole(upload.arrived_bytes))
                }
            });
        drop(upload);
        match written {
            Ok(UploadOutcome::Arrived(_)) => {}
            // A decoder that failed within a chunk cannot continue, so the upload restarts.
            Ok(UploadOutcome::Whole(_)) | Err(_) => self.forget(),
        }
        written
    }

    /// Removes an upload that is finished or not needed.
    pub(super) fn forget(&self) {
        let mut table = lock(&self.uploads.table);
        let ours = table.uploads.get(&self.key);
        // The name may denote a new upload by now.
        if ours.is_some_and(|entry| Arc::ptr_eq(&entry.upload, &self.upload)) {
            table.uploads.remove(&self.key);
        }
    }
}

impl Drop for UploadClaim {
    fn drop(&mut self) {
        let mut table = lock(&self.uploads.table);
        if let Some(entry) = table.uploads.get_mut(&self.key)
            && matches!(entry.state, UploadState::Claimed(number) if number == self.number)
        {
            entry.state = UploadState::Idle(Instant::now());
        }
    }
}

/// Whether a chunk is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum FinishWrite {
    No,
    Yes,
}

impl PartialUpload {
    fn check_offset(&mut self, part: PartPosition, offset: u64) -> Result<(), Status> {
        match (part, offset) {
            (_, offset) if offset == self.arrived_bytes => Ok(()),
            // The client doesn't know what has arrived, or doesn't trust it.
            (PartPosition::First, 0) => {
                self.sink = UploadSink::Unopened;
                self.arrived_bytes = 0;
                Ok(())
            }
            (PartPosition::First | PartPosition::Next, offset) => {
                Err(Status::invalid_argument(format!(
                    "the upload of {} goes on at byte {}, not at byte {offset}",
                    self.name.digest, self.arrived_bytes
                )))
            }
        }
    }

    fn write(&mut self, storage: &CasStorage, data: &[u8]) -> Result<(), Status> {
        if let UploadSink::Unopened = self.sink {
            self.sink = open(storage, &self.name)?;
        }
        match &mut self.sink {
            UploadSink::Plain(writer) => writer.write(data)?,
            UploadSink::Packed(unpacker) => unpacker
                .write_all(data)
                .map_err(|error| refusal(self.name.digest, error))?,
            UploadSink::Unopened | UploadSink::Over => return Err(over(self.name.digest)),
        }
        self.arrived_bytes += data.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Status> {
        match std::mem::replace(&mut self.sink, UploadSink::Over) {
            UploadSink::Plain(writer) => Ok(writer.finish()?),
            UploadSink::Packed(unpacker) => {
                let into = unpacker
                    .finish()
                    .map_err(|error| refusal(self.name.digest, error))?;
                Ok(into.0.finish()?)
            }
            UploadSink::Unopened | UploadSink::Over => Err(over(self.name.digest)),
        }
    }
}

fn open(storage: &CasStorage, name: &WriteName) -> Result<UploadSink, Status> {
    let writer = storage.writer(name.digest)?;
    match name.encoding {
        BlobEncoding::Identity => Ok(UploadSink::Plain(Box::new(writer))),
        BlobEncoding::Zstd => compression::unpacker(UnpackTarget(writer))
            .map(|unpacker| UploadSink::Packed(Box::new(unpacker)))
            .map_err(|error| refusal(name.digest, error)),
    }
}

fn over(digest: Digest) -> Status {
    Status::aborted(format!(
        "the upload of {digest} was given up: start it again"
    ))
}

/// Receives decompressed bytes. Storage errors pass through the decoder as the source of an I/O
/// error.
struct UnpackTarget(BlobWriter);

impl Write for UnpackTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refusal(digest: Digest, error: io::Error) -> Status {
    match error.downcast::<CasStorageError>() {
        Ok(error) => error.into(),
        Err(error) => Status::invalid_argument(format!(
            "what came for {digest} is not whole zstd: {}",
            with_causes(&error)
        )),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
