//! The scheduler's inputs and outputs: plain values, no behavior.

use std::fmt;
use std::num::NonZeroU32;

use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::JobPriority;

/// A point in time: milliseconds of the broker's own monotonic clock, which restarts with the
/// broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerInstant(pub u64);

impl BrokerInstant {
    /// Returns the time that is this much later; saturates at the maximum.
    pub fn plus_ms(self, ms: u64) -> BrokerInstant {
        BrokerInstant(self.0.saturating_add(ms))
    }

    /// Returns the milliseconds since `earlier`; 0 if that is in the future.
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
    /// The client's number for the job.
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
    /// 64-bit Intel and AMD processors.
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
    /// Parses Rust's name of an architecture (`std::env::consts::ARCH`).
    pub fn from_rust_name(name: &str) -> Option<Architecture> {
        match name {
            "x86_64" => Some(Architecture::X86_64),
            "aarch64" => Some(Architecture::Aarch64),
            _ => None,
        }
    }
}

/// A class of jobs that can run on the same workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchedulingClass {
    pub architecture: Architecture,
    /// The required toolbox, if any.
    pub toolbox: Option<ToolboxId>,
    /// The inputs that must be fetched before the job runs.
    pub inputs: InputsId,
    /// The job's group, if any: jobs of a full group wait without blocking others.
    pub group: Option<GroupKey>,
}

/// A group of jobs of one client, of which only a limited number are leased at a time. Clients have
/// groups of their own: equal keys of two clients are different groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey(pub u64);

/// What a job needs besides a worker of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerNeeds {
    /// The maximum number of leases of the job's group. If the jobs of a group disagree, that of
    /// the last one submitted applies.
    pub group_max: NonZeroU32,
    /// The number of slots that the job takes. More than its worker has means all of them.
    pub weight: NonZeroU32,
    /// Whether the job takes all slots of its worker.
    pub exclusive: bool,
    /// A worker that should not run the job if another one can.
    pub avoided: Option<WorkerId>,
}

impl Default for WorkerNeeds {
    fn default() -> WorkerNeeds {
        WorkerNeeds {
            group_max: NonZeroU32::MIN,
            weight: NonZeroU32::MIN,
            exclusive: false,
            avoided: None,
        }
    }
}

impl WorkerNeeds {
    /// Returns the number of slots that the job takes on a worker with this many.
    pub(super) fn slots_on(&self, slots: u32) -> u32 {
        match self.exclusive {
            true => slots.max(1),
            false => self.weight.get().min(slots.max(1)),
        }
    }

    /// Returns whether the job may take more than one slot.
    pub(super) fn is_wide(&self) -> bool {
        self.exclusive || self.weight.get() > 1
    }
}

/// A job's requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobDemand {
    /// Its priority among the jobs of its client.
    pub rank: JobPriority,
    /// The workers on which it can run, and its group.
    pub kind: SchedulingClass,
    /// What it needs besides.
    pub needs: WorkerNeeds,
}

/// A worker's capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerCapacity {
    /// The number of jobs that it runs at a time. At most
    /// [`slots_per_worker_max`](super::SchedulerLimits::slots_per_worker_max) count.
    pub slots: u32,
    /// The architecture of the programs that it can execute.
    pub architecture: Architecture,
}

/// Whether the jobs of a client may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAdmission {
    Open,
    /// No job starts until the client is released. Running jobs continue.
    Held,
}

/// Whether the broker has all inputs of a class of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputAvailability {
    Ready,
    /// Some inputs have not been uploaded yet: the jobs wait without blocking others.
    Missing,
}

/// Whether a worker provides a toolbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxPresence {
    Yes,
    /// The worker lacks it, or has it no longer.
    No,
}

/// The result of registering a worker's toolbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolboxRegistration {
    /// The toolbox counts, or was already known.
    Taken,
    /// The worker is at its limit of toolboxes: jobs that need this one do not go to it.
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

/// The decision to lease a job to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    pub lease: Lease,
    /// The number of the attempt, from 1.
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
    #[error(
        "the run's queued jobs have {limit} kinds of container and group, which is the most for one \
         run"
    )]
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
    /// There is no such job, or it is already over.
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

/// When a job whose attempt was lost runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// The number of attempts lost so far.
    pub lost: u32,
    pub not_before: BrokerInstant,
}

/// The result of [`JobScheduler::returned`](super::JobScheduler::returned).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnOutcome {
    Queued,
    /// The job was cancelled in the meantime, so this is its end: report it.
    Cancelled,
    /// The job's client has left; there is no client to report to.
    Abandoned,
    /// The job was returned so often that each time counts as a lost attempt. It waits again.
    Retry(RetrySchedule),
    /// The job's last attempt was lost: report it to the client.
    GivenUp {
        /// The workers that tried, in order.
        workers: Vec<WorkerId>,
    },
    /// The lease was not current.
    Stale,
}

/// An event that the passage of time or the loss of a worker has caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// A connected worker was silent for the duration of a lease. All of its leases follow, each
    /// with its own event; tell the worker to stop them. It gets no further lease until it is heard
    /// from again.
    WorkerSilent(WorkerId),
    /// A worker that was disconnected for the duration of a lease is forgotten. All of its leases
    /// follow, each with its own event.
    WorkerForgotten(WorkerId),
    /// A lease ended without an outcome; its job waits again.
    Lost {
        lease: Lease,
        /// The time and number of the retry.
        retry: RetrySchedule,
    },
    /// A lease ended without an outcome, and its job's attempts are exhausted: report an
    /// infrastructure error that names the workers.
    GivenUp {
        lease: Lease,
        /// The workers that tried, in order, with repetitions.
        workers: Vec<WorkerId>,
    },
    /// A lease whose job was cancelled has ended: report the job as cancelled.
    Cancelled { lease: Lease },
    /// A lease whose client has left has ended; there is no client to report to.
    Abandoned { lease: Lease },
}

/// The effect of a worker's credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditOutcome {
    /// The credit applies as given.
    Taken,
    /// The credit exceeds slots plus prefetch; this much applies.
    Capped {
        /// The maximum number of leases that the worker gets at a time.
        leases: u32,
    },
    UnknownWorker,
}

/// The instructions for a returning worker about the leases that it named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumePlan {
    /// The leases to continue.
    pub keep: Vec<Lease>,
    /// The leases to stop and report: they were cancelled, and their end is the acknowledgment.
    pub cancel: Vec<Lease>,
    /// The leases to stop and forget: stale, unknown, or more than the worker may hold.
    pub stop: Vec<Lease>,
    /// Events of leases that the worker should hold and did not name.
    pub events: Vec<LeaseEvent>,
}

/// The form that appears in reports.
impl fmt::Display for JobKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "job {} of run {:016x}", self.job, self.client.0)
    }
}
