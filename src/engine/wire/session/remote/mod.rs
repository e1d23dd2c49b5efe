//! The state of jobs at the broker or on their way there. Pure: messages are passed in, and leave
//! through a channel.
//!
//! Sent messages count only for their connection. On a new connection all unfinished jobs are sent
//! again, after the acknowledgments of the finished ones, so that none of those runs again.
//!
//! - [`outbound`]: outgoing messages. [`inbound`]: incoming ones.

mod inbound;
mod outbound;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::prepare::{LocalTemplate, PreparedTemplate};
use crate::linger::LingerTimer;
use crate::reapi::client::BlobMap;
use crate::v1::{self, client_message};
use maelstrom_container::digest::ContentHash;
use maelstrom_model::backend::{BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{Job, JobOutcome, JobResult};

/// How long acknowledgments linger. Until they arrive, the broker keeps the output it has sent.
const LINGER_TIME: Duration = Duration::from_millis(20);

/// How many times a template's contents are uploaded before giving up. A broker that is short of
/// space may evict contents that were just uploaded.
const UPLOADS_MAX: u32 = 5;

/// The local worker has the id 0; those of the cluster follow.
const FIRST_WORKER: u32 = 1;

/// Identifies a template without comparing its contents: by the addresses of its parts, and by how
/// many times files have changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateKey {
    parts: [usize; 5],
    age: u64,
}

/// The jobs of a run at the broker, or on their way there.
pub struct RemoteJobs {
    outgoing: Option<UnboundedSender<v1::ClientMessage>>,
    was_down: bool,
    held: bool,
    grace: Duration,
    age: u64,
    keys: HashMap<TemplateKey, PendingTemplate>,
    templates: Vec<RemoteTemplate>,
    by_hash: HashMap<ContentHash, u32>,
    jobs: BTreeMap<JobId, RemoteJob>,
    /// The jobs that are over.
    over: BTreeSet<u64>,
    /// The jobs that are over and whose outcome has not been acknowledged on this connection.
    unacknowledged: Vec<u64>,
    acknowledging: LingerTimer,
    workers: BTreeSet<WorkerId>,
    /// The workers that have been reported as taking no jobs.
    unwell: BTreeSet<WorkerId>,
}

struct PendingTemplate {
    /// Keeps the parts allocated, so that the addresses in the key are not reused.
    common: LocalTemplate,
    state: PreparationStage,
    waiting: Vec<JobId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PreparationStage {
    New,
    Preparing,
    Ready(u32),
}

struct RemoteTemplate {
    template: v1::Template,
    contents: Arc<BlobMap>,
    upload: TemplateUploadState,
    uploads: u32,
    is_defined: bool,
    waiting: Vec<JobId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TemplateUploadState {
    Wanted,
    Running,
    /// If the broker still lacks contents, it requests them.
    Done,
}

struct RemoteJob {
    job: Job,
    rank: JobPriority,
    template: Option<u32>,
    was_sent: bool,
    progress: RemoteJobState,
    stopping: Option<StopMode>,
    /// The time from which the job counts as over while there is no connection that could report
    /// it.
    stopped_by: Option<Instant>,
}

#[derive(Clone, Copy)]
enum RemoteJobState {
    Waiting,
    Running {
        attempt: u64,
        next: u32,
    },
    /// The job was running, and will run again.
    Interrupted,
}

/// Returns the event of a job that could not run.
pub fn failed(job: JobId, message: String) -> BackendEvent {
    let result = JobResult::not_run(JobOutcome::Error(message));
    BackendEvent::Finished { job, result }
}

/// Returns the event of a cancelled job.
pub fn cancelled(job: JobId) -> BackendEvent {
    let result = JobResult::not_run(JobOutcome::Cancelled);
    BackendEvent::Finished { job, result }
}

impl RemoteJobs {
    /// Creates the state without jobs and without a connection.
    pub fn new(grace: Duration) -> RemoteJobs {
        RemoteJobs {
            outgoing: None,
            was_down: false,
            held: false,
            grace,
            age: 0,
            keys: HashMap::new(),
            templates: Vec::new(),
            by_hash: HashMap::new(),
            jobs: BTreeMap::new(),
            over: BTreeSet::new(),
            unacknowledged: Vec::new(),
            acknowledging: LingerTimer::new(LINGER_TIME),
            workers: BTreeSet::new(),
            unwell: BTreeSet::new(),
        }
    }

    /// Sets the time between SIGTERM and SIGKILL.
    pub fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// Makes later jobs use newly prepared templates, because files have changed.
    pub fn files_changed(&mut self) {
        self.age += 1;
        self.keys.retain(|_, key| !key.waiting.is_empty());
    }

