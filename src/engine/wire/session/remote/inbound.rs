//! Handles the broker's messages about jobs, workers and itself.

use std::collections::VecDeque;

use super::{FIRST_WORKER, RemoteJobState, RemoteJobs, TemplateUploadState};
use crate::from_proto::{self, text};
use crate::v1::{self, session_event};
use maelstrom_model::backend::{BackendEvent, JobId};
use maelstrom_model::event::{
    ClusterClient, ClusterEvent, ClusterSample, NoticeSeverity, UserNotice, WorkerCondition,
    WorkerSample, WorkerStatusEvent,
};
use maelstrom_model::ids::{RunId, WorkerId};
use maelstrom_model::job::{JobOutcome, JobResult};

impl RemoteJobs {
    /// Handles an event from the broker.
    pub fn event(&mut self, event: session_event::Kind, events: &mut VecDeque<BackendEvent>) {
        match event {
            session_event::Kind::Welcome(_) => {
                for worker in std::mem::take(&mut self.workers) {
                    let reason = "the connection to the broker is a new one".to_owned();
                    let left = WorkerStatusEvent::Left { worker, reason };
                    events.push_back(BackendEvent::Worker(left));
                }
            }
            session_event::Kind::Accepted(_) => {}
            session_event::Kind::Missing(missing) => self.missing(missing.template),
            session_event::Kind::Started(started) => self.started(started, events),
            session_event::Kind::Output(output) => self.output(output, events),
            session_event::Kind::Finished(finished) => self.finished(finished, events),
            session_event::Kind::Requeued(requeued) => {
                let id = JobId(requeued.job);
                self.interrupted(id, text(&requeued.reason).to_string(), events);
            }
            session_event::Kind::Worker(worker) => self.joined(worker, events),
            session_event::Kind::WorkerLeft(left) => {
                let worker = WorkerId(left.worker.saturating_add(FIRST_WORKER));
                if self.workers.remove(&worker) {
                    let reason = text(&left.reason).to_string();
                    let left = WorkerStatusEvent::Left { worker, reason };
                    events.push_back(BackendEvent::Worker(left));
                }
            }
            session_event::Kind::Cluster(cluster) => self.sample(cluster, events),
            session_event::Kind::Notice(notice) => {
                events.push_back(BackendEvent::Notice(UserNotice {
                    severity: NoticeSeverity::Warning,
                    text: text(&notice.text).lines(),
                    help: Some(text(&notice.help).lines()).filter(|help| !help.is_empty()),
                    in_summary: false,
                }));
            }
        }
    }

    fn missing(&mut self, number: u32) {
        if let Some(template) = self.template(number)
            && template.upload == TemplateUploadState::Done
        {
            template.upload = TemplateUploadState::Wanted;
        }
    }

    fn started(&mut self, started: v1::Started, events: &mut VecDeque<BackendEvent>) {
        let id = JobId(started.job);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let before = job.progress;
        match before {
            RemoteJobState::Running { attempt, .. } if attempt == started.attempt => return,
            RemoteJobState::Running { .. }
            | RemoteJobState::Interrupted
            | RemoteJobState::Waiting => {}
        }
        job.progress = RemoteJobState::Running {
            attempt: started.attempt,
            next: 0,
        };
        match before {
            RemoteJobState::Waiting => events.push_back(BackendEvent::Started {
                job: id,
                worker: WorkerId(started.worker.saturating_add(FIRST_WORKER)),
                slot: started.slot,
            }),
            RemoteJobState::Running { .. } => events.push_back(BackendEvent::Restarted {
                job: id,
                reason: "the broker gave it to another worker".to_owned(),
            }),
            RemoteJobState::Interrupted => {}
        }
    }

    fn output(&mut self, output: v1::Output, events: &mut VecDeque<BackendEvent>) {
        let id = JobId(output.job);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Ok(stream) = from_proto::stream(output.stream) else {
            return;
        };
        // After a reconnect some output is repeated, and output of an abandoned attempt may still
        // be in flight.
        if let RemoteJobState::Running { attempt, next } = &mut job.progress
            && *attempt == output.attempt
            && *next == output.index
        {
            *next += 1;
            if !output.data.is_empty() {
                events.push_back(BackendEvent::Output {
                    job: id,
                    stream,
                    bytes: output.data.into(),
                });
            }
        }
    }

