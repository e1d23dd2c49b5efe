//! Outgoing messages to the broker.

use std::ffi::OsString;
use std::time::Duration;

use tokio::time::Instant;

use super::{FIRST_WORKER, RemoteJob, RemoteJobs, TemplateUploadState};
use crate::linger::{FlushTime, FlushUrgency};
use crate::to_proto;
use crate::v1::{self, client_message};
use maelstrom_model::backend::{JobId, StopMode};

/// The number of jobs per message: fast to send, and few messages for many jobs.
const JOBS_PER_MESSAGE: usize = 1_000;

impl RemoteJobs {
    /// Sends pending messages, if there is a connection. Returns when to call this again if nothing
    /// else happens before.
    pub fn flush(&mut self) -> FlushTime {
        if self.outgoing.is_none() {
            return FlushTime::Never;
        }
        for number in 0..self.templates.len() {
            let Some(template) = self.templates.get_mut(number) else {
                continue;
            };
            if template.waiting.is_empty() || template.upload != TemplateUploadState::Done {
                continue;
            }
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let waiting = std::mem::take(&mut template.waiting);
            if !std::mem::replace(&mut template.is_defined, true) {
                let template = template.template.clone();
                self.send(client_message::Kind::Template(v1::DefineTemplate {
                    number,
                    template: Some(template),
                }));
            }
            self.submit_all(number, &waiting);
        }
        let waiting = match (self.unacknowledged.is_empty(), self.jobs.is_empty()) {
            (true, _) => FlushUrgency::Nothing,
            (false, false) => FlushUrgency::CanLinger,
            // No job is left whose messages could carry the acknowledgments.
            (false, true) => FlushUrgency::Urgent,
        };
        let due = self.acknowledging.due(waiting, Instant::now());
        if due == FlushTime::Now {
            self.acknowledge();
        }
        due
    }

    pub(super) fn acknowledge(&mut self) {
        self.acknowledging.gone();
        let jobs = std::mem::take(&mut self.unacknowledged);
        if !jobs.is_empty() {
            self.send(client_message::Kind::Acknowledge(v1::Acknowledge { jobs }));
        }
    }

    fn submit_all(&mut self, template: u32, waiting: &[JobId]) {
        for some in waiting.chunks(JOBS_PER_MESSAGE) {
            let mut jobs = Vec::with_capacity(some.len());
            let mut stops = Vec::new();
            for id in some {
                let Some(job) = self.jobs.get_mut(id) else {
                    continue;
                };
                job.was_sent = true;
                jobs.push(message(*id, template, job, self.grace));
                stops.extend(job.stopping.map(|how| (*id, how)));
            }
            if !jobs.is_empty() {
                self.send(client_message::Kind::Submit(v1::Submit { jobs }));
            }
            // Stops that were sent on an earlier connection don't count, and the broker must know a
            // job before it can stop it.
            for (id, how) in stops {
                self.send_stop(id, how);
            }
        }
    }

    pub(super) fn send_stop(&mut self, id: JobId, how: StopMode) {
        let how = match how {
            StopMode::Terminate => v1::Stop::Terminate,
            StopMode::Kill => v1::Stop::Kill,
        };
        self.send(client_message::Kind::Cancel(v1::Cancel {
            job: id.0,
            how: how.into(),
        }));
    }

    /// Holds or releases the start of jobs.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        self.send(client_message::Kind::Hold(v1::Hold { held }));
    }

    /// Ends the run.
    pub fn goodbye(&mut self) {
        self.flush();
        self.acknowledge();
        self.send(client_message::Kind::Goodbye(v1::Empty {}));
        self.outgoing = None;
    }

    pub(super) fn send(&mut self, kind: client_message::Kind) {
        if let Some(outgoing) = &self.outgoing {
            // The stream reports a lost connection.
            drop(outgoing.send(v1::ClientMessage { kind: Some(kind) }));
        }
    }
}

fn message(id: JobId, template: u32, job: &RemoteJob, grace: Duration) -> v1::Job {
    let (process, needs) = (&job.job.process, &job.job.needs);
    // The lowest number is this machine's own, which is none of the broker's workers.
    let avoided = needs.avoided_worker;
    let avoided = avoided.and_then(|worker| worker.0.checked_sub(FIRST_WORKER));
    let own = job.job.additions.own_variables.iter();
    let variable = |(name, value): &(OsString, OsString)| v1::EnvironmentVariable {
        name: to_proto::text(name),
        value: to_proto::text(value),
    };
    v1::Job {
        id: id.0,
        template,
        program: to_proto::text(&process.program),
        arguments: process
            .arguments
            .iter()
            .map(|argument| to_proto::text(argument))
            .collect(),
        // The template contains what the jobs have in common.
        environment: own.map(variable).collect(),
        timeout: job.job.timeout.map(to_proto::duration),
        grace: Some(to_proto::duration(job.job.grace.unwrap_or(grace))),
        priority: job.rank.priority.into(),
        estimate: job.rank.estimate.map(to_proto::duration),
        output: to_proto::output_pipes(job.job.output).into(),
        stack_dump: to_proto::stack_dump(job.job.additions.stack_dump),
        needs: to_proto::needs(needs, avoided),
    }
}
