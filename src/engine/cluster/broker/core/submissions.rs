//! Submissions: clients submit, stop and acknowledge jobs.

use std::collections::BTreeMap;

use prost::Message;
use tonic::Status;

use super::job_state::{JobPhase, JobState, cancelled, infrastructure};
use super::state::PendingSubmission;
use super::{BrokerCore, CoreInput};
use crate::broker::journal::{JournalEntry, JournalError};
use crate::broker::limits::{self, ClientResource};
use crate::broker::owner::{PrivilegeScope, UNPRIVILEGED};
use crate::broker::scheduler::{CancelOutcome, ClientId, InputsId, JobDemand, JobKey};
use maelstrom_model::backend::JobId;
use maelstrom_model::error::with_causes;
use maelstrom_wire::from_proto;
use maelstrom_wire::v1::{self, session_event};

impl BrokerCore {
    pub(super) fn demand(&self, id: ClientId, job: &v1::Job) -> Option<JobDemand> {
        let inputs = self.clients.get(&id)?.templates.get(&job.template)?;
        Some(JobDemand {
            rank: from_proto::job::rank(job).ok()?,
            kind: self.templates.get(*inputs)?.kind,
        })
    }

    pub(super) fn submit(&mut self, id: ClientId, jobs: Vec<v1::Job>) -> Result<(), Status> {
        if jobs.len() > limits::JOBS_PER_SUBMIT_MAX {
            return Err(Status::invalid_argument(format!(
                "{} jobs in one message; the limit is {}",
                jobs.len(),
                limits::JOBS_PER_SUBMIT_MAX
            )));
        }
        let mut entries = Vec::new();
        let mut new = BTreeMap::new();
        let mut known = Vec::new();
        let Some(run) = self.clients.get(&id).map(|client| client.run) else {
            return Ok(());
        };
        let mut bytes = 0;
        for job in jobs {
            let number = JobId(job.id);
            limits::job(&job).map_err(Status::invalid_argument)?;
            if self.demand(id, &job).is_none() {
                return Err(Status::invalid_argument(format!(
                    "job {} names template {}, which was not defined",
                    job.id, job.template
                )));
            }
            let client = self.clients.get(&id);
            if client.is_some_and(|client| client.jobs.contains_key(&number)) {
                known.push(job.id);
                continue;
            }
            // A duplicate within this message.
            if new.contains_key(&number) {
                continue;
            }
            let description: Box<[u8]> = job.encode_to_vec().into();
            bytes += description.len() as u64;
            entries.push(JournalEntry::Job {
                run,
                job: job.id,
                description: description.clone(),
            });
            new.insert(number, description);
        }
        if let Some(client) = self.clients.get(&id) {
            let account = client.account;
            self.accounts
                .check(account, ClientResource::Jobs, new.len() as u64)?;
            self.accounts
                .check(account, ClientResource::JobBytes, bytes)?;
        }
        self.add(id, ClientResource::Jobs, new.len() as u64);
        self.add(id, ClientResource::JobBytes, bytes);
        let numbers: Vec<JobId> = new.keys().copied().collect();
        for (number, description) in new {
            // The job is known from now on, so that it is not accepted twice. It is queued only
            // when the journal has it: otherwise a restarted broker would not know of a running
            // attempt.
            self.add_job(id, number, description, JobPhase::Journalling);
        }
        let new = numbers;
        if let Some(client) = self.clients.get_mut(&id) {
            client.has_submitted = true;
            if !known.is_empty() {
                let accepted = v1::Accepted { jobs: known };
                client.send(session_event::Kind::Accepted(accepted), 0);
            }
        }
        self.update_gate(id);
        if new.is_empty() {
            return Ok(());
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.awaited.insert(
            ticket,
            PendingSubmission {
                client: id,
                jobs: new,
            },
        );
        let own = self.own.clone();
        let done = move |result: Result<(), JournalError>| {
            let result = result.map_err(|error| with_causes(&error));
            drop(own.send(CoreInput::Journalled(ticket, result)));
        };
        self.journal.keep(entries, Box::new(done));
        Ok(())
    }

    pub(super) fn add_job(
        &mut self,
        id: ClientId,
        job: JobId,
        description: Box<[u8]>,
        phase: JobPhase,
    ) {
        if let Some(client) = self.clients.get_mut(&id) {
            let state = JobState {
                description,
                phase,
                output: None,
                is_lagging: false,
            };
            client.jobs.insert(job, state);
        }
    }

    pub(super) fn journalled(&mut self, ticket: u64, result: Result<(), String>) {
        let Some(awaited) = self.awaited.remove(&ticket) else {
            return;
        };
        let id = awaited.client;
        if let Err(message) = result {
            // The client was not told that they were accepted, and submits them again.
            for job in &awaited.jobs {
                self.drop_job(id, *job);
            }
            self.fail_session(id, Status::unavailable(format!("the broker: {message}")));
            return;
        }
        let mut accepted = Vec::new();
        let mut kinds = BTreeMap::new();
        for job in awaited.jobs {
            accepted.push(job.0);
            let state = self
                .clients
                .get_mut(&id)
                .and_then(|client| client.jobs.get_mut(&job));
            // It may have been cancelled meanwhile.
            let Some(state) = state.filter(|state| matches!(state.phase, JobPhase::Journalling))
            else {
                continue;
            };
            state.phase = JobPhase::Queued;
            let decoded = v1::Job::decode(&*state.description);
            if let Some(demand) = decoded.ok().and_then(|job| self.demand(id, &job)) {
                self.enqueue(id, job, demand);
                kinds.insert((demand.kind.architecture, demand.kind.kit), ());
            }
        }
        for (architecture, kit) in kinds.into_keys() {
            self.refuse_without_toolbox(kit);
            self.notice_architecture(id, architecture);
        }
        let accepted = v1::Accepted { jobs: accepted };
        self.emit(id, session_event::Kind::Accepted(accepted));
    }

    pub(super) fn enqueue(&mut self, client: ClientId, job: JobId, demand: JobDemand) {
        let key = JobKey { client, job };
        if !self.may_ask(client, demand.kind.inputs) {
            self.conclude(key, infrastructure(UNPRIVILEGED.to_owned()));
            return;
        }
        match self.book.submit(key, demand, self.now) {
            Ok(_) => {}
            Err(refused) => self.conclude(key, infrastructure(format!("the broker: {refused}"))),
        }
    }

    /// Whether a client may request the privileges of a template.
    fn may_ask(&self, client: ClientId, inputs: InputsId) -> bool {
        let may_ask = self.clients.get(&client).map(|client| client.may_ask);
        let known = self.templates.get(inputs);
        let container = known.and_then(|known| known.template.container.as_ref());
        match (may_ask, container.map(v1::Container::privileges)) {
            (Some(PrivilegeScope::Everything), _) | (_, Some(v1::Privileges::Ordinary)) => true,
            // Privileges that are not requested, a worker refuses.
            (Some(PrivilegeScope::Ordinary) | None, _) => false,
        }
    }

    pub(super) fn cancel(&mut self, client: ClientId, job: JobId, how: v1::Stop) {
        let key = JobKey { client, job };
        match self.book.cancel(key) {
            CancelOutcome::Queued => self.conclude(key, cancelled()),
            CancelOutcome::Leased(lease) => self.stop_lease(lease.worker, lease.fence, how),
            CancelOutcome::Unknown => {
                let state = self
                    .clients
                    .get(&client)
                    .and_then(|client| client.jobs.get(&job));
                if state.is_some_and(|state| matches!(state.phase, JobPhase::Journalling)) {
                    self.conclude(key, cancelled());
                }
            }
        }
    }

    pub(super) fn acknowledge(&mut self, id: ClientId, jobs: &[u64]) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let run = client.run;
        let mut over = Vec::new();
        let mut again = Vec::new();
        for job in jobs {
            let number = JobId(*job);
            match client.jobs.get(&number).map(|state| &state.phase) {
                Some(JobPhase::Finished(_)) => over.push(number),
                // The client knew the outcome before this broker started, so the job must not run
                // again.
                Some(JobPhase::Queued | JobPhase::Leased(_) | JobPhase::Journalling) => {
                    again.push(number);
                }
                None => {}
            }
        }
        for job in &over {
            self.drop_job(id, *job);
            self.book.forget_over(JobKey {
                client: id,
                job: *job,
            });
        }
        for job in again {
            // `cancel` ends a waiting job, but only stops a running one, which ends with the
            // worker's report.
            self.cancel(id, job, v1::Stop::Kill);
            over.push(job);
            let client = self.clients.get(&id);
            let state = client.and_then(|client| client.jobs.get(&job));
            if state.is_some_and(|state| matches!(state.phase, JobPhase::Finished(_))) {
                self.drop_job(id, job);
            }
        }
        let over = over
            .into_iter()
            .map(|job| JournalEntry::JobOver { run, job: job.0 });
        self.journal.forget(over.collect());
    }
}
