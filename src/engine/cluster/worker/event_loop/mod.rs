//! The event loop: handles one event after another, from the broker, the backend, input fetching,
//! timers and signals.
//!
//! - [`orders`]: handles the broker's orders. [`drain`]: graceful shutdown; [`lifecycle`]: its
//!   stages.
//! - [`control_queue`]: outgoing messages other than reports.
//! - [`config`]: configuration and observer events. [`state`]: the state.
//!
//! The state belongs to [`Worker`]. The next message to the broker is chosen when the connection
//! has room for it, so nothing accumulates while the broker is slow or away, except the output of
//! jobs, which is on disk.

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
use maelstrom_model::ids::ShortRun;
use maelstrom_model::job::{ForkServerSpec, Job, PlacementConstraint, ProcessAdditions};
use maelstrom_model::policy::JobNeeds;
use maelstrom_wire::linger::FlushTime;
use maelstrom_wire::v1::{self, WorkerMessage, worker_message};
use maelstrom_wire::versions::VERSIONS;

pub use self::config::{LEASES_AHEAD, WorkerConfig, WorkerError, WorkerEvent};
pub use self::state::Worker;

/// The approximate size of a message with reports.
const REPORTS_BYTES: usize = 256 * 1024;

/// An event of the loop.
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
    /// Runs until the worker is told to end and no job is left.
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
        // Rare and urgent events come first. Output of jobs comes last, because it may be endless:
        // it is read only when the output read before is on its way. The fixed order makes the loop
        // deterministic.
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
                // Pending messages were meant for the last connection. The broker asks again, and
                // the messages it needs are sent after the registration.
                self.speech = ControlQueue::default();
                self.ledger.report_again();
            }
            LoopEvent::Line(ConnectionEvent::Order(order)) => return self.order(*order),
            LoopEvent::Line(ConnectionEvent::Down(down)) => self.on_disconnected(down),
            LoopEvent::Line(ConnectionEvent::Refused(status)) => {
                return Err(WorkerError::Refused(Box::new(status)));
            }
            LoopEvent::Room(permit) => self.send_next(permit),
            // The template has the result.
            LoopEvent::Prepared => {}
            // The next iteration sends them.
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

    /// Starts as many jobs as there is room for.
    fn start_jobs(&mut self) {
        if self.shelf.freed() == FreedTrees::Trees {
            // Trees that idle containers use may be evicted now.
            self.backend.files_changed();
        }
        let host = &self.settings.name;
        while self.lost.is_none() {
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
                grace: None,
                // The broker counts the groups. The backend has room for the job, and gives it all of
                // its slots.
                needs: JobNeeds {
                    group: None,
                    ..order.needs
                },
                additions: ProcessAdditions {
                    own_variables: order.own_variables,
                    stack_dump: order.stack_dump,
                    ..ProcessAdditions::default()
                },
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
            BackendEvent::Notice(notice) => {
                tracing::warn!("{}", notice.text);
            }
            BackendEvent::Discarded { job, files } => {
                self.ledger.discarded(LeaseToken(job.0), files);
            }
            BackendEvent::Restarted { .. } => {}
            // Heartbeats report the machine's state.
            BackendEvent::Worker(_) | BackendEvent::Cluster(_) => {}
            BackendEvent::Lost(lost) => {
                let text = maelstrom_model::error::with_causes(&lost);
                tracing::error!("{text}");
                let host = &self.settings.name;
                let reason = format!("the worker {host} can run no job any more: {text}");
                self.ledger.backend_lost(&reason);
                // The end of each lease is still reported to the broker; then the loop returns this
                // error.
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

    /// Sends the most urgent message.
    fn send_next(&mut self, permit: OwnedPermit<WorkerMessage>) {
        // Reports may be endless, so short and urgent messages precede them.
        let kind = self.speech.next().or_else(|| {
            let reports = self.ledger.next_reports(REPORTS_BYTES);
            (!reports.is_empty()).then_some(worker_message::Kind::Reports(v1::Reports { reports }))
        });
        if let Some(kind) = kind {
            permit.send(WorkerMessage { kind: Some(kind) });
        }
    }

    fn beat(&mut self) {
        let heartbeat = self.health.heartbeat(self.ledger.slots_taken());
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

/// Waits for the next heartbeat; forever while there are none.
async fn beat(heart: &mut Option<Interval>) {
    match heart {
        Some(heart) => {
            heart.tick().await;
        }
        None => std::future::pending().await,
    }
}
