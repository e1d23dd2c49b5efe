//! Transitions of a job, from its submission to its outcome.

use prost::Message;
use tonic::Status;

use super::BrokerCore;
use super::job_state::{ChunkOutcome, JobAttempt, JobPhase, OutputRelay, ReportedPhase};
use crate::broker::journal::RunName;
use crate::broker::limits::ClientResource;
use crate::broker::scheduler::{ClientId, FencingToken, InputsId, JobKey, ToolboxId};
use crate::output_log::{BYTES_MAX, CHUNK_BYTES_MAX, OutputCursor, OutputLog};
use maelstrom_model::backend::JobId;
use maelstrom_model::error::with_causes;
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::ShortRun;
use maelstrom_wire::v1::{self, job_result, session_event};

impl BrokerCore {
    /// Ends a job.
    pub(super) fn conclude(&mut self, key: JobKey, result: v1::JobResult) {
        if let Some(client) = self.clients.get_mut(&key.client)
            && let Some(state) = client.jobs.get_mut(&key.job)
        {
            let run = ShortRun(&client.shown);
            match &result.end {
                Some(job_result::End::Infrastructure(why)) => {
                    tracing::warn!(%run, job = %key.job, "a job could not be run: {why}");
                }
                end => tracing::debug!(%run, job = %key.job, ?end, "a job is over"),
            }
            state.phase = JobPhase::Finished(Box::new(result));
            self.pump(key.client, key.job);
        }
    }

    /// Returns a job to the queue.
    pub(super) fn requeue(&mut self, key: JobKey, reason: String) {
        let Some(client) = self.clients.get_mut(&key.client) else {
            return;
        };
        let Some(state) = client.jobs.get_mut(&key.job) else {
            return;
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

    /// The lease of a job for a worker, and the name of its run.
    pub(super) fn lease_job(
        &mut self,
        key: JobKey,
        attempt: JobAttempt,
    ) -> Option<(v1::Job, RunName)> {
        let client = self.clients.get_mut(&key.client)?;
        let state = client.jobs.get_mut(&key.job)?;
        state.phase = JobPhase::Leased(attempt);
        let mut job = v1::Job::decode(&*state.description).ok()?;
        job.template = client.templates.get(&job.template)?.0;
        Some((job, client.shown))
    }

    /// The current attempt at a job, if its fence matches.
    pub(super) fn attempt(&mut self, key: JobKey, fence: FencingToken) -> Option<JobAttempt> {
        match self.clients.get(&key.client)?.jobs.get(&key.job)?.phase {
            JobPhase::Leased(attempt) if attempt.fence == fence => Some(attempt),
            JobPhase::Leased(_)
            | JobPhase::Journalling
            | JobPhase::Queued
            | JobPhase::Finished(_) => None,
        }
    }

    /// A returning worker has run this job since before a restart, or since it was queued again.
    pub(super) fn adopt(&mut self, key: JobKey, attempt: JobAttempt) {
        let client = self.clients.get_mut(&key.client);
        if let Some(state) = client.and_then(|client| client.jobs.get_mut(&key.job)) {
            match &state.phase {
                JobPhase::Leased(before) if before.fence == attempt.fence => {}
                _ => {
                    state.phase = JobPhase::Leased(attempt);
                    if let Some(output) = state.output.take() {
                        self.give_back_output(key.client, output.log.size_bytes());
                    }
                }
            }
        }
    }

    /// An attempt got a slot.
    pub(super) fn job_started(&mut self, key: JobKey, attempt: JobAttempt, slot: u32) {
        let memory = self.memory_of(key.client);
        let client = self.clients.get_mut(&key.client);
        let Some(state) = client.and_then(|client| client.jobs.get_mut(&key.job)) else {
            return;
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
        self.pump(key.client, key.job);
    }

    /// An attempt produced output. Returns what happened to the chunk.
    pub(super) fn job_wrote(
        &mut self,
        key: JobKey,
        index: u32,
        (stream, bytes): (OutputStream, &[u8]),
    ) -> Result<ChunkOutcome, String> {
        // As one chunk it has one index.
        if bytes.len() > CHUNK_BYTES_MAX {
            return Ok(ChunkOutcome::TooLong);
        }
        let client = self.clients.get_mut(&key.client);
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
                    // It was stored, and is credited with the rest.
                    self.add(key.client, ClientResource::OutputBytes, more);
                    return Err(refused.message().to_owned());
                }
                self.pump(key.client, key.job);
                Ok(ChunkOutcome::Now)
            }
        }
    }

    pub(super) fn pump(&mut self, id: ClientId, job: JobId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if let Err(error) = client.pump(job) {
            let message = format!(
                "the broker lost what job {job} wrote: {}",
                with_causes(&error)
            );
            self.fail_session(id, Status::data_loss(message));
        }
    }

    /// Sends pending output, now that the outbox has room.
    pub(super) fn pump_all(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        for job in std::mem::take(&mut client.lagging) {
            let client = self.clients.get_mut(&id);
            if let Some(state) = client.and_then(|client| client.jobs.get_mut(&job)) {
                state.is_lagging = false;
            }
            self.pump(id, job);
        }
    }

    /// Removes a job.
    pub(super) fn drop_job(&mut self, id: ClientId, job: JobId) {
        let client = self.clients.get_mut(&id);
        let Some(state) = client.and_then(|client| client.jobs.remove(&job)) else {
            return;
        };
        self.give_back(id, ClientResource::Jobs, 1);
        self.give_back(id, ClientResource::JobBytes, state.description.len() as u64);
        if let Some(output) = &state.output {
            self.give_back_output(id, output.log.size_bytes());
        }
    }

    /// Jobs that wait for a worker with this toolbox.
    pub(super) fn queued_for(&self, kit: ToolboxId) -> Vec<JobKey> {
        let mut waiting = Vec::new();
        for (id, client) in &self.clients {
            let wants = |inputs: &InputsId| {
                let known = self.templates.get(*inputs);
                known.is_some_and(|known| known.kind.kit == Some(kit))
            };
            if !client.templates.values().any(wants) {
                continue;
            }
            for (job, state) in &client.jobs {
                if !matches!(state.phase, JobPhase::Queued) {
                    continue;
                }
                let decoded = v1::Job::decode(&*state.description);
                let demand = decoded.ok().and_then(|job| self.demand(*id, &job));
                if demand.is_some_and(|demand| demand.kind.kit == Some(kit)) {
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
}
