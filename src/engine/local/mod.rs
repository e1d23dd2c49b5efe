//! Runs jobs on this machine, each in its own container, or in a plain process if the user requests
//! it.
//!
//! - [`container`]: starts containers and talks to their init processes. [`process`]: runs a job in
//!   a plain process instead.
//! - [`job`]: runs one job from its slot to its end. [`task`]: its inputs and results. [`timer`]:
//!   its timeout and its stop requests. [`output`]: reads its output.
//! - [`host_sampler`]: samples the load of this machine. [`memory`]: budgets of memory. [`backoff`]: waits for exhausted resources.
//!
//! Everything happens on the thread that polls [`LocalBackend::next`](Backend::next): the backend
//! owns its jobs as futures and reads their output only while its events are consumed.

mod backoff;
mod container;
pub mod host_sampler;
mod job;
mod memory;
mod notices;
mod output;
mod process;
mod task;
mod timer;

use std::collections::HashMap;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nix::sys::stat::{SFlag, fstat, makedev};
use tokio::time::{Interval, MissedTickBehavior, interval};

use self::container::{ContainerHandle, ContainerPool};
use self::host_sampler::HostSampler;
pub use self::memory::{MemoryBudget, MemoryBudgetError};
use self::task::{ExecutionTarget, JobCompletion, JobStdio, JobTask, SharedEventQueue, WORKER};
use self::timer::JobControl;
use crate::schedule::{SlotScheduler, WithdrawResult};
use maelstrom_container::limits::ContainerLimits;
use maelstrom_container::preflight::{self, PreflightError};
use maelstrom_container::secrets::HostSecrets;
use maelstrom_container::spawner::Spawner;
use maelstrom_model::backend::{
    Backend, BackendEvent, GRACE_DEFAULT, JobId, JobPriority, StopMode,
};
use maelstrom_model::event::WorkerStatusEvent;
use maelstrom_model::job::{Job, JobOutcome, JobResult};

/// How often the host is sampled while a job runs.
const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// A job's future. It returns the job's slot, and the container if that can be reused.
type JobFuture = Pin<Box<dyn Future<Output = JobCompletion>>>;

/// Runs jobs on this machine.
pub struct LocalBackend {
    keeping: JobIsolation,
    streams: Rc<JobStdio>,
    slots: u32,
    grace: Duration,
    scheduler: SlotScheduler<(Job, Duration)>,
    running: FuturesUnordered<JobFuture>,
    controls: HashMap<JobId, Rc<JobControl>>,
    events: SharedEventQueue,
    machine: HostSampler,
    sampling: Interval,
    /// The number of busy slots in the last sample. A last sample with zero follows when no job
    /// runs any more.
    told_busy: u32,
    suspended: bool,
    lost: bool,
    /// Wakes the task that waits for an event.
    waker: Option<Waker>,
}

/// How jobs are isolated.
enum JobIsolation {
    /// Each job runs in a container.
    Containers {
        spawner: Rc<Spawner>,
        containers: ContainerPool,
    },
    /// Each job runs in a process group, without further isolation.
    Processes,
}

impl LocalBackend {
    /// Starts the helper processes and checks whether this machine allows containers. `executable`
    /// must begin by calling [`maelstrom_container::spawner::run_if_helper`] and
    /// [`maelstrom_stacks::run_if_helper`].
    pub fn start(executable: &Path, slots: u32) -> Result<LocalBackend, PreflightError> {
        let began = Instant::now();
        let secrets = HostSecrets::of_this_process();
        // In parallel with the preflight checks, which use only one CPU.
        secrets.look_ahead();
        let spawner = Rc::new(preflight::spawner(executable)?);
        tracing::debug!(slots, took = ?began.elapsed(), "containers can be made");
        let containers = ContainerPool::new(Rc::clone(&spawner), slots, secrets);
        let backend = LocalBackend::with_isolation(
            JobIsolation::Containers {
                containers,
                spawner,
            },
            slots,
        )?;
        Ok(backend.with_scratch_memory(MemoryBudget::default()))
    }

    /// Sets how much memory the files in all containers together may take.
    pub fn with_scratch_memory(self, budget: MemoryBudget) -> LocalBackend {
        match &self.keeping {
            JobIsolation::Containers { containers, .. } => {
                containers.limit(ContainerLimits::shared(self.slots, budget.bytes()));
            }
            JobIsolation::Processes => {}
        }
        self
    }

