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

use self::drain::Duty;
use self::orders::Speech;
use super::allowance::Allowance;
use super::contents::Contents;
use super::executor::Executor;
use super::health::{DISK_FREE_BYTES_MIN, Health, Vitals};
use super::inputs::lending::Lending;
use super::inputs::{CONTENT_PATIENCE, Freed, InputError, Prepared, Shelf, TreeLimits};
use super::ledger::{Fence, Ledger, Upshot};
use super::line::{Dial, Down, Line, LineEvent};
use super::template::{Known, Templates, ToPrepare};
use crate::output_log;
use maelstrom_container::secrets::Secrets;
use maelstrom_container::store::Store;
use maelstrom_engine::run::signals::Interrupt;
use maelstrom_model::backend::{BackendEvent, BackendLost, GRACE_DEFAULT, JobId, Rank, Stop};
use maelstrom_model::event::EventKind;
use maelstrom_model::ids::ShortRun;
use maelstrom_model::job::{Job, Placement, Resident};
use maelstrom_wire::from_proto::{JobOrder, text};
use maelstrom_wire::linger::{Due, Linger};
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
pub struct Settings {
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
    pub allowed: BTreeSet<Allowance>,
    /// How long a content is asked for that the storage has lost.
    pub content_patience: Duration,
    /// What inputs may be.
    pub tree_limits: TreeLimits,
    /// What a job may write.
    pub output_bytes_max: u64,
    /// With less room than this it takes no jobs.
    pub disk_free_bytes_min: u64,
    /// Whether the broker hears how busy the machine is.
    pub vitals: Vitals,
}

impl Settings {
    /// The usual ones. Nothing of the machine is lent, and nothing special allowed.
    pub fn new(name: String, instance: [u8; 16], slots: u32) -> Settings {
        Settings {
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
            vitals: Vitals::default(),
        }
    }
}

/// What those who watch a worker are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The broker has given it this number.
    Registered(u32),
    /// The broker is not to be reached.
    Down(Down),
    /// It takes no more jobs, and ends.
    Draining,
}

/// Why a worker ends before it is asked to.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
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
    settings: Settings,
    backend: E,
    shelf: Rc<Shelf<C>>,
    line: Line,
    ledger: Ledger<Payload>,
    reporting: Linger,
    templates: Templates,
    preparations: FuturesUnordered<Preparation>,
    questions: FuturesUnordered<Question>,
    speech: Speech,
    health: Health,
    heart: Option<Interval>,
    duty: Duty,
    interrupts: UnboundedReceiver<Interrupt>,
    watcher: Box<dyn FnMut(&Sign)>,
    lost: Option<BackendLost>,
}

/// What starts a job.
type Payload = (Rc<Known>, JobOrder);

/// A template whose inputs are being fetched.
type Preparation = Pin<Box<dyn Future<Output = Result<(), Aborted>>>>;

/// A question about the machine's toolbox, and why it has not what was asked for.
type Question = Pin<Box<dyn Future<Output = v1::ToolboxAnswer>>>;

/// Everything that can happen.
enum Event {
    Backend(BackendEvent),
    Line(LineEvent),
    Room(OwnedPermit<WorkerMessage>),
    ReportsDue,
    Prepared,
    Answered(v1::ToolboxAnswer),
    Heartbeat,
    Interrupt,
    DutyOver,
}

