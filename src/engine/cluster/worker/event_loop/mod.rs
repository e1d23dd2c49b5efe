//! The loop: takes one event after the other, from the broker, the backend, the fetching of inputs,
//! the clocks and the signals.
//!
//! Owner of the state: [`Worker`]. What is sent to the broker is decided when there is room for it
//! on the line, so nothing piles up when the broker is slow or away, but for the output that jobs
//! have written, which is on disk.

mod drain;
mod orders;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Abortable, Aborted};
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{OwnedPermit, UnboundedReceiver};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tonic::Status;

use self::drain::WorkerLifecycle;
use self::orders::ControlQueue;
use super::allowance::JobAllowance;
use super::broker_connection::{BrokerConnection, BrokerDialer, ConnectionEvent, Disconnected};
use super::content_fetcher::ContentFetcher;
use super::executor::Executor;
use super::health::{DISK_FREE_BYTES_MIN, ResourceReporting, WorkerHealth};
use super::inputs::host_paths::HostPathPolicy;
use super::inputs::{
    CONTENT_PATIENCE, FreedTrees, InputCache, PreparedInputs, TreeLimits, WorkerInputError,
};
use super::leases::{LeaseAction, LeaseTable, LeaseToken};
use super::template::{PreparationRequest, ReceivedTemplate, TemplateStore};
use crate::output_log;
use maelstrom_container::secrets::HostSecrets;
use maelstrom_container::store::Store;
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_model::backend::{
    BackendEvent, BackendLost, GRACE_DEFAULT, JobId, JobPriority, StopMode,
};
use maelstrom_model::event::EventKind;
use maelstrom_model::ids::ShortRun;
use maelstrom_model::job::{ForkServerSpec, Job, PlacementConstraint};
use maelstrom_wire::from_proto::{JobOrder, text};
use maelstrom_wire::linger::{FlushTime, LingerTimer};
use maelstrom_wire::v1::{self, WorkerMessage, worker_message};
use maelstrom_wire::versions::VERSIONS;

/// Leases beyond the slots, so that the next job is there when one ends; its inputs are fetched
/// meanwhile.
pub const LEASES_AHEAD: u32 = 2;

/// How long reports linger: a test of a millisecond is told of in one message, and people don't see
/// so short a time.
const LINGER_TIME: Duration = Duration::from_millis(5);

/// Reports that go into one message, about.
const REPORTS_BYTES: usize = 256 * 1024;

/// What a worker is told.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Its name: where jobs are said to have run.
    pub name: String,
    /// 16 random bytes that name this process.
    pub instance: [u8; 16],
    /// How many jobs run at a time.
    pub slots: u32,
    /// How long jobs may go on when it ends.
    pub drain_timeout: Duration,
    /// Files and directories of the machine that jobs may be shown.
    pub lent: Vec<PathBuf>,
    /// Files and directories that no job may see, besides the store, whatever is lent.
    pub private: Vec<PathBuf>,
    /// What jobs may ask for beyond what every job gets.
    pub allowed: BTreeSet<JobAllowance>,
    /// How long a content is asked for that the storage has lost.
    pub content_patience: Duration,
    /// What inputs may be.
    pub tree_limits: TreeLimits,
    /// What a job may write.
    pub output_bytes_max: u64,
    /// With less room than this it takes no jobs.
    pub disk_free_bytes_min: u64,
    /// Whether the broker hears how busy the machine is.
    pub vitals: ResourceReporting,
}

impl WorkerConfig {
    /// The usual ones. Nothing of the machine is lent, and nothing special allowed.
    pub fn new(name: String, instance: [u8; 16], slots: u32) -> WorkerConfig {
        WorkerConfig {
            name,
            instance,
            slots,
            drain_timeout: Duration::from_secs(300),
            lent: Vec::new(),
            private: Vec::new(),
            allowed: BTreeSet::new(),
            content_patience: CONTENT_PATIENCE,
            tree_limits: TreeLimits::default(),
            output_bytes_max: output_log::BYTES_MAX,
            disk_free_bytes_min: DISK_FREE_BYTES_MIN,
            vitals: ResourceReporting::default(),
        }
    }
}

/// What those who watch a worker are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// The broker has given it this number.
    Registered(u32),
    /// The broker is not to be reached.
    Down(Disconnected),
    /// It takes no more jobs, and ends.
    Draining,
}