    /// Adds a job.
    pub fn submit(&mut self, id: JobId, job: Job, rank: JobPriority, common: LocalTemplate) {
        let resident = common.resident.as_ref();
        let key = TemplateKey {
            parts: [
                Arc::as_ptr(&common.container) as usize,
                Arc::as_ptr(&common.inputs) as usize,
                Arc::as_ptr(&common.environment) as usize,
                Arc::as_ptr(&common.working_directory).cast::<u8>() as usize,
                resident.map_or(0, |resident| Arc::as_ptr(resident) as usize),
            ],
            age: self.age,
        };
        let entry = self.keys.entry(key).or_insert_with(|| PendingTemplate {
            common,
            state: PreparationStage::New,
            waiting: Vec::new(),
        });
        let template = match entry.state {
            PreparationStage::Ready(number) => Some(number),
            PreparationStage::New | PreparationStage::Preparing => {
                entry.waiting.push(id);
                None
            }
        };
        self.jobs.insert(
            id,
            RemoteJob {
                job,
                rank,
                template,
                was_sent: false,
                progress: RemoteJobState::Waiting,
                stopping: None,
                stopped_by: None,
            },
        );
        if let Some(template) = template.and_then(|number| self.template(number)) {
            template.waiting.push(id);
        }
    }

    /// Returns the templates that await preparation.
    pub fn take_unprepared(&mut self) -> Vec<(TemplateKey, LocalTemplate)> {
        let new = self.keys.iter_mut();
        new.filter(|(_, entry)| entry.state == PreparationStage::New)
            .map(|(key, entry)| {
                entry.state = PreparationStage::Preparing;
                (key.clone(), entry.common.clone())
            })
            .collect()
    }

