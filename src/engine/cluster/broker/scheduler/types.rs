//! What the lease book is told and what it answers: plain values, no behavior.

use std::fmt;

use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::JobPriority;

/// A point in time: milliseconds of the broker's own monotonic clock, which begins anew with each
/// start of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerInstant(pub u64);

impl BrokerInstant {
    /// So much later, or the end of time.
    pub fn plus_ms(self, ms: u64) -> BrokerInstant {
        BrokerInstant(self.0.saturating_add(ms))
    }

    /// Milliseconds since then; 0 if that is yet to come.
    pub fn ms_since(self, earlier: BrokerInstant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One run of one client. It stays through reconnects, and is never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A job in the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey {
    pub client: ClientId,
    /// The client's own number of it.
    pub job: JobId,
}

/// The fencing token of one attempt at a job. Counts up and is never given twice, nor after a
/// restart of the broker: see [`Book::new`](super::JobScheduler::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(pub u64);

/// What jobs with the same inputs have in common: a container template. Numbered by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputsId(pub u32);

/// A toolbox of the host that a worker must have. Numbered by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolboxId(pub u32);

/// For which processors programs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Architecture {
    /// Intel's and AMD's, 64 bits.
    X86_64,
    Aarch64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Aarch64 => "aarch64",
        })
    }
}

impl Architecture {
    /// By the name that Rust has for it (`std::env::consts::ARCH`).
    pub fn from_rust_name(name: &str) -> Option<Architecture> {
        match name {
            "x86_64" => Some(Architecture::X86_64),
            "aarch64" => Some(Architecture::Aarch64),
            _ => None,
        }
    }
}

/// Jobs of one kind can run at the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchedulingClass {
    pub architecture: Architecture,
    /// What these must have, if anything.
    pub kit: Option<ToolboxId>,
    /// What is fetched before it runs.
    pub inputs: InputsId,
}

/// What a job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobDemand {
    /// Its place among the jobs of its client.
    pub rank: JobPriority,
    /// Where it can run.
    pub kind: SchedulingClass,
}

/// What a worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerCapacity {
    /// How many jobs it runs at a time. At most
    pub slots: u32,
    /// What it can execute.
    pub architecture: Architecture,
}

/// Whether the jobs of a client may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAdmission {
    Open,
    /// None until it is open again. Those that run go on.
    Held,
}

/// Whether the broker has all of the inputs of a kind of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputAvailability {
    Ready,
    /// Something is yet to be uploaded: the jobs wait without being in anybody's way.
    Missing,
}

/// Whether a worker has a toolbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxPresence {
    Yes,
    /// It has not, or not any more.
    No,
}

/// What came of a worker's toolbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxRegistration {
    /// It counts, or it is no news.
    Taken,
    /// The worker has as many as count: jobs for it do not go to this worker.
    TooMany { limit: usize },
}

/// Whether a worker has the inputs of a kind of jobs in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputLocality {
    Yes,
    /// It has thrown them away.
    No,
}

/// A job given to a worker, until its outcome is reported, it is handed back, or the worker is
/// given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub key: JobKey,
    pub worker: WorkerId,
    pub fence: FencingToken,
}

/// A decision: this job to this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    pub lease: Lease,
    /// 1 for the first.
    pub attempt: u32,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The job waits now.
    New,
    /// It is queued or leased already; nothing has changed.
    Known,
    /// It is over and its outcome was reported; it does not run again.
    Over,
}

/// Why a submission was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// [`Book::client_joined`](super::JobScheduler::client_joined) was not called, or the client has left.
    #[error("the run is not known here, or is over")]
    UnknownClient,
    #[error("the run has {limit} unfinished jobs, which is the most that one run may have")]
    ClientFull { limit: usize },
    #[error("the run's queued jobs have {limit} kinds of container, which is the most for one run")]
    TooManyKinds { limit: usize },
    #[error("the broker has {limit} unfinished jobs, which is the most it takes")]
    BookFull { limit: usize },
}