    /// Runs jobs as plain processes, which share this machine and can interfere with one another.
    /// Use it only on the user's explicit request.
    pub fn without_containers(slots: u32) -> Result<LocalBackend, PreflightError> {
        if let Err(errno) = process::adopt_orphans() {
            // Then an orphan may be visible for a moment after its job, but it was killed all the
            // same.
            tracing::debug!(%errno, "orphans go to another process");
        }
        LocalBackend::with_isolation(JobIsolation::Processes, slots)
    }

    fn with_isolation(keeping: JobIsolation, slots: u32) -> Result<LocalBackend, PreflightError> {
        preflight::check_null_device()?;
        let streams = Rc::new(JobStdio::NoInput);
        let events = SharedEventQueue::default();
        events
            .borrow_mut()
            .push_back(BackendEvent::Worker(WorkerStatusEvent::Joined {
                worker: WORKER,
                name: "local".to_owned(),
                slots,
                architecture: std::env::consts::ARCH.to_owned(),
            }));
        let mut sampling = interval(SAMPLE_PERIOD);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(LocalBackend {
            keeping,
            streams,
            slots,
            grace: GRACE_DEFAULT,
            scheduler: SlotScheduler::new(slots),
            running: FuturesUnordered::new(),
            controls: HashMap::new(),
            events,
            machine: HostSampler::default(),
            sampling,
            told_busy: 0,
            suspended: false,
            lost: false,
            waker: None,
        })
    }

    /// Sets how much memory running jobs together are expected to take; without a budget, any. Jobs
    /// whose need is unknown count as taking none.
    pub fn with_memory_budget(self, budget: Option<MemoryBudget>) -> LocalBackend {
        let scheduler = self.scheduler.with_memory(budget.map(MemoryBudget::bytes));
        LocalBackend { scheduler, ..self }
    }

    /// Sets the time between SIGTERM and SIGKILL.
    pub fn with_grace(self, grace: Duration) -> LocalBackend {
        LocalBackend { grace, ..self }
    }

    /// Sets the standard input of jobs, which is empty by default.
    pub fn with_input(self, input: OwnedFd) -> LocalBackend {
        // The host's null device is not passed on, because a job could change its attributes.
        let streams = Rc::new(match is_null_device(&input) {
            true => JobStdio::NoInput,
            false => JobStdio::Input(input),
        });
        LocalBackend { streams, ..self }
    }

    /// Connects a job to this terminal, which becomes its controlling terminal. For one job only;
    /// its output is not reported as events.
    pub fn on_terminal(self, terminal: OwnedFd) -> LocalBackend {
        let streams = Rc::new(JobStdio::Terminal(terminal));
        LocalBackend { streams, ..self }
    }

    /// Submits a job with its own time between SIGTERM and SIGKILL.
    pub fn submit_with_grace(&mut self, id: JobId, job: Job, rank: JobPriority, grace: Duration) {
        let needs = job.needs.clone();
        let queued = self
            .scheduler
            .enqueue_with_needs(id, rank, &needs, (job, grace));
        match queued {
            Ok(()) => self.wake(),
            Err(duplicate) => self.emit(BackendEvent::Finished {
                job: id,
                result: JobResult::not_run(JobOutcome::Error(duplicate.to_string())),
            }),
        }
    }

