//! Submissions and acknowledgments of a run's jobs.

use std::collections::BTreeMap;

use prost::Message;
use tonic::Status;

use super::RunTable;
use super::job::{JobPhase, JobState};
use crate::broker::journal::{JournalEntry, RunName};
use crate::broker::limits::{self, ClientResource};
use crate::broker::owner::PrivilegeScope;
use crate::broker::scheduler::{ClientId, JobDemand, JobKey};
use maelstrom_model::backend::JobId;
use maelstrom_wire::v1::{self, session_event};

/// New jobs, with their entries for the journal.
#[derive(Debug, Default)]
pub(crate) struct NewJobs {
    pub jobs: Vec<JobId>,
    pub entries: Vec<JournalEntry>,
}

/// A job that the journal has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdmittedJob {
    pub key: JobKey,
    pub demand: JobDemand,
    /// Whether its client may request the privileges that the job needs.
    pub is_allowed: bool,
}

/// Jobs whose outcome a client has acknowledged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AcknowledgedJobs {
    pub run: RunName,
    /// Finished jobs, which have been removed.
    pub over: Vec<JobId>,
    /// Unfinished jobs. The client got their outcome before this broker started, so they must not
    /// run again.
    pub unfinished: Vec<JobId>,
}

impl RunTable {
    /// Accepts jobs of a client. They are known from now on, so that none is accepted twice.
    pub(crate) fn submit(&mut self, id: ClientId, jobs: Vec<v1::Job>) -> Result<NewJobs, Status> {
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
        let Some(run) = self.run(id) else {
            return Ok(NewJobs::default());
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
            if run.jobs.contains_key(&number) {
                known.push(job.id);
                continue;
            }
            // A duplicate within the same message.
            if new.contains_key(&number) {
                continue;
            }
            let description: Box<[u8]> = job.encode_to_vec().into();
            bytes += description.len() as u64;
            entries.push(JournalEntry::Job {
                run: run.run,
                job: job.id,
                description: description.clone(),
            });
            new.insert(number, description);
        }
        let (account, count) = (run.account, new.len() as u64);
        self.accounts.check(account, ClientResource::Jobs, count)?;
        self.accounts
            .check(account, ClientResource::JobBytes, bytes)?;
        let jobs = new.keys().copied().collect();
        for (number, description) in new {
            // The job is queued only when the journal has committed it: otherwise a restarted
            // broker would not know of a running attempt.
            self.add_job(id, number, description, JobPhase::Journalling);
        }
        if let Some(run) = self.run_mut(id) {
            run.has_submitted = true;
            if !known.is_empty() {
                let accepted = v1::Accepted { jobs: known };
                run.send(session_event::Kind::Accepted(accepted), 0);
            }
        }
        self.update_admission(id);
        Ok(NewJobs { jobs, entries })
    }

    fn add_job(&mut self, id: ClientId, job: JobId, description: Box<[u8]>, phase: JobPhase) {
        self.add(id, ClientResource::Jobs, 1);
        self.add(id, ClientResource::JobBytes, description.len() as u64);
        if let Some(run) = self.run_mut(id) {
            let state = JobState {
                description,
                phase,
                output: None,
                is_lagging: false,
            };
            run.jobs.insert(job, state);
        }
    }

    /// Restores a job from the journal; returns `None` if it is invalid.
    pub(crate) fn recall_job(
        &mut self,
        key: JobKey,
        description: Box<[u8]>,
    ) -> Option<AdmittedJob> {
        let job = v1::Job::decode(&*description).ok()?;
        let admitted = self.admitted(key, &job)?;
        self.add_job(key.client, key.job, description, JobPhase::Queued);
        Some(admitted)
    }

    fn admitted(&self, key: JobKey, job: &v1::Job) -> Option<AdmittedJob> {
        let (demand, asks) = self.demand(key.client, job)?;
        let is_allowed = match (self.run(key.client)?.may_ask, asks) {
            (PrivilegeScope::Everything, _) | (_, PrivilegeScope::Ordinary) => true,
            (PrivilegeScope::Ordinary, PrivilegeScope::Everything) => false,
        };
        Some(AdmittedJob {
            key,
            demand,
            is_allowed,
        })
    }

    /// Queues jobs that the journal has committed. Their client must not have left. Returns those
    /// that now wait.
    pub(crate) fn journalled(&mut self, id: ClientId, jobs: &[JobId]) -> Vec<AdmittedJob> {
        let mut admitted = Vec::new();
        for job in jobs {
            let Some(run) = self.run_mut(id) else {
                return Vec::new();
            };
            let state = run.jobs.get_mut(job);
            // The job may have been cancelled in the meantime.
            let Some(state) = state.filter(|state| matches!(state.phase, JobPhase::Journalling))
            else {
                continue;
            };
            state.phase = JobPhase::Queued;
            let key = JobKey {
                client: id,
                job: *job,
            };
            let decoded = v1::Job::decode(&*state.description);
            admitted.extend(decoded.ok().and_then(|job| self.admitted(key, &job)));
        }
        admitted
    }

    /// Removes jobs that the journal failed to commit. The client has got no confirmation, and
    /// submits them again.
    pub(crate) fn not_journalled(&mut self, id: ClientId, jobs: &[JobId]) {
        for job in jobs {
            self.drop_job(id, *job);
        }
    }

    /// Returns whether a job waits for the journal.
    pub(crate) fn is_journalling(&self, key: JobKey) -> bool {
        let state = self.run(key.client).and_then(|run| run.jobs.get(&key.job));
        state.is_some_and(|state| matches!(state.phase, JobPhase::Journalling))
    }

    /// Handles the acknowledgment of outcomes by a client.
    pub(crate) fn acknowledge(&mut self, id: ClientId, jobs: &[u64]) -> AcknowledgedJobs {
        let mut acknowledged = AcknowledgedJobs::default();
        let Some(run) = self.run(id) else {
            return acknowledged;
        };
        acknowledged.run = run.run;
        for job in jobs {
            let number = JobId(*job);
            match run.jobs.get(&number).map(|state| &state.phase) {
                Some(JobPhase::Finished(_)) => acknowledged.over.push(number),
                Some(JobPhase::Queued | JobPhase::Leased(_) | JobPhase::Journalling) => {
                    acknowledged.unfinished.push(number);
                }
                // The job has been acknowledged before.
                None => {}
            }
        }
        for job in &acknowledged.over {
            self.drop_job(id, *job);
        }
        acknowledged
    }

    /// Removes a job that the client has acknowledged, if it is finished.
    pub(crate) fn drop_finished(&mut self, key: JobKey) {
        let state = self.run(key.client).and_then(|run| run.jobs.get(&key.job));
        if state.is_some_and(|state| matches!(state.phase, JobPhase::Finished(_))) {
            self.drop_job(key.client, key.job);
        }
    }

    fn drop_job(&mut self, id: ClientId, job: JobId) {
        let run = self.run_mut(id);
        // A message may acknowledge a job twice.
        let Some(state) = run.and_then(|run| run.jobs.remove(&job)) else {
            return;
        };
        self.give_back(id, ClientResource::Jobs, 1);
        self.give_back(id, ClientResource::JobBytes, state.description.len() as u64);
        if let Some(output) = &state.output {
            self.give_back_output(id, output.log.size_bytes());
        }
    }
}