/// What became of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The job waited and is gone. Report it now.
    Queued,
    /// The worker must be told to stop it. [`Book::finished`](super::JobScheduler::finished) acknowledges,
    /// or [`LeaseEvent::Cancelled`] if the worker is lost first.
    Leased(Lease),
    /// No such job, or not any more.
    Unknown,
}

/// Whether a lease is what its holder thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    Current,
    /// It was cancelled: the worker is to stop it, and then to report.
    Cancelled,
    /// It is over: the job is finished, or waits again, or another has it. The worker is to stop it,
    /// and what it says of it is dropped.
    Stale,
}

/// How an attempt ended, as its worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The job has an outcome, good or bad.
    Done,
    /// The worker could not run the job, or not follow it to its end.
    InfrastructureFailure,
}

/// What to do with the report of an attempt's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportDisposition {
    /// It is the job's outcome: tell the client. There is exactly one of these, of
    /// [`ReportDisposition::GivenUp`], [`LeaseEvent::GivenUp`], [`LeaseEvent::Cancelled`] and [`CancelOutcome::Queued`] for
    /// each job of a client that has not left.
    Report,
    /// Drop it: the lease is not current any more.
    Stale,
    /// Drop it: the job's client has left. The slot is free again.
    Abandoned,
    /// It failed for reasons of its own and will be tried again.
    Retry(RetrySchedule),
    /// It failed for reasons of its own as often as it may: tell the client.
    GivenUp {
        /// Who tried, in order. One that tried twice is there twice.
        workers: Vec<WorkerId>,
    },
}

/// A job waits again after an attempt was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// How many attempts were lost so far.
    pub lost: u32,
    pub not_before: BrokerInstant,
}

/// What [`Book::returned`](super::JobScheduler::returned) made of a job that was handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnOutcome {
    Queued,
    /// It was cancelled meanwhile, so this is its end: report it.
    Cancelled,
    /// Its client has left; nobody to tell.
    Abandoned,
    /// It was handed back so often that each time counts as a lost attempt. It waits again.
    Retry(RetrySchedule),
    /// That was the last attempt it had: tell the client.
    GivenUp {
        /// Who tried, in order.
        workers: Vec<WorkerId>,
    },
    /// The lease was not current.
    Stale,
}

/// Something that happened because time went by or a worker was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// Nothing was heard for as long as leases live of a worker that is connected. All of its leases
    /// follow, each with its own event; tell it to stop them. It gets no further one until it is
    WorkerSilent(WorkerId),
    /// A worker whose connection was gone for as long as leases live is forgotten. All of its leases
    /// follow, each with its own event.
    WorkerForgotten(WorkerId),
    /// A lease is over without an outcome; its job waits again.
    Lost {
        lease: Lease,
        /// When it is tried again.
        retry: RetrySchedule,
    },
    /// A lease is over without an outcome, and the job had no further attempt: report an
    /// infrastructure error that names the workers.
    GivenUp {
        lease: Lease,
        /// Who tried, in order. One that tried twice is there twice.
        workers: Vec<WorkerId>,
    },
    /// A lease is over whose job was cancelled: report it as cancelled.
    Cancelled { lease: Lease },
    /// A lease is over whose client has left; nobody to tell.
    Abandoned { lease: Lease },
}

/// What a worker's credit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditOutcome {
    /// As much as it said.
    Taken,
    /// It said more than its slots and what it may fetch ahead allow; this much counts.
    Capped {
        /// The most leases it gets at a time.
        leases: u32,
    },
    UnknownWorker,
}

/// What a worker that came back is to do with the leases it named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumePlan {
    /// Go on with these.
    pub keep: Vec<Lease>,
    /// Stop these and report: they were cancelled, and their end is the acknowledgement.
    pub cancel: Vec<Lease>,
    /// Stop these and forget them: stale, unknown, or more than the worker may hold.
    pub stop: Vec<Lease>,
    /// What became of leases that the worker should hold and does not.
    pub events: Vec<LeaseEvent>,
}

/// In the words of reports.
impl fmt::Display for JobKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "job {} of run {:016x}", self.job, self.client.0)
    }
}
