//! Handles the broker's orders.
//!
//! An invalid order ends its lease, or the connection; never the worker.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::Abortable;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::control_queue::ControlQueue;
use super::lifecycle::WorkerLifecycle;
use super::{LEASES_AHEAD, Worker, WorkerError, WorkerEvent};
use crate::worker::content_fetcher::ContentFetcher;
use crate::worker::executor::Executor;
use crate::worker::inputs::{PreparedInputs, WorkerInputError};
use crate::worker::leases::{LeaseAction, LeaseArrival, LeaseToken, RunJobId, shortened};
use crate::worker::template::PreparationRequest;
use maelstrom_model::backend::{JobId, StopMode};
use maelstrom_model::ids::ShortRun;
use maelstrom_wire::error::WireError;
use maelstrom_wire::from_proto;
use maelstrom_wire::v1::{self, worker_message, worker_order};
use maelstrom_wire::versions;

/// More frequent heartbeats are of no use.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// Less frequent heartbeats keep no lease alive.
const HEARTBEAT_MAX: Duration = Duration::from_secs(600);

/// Concurrent toolbox checks: one for each toolbox in use.
const QUESTIONS_MAX: usize = 256;

impl<C: ContentFetcher + 'static, E: Executor> Worker<C, E> {
    pub(super) fn order(&mut self, order: worker_order::Kind) -> Result<(), WorkerError> {
        if let worker_order::Kind::Registered(registered) = order {
            return self.registered(&registered);
        }
        if !self.is_registered() {
            self.disconnect("it gives orders before it answers the registration");
            return Ok(());
        }
        let obeyed = match order {
            // Handled above.
            worker_order::Kind::Registered(_) => Ok(()),
            worker_order::Kind::Template(message) => self.template(message),
            worker_order::Kind::Leases(message) => {
                let mut leases = message.leases.into_iter();
                leases.try_for_each(|lease| self.lease(&lease))
            }
            worker_order::Kind::Stop(message) => self.stop(&message),
            worker_order::Kind::Toolbox(message) => self.question(message),
            worker_order::Kind::Drain(v1::Empty {}) => {
                self.drain();
                Ok(())
            }
            worker_order::Kind::Forget(message) => {
                let numbers = message.numbers.into_iter();
                numbers.for_each(|number| self.templates.forget(number));
                Ok(())
            }
            worker_order::Kind::Settled(message) => {
                let fences = message.fences.into_iter();
                fences.for_each(|fence| self.ledger.acknowledge(LeaseToken(fence)));
                Ok(())
            }
        };
        if let Err(reason) = obeyed {
            self.disconnect(&reason);
        }
        Ok(())
    }

    fn registered(&mut self, message: &v1::Registered) -> Result<(), WorkerError> {
        versions::agree(message.versions.as_ref(), "broker").map_err(WorkerError::Version)?;
        let period = from_proto::optional_duration(message.heartbeat.as_ref());
        let Ok(Some(period)) = period else {
            self.disconnect("it does not say how often it wants to hear of this worker");
            return Ok(());
        };
        for fence in &message.stop {
            if self.ledger.disown(LeaseToken(*fence)) == LeaseAction::Stop {
                self.backend.stop(LeaseToken(*fence).job(), StopMode::Kill);
            }
        }
        self.heart = Some(heartbeat_interval(
            period.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX),
        ));
        let worker = message.worker;
        tracing::info!(
            worker,
            leases = self.ledger.len(),
            "registered with the broker"
        );
        match self.duty {
            WorkerLifecycle::Serving => {}
            WorkerLifecycle::Draining(_)
            | WorkerLifecycle::Stopping
            | WorkerLifecycle::Leaving(_) => {
                let draining = worker_message::Kind::Draining(v1::Empty {});
                self.speech.enqueue(draining);
            }
        }
        let degraded = self.health.degraded().unwrap_or_default();
        if !degraded.is_empty() {
            tracing::warn!("takes no jobs: {degraded}");
        }
        // Without a credit, a broker grants as many leases as there are slots, and a few more.
        let credit = self.credit(&degraded);
        self.speech.credit_now(credit);
        (self.watcher)(&WorkerEvent::Registered(worker));
        Ok(())
    }

    fn template(&mut self, message: v1::LeaseTemplate) -> Result<(), String> {
        let template = message
            .template
            .ok_or("it tells of a template and not what it is")?;
        let new = self.templates.define(message.number, template);
        if let Some(new) = new.map_err(|error| error.to_string())? {
            self.prepare(new);
        }
        Ok(())
    }

    fn lease(&mut self, message: &v1::Lease) -> Result<(), String> {
        let fence = LeaseToken(message.fence);
        let run = from_proto::name16("run", &message.run).map_err(|error| error.to_string())?;
        let job = message
            .job
            .as_ref()
            .ok_or("it gives a lease without a job")?;
        let name = RunJobId { run, job: job.id };
        let (run, job_id) = (ShortRun(&name.run), JobId(name.job));
        // Each lease takes memory, and the broker is not trusted to respect the credit.
        if self.ledger.len() >= self.leases_max() {
            return Err("it gives more leases than this worker has asked for".to_owned());
        }
        let known = self.templates.get(job.template);
        let order = match &known {
            None => Err(format!("nothing is known of its template {}", job.template)),
            Some(known) => match &*known.template {
                Ok(template) => from_proto::job(job, template).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
        };
        let taken = match (self.duty, known, order) {
            (
                WorkerLifecycle::Draining(_)
                | WorkerLifecycle::Stopping
                | WorkerLifecycle::Leaving(_),
                _,
                _,
            ) => self.ledger.return_at_once(fence, name),
            (WorkerLifecycle::Serving, Some(known), Ok(order)) => {
                let needs = order.needs.clone();
                let payload = (Rc::clone(&known), order);
                self.ledger.take_in(fence, name, &needs, payload)
            }
            (WorkerLifecycle::Serving, _, order) => {
                let why = order.err().unwrap_or_default();
                let host = &self.settings.name;
                tracing::error!(%run, job = %job_id, %fence, "a lease is invalid: {why}");
                let reason = format!("the worker {host} can't make sense of the job: {why}");
                self.ledger.refuse(fence, name, &reason)
            }
        };
        match taken {
            LeaseArrival::New => {}
            LeaseArrival::Known => {
                tracing::debug!(%run, job = %job_id, %fence, "a lease came twice")
            }
        }
        Ok(())
    }

    /// Returns the maximum number of leases that the worker can hold: its credit, and as many again
    /// whose ends are being reported.
    fn leases_max(&self) -> usize {
        let credit = self.settings.slots.saturating_add(LEASES_AHEAD) as usize;
        credit.saturating_mul(2).saturating_add(64)
    }

    fn stop(&mut self, message: &v1::StopLease) -> Result<(), String> {
        let how = from_proto::stop(message.how).map_err(|error: WireError| error.to_string())?;
        let fence = LeaseToken(message.fence);
        if self.ledger.stop(fence) == LeaseAction::Stop {
            self.backend.stop(fence.job(), how);
        }
        Ok(())
    }

    fn question(&mut self, message: v1::ToolboxQuestion) -> Result<(), String> {
        if self.questions.len() >= QUESTIONS_MAX {
            return Err("it asks more than anybody can answer".to_owned());
        }
        let shelf = Rc::clone(&self.shelf);
        self.questions.push(Box::pin(async move {
            let lacks = match from_proto::job::toolbox(&message.paths) {
                Ok(paths) => shelf.check_toolbox(paths).await.err(),
                Err(error) => Some(error.into()),
            };
            let lacks = lacks.map(|error| shortened(&maelstrom_model::error::with_causes(&error)));
            v1::ToolboxAnswer {
                toolbox: message.toolbox,
                lacks: lacks.unwrap_or_default(),
            }
        }));
        Ok(())
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

    /// Closes a connection that delivers invalid messages.
    fn disconnect(&mut self, reason: &str) {
        tracing::error!("the connection to the broker is given up: {reason}");
        self.heart = None;
        self.speech = ControlQueue::default();
        self.line.disconnect();
    }
}

/// Creates the interval of heartbeats; the first tick is immediate.
fn heartbeat_interval(period: Duration) -> Interval {
    let mut heart = interval(period);
    heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heart
}