impl<C: Contents + 'static, E: Executor> Worker<C, E> {
    /// A worker that has done nothing yet. Signs are told to `watcher` at once.
    pub fn new(
        settings: Settings,
        backend: E,
        (store, contents): (Store, C),
        dial: Dial,
        interrupts: UnboundedReceiver<Interrupt>,
        watcher: impl FnMut(&Sign) + 'static,
    ) -> Worker<C, E> {
        let cache = store.root().to_owned();
        let mut private = settings.private.clone();
        private.push(cache.clone());
        let shelf = Shelf::new(contents, store, settings.tree_limits)
            .lending(
                Lending::new(settings.lent.clone(), private).without(Secrets::of_this_process()),
            )
            .allowing(settings.allowed.clone())
            .with_patience(settings.content_patience);
        Worker {
            ledger: Ledger::new(cache.clone(), settings.output_bytes_max),
            health: Health::new(cache, settings.disk_free_bytes_min, settings.vitals),
            shelf: Rc::new(shelf),
            line: Line::new(dial, settings.instance),
            settings,
            backend,
            reporting: Linger::new(LINGER_TIME),
            templates: Templates::default(),
            preparations: FuturesUnordered::new(),
            questions: FuturesUnordered::new(),
            speech: Speech::default(),
            heart: None,
            duty: Duty::Serving,
            interrupts,
            watcher: Box::new(watcher),
            lost: None,
        }
    }

    /// Works until it is told to end, and nothing of any job is left.
    pub async fn run(mut self) -> Result<(), WorkError> {
        let end = loop {
            self.start_jobs();
            if self.is_done() {
                break match self.lost.take() {
                    Some(lost) => Err(WorkError::Backend(lost)),
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

    async fn next(&mut self) -> Event {
        let reports = match self.is_registered() {
            true => self.reporting.due(self.ledger.untold(), Instant::now()),
            false => Due::Never,
        };
        let has_words = self.speech.has_words() || reports == Due::Now;
        let room = self.line.room();
        // What is rare and urgent first. Last is what jobs write, of which there may be no end: it is
        // taken only when all of what was taken before is on its way, and in a fixed order the same
        // happenings have the same consequences.
        tokio::select! {
            biased;
            () = beat(&mut self.heart) => Event::Heartbeat,
            Some(_) = self.interrupts.recv() => Event::Interrupt,
            () = self.duty.over() => Event::DutyOver,
            event = self.line.next() => Event::Line(event),
            Some(_) = self.preparations.next() => Event::Prepared,
            Some(answer) = self.questions.next() => Event::Answered(answer),
            permit = room, if has_words => Event::Room(permit),
            () = reports.come() => Event::ReportsDue,
            event = self.backend.next(), if self.lost.is_none() => Event::Backend(event),
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), WorkError> {
        match event {
            Event::Backend(event) => self.backend_event(event),
            Event::Line(LineEvent::Idle) => {
                let register = self.register();
                self.line.dial(worker_message::Kind::Register(register));
            }
            Event::Line(LineEvent::Up) => {
                self.speech = Speech::default();
                self.ledger.tell_again();
            }
            Event::Line(LineEvent::Order(order)) => return self.order(*order),
            Event::Line(LineEvent::Down(down)) => self.went_down(down),
            Event::Line(LineEvent::Refused(status)) => {
                return Err(WorkError::Refused(Box::new(status)));
            }
            Event::Room(permit) => self.speak(permit),
            // What came of it is with the template.
            Event::Prepared => {}
            // There is something to say from now on.
            Event::ReportsDue => {}
            Event::Answered(answer) => {
                self.speech.say(worker_message::Kind::Toolbox(answer));
            }
            Event::Heartbeat => self.beat(),
            Event::Interrupt => self.interrupted(),
            Event::DutyOver => self.duty_over(),
        }
        Ok(())
    }

    /// Gives the backend as many jobs as there are free slots.
    fn start_jobs(&mut self) {
        if self.shelf.freed() == Freed::Trees {
            // Containers that are kept have seen trees that may be evicted now.
            self.backend.files_changed();
        }
        let host = &self.settings.name;
        while self.lost.is_none() && self.ledger.running() < self.settings.slots as usize {
            let readiness = |(known, _): &Payload| known.readiness(host);
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
                resident: resident.map(Resident::wanted),
                timeout: order.timeout,
                output: order.output,
                placement: Placement::Here,
            };
            let grace = order.grace.unwrap_or(GRACE_DEFAULT);
            if let Some(name) = self.ledger.name(fence) {
                let (run, job) = (ShortRun(&name.run), JobId(name.job));
                tracing::debug!(%run, %job, %fence, "a job starts");
            }
            self.backend
                .submit_with_grace(fence.job(), job, Rank::default(), grace);
        }
    }

    fn backend_event(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Started { job, slot, .. } => self.ledger.started(Fence(job.0), slot),
            BackendEvent::Output { job, stream, bytes } => {
                if self.ledger.wrote(Fence(job.0), stream, &bytes) == Upshot::Stop {
                    self.backend.stop(job, Stop::Kill);
                }
            }
            BackendEvent::Finished { job, result } => {
                let fence = Fence(job.0);
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
                self.ledger.discarded(Fence(job.0), files);
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

    fn went_down(&mut self, down: Down) {
        self.heart = None;
        self.speech = Speech::default();
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
        (self.watcher)(&Sign::Down(down));
    }

    /// Breaks a connection over which nonsense comes.
    fn hang_up(&mut self, reason: &str) {
        tracing::error!("the connection to the broker is given up: {reason}");
        self.heart = None;
        self.speech = Speech::default();
        self.line.hang_up();
    }

    fn is_registered(&self) -> bool {
        self.heart.is_some()
    }

    /// Says the most urgent thing there is.
    fn speak(&mut self, permit: OwnedPermit<WorkerMessage>) {
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
            Duty::Serving if degraded.is_empty() => self.settings.slots + LEASES_AHEAD,
            Duty::Serving | Duty::Draining(_) | Duty::Stopping | Duty::Leaving(_) => 0,
        }
    }

    fn prepare(&mut self, new: ToPrepare) {
        let ToPrepare {
            known,
            template,
            abort,
        } = new;
        let shelf = Rc::clone(&self.shelf);
        let preparation = async move {
            let prepared: Result<Prepared, InputError> = match &*template {
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
fn heart(period: Duration) -> Interval {
    let mut heart = interval(period);
    heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heart
}
