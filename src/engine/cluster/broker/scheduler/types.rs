//! The scheduler's inputs and outputs: plain values, no behavior.

use std::fmt;

use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::JobPriority;

/// A point in time: milliseconds of the broker's own monotonic clock, which restarts with the
/// broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerInstant(pub u64);

impl BrokerInstant {
    /// This much later, or the end of time.
    pub fn plus_ms(self, ms: u64) -> BrokerInstant {
        BrokerInstant(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; 0 if that is in the future.
    pub fn ms_since(self, earlier: BrokerInstant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One run of one client. It survives reconnects, and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A job in the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey {
    pub client: ClientId,
    /// The client's number for it.
    pub job: JobId,
}

/// The fencing token of one attempt at a job. Increases, and is never reused, not even after a
/// restart of the broker: see [`JobScheduler::new`](super::JobScheduler::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(pub u64);

/// The inputs that jobs have in common: a container template. Numbered by the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputsId(pub u32);

/// A toolbox that a worker must provide. Numbered by the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolboxId(pub u32);

/// A processor architecture.
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
    /// By Rust's name for it (`std::env::consts::ARCH`).
    pub fn from_rust_name(name: &str) -> Option<Architecture> {
        match name {
            "x86_64" => Some(Architecture::X86_64),
            "aarch64" => Some(Architecture::Aarch64),
            _ => None,
        }
    }
}

/// Jobs of one class can run in the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchedulingClass {
    pub architecture: Architecture,
    /// The required toolbox, if any.
    pub toolbox: Option<ToolboxId>,
    /// What is fetched before it runs.
    pub inputs: InputsId,
}

/// A job's requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobDemand {
    /// Its priority among the jobs of its client.
    pub rank: JobPriority,
    /// Where it can run.
    pub kind: SchedulingClass,
}

/// A worker's capacity.
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
    /// None until it is opened again. Running jobs continue.
    Held,
}

/// Whether the broker has all inputs of a class of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputAvailability {
    Ready,
    /// Something is yet to be uploaded: the jobs wait without blocking others.
    Missing,
}

/// Whether a worker provides a toolbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxPresence {
    Yes,
    /// It has not, or not any more.
    No,
}

/// The result of registering a worker's toolbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxRegistration {
    /// It counts, or was known.
    Taken,
    /// The worker is at its limit of toolboxes: jobs for this one do not go to it.
    TooMany { limit: usize },
}

/// Whether a worker has the inputs of a class of jobs in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputLocality {
    Yes,
    /// It has evicted them.
    No,
}

/// A job leased to a worker, until its outcome is reported, it is returned, or the worker is given
/// up.
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

/// The result of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The job waits now.
    New,
    /// It is queued or leased already; nothing changed.
    Known,
    /// It is over and its outcome was reported; it does not run again.
    Over,
}

/// Why a submission was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// [`JobScheduler::client_joined`](super::JobScheduler::client_joined) was not called, or the
    /// client has left.
    #[error("the run is not known here, or is over")]
    UnknownClient,
    #[error("the run has {limit} unfinished jobs, which is the most that one run may have")]
    ClientFull { limit: usize },
    #[error("the run's queued jobs have {limit} kinds of container, which is the most for one run")]
    TooManyKinds { limit: usize },
    #[error("the broker has {limit} unfinished jobs, which is the most it takes")]
    BrokerFull { limit: usize },
}

/// The result of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The job was waiting, and is removed. Report it now.
    Queued,
    /// The worker must be told to stop it.
    /// [`JobScheduler::finished`](super::JobScheduler::finished) acknowledges that, or
    /// [`LeaseEvent::Cancelled`] if the worker is lost first.
    Leased(Lease),
    /// There is no such job, or not any more.
    Unknown,
}

/// Whether a lease is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    Current,
    /// It was cancelled: the worker must stop it and then report.
    Cancelled,
    /// It is over: the job is finished, waits again, or is leased to another worker. The worker
    /// must stop it, and its reports are dropped.
    Stale,
}

/// How an attempt ended, according to its worker.
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
    /// It is the job's outcome: report it to the client. For each job of a client that has not left
    /// there is exactly one of these, of [`ReportDisposition::GivenUp`], [`LeaseEvent::GivenUp`],
    /// [`LeaseEvent::Cancelled`] and [`CancelOutcome::Queued`].
    Report,
    /// Drop it: the lease is not current any more.
    Stale,
    /// Drop it: the job's client has left. The slot is free again.
    Abandoned,
    /// It was an infrastructure failure, and will be retried.
    Retry(RetrySchedule),
    /// It was an infrastructure failure, and the attempts are exhausted: report it to the client.
    GivenUp {
        /// The workers that tried, in order, with repetitions.
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

/// What [`JobScheduler::returned`](super::JobScheduler::returned) did with a returned job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnOutcome {
    Queued,
    /// It was cancelled meanwhile, so this is its end: report it.
    Cancelled,
    /// Its client has left; there is nobody to report to.
    Abandoned,
    /// It was returned so often that each time counts as a lost attempt. It waits again.
    Retry(RetrySchedule),
    /// That was its last attempt: report it to the client.
    GivenUp {
        /// The workers that tried, in order.
        workers: Vec<WorkerId>,
    },
    /// The lease was not current.
    Stale,
}

/// Something that happened because time passed or a worker was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// Nothing was heard for as long as leases live of a worker that is connected. All of its
    /// leases follow, each with its own event; tell it to stop them. It gets no further one until
    /// it is
    WorkerSilent(WorkerId),
    /// A worker whose connection was gone for as long as leases live is forgotten. All of its
    /// leases follow, each with its own event.
    WorkerForgotten(WorkerId),
    /// A lease is over without an outcome; its job waits again.
    Lost {
        lease: Lease,
        /// When it is retried.
        retry: RetrySchedule,
    },
    /// A lease is over without an outcome, and its job's attempts are exhausted: report an
    /// infrastructure error that names the workers.
    GivenUp {
        lease: Lease,
        /// The workers that tried, in order, with repetitions.
        workers: Vec<WorkerId>,
    },
    /// A lease is over whose job was cancelled: report it as cancelled.
    Cancelled { lease: Lease },
    /// A lease is over whose client has left; there is nobody to report to.
    Abandoned { lease: Lease },
}

/// The effect of a worker's credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditOutcome {
    /// It applies as given.
    Taken,
    /// It exceeds slots plus prefetch; this much applies.
    Capped {
        /// The most leases it gets at a time.
        leases: u32,
    },
    UnknownWorker,
}

/// What a returning worker must do with the leases it named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumePlan {
    /// Continue these.
    pub keep: Vec<Lease>,
    /// Stop these and report: they were cancelled, and their end is the acknowledgement.
    pub cancel: Vec<Lease>,
    /// Stop these and forget them: stale, unknown, or more than the worker may hold.
    pub stop: Vec<Lease>,
    /// What happened to leases that the worker should hold and did not name.
    pub events: Vec<LeaseEvent>,
}

/// As it appears in reports.
impl fmt::Display for JobKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "job {} of run {:016x}", self.job, self.client.0)
    }
}