/// Why a worker ends before it is asked to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The broker does not take it.
    #[error("the broker refuses this worker: {}", text(.0.message()))]
    Refused(Box<Status>),
    /// The broker is of another version.
    #[error("{0}")]
    Version(String),
    /// No job can be run any more.
    #[error(transparent)]
    Backend(BackendLost),
}

/// See the module's documentation.
pub struct Worker<C, E> {
    settings: WorkerConfig,
    backend: E,
    shelf: Rc<InputCache<C>>,
    line: BrokerConnection,
    ledger: LeaseTable<LeasePayload>,
    reporting: LingerTimer,
    templates: TemplateStore,
    preparations: FuturesUnordered<PreparationFuture>,
    questions: FuturesUnordered<ToolboxCheckFuture>,
    speech: ControlQueue,
    health: WorkerHealth,
    heart: Option<Interval>,
    duty: WorkerLifecycle,
    interrupts: UnboundedReceiver<TerminationSignal>,
    watcher: Box<dyn FnMut(&WorkerEvent)>,
    lost: Option<BackendLost>,
}

/// What starts a job.
type LeasePayload = (Rc<ReceivedTemplate>, JobOrder);

/// A template whose inputs are being fetched.
type PreparationFuture = Pin<Box<dyn Future<Output = Result<(), Aborted>>>>;

/// A question about the machine's toolbox, and why it has not what was asked for.
type ToolboxCheckFuture = Pin<Box<dyn Future<Output = v1::ToolboxAnswer>>>;

/// Everything that can happen.
enum LoopEvent {
    Backend(BackendEvent),
    Line(ConnectionEvent),
    Room(OwnedPermit<WorkerMessage>),
    ReportsDue,
    Prepared,
    Answered(v1::ToolboxAnswer),
    Heartbeat,
    Interrupt,
    DutyOver,
}

