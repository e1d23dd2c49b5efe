//! A backend that runs jobs on a cluster's workers, and those that are not portable locally.
//!
//! ```text
//!  submit ─▶ template (prepared once for many jobs) ─▶ upload what the broker lacks ─▶ Submit
//!  next   ◀─ events of the session, and of the local backend
//! ```
//!
//! [`placement`]: where portable jobs run when this machine contributes slots.
//!
//! A job whose container is not portable runs locally, and a notice says why. If this machine
//! contributes slots, so does a job that the cluster cannot start.

mod placement;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::placement::{PlacedJob, PlacementQueue};
use maelstrom_container::store::DigestCache;
use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, BackendEvent, BackendLost, JobId, JobPriority, StopMode};
use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::forwarding::EnvironmentForwarding;
use maelstrom_model::job::{Job, JobInputs, JobOutcome, PlacementConstraint};
use maelstrom_wire::connection::BrokerChannel;
use maelstrom_wire::session::dispatch::{self, DispatchEvent, JobDispatcher};
use maelstrom_wire::session::prepare::{LocalTemplate, PreparationMode};
use maelstrom_wire::session::remote;
use maelstrom_wire::to_proto::PortabilityError;

/// The options of a cluster backend.
pub struct BrokerBackendOptions {
    /// The connection to the broker.
    pub connection: BrokerChannel,
    /// The broker's address, for error messages.
    pub address: String,
    /// 16 random bytes that identify the run.
    pub run: [u8; 16],
    /// The display name of the client: user and host.
    pub name: String,
    /// The file that caches file digests.
    pub digests: PathBuf,
    /// The environment variables that are forwarded.
    pub forwarding: EnvironmentForwarding,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The number of portable jobs that run on this machine at a time.
    pub local_slots: u32,
    /// Where templates are prepared.
    pub preparing: PreparationMode,
}

/// Runs jobs on a cluster, and non-portable ones on a local backend.
pub struct BrokerBackend<L = LocalBackend> {
    local: L,
    dispatch: JobDispatcher,
    /// Events that come from neither the cluster nor the local backend.
    events: VecDeque<BackendEvent>,
    local_jobs: HashSet<JobId>,
    /// Present if this machine contributes slots.
    sharing: Option<PlacementQueue>,
    noticed_local: bool,
}

impl BrokerBackend {
    /// Sets the time between SIGTERM and SIGKILL.
    pub fn with_grace(mut self, grace: Duration) -> BrokerBackend {
        self.dispatch.set_grace(grace);
        self.local = self.local.with_grace(grace);
        self
    }
}

impl<L: Backend> BrokerBackend<L> {
    /// Combines a cluster with a local backend for non-portable jobs. Must be called within a
    /// runtime.
    pub fn new(options: BrokerBackendOptions, local: L) -> BrokerBackend<L> {
        BrokerBackend {
            local,
            dispatch: JobDispatcher::new(dispatch::DispatchOptions {
                connection: options.connection,
                address: options.address,
                run: options.run,
                name: options.name,
                digests: DigestCache::new(options.digests),
                forwarding: options.forwarding,
                grace: options.grace,
                preparing: options.preparing,
            }),
            events: VecDeque::new(),
            local_jobs: HashSet::new(),
            sharing: (options.local_slots > 0).then(|| PlacementQueue::new(options.local_slots)),
            noticed_local: false,
        }
    }

    fn run_local(&mut self, id: JobId, job: Job, rank: JobPriority) {
        self.local_jobs.insert(id);
        self.local.submit(id, job, rank);
    }

    fn notice_local(&mut self, why: &str) {
        if !std::mem::replace(&mut self.noticed_local, true) {
            let text = format!("some jobs run on this machine: {why}");
            self.events.push_back(BackendEvent::Notice(UserNotice {
                severity: NoticeSeverity::Info,
                text,
                help: None,
                in_summary: false,
            }));
        }
    }

    /// Runs non-portable jobs locally.
    fn keep_local(&mut self, jobs: Vec<(JobId, Job, JobPriority)>, why: &PortabilityError) {
        if !jobs.is_empty() {
            self.notice_local(&why.to_string());
        }
        for (id, job, rank) in jobs {
            if let Some(sharing) = &mut self.sharing {
                sharing.keep_local(id);
            }
            self.run_local(id, job, rank);
        }
    }

    fn run_remote(&mut self, id: JobId, job: Job, rank: JobPriority, inputs: &Arc<JobInputs>) {
        let common = LocalTemplate {
            container: Arc::clone(&job.container),
            inputs: Arc::clone(inputs),
            environment: Arc::clone(&job.process.environment),
            working_directory: Arc::clone(&job.process.working_directory),
            resident: job.forked_by(),
        };
        self.dispatch.submit(id, job, rank, common);
    }