    /// Handles a template that was prepared.
    pub fn prepared(&mut self, key: &TemplateKey, prepared: PreparedTemplate) {
        let hash = ContentHash::of(&prepared.template.encode_to_vec());
        let number = match self.by_hash.get(&hash) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.templates.len()).unwrap_or(u32::MAX);
                self.by_hash.insert(hash, number);
                self.templates.push(RemoteTemplate {
                    template: prepared.template,
                    contents: Arc::new(prepared.contents),
                    upload: TemplateUploadState::Wanted,
                    uploads: 0,
                    is_defined: false,
                    waiting: Vec::new(),
                });
                number
            }
        };
        let Some(entry) = self.keys.get_mut(key) else {
            return;
        };
        entry.state = PreparationStage::Ready(number);
        for id in std::mem::take(&mut entry.waiting) {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.template = Some(number);
                if let Some(template) = self.templates.get_mut(number as usize) {
                    template.waiting.push(id);
                }
            }
        }
    }

    /// Handles a template that could not be prepared: removes and returns its jobs.
    pub fn unprepared(&mut self, key: &TemplateKey) -> Vec<(JobId, Job, JobPriority)> {
        let waiting = match self.keys.get_mut(key) {
            Some(entry) => {
                entry.state = PreparationStage::New;
                std::mem::take(&mut entry.waiting)
            }
            None => Vec::new(),
        };
        self.keys.remove(key);
        let taken = waiting.into_iter().filter_map(|id| {
            let job = self.jobs.remove(&id)?;
            Some((id, job.job, job.rank))
        });
        taken.collect()
    }

    /// Returns the templates whose contents are to be uploaded now.
    pub fn take_uploads(&mut self) -> Vec<(u32, Arc<BlobMap>)> {
        if self.outgoing.is_none() {
            return Vec::new();
        }
        let wanted = (0..).zip(&mut self.templates);
        wanted
            .filter(|(_, template)| template.upload == TemplateUploadState::Wanted)
            .map(|(number, template)| {
                template.upload = TemplateUploadState::Running;
                template.uploads += 1;
                (number, Arc::clone(&template.contents))
            })
            .collect()
    }

    /// Handles the upload of a template's contents.
    pub fn uploaded(&mut self, number: u32) {
        let Some(template) = self.template(number) else {
            return;
        };
        template.upload = TemplateUploadState::Done;
        if template.is_defined {
            let uploaded = v1::Uploaded { template: number };
            self.send(client_message::Kind::Uploaded(uploaded));
        }
    }

    /// Handles a failed upload. Returns whether further attempts are pointless.
    pub fn upload_failed(&mut self, number: u32) -> bool {
        let Some(template) = self.template(number) else {
            return false;
        };
        template.upload = TemplateUploadState::Wanted;
        template.uploads >= UPLOADS_MAX
    }

    /// Gives up the jobs of a template that are not running, and returns them.
    pub fn give_up(&mut self, number: u32) -> Vec<JobId> {
        let of_this = |job: &RemoteJob| {
            job.template == Some(number) && !matches!(job.progress, RemoteJobState::Running { .. })
        };
        let jobs = self.jobs.iter();
        let given_up: Vec<JobId> = jobs
            .filter(|(_, job)| of_this(job))
            .map(|(id, _)| *id)
            .collect();
        for id in &given_up {
            self.forget(*id);
        }
        if let Some(template) = self.template(number) {
            template.waiting.clear();
            // A later job of this template tries again: the broker then requests what it lacks.
            template.upload = TemplateUploadState::Done;
            template.uploads = 0;
        }
        given_up
    }

    /// Handles a new connection.
    pub fn up(&mut self, outgoing: UnboundedSender<v1::ClientMessage>) {
        self.outgoing = Some(outgoing);
        self.was_down = false;
        // Acknowledgments on the old connection may have been lost.
        self.unacknowledged = self.over.iter().copied().collect();
        self.acknowledge();
        for template in &mut self.templates {
            template.is_defined = false;
            template.waiting.clear();
        }
        for (id, job) in &self.jobs {
            let template = job.template.map(|number| number as usize);
            if let Some(template) = template.and_then(|number| self.templates.get_mut(number)) {
                template.waiting.push(*id);
            }
        }
        if self.held {
            self.send(client_message::Kind::Hold(v1::Hold { held: true }));
        }
    }

    /// Handles the loss of the connection. Returns whether it was up before.
    pub fn down(&mut self) -> bool {
        self.outgoing = None;
        !std::mem::replace(&mut self.was_down, true)
    }

    /// Returns whether the loss of the connection was reported.
    pub fn is_down_reported(&self) -> bool {
        self.was_down
    }

    /// Removes and returns the jobs that were to be killed, whose end cannot be reported now.
    pub fn killed(&mut self) -> Vec<JobId> {
        let jobs = self.jobs.iter();
        let killed: Vec<JobId> = jobs
            .filter(|(_, job)| job.stopping == Some(StopMode::Kill))
            .map(|(id, _)| *id)
            .collect();
        for id in &killed {
            self.forget(*id);
        }
        killed
    }

    /// Returns when the next job that was to be stopped becomes overdue, if there is no connection.
    pub fn next_overdue(&self) -> Option<Instant> {
        match self.outgoing {
            Some(_) => None,
            None => self.jobs.values().filter_map(|job| job.stopped_by).min(),
        }
    }

    /// Gives up jobs that were to be stopped, whose grace period is over, and whose end cannot be
    /// reported without a connection. The broker stops them itself if this run does not reconnect.
    pub fn overdue(&mut self) -> Vec<JobId> {
        if self.outgoing.is_some() {
            return Vec::new();
        }
        let now = Instant::now();
        let jobs = self.jobs.iter();
        let overdue: Vec<JobId> = jobs
            .filter(|(_, job)| job.stopped_by.is_some_and(|by| by <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in &overdue {
            self.forget(*id);
        }
        overdue
    }

    /// Stops a job. Returns whether it is already over.
    pub fn stop(&mut self, id: JobId, how: StopMode) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let is_here = !job.was_sent || (self.outgoing.is_none() && how == StopMode::Kill);
        if is_here {
            self.forget(id);
            return true;
        }
        if job.stopping != Some(StopMode::Kill) {
            job.stopping = Some(how);
        }
        // The addition overflows only for absurd grace periods.
        let grace = job.job.grace.unwrap_or(self.grace);
        let stopped_by = Instant::now().checked_add(grace);
        job.stopped_by = job.stopped_by.or(stopped_by);
        self.send_stop(id, how);
        false
    }

    /// Removes a job that is over. Returns whether it was unfinished.
    fn forget(&mut self, id: JobId) -> bool {
        let was_there = self.jobs.remove(&id).is_some();
        if was_there {
            self.over.insert(id.0);
            self.unacknowledged.push(id.0);
        }
        was_there
    }

    fn template(&mut self, number: u32) -> Option<&mut RemoteTemplate> {
        self.templates.get_mut(number as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::sync::mpsc::unbounded_channel;
    use tokio::time::{advance, sleep_until};

    use super::*;
    use maelstrom_model::job::JobInputs;
    use maelstrom_model::testing::job;

    const GRACE: Duration = Duration::from_secs(10);

    /// Two jobs at the broker.
    fn remote() -> RemoteJobs {
        let mut remote = RemoteJobs::new(GRACE);
        for id in [1, 2] {
            let job = job();
            let common = LocalTemplate {
                container: Arc::clone(&job.container),
                inputs: Arc::new(JobInputs::default()),
                environment: Arc::default(),
                working_directory: Arc::from(Path::new("/")),
                resident: None,
            };
            remote.submit(JobId(id), job, JobPriority::default(), common);
        }
        remote.jobs.values_mut().for_each(|job| job.was_sent = true);
        remote
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_broker_a_stopped_job_is_over_when_its_grace_is() {
        let mut remote = remote();
        let (outgoing, _broker) = unbounded_channel();
        remote.up(outgoing);
        assert!(!remote.stop(JobId(1), StopMode::Terminate));
        // As long as the broker may still report the end, the client waits for it.
        assert_eq!(remote.next_overdue(), None);
        advance(GRACE * 2).await;
        assert_eq!(remote.overdue(), []);
        remote.down();
        assert_eq!(remote.overdue(), [JobId(1)]);
        assert_eq!(remote.next_overdue(), None);

        let stopped = Instant::now();
        assert!(!remote.stop(JobId(2), StopMode::Terminate));
        assert_eq!(remote.overdue(), []);
        // A repeated request changes nothing.
        advance(GRACE / 2).await;
        remote.stop(JobId(2), StopMode::Terminate);
        let due = remote.next_overdue().unwrap();
        assert_eq!(due, stopped + GRACE);
        sleep_until(due).await;
        assert_eq!(remote.overdue(), [JobId(2)]);
    }
}
