//! Transitions of a job, from its submission to its outcome.

use prost::Message;
use tonic::Status;

use super::RunTable;
use super::job::{ChunkOutcome, JobAttempt, JobPhase, OutputRelay, ReportedPhase};
use crate::broker::core::defect::broken_invariant;
use crate::broker::core::input::SessionId;
use crate::broker::journal::RunName;
use crate::broker::limits::ClientResource;
use crate::broker::scheduler::{
    Architecture, BrokerInstant, ClientId, FencingToken, JobKey, ToolboxId,
};
use crate::output_log::{BYTES_MAX, CHUNK_BYTES_MAX, OutputCursor, OutputLog};
use maelstrom_model::backend::JobId;
use maelstrom_model::error::with_causes;
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::ShortRun;
use maelstrom_wire::v1::{self, job_result, session_event};

impl RunTable {
    /// Sets the outcome of a job, unless it has one already.
    pub(crate) fn conclude(&mut self, key: JobKey, result: v1::JobResult, now: BrokerInstant) {
        let Some(client) = self.run_mut(key.client) else {
            return;
        };
        let run = ShortRun(&client.shown);
        // A job whose output could not be stored is over for its client before it is for its
        // worker.
        let Some(state) = client.jobs.get_mut(&key.job) else {
            return tracing::debug!(%run, job = %key.job, "a job ends that was acknowledged");
        };
        if let JobPhase::Finished(_) = state.phase {
            return tracing::debug!(%run, job = %key.job, "a job ends that was over");
        }
        match &result.end {
            Some(job_result::End::Infrastructure(why)) => {
                tracing::warn!(%run, job = %key.job, "a job could not be run: {why}");
            }
            end => tracing::debug!(%run, job = %key.job, ?end, "a job is over"),
        }
        state.phase = JobPhase::Finished(Box::new(result));
        self.pump(key.client, key.job, now);
    }

    /// Returns a job to the queue.
    pub(crate) fn requeue(&mut self, key: JobKey, reason: String) {
        let Some(client) = self.run_mut(key.client) else {
            return;
        };
        let state = client.jobs.get_mut(&key.job);
        let Some(state) = state.filter(|state| matches!(state.phase, JobPhase::Leased(_))) else {
            return broken_invariant("a job waits again that no worker had");
        };
        let run = ShortRun(&client.shown);
        tracing::info!(%run, job = %key.job, reason, "a job waits again");
        state.phase = JobPhase::Queued;
        if let Some(output) = state.output.take() {
            let requeued = v1::Requeued {
                job: key.job.0,
                reason,
            };
            client.send(session_event::Kind::Requeued(requeued), 0);
            self.give_back_output(key.client, output.log.size_bytes());
        }
    }

    /// Leases a waiting job. Returns the message for the worker and the public name of the run.
    pub(crate) fn lease(&mut self, key: JobKey, attempt: JobAttempt) -> Option<(v1::Job, RunName)> {
        let client = self.run_mut(key.client)?;
        let state = client.jobs.get_mut(&key.job);
        let Some(state) = state.filter(|state| matches!(state.phase, JobPhase::Queued)) else {
            broken_invariant("a job is leased that does not wait");
            return None;
        };
        let leased = v1::Job::decode(&*state.description)
            .ok()
            .and_then(|mut job| {
                job.template = client.templates.get(&job.template)?.kind.inputs.0;
                Some(job)
            });
        if leased.is_none() {
            broken_invariant("a job is leased that cannot be described");
        }
        state.phase = JobPhase::Leased(attempt);
        Some((leased?, client.shown))
    }

    /// Returns the current attempt of a job if its fence matches. `None` if the client has left.
    pub(crate) fn attempt(&self, key: JobKey, fence: FencingToken) -> Option<JobAttempt> {
        match self.known.get(&key.client)?.jobs.get(&key.job)?.phase {
            JobPhase::Leased(attempt) if attempt.fence == fence => Some(attempt),
            JobPhase::Leased(_)
            | JobPhase::Journalling
            | JobPhase::Queued
            | JobPhase::Finished(_) => None,
        }
    }

    /// Adopts a job of a returning worker, which has run it since before a restart, or since it was
    /// requeued.
    pub(crate) fn adopt(&mut self, key: JobKey, attempt: JobAttempt) {
        let client = self.run_mut(key.client);
        let Some(state) = client.and_then(|client| client.jobs.get_mut(&key.job)) else {
            return;
        };
        match &state.phase {
            JobPhase::Leased(before) if before.fence == attempt.fence => {}
            // The job's output could not be stored; the worker is about to stop it.
            JobPhase::Finished(_) => {}
            JobPhase::Leased(_) | JobPhase::Queued | JobPhase::Journalling => {
                state.phase = JobPhase::Leased(attempt);
                if let Some(output) = state.output.take() {
                    self.give_back_output(key.client, output.log.size_bytes());
                }
            }
        }
    }