    fn emit(&mut self, event: BackendEvent) {
        self.events.borrow_mut().push_back(event);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Starts waiting jobs while slots are free.
    fn start_jobs(&mut self) {
        if self.suspended || self.lost {
            return;
        }
        while let Some(start) = self.scheduler.start_next() {
            let control = Rc::new(JobControl::default());
            self.controls.insert(start.job, Rc::clone(&control));
            let (job, grace) = start.payload;
            let means = self.keeping.execution_target(start.slot, &job);
            self.running.push(Box::pin(job::run(JobTask {
                id: start.job,
                job,
                slot: start.slot,
                means,
                streams: Rc::clone(&self.streams),
                grace,
                control,
                events: Rc::clone(&self.events),
            })));
        }
    }

    /// Frees the slots of a job whose future has completed.
    fn finish(&mut self, turn: JobCompletion) {
        self.scheduler.finished(turn.job);
        self.controls.remove(&turn.job);
        if let Some(container) = turn.container {
            self.keeping.put_back(turn.slot, container);
        }
        if let Some(lost) = turn.lost
            && !self.lost
        {
            self.lost = true;
            self.emit(BackendEvent::Lost(lost));
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<BackendEvent> {
        loop {
            let event = self.events.borrow_mut().pop_front();
            // Events are returned before another job is started, because the consumer may stop or
            // hold jobs in response.
            if let Some(event) = event {
                return Poll::Ready(event);
            }
            if self.lost {
                return Poll::Pending;
            }
            self.start_jobs();
            match self.running.poll_next_unpin(context) {
                Poll::Ready(Some(turn)) => {
                    self.finish(turn);
                    continue;
                }
                // The last sample reported running jobs, so one more reports that none is left.
                Poll::Ready(None) if self.told_busy > 0 => {
                    self.sample();
                    continue;
                }
                Poll::Ready(None) => {
                    self.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
                Poll::Pending => {}
            }
            // Jobs that were polled above may have added events, and nothing else wakes this task
            // for them.
            if !self.events.borrow().is_empty() {
                continue;
            }
            self.waker = Some(context.waker().clone());
            if self.sampling.poll_tick(context).is_pending() {
                return Poll::Pending;
            }
            self.sample();
        }
    }

    fn sample(&mut self) {
        self.told_busy = self.scheduler.busy_slots();
        if let Some(sample) = self.machine.sample(WORKER, self.told_busy) {
            let mut events = self.events.borrow_mut();
            events.push_back(BackendEvent::Worker(WorkerStatusEvent::Sample(sample)));
        }
    }
}

/// Returns whether a descriptor is `/dev/null`, whatever its path.
fn is_null_device(descriptor: &OwnedFd) -> bool {
    let null = makedev(1, 3);
    fstat(descriptor).is_ok_and(|stat| {
        let is_device = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits();
        is_device && stat.st_rdev == null
    })
}

impl JobIsolation {
    /// Returns the execution target of a job.
    fn execution_target(&self, slot: u32, job: &Job) -> ExecutionTarget {
        match self {
            JobIsolation::Containers { containers, .. } => {
                let resident = containers.resident(job.resident.as_ref());
                let resident = resident.as_ref().map(|resident| &resident.process);
                ExecutionTarget::Container {
                    idle: containers.take_idle(slot, &job.container, resident),
                    containers: containers.clone(),
                }
            }
            JobIsolation::Processes => ExecutionTarget::Process,
        }
    }

    fn put_back(&self, slot: u32, container: ContainerHandle) {
        match self {
            JobIsolation::Containers { containers, .. } => containers.put_back(slot, container),
            JobIsolation::Processes => {}
        }
    }

    fn files_changed(&self) {
        match self {
            JobIsolation::Containers { containers, .. } => containers.files_changed(),
            JobIsolation::Processes => {}
        }
    }
}

impl Backend for LocalBackend {
    fn slots(&self) -> u32 {
        self.slots
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        let grace = job.grace.unwrap_or(self.grace);
        self.submit_with_grace(id, job, rank, grace);
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        match self.scheduler.withdraw(id) {
            WithdrawResult::FromQueue(_) => self.emit(BackendEvent::Finished {
                job: id,
                result: JobResult::not_run(JobOutcome::Cancelled),
            }),
            WithdrawResult::StillRunning { .. } => {
                if let Some(control) = self.controls.get(&id) {
                    control.stop(how);
                }
            }
            WithdrawResult::Unknown => {}
        }
    }

    fn files_changed(&mut self) {
        self.keeping.files_changed();
    }

    fn hold(&mut self) {
        self.scheduler.hold();
    }

    fn release(&mut self) {
        self.scheduler.release();
        self.wake();
    }

    fn suspend(&mut self) {
        self.suspended = true;
        self.controls.values().for_each(|control| control.suspend());
    }

    fn resume(&mut self) {
        self.suspended = false;
        self.controls.values().for_each(|control| control.resume());
        self.wake();
    }

    fn next(&mut self) -> impl Future<Output = BackendEvent> {
        poll_fn(|context| self.poll_next(context))
    }

    async fn close(self) {
        let LocalBackend {
            running, keeping, ..
        } = self;
        // Dropping the jobs closes the sockets of their containers, which ends the containers, and
        // kills plain processes.
        drop(running);
        match keeping {
            JobIsolation::Containers {
                spawner,
                containers,
            } => {
                containers.end_idle();
                drop(containers);
                if let Ok(spawner) = Rc::try_unwrap(spawner) {
                    spawner.close();
                }
            }
            JobIsolation::Processes => {}
        }
    }
}