impl<C: ContentFetcher + 'static, E: Executor> Worker<C, E> {
    /// A worker that has done nothing yet. Signs are told to `watcher` at once.
    pub fn new(
        settings: WorkerConfig,
        backend: E,
        (store, contents): (Store, C),
        dial: BrokerDialer,
        interrupts: UnboundedReceiver<TerminationSignal>,
        watcher: impl FnMut(&WorkerEvent) + 'static,
    ) -> Worker<C, E> {
        let cache = store.root().to_owned();
        let mut private = settings.private.clone();
        private.push(cache.clone());
        let shelf = InputCache::new(contents, store, settings.tree_limits)
            .with_host_paths(
                HostPathPolicy::new(settings.lent.clone(), private)
                    .without(HostSecrets::of_this_process()),
            )
            .allowing(settings.allowed.clone())
            .with_patience(settings.content_patience);
        Worker {
            ledger: LeaseTable::new(cache.clone(), settings.output_bytes_max),
            health: WorkerHealth::new(cache, settings.disk_free_bytes_min, settings.vitals),
            shelf: Rc::new(shelf),
            line: BrokerConnection::new(dial, settings.instance),
            settings,
            backend,
            reporting: LingerTimer::new(LINGER_TIME),
            templates: TemplateStore::default(),
            preparations: FuturesUnordered::new(),
            questions: FuturesUnordered::new(),
            speech: ControlQueue::default(),
            heart: None,
            duty: WorkerLifecycle::Serving,
            interrupts,
            watcher: Box::new(watcher),
            lost: None,
        }
    }

    /// Works until it is told to end, and nothing of any job is left.
    pub async fn run(mut self) -> Result<(), WorkerError> {
        let end = loop {
            self.start_jobs();
            if self.is_done() {
                break match self.lost.take() {
                    Some(lost) => Err(WorkerError::Backend(lost)),
                    None => Ok(()),
                };
            }
            let event = self.next().await;
            if let Err(error) = self.handle(event) {
                break Err(error);
            }
        };
        self.backend.close().await;
        end
    }

    async fn next(&mut self) -> LoopEvent {
        let reports = match self.is_registered() {
            true => self.reporting.due(self.ledger.unreported(), Instant::now()),
            false => FlushTime::Never,
        };
        let has_words = self.speech.has_messages() || reports == FlushTime::Now;
        let room = self.line.room();
        // What is rare and urgent first. Last is what jobs write, of which there may be no end: it is
        // taken only when all of what was taken before is on its way, and in a fixed order the same
        // happenings have the same consequences.
        tokio::select! {
            biased;
            () = beat(&mut self.heart) => LoopEvent::Heartbeat,
            Some(_) = self.interrupts.recv() => LoopEvent::Interrupt,
            () = self.duty.wait_deadline() => LoopEvent::DutyOver,
            event = self.line.next() => LoopEvent::Line(event),
            Some(_) = self.preparations.next() => LoopEvent::Prepared,
            Some(answer) = self.questions.next() => LoopEvent::Answered(answer),
            permit = room, if has_words => LoopEvent::Room(permit),
            () = reports.come() => LoopEvent::ReportsDue,
            event = self.backend.next(), if self.lost.is_none() => LoopEvent::Backend(event),
        }
    }

    fn handle(&mut self, event: LoopEvent) -> Result<(), WorkerError> {
        match event {
            LoopEvent::Backend(event) => self.backend_event(event),
            LoopEvent::Line(ConnectionEvent::Idle) => {
                let register = self.register();
                self.line.dial(worker_message::Kind::Register(register));
            }
            LoopEvent::Line(ConnectionEvent::Up) => {
                self.speech = ControlQueue::default();
                self.ledger.report_again();
            }
            LoopEvent::Line(ConnectionEvent::Order(order)) => return self.order(*order),
            LoopEvent::Line(ConnectionEvent::Down(down)) => self.on_disconnected(down),
            LoopEvent::Line(ConnectionEvent::Refused(status)) => {
                return Err(WorkerError::Refused(Box::new(status)));
            }
            LoopEvent::Room(permit) => self.send_next(permit),
            // What came of it is with the template.
            LoopEvent::Prepared => {}
            // There is something to say from now on.
            LoopEvent::ReportsDue => {}
            LoopEvent::Answered(answer) => {
                self.speech.enqueue(worker_message::Kind::Toolbox(answer));
            }
            LoopEvent::Heartbeat => self.beat(),
            LoopEvent::Interrupt => self.on_interrupt(),
            LoopEvent::DutyOver => self.on_deadline(),
        }
        Ok(())
    }

    /// Gives the backend as many jobs as there are free slots.
    fn start_jobs(&mut self) {
        if self.shelf.freed() == FreedTrees::Trees {
            // Containers that are kept have seen trees that may be evicted now.
            self.backend.files_changed();
        }
        let host = &self.settings.name;
        while self.lost.is_none() && self.ledger.running() < self.settings.slots as usize {
            let readiness = |(known, _): &LeasePayload| known.readiness(host);
            let Some((fence, (known, order))) = self.ledger.start_next(readiness) else {
                return;
            };
            let Some(container) = known.container() else {
                return;
            };
            let resident = match &*known.template {
                Ok(template) => template.resident.clone(),
                Err(_) => None,
            };
            let job = Job {
                container,
                process: order.process,
                resident: resident.map(ForkServerSpec::wanted),
                timeout: order.timeout,
                output: order.output,
                placement: PlacementConstraint::Here,
            };
            let grace = order.grace.unwrap_or(GRACE_DEFAULT);
            if let Some(name) = self.ledger.name(fence) {
                let (run, job) = (ShortRun(&name.run), JobId(name.job));
                tracing::debug!(%run, %job, %fence, "a job starts");
            }
            self.backend
                .submit_with_grace(fence.job(), job, JobPriority::default(), grace);
        }
    }

    fn backend_event(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Started { job, slot, .. } => self.ledger.started(LeaseToken(job.0), slot),
            BackendEvent::Output { job, stream, bytes } => {
                if self.ledger.wrote(LeaseToken(job.0), stream, &bytes) == LeaseAction::Stop {
                    self.backend.stop(job, StopMode::Kill);
                }
            }
            BackendEvent::Finished { job, result } => {
                let fence = LeaseToken(job.0);
                if let Some(name) = self.ledger.name(fence) {
                    let (run, job) = (ShortRun(&name.run), JobId(name.job));
                    tracing::debug!(%run, %job, %fence, end = ?result.end, "a job has ended");
                }
                self.ledger.finished(fence, result);
            }
            BackendEvent::Fact(EventKind::Notice(notice)) => {
                tracing::warn!("{}", notice.text);
            }
            BackendEvent::Discarded { job, files } => {
                self.ledger.discarded(LeaseToken(job.0), files);
            }
            BackendEvent::Restarted { .. } => {}
            // Heartbeats tell how the machine does.
            BackendEvent::Fact(_) => {}
            BackendEvent::Lost(lost) => {
                let text = maelstrom_model::error::with_causes(&lost);
                tracing::error!("{text}");
                let host = &self.settings.name;
                let reason = format!("the worker {host} can run no job any more: {text}");
                self.ledger.backend_lost(&reason);
                self.lost = Some(lost);
                self.drain();
            }
        }
    }

    fn register(&self) -> v1::Register {
        v1::Register {
            versions: Some(VERSIONS.clone()),
            instance: self.settings.instance.to_vec().into(),
            name: self.settings.name.clone(),
            architecture: std::env::consts::ARCH.to_owned(),
            slots: self.settings.slots,
            held: self.ledger.held(),
        }
    }

    fn on_disconnected(&mut self, down: Disconnected) {
        self.heart = None;
        self.speech = ControlQueue::default();
        if down.failures == 1 {
            let leases = self.ledger.len();
            tracing::warn!(
                leases,
                "the broker is not to be reached: {}; trying again until it is",
                down.reason
            );
        } else {
            let failures = down.failures;
            tracing::debug!(failures, "no connection to the broker: {}", down.reason);
        }
        (self.watcher)(&WorkerEvent::Down(down));
    }

    /// Breaks a connection over which nonsense comes.
    fn disconnect(&mut self, reason: &str) {
        tracing::error!("the connection to the broker is given up: {reason}");
        self.heart = None;
        self.speech = ControlQueue::default();
        self.line.disconnect();
    }

    fn is_registered(&self) -> bool {
        self.heart.is_some()
    }

    /// Says the most urgent thing there is.
    fn send_next(&mut self, permit: OwnedPermit<WorkerMessage>) {
        let kind = self.speech.next().or_else(|| {
            let reports = self.ledger.next_reports(REPORTS_BYTES);
            (!reports.is_empty()).then_some(worker_message::Kind::Reports(v1::Reports { reports }))
        });
        if let Some(kind) = kind {
            permit.send(WorkerMessage { kind: Some(kind) });
        }
    }

    fn beat(&mut self) {
        let busy = u32::try_from(self.ledger.running()).unwrap_or(u32::MAX);
        let heartbeat = self.health.heartbeat(busy);
        let credit = self.credit(&heartbeat.degraded);
        if let Some(before) = self.speech.credit_now(credit) {
            match heartbeat.degraded.as_str() {
                "" => tracing::info!(before, credit, "takes jobs again"),
                degraded => tracing::warn!("takes no more jobs: {degraded}"),
            }
        }
        self.speech.beat(heartbeat);
    }

    /// How many leases it can take.
    fn credit(&self, degraded: &str) -> u32 {
        match &self.duty {
            WorkerLifecycle::Serving if degraded.is_empty() => self.settings.slots + LEASES_AHEAD,
            WorkerLifecycle::Serving
            | WorkerLifecycle::Draining(_)
            | WorkerLifecycle::Stopping
            | WorkerLifecycle::Leaving(_) => 0,
        }
    }

    fn prepare(&mut self, new: PreparationRequest) {
        let PreparationRequest {
            known,
            template,
            abort,
        } = new;
        let shelf = Rc::clone(&self.shelf);
        let preparation = async move {
            let prepared: Result<PreparedInputs, WorkerInputError> = match &*template {
                Ok(template) => shelf.prepare(template).await,
                Err(error) => Err(error.clone().into()),
            };
            if let Err(error) = &prepared {
                let text = maelstrom_model::error::with_causes(error);
                tracing::warn!("a container can't be prepared: {text}");
            }
            if let Some(known) = known.upgrade() {
                known.prepared(prepared);
            }
        };
        self.preparations
            .push(Box::pin(Abortable::new(preparation, abort)));
    }
}

/// Waits for the next heartbeat; for ever as long as there are none.
async fn beat(heart: &mut Option<Interval>) {
    match heart {
        Some(heart) => {
            heart.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Heartbeats of this period, the first at once.
fn heartbeat_interval(period: Duration) -> Interval {
    let mut heart = interval(period);
    heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heart
}