    /// Handles the start of an attempt in a slot.
    pub(crate) fn started(
        &mut self,
        key: JobKey,
        attempt: JobAttempt,
        slot: u32,
        now: BrokerInstant,
    ) {
        let memory = self.memory_of(key.client);
        let client = self.known.get_mut(&key.client);
        let Some(state) = client.and_then(|client| client.jobs.get_mut(&key.job)) else {
            return broken_invariant("a job starts that nobody submitted");
        };
        if state.output.is_some() {
            // A returning worker repeats its reports.
            return;
        }
        state.output = Some(Box::new(OutputRelay {
            started: v1::Started {
                job: key.job.0,
                worker: attempt.worker.0,
                slot,
                attempt: attempt.fence.0,
            },
            log: OutputLog::spooled(&self.spool, memory, BYTES_MAX),
            sent: OutputCursor::default(),
            told: ReportedPhase::Nothing,
        }));
        self.pump(key.client, key.job, now);
    }

    /// Handles a chunk of output of an attempt.
    pub(crate) fn wrote(
        &mut self,
        key: JobKey,
        index: u32,
        (stream, bytes): (OutputStream, &[u8]),
        now: BrokerInstant,
    ) -> Result<ChunkOutcome, String> {
        // One chunk has one index.
        if bytes.len() > CHUNK_BYTES_MAX {
            return Ok(ChunkOutcome::TooLong);
        }
        let client = self.known.get_mut(&key.client);
        let state = client.and_then(|client| client.jobs.get_mut(&key.job));
        let Some(output) = state.and_then(|state| state.output.as_mut()) else {
            return Ok(ChunkOutcome::Gap);
        };
        match index.cmp(&output.log.end().index()) {
            std::cmp::Ordering::Less => Ok(ChunkOutcome::Before),
            std::cmp::Ordering::Greater => Ok(ChunkOutcome::Gap),
            std::cmp::Ordering::Equal => {
                let before = output.log.size_bytes();
                let pushed = output.log.push(stream, bytes);
                let more = output.log.size_bytes() - before;
                pushed.map_err(|error| with_causes(&error))?;
                let charged = self.charge_output(key.client, more);
                if let Err(refused) = charged {
                    // The chunk has been stored, so it is charged: it is credited with the rest.
                    self.add(key.client, ClientResource::OutputBytes, more);
                    return Err(refused.message().to_owned());
                }
                self.pump(key.client, key.job, now);
                Ok(ChunkOutcome::Now)
            }
        }
    }

    pub(super) fn pump(&mut self, id: ClientId, job: JobId, now: BrokerInstant) {
        let Some(client) = self.run_mut(id) else {
            return;
        };
        if let Err(error) = client.pump(job) {
            let message = format!(
                "the broker lost what job {job} wrote: {}",
                with_causes(&error)
            );
            self.dismiss(id, Status::data_loss(message), now);
        }
    }

    /// Sends pending output, because the outbox of a connection has room again.
    pub(crate) fn has_room(&mut self, session: SessionId, now: BrokerInstant) {
        // The client may have been dismissed in the meantime.
        let Some(id) = self.client_of(session) else {
            return;
        };
        let lagging = self
            .run_mut(id)
            .map(|client| std::mem::take(&mut client.lagging));
        for job in lagging.unwrap_or_default() {
            let client = self.known.get_mut(&id);
            // The job may have been acknowledged in the meantime.
            if let Some(state) = client.and_then(|client| client.jobs.get_mut(&job)) {
                state.is_lagging = false;
            }
            self.pump(id, job, now);
        }
    }

    /// Returns the jobs that wait for a worker with this toolbox.
    pub(crate) fn queued_for(&self, toolbox: ToolboxId) -> Vec<JobKey> {
        let mut waiting = Vec::new();
        for (id, client) in &self.known {
            let wants = |number: &u32| {
                let template = client.templates.get(number);
                template.is_some_and(|template| template.toolbox() == Some(toolbox))
            };
            if !client.templates.keys().any(wants) {
                continue;
            }
            for (job, state) in &client.jobs {
                if !matches!(state.phase, JobPhase::Queued) {
                    continue;
                }
                let decoded = v1::Job::decode(&*state.description);
                if decoded.is_ok_and(|job| wants(&job.template)) {
                    waiting.push(JobKey {
                        client: *id,
                        job: *job,
                    });
                }
            }
        }
        waiting.sort_unstable();
        waiting
    }

    /// Notifies a client once that its jobs wait for this architecture.
    pub(crate) fn notice_architecture(&mut self, id: ClientId, architecture: Architecture) {
        let Some(client) = self.run_mut(id) else {
            return;
        };
        if client.noticed.insert(architecture) {
            client.send(
                session_event::Kind::Notice(v1::Notice {
                    text: format!(
                        "jobs wait for a worker of the architecture {architecture}, and none is there"
                    ),
                    help: "start one, or choose programs for another architecture".to_owned(),
                }),
                0,
            );
        }
    }
}
