//! The loop: takes one event after the other, from the broker, the backend, the fetching of inputs,
//! the clocks and the signals.
//!
//! - [`orders`]: what the broker orders. [`drain`]: how a worker ends; [`lifecycle`]: how far it is.
//! - [`control_queue`]: what is said besides reports.
//! - [`config`]: what a worker is told and tells. [`state`]: what it knows.
//!
//! Owner of the state: [`Worker`]. What is sent to the broker is decided when there is room for it
//! on the line, so nothing piles up when the broker is slow or away, but for the output that jobs
//! have written, which is on disk.

mod config;
mod control_queue;
mod drain;
mod lifecycle;
mod orders;
mod state;

use futures_util::StreamExt;
use tokio::sync::mpsc::OwnedPermit;
use tokio::time::{Instant, Interval};

use self::control_queue::ControlQueue;
use self::state::LeasePayload;
use super::broker_connection::{ConnectionEvent, Disconnected};
use super::content_fetcher::ContentFetcher;
use super::executor::Executor;
use super::inputs::FreedTrees;
use super::leases::{LeaseAction, LeaseToken};
use maelstrom_model::backend::{BackendEvent, GRACE_DEFAULT, JobId, JobPriority, StopMode};
use maelstrom_model::event::EventKind;
use maelstrom_model::ids::ShortRun;
use maelstrom_model::job::{ForkServerSpec, Job, PlacementConstraint};
use maelstrom_wire::linger::FlushTime;
use maelstrom_wire::v1::{self, WorkerMessage, worker_message};
use maelstrom_wire::versions::VERSIONS;

pub use self::config::{LEASES_AHEAD, WorkerConfig, WorkerError, WorkerEvent};
pub use self::state::Worker;

/// Reports that go into one message, about.
const REPORTS_BYTES: usize = 256 * 1024;

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
                // What waited was meant for the last connection. The broker asks anew, and what it
                // must know is said after the registration.
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
                // The broker still hears how each lease ended; then the loop ends with this.
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

    /// Says the most urgent thing there is.
    fn send_next(&mut self, permit: OwnedPermit<WorkerMessage>) {
        // Reports may be endless, so what is short and urgent goes before them.
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