    fn interrupted(&mut self, id: JobId, reason: String, events: &mut VecDeque<BackendEvent>) {
        if let Some(job) = self.jobs.get_mut(&id)
            && let RemoteJobState::Running { .. } = job.progress
        {
            job.progress = RemoteJobState::Interrupted;
            events.push_back(BackendEvent::Restarted { job: id, reason });
        }
    }

    fn finished(&mut self, finished: v1::Finished, events: &mut VecDeque<BackendEvent>) {
        let id = JobId(finished.job);
        if !self.forget(id) {
            // Repeated, because the broker has not received the acknowledgment.
            self.unacknowledged.push(finished.job);
            return;
        }
        let result = finished.result.as_ref();
        if let Some(discarded) = result.and_then(|result| result.discarded.as_ref()) {
            let files = from_proto::discarded(discarded);
            events.push_back(BackendEvent::Discarded { job: id, files });
        }
        let result = match result.map(from_proto::job_result) {
            Some(Ok(result)) => result,
            Some(Err(error)) => JobResult::not_run(JobOutcome::Error(format!(
                "the broker sent an outcome that means nothing: {error}"
            ))),
            None => {
                let message = "the broker did not say how the job ended".to_owned();
                JobResult::not_run(JobOutcome::Error(message))
            }
        };
        events.push_back(BackendEvent::Finished { job: id, result });
    }

    fn joined(&mut self, worker: v1::Worker, events: &mut VecDeque<BackendEvent>) {
        let id = WorkerId(worker.id.saturating_add(FIRST_WORKER));
        if self.workers.insert(id) {
            events.push_back(BackendEvent::Worker(WorkerStatusEvent::Joined {
                worker: id,
                name: text(&worker.name).to_string(),
                slots: worker.slots,
                architecture: text(&worker.architecture).to_string(),
            }));
        }
    }

    /// Reports once why a worker takes no jobs; otherwise the user would not know why the run
    /// waits.
    fn unwell(&mut self, id: WorkerId, worker: &v1::Worker, events: &mut VecDeque<BackendEvent>) {
        if worker.degraded.is_empty() {
            self.unwell.remove(&id);
        } else if self.unwell.insert(id) {
            events.push_back(BackendEvent::Notice(UserNotice {
                severity: NoticeSeverity::Warning,
                text: format!(
                    "worker {} takes no jobs: {}",
                    text(&worker.name),
                    text(&worker.degraded)
                ),
                help: None,
                in_summary: false,
            }));
        }
    }

    fn sample(&mut self, cluster: v1::Cluster, events: &mut VecDeque<BackendEvent>) {
        for worker in cluster.workers {
            let id = WorkerId(worker.id.saturating_add(FIRST_WORKER));
            let state = match v1::WorkerState::try_from(worker.state) {
                Ok(v1::WorkerState::Draining) => WorkerCondition::Draining,
                Ok(v1::WorkerState::Degraded) => WorkerCondition::Degraded,
                Ok(v1::WorkerState::Lost) => WorkerCondition::Lost,
                Ok(v1::WorkerState::Online | v1::WorkerState::Unspecified) | Err(_) => {
                    WorkerCondition::Online
                }
            };
            let sample = WorkerSample {
                worker: id,
                state,
                busy: worker.busy,
                cpu_permille: worker.cpu_permille,
                memory_used_bytes: worker.memory_used_bytes,
                memory_total_bytes: worker.memory_total_bytes,
            };
            self.unwell(id, &worker, events);
            self.joined(worker, events);
            events.push_back(BackendEvent::Worker(WorkerStatusEvent::Sample(sample)));
        }
        let clients = cluster.clients.into_iter().map(|client| ClusterClient {
            name: text(&client.name).to_string(),
            run: RunId::of_shown(&client.run),
            queued: client.queued,
            running: client.running,
        });
        events.push_back(BackendEvent::Cluster(ClusterEvent::Sample(ClusterSample {
            queued: cluster.queued,
            running: cluster.running,
            slots: cluster.slots,
            cache_hits: cluster.cache_hits,
            cache_misses: cluster.cache_misses,
            store_bytes: cluster.store_bytes,
            clients: clients.collect(),
        })));
    }
}