    /// Gives waiting jobs to whichever side has room.
    fn place_jobs(&mut self) {
        let slots = self.dispatch.slots();
        while let Some(next) = self
            .sharing
            .as_mut()
            .and_then(|sharing| sharing.next(slots))
        {
            match next {
                PlacedJob::Here(id, job, rank) => self.run_local(id, job, rank),
                PlacedJob::Away(id, job, rank) => match &job.placement {
                    PlacementConstraint::Here => self.run_local(id, job, rank),
                    PlacementConstraint::Anywhere(inputs) => {
                        let inputs = Arc::clone(inputs);
                        self.run_remote(id, job, rank, &inputs);
                    }
                },
            }
        }
    }

    /// Forwards an event of the cluster; `None` if the job continues locally.
    fn on_remote_event(&mut self, event: BackendEvent) -> Option<BackendEvent> {
        let Some(sharing) = &mut self.sharing else {
            return Some(event);
        };
        match &event {
            BackendEvent::Started { job, .. } => sharing.started_remote(*job),
            BackendEvent::Finished { job, result } => match &result.end {
                JobOutcome::Error(why) => {
                    if let Some((taken, rank)) = sharing.take_back(*job) {
                        let (id, why) = (*job, why.clone());
                        self.notice_local(&why);
                        self.run_local(id, taken, rank);
                        return None;
                    }
                }
                JobOutcome::Exited(_) | JobOutcome::TimedOut | JobOutcome::Cancelled => {
                    sharing.finished_remote(*job);
                }
            },
            BackendEvent::Output { .. }
            | BackendEvent::Restarted { .. }
            | BackendEvent::Discarded { .. }
            | BackendEvent::Worker(_)
            | BackendEvent::Cluster(_)
            | BackendEvent::Notice(_)
            | BackendEvent::Lost(_) => {}
        }
        Some(event)
    }
}

impl<L: Backend> Backend for BrokerBackend<L> {
    fn slots(&self) -> u32 {
        let slots = u32::try_from(self.dispatch.slots()).unwrap_or(u32::MAX);
        slots.max(self.local.slots())
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        match &job.placement {
            PlacementConstraint::Here => self.run_local(id, job, rank),
            PlacementConstraint::Anywhere(inputs) => match &mut self.sharing {
                Some(sharing) => sharing.submit(id, job, rank),
                None => {
                    let inputs = Arc::clone(inputs);
                    self.run_remote(id, job, rank, &inputs);
                }
            },
        }
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        let waited = match &mut self.sharing {
            Some(sharing) => sharing.cancel(id),
            None => false,
        };
        if waited {
            self.events.push_back(remote::cancelled(id));
        } else if self.local_jobs.contains(&id) {
            self.local.stop(id, how);
        } else {
            self.dispatch.stop(id, how);
        }
    }

    fn files_changed(&mut self) {
        self.local.files_changed();
        self.dispatch.files_changed();
    }

    fn hold(&mut self) {
        self.local.hold();
        self.dispatch.hold(true);
    }

    fn release(&mut self) {
        self.local.release();
        self.dispatch.hold(false);
    }

    /// Jobs on the cluster continue: they cannot be suspended from here.
    fn suspend(&mut self) {
        self.local.suspend();
        self.dispatch.hold(true);
    }

    fn resume(&mut self) {
        self.local.resume();
        self.dispatch.hold(false);
    }

    async fn next(&mut self) -> BackendEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            match self.dispatch.pop() {
                Some(DispatchEvent::Event(BackendEvent::Lost(lost))) => {
                    let help = lost.help.unwrap_or_default();
                    let help = format!("{help}; without `--broker` the tests run on this machine");
                    let help = Some(help);
                    return BackendEvent::Lost(BackendLost { help, ..lost });
                }
                Some(DispatchEvent::Event(event)) => match self.on_remote_event(event) {
                    Some(event) => return event,
                    None => continue,
                },
                Some(DispatchEvent::Unportable { jobs, why }) => {
                    self.keep_local(jobs, &why);
                    continue;
                }
                None => {}
            }
            // The loss has been reported above, and no further event must follow.
            if self.dispatch.is_lost() {
                return std::future::pending().await;
            }
            // Every event may have freed slots on either side, and there is no other signal for
            // that.
            self.place_jobs();
            tokio::select! {
                biased;
                () = self.dispatch.step() => {}
                event = self.local.next() => {
                    if let BackendEvent::Finished { job, .. } = &event {
                        self.local_jobs.remove(job);
                        if let Some(sharing) = &mut self.sharing {
                            sharing.finished_local(*job);
                        }
                    }
                    return event;
                }
            }
        }
    }

    async fn close(self) {
        futures_util::future::join(self.local.close(), self.dispatch.close()).await;
    }
}
