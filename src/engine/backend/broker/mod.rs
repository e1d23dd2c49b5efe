//! Executes jobs on a cluster's workers; those that must stay run on this machine.
//!
//! ```text
//!  submit ─▶ template (prepared once for many jobs) ─▶ upload what the broker lacks ─▶ Submit
//!  next   ◀─ events of the session, and of this machine's own backend
//! ```
//!
//! - [`prepare`]: what a container needs elsewhere. [`tree`]: directories as contents.
//! - [`link`]: the session, made again when it breaks. [`remote`]: jobs that are with the broker.
//! - [`sharing`]: jobs that either side may take, when this machine lends slots.
//!
//! When the session breaks, everything that the broker may not know is said again; it recognises
//! what it knows. So each job has one outcome here, whatever happens to connections or the broker.
//!
//! A job whose container can't be had elsewhere runs here, and a notice says why; so does, if this
//! machine lends slots, one that the cluster can't begin.

pub(in crate::engine) mod link;
pub mod prepare;
pub(in crate::engine) mod remote;
mod sharing;
pub mod tree;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::link::{Link, News};
use self::prepare::{Common, PrepareError, Prepared, Preparer};
use self::remote::{Remote, TemplateKey};
use self::sharing::{Next, Sharing};
use super::local::LocalBackend;
use super::{Backend, BackendEvent, BackendLost, JobId, Rank, Stop};
use crate::container::store::DigestCache;
use crate::engine::error::with_causes;
use crate::engine::event::{EventKind, Notice, Severity};
use crate::engine::job::{Inputs, Job, JobEnd, Placement};
use crate::engine::reapi::client::{CasClient, Progress};
use crate::engine::security::client::Connection;
use crate::engine::wire::v1;

/// How long the end of a run waits for the broker to hear of it.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// What is to be known to use a cluster.
pub struct ClusterOptions {
    /// The connection to the broker.
    pub connection: Connection,
    /// The broker's address, for messages.
    pub address: String,
    /// 16 random bytes that name the run.
    pub run: [u8; 16],
    /// Who runs it: user and host.
    pub name: String,
    /// Where digests of files are remembered.
    pub digests: PathBuf,
    /// How long a job may go on after SIGTERM.
    pub grace: Duration,
    /// How many jobs that may run anywhere run on this machine at a time.
    pub local_slots: u32,
    /// How templates are prepared.
    pub preparing: Preparing,
}

/// How templates are prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preparing {
    /// By threads of their own: many files may have to be read.
    #[default]
    Aside,
    /// At once: of two runs that are to be the same, threads would make two.
    AtOnce,
}

type Work = Pin<Box<dyn Future<Output = Done>>>;

/// Something that took its time.
enum Done {
    Prepared {
        key: TemplateKey,
        result: Result<Box<Prepared>, PrepareError>,
    },
    Uploaded {
        template: u32,
        result: Result<(), String>,
    },
}

/// Executes jobs on a cluster, and what must stay here by another backend.
pub struct BrokerBackend<L = LocalBackend> {
    local: L,
    link: Link,
    contents: CasClient,
    preparer: Arc<Preparer>,
    preparing: Preparing,
    remote: Remote,
    work: FuturesUnordered<Work>,
    events: VecDeque<BackendEvent>,
    address: String,
    grace: Duration,
    local_jobs: HashSet<JobId>,
    /// If this machine lends slots.
    sharing: Option<Sharing>,
    /// How far uploads are.
    transfers: (UnboundedSender<EventKind>, UnboundedReceiver<EventKind>),
    noticed_local: bool,
    slots: u64,
    lost: bool,
}

impl BrokerBackend {
    /// Changes how long a job may go on after SIGTERM.
    pub fn with_grace(mut self, grace: Duration) -> BrokerBackend {
        self.grace = grace;
        self.remote.set_grace(grace);
        self.local = self.local.with_grace(grace);
        self
    }
}

impl<L: Backend> BrokerBackend<L> {
    /// Uses a cluster, and this machine's backend for what must stay here. Must be called on a
    /// runtime.
    pub fn new(options: ClusterOptions, local: L) -> BrokerBackend<L> {
        let contents = CasClient::new(options.connection.clone());
        let link = Link::open(options.connection, options.run, options.name);
        BrokerBackend {
            local,
            link,
            contents,
            preparer: Arc::new(Preparer::new(DigestCache::new(options.digests))),
            preparing: options.preparing,
            remote: Remote::new(options.grace),
            work: FuturesUnordered::new(),
            events: VecDeque::new(),
            address: options.address,
            grace: options.grace,
            local_jobs: HashSet::new(),
            sharing: (options.local_slots > 0).then(|| Sharing::new(options.local_slots)),
            transfers: unbounded_channel(),
            noticed_local: false,
            slots: 0,
            lost: false,
        }
    }

    fn notice(&mut self, severity: Severity, text: String, help: Option<String>) {
        let notice = Notice {
            severity,
            text,
            help,
            in_summary: false,
        };
        self.events
            .push_back(BackendEvent::Fact(EventKind::Notice(notice)));
    }

    fn run_here(&mut self, id: JobId, job: Job, rank: Rank) {
        self.local_jobs.insert(id);
        self.local.submit(id, job, rank);
    }

    fn notice_local(&mut self, why: &str) {
        if !std::mem::replace(&mut self.noticed_local, true) {
            let text = format!("some jobs run on this machine: {why}");
            self.notice(Severity::Info, text, None);
        }
    }

    fn send_away(&mut self, id: JobId, job: Job, rank: Rank, inputs: &Arc<Inputs>) {
        let common = Common {
            container: Arc::clone(&job.container),
            inputs: Arc::clone(inputs),
            environment: Arc::clone(&job.process.environment),
            working_directory: Arc::clone(&job.process.working_directory),
            resident: job.resident.clone(),
        };
        self.remote.submit(id, job, rank, common);
    }

    /// Gives jobs to whoever can take one.
    fn share(&mut self) {
        while let Some(next) = self
            .sharing
            .as_mut()
            .and_then(|sharing| sharing.next(self.slots))
        {
            match next {
                Next::Here(id, job, rank) => self.run_here(id, job, rank),
                Next::Away(id, job, rank) => match &job.placement {
                    Placement::Here => self.run_here(id, job, rank),
                    Placement::Anywhere(inputs) => {
                        let inputs = Arc::clone(inputs);
                        self.send_away(id, job, rank, &inputs);
                    }
                },
            }
        }
    }

    /// Passes on what the cluster says. None if the job goes on here.
    fn pass_on(&mut self, event: BackendEvent) -> Option<BackendEvent> {
        let Some(sharing) = &mut self.sharing else {
            return Some(event);
        };
        match &event {
            BackendEvent::Started { job, .. } => sharing.began_away(*job),
            BackendEvent::Finished { job, result } => match &result.end {
                JobEnd::Error(why) => {
                    if let Some((taken, rank)) = sharing.take_back(*job) {
                        let (id, why) = (*job, why.clone());
                        self.notice_local(&why);
                        self.run_here(id, taken, rank);
                        return None;
                    }
                }
                JobEnd::Exited(_) | JobEnd::TimedOut | JobEnd::Cancelled => {
                    sharing.ended_away(*job);
                }
            },
            BackendEvent::Output { .. }
            | BackendEvent::Restarted { .. }
            | BackendEvent::Fact(_)
            | BackendEvent::Lost(_) => {}
        }
        Some(event)
    }

    fn start_work(&mut self) {
        self.share();
        for (key, common) in self.remote.take_unprepared() {
            let (preparer, preparing) = (Arc::clone(&self.preparer), self.preparing);
            self.work.push(Box::pin(async move {
                let prepare = move || preparer.prepare(&common).map(Box::new);
                let result = match preparing {
                    Preparing::AtOnce => prepare(),
                    Preparing::Aside => match tokio::task::spawn_blocking(prepare).await {
                        Ok(result) => result,
                        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                    },
                };
                Done::Prepared { key, result }
            }));
        }
        for (template, contents) in self.remote.take_uploads() {
            let client = self.contents.clone();
            let sender = self.transfers.0.clone();
            let progress: Progress = Arc::new(move |done_bytes, total_bytes| {
                drop(sender.send(EventKind::Transfer {
                    transfer: template,
                    worker: None,
                    name: "inputs of jobs".to_owned(),
                    done_bytes,
                    total_bytes,
                }));
            });
            self.work.push(Box::pin(async move {
                let result = client.upload_missing(contents, progress).await;
                let result = result.map_err(|error| with_causes(&error));
                Done::Uploaded { template, result }
            }));
        }
        self.remote.flush();
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Prepared { key, result } => match result {
                Ok(prepared) => self.remote.prepared(&key, *prepared),
                Err(error) => {
                    let jobs = self.remote.unprepared(&key);
                    match error {
                        PrepareError::Unportable(why) => {
                            if !jobs.is_empty() {
                                self.notice_local(&why.to_string());
                            }
                            for (id, job, rank) in jobs {
                                if let Some(sharing) = &mut self.sharing {
                                    sharing.must_stay(id);
                                }
                                self.run_here(id, job, rank);
                            }
                        }
                        PrepareError::Tree(_) | PrepareError::Toolbox { .. } => {
                            let message = with_causes(&error);
                            for (id, _, _) in jobs {
                                self.events.push_back(remote::failed(id, message.clone()));
                            }
                        }
                    }
                }
            },
            Done::Uploaded { template, result } => match result {
                Ok(()) => self.remote.uploaded(template),
                Err(message) => {
                    if self.remote.upload_failed(template) {
                        let text = format!("cannot upload to {}: {message}", self.address);
                        for id in self.remote.give_up(template) {
                            self.events.push_back(remote::failed(id, text.clone()));
                        }
                    }
                }
            },
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Up(outgoing) => {
                if self.remote.is_down_told() {
                    let text = format!("connected to the broker {} again", self.address);
                    self.notice(Severity::Info, text, None);
                }
                self.remote.up(outgoing);
            }
            News::Event(event) => {
                if let v1::session_event::Kind::Welcome(welcome) = &event {
                    self.slots = welcome.slots.into();
                } else if let v1::session_event::Kind::Cluster(cluster) = &event {
                    self.slots = cluster.slots;
                }
                self.remote.event(event, &mut self.events);
            }
            News::Down(message) => {
                if self.remote.down() {
                    let text = format!("no connection to the broker {}: {message}", self.address);
                    let help = "it is tried again; what runs goes on".to_owned();
                    self.notice(Severity::Warning, text, Some(help));
                }
                for id in self.remote.killed() {
                    self.events.push_back(remote::cancelled(id));
                }
            }
            News::Lost(status) => {
                self.lost = true;
                let message = format!("the broker {} is lost: {}", self.address, status.message());
                self.events.push_back(BackendEvent::Lost(BackendLost {
                    message,
                    help: Some(
                        "see whether it runs and whom it lets in; without `--broker` the tests \
                         run on this machine"
                            .to_owned(),
                    ),
                    source: None,
                }));
            }
        }
    }
}

impl<L: Backend> Backend for BrokerBackend<L> {
    fn slots(&self) -> u32 {
        let slots = u32::try_from(self.slots).unwrap_or(u32::MAX);
        slots.max(self.local.slots())
    }

    fn submit(&mut self, id: JobId, job: Job, rank: Rank) {
        match &job.placement {
            Placement::Here => self.run_here(id, job, rank),
            Placement::Anywhere(inputs) => match &mut self.sharing {
                Some(sharing) => sharing.submit(id, job, rank),
                None => {
                    let inputs = Arc::clone(inputs);
                    self.send_away(id, job, rank, &inputs);
                }
            },
        }
    }

    fn stop(&mut self, id: JobId, how: Stop) {
        let waited = match &mut self.sharing {
            Some(sharing) => sharing.cancel(id),
            None => false,
        };
        if waited {
            self.events.push_back(remote::cancelled(id));
        } else if self.local_jobs.contains(&id) {
            self.local.stop(id, how);
        } else if self.remote.stop(id, how) {
            self.events.push_back(remote::cancelled(id));
        }
    }

    fn files_changed(&mut self) {
        self.local.files_changed();
        self.remote.files_changed();
    }

    fn hold(&mut self) {
        self.local.hold();
        self.remote.hold(true);
    }

    fn release(&mut self) {
        self.local.release();
        self.remote.hold(false);
    }

    /// What runs elsewhere goes on: other machines' clocks are not this one's to stop.
    fn suspend(&mut self) {
        self.local.suspend();
        self.remote.hold(true);
    }

    fn resume(&mut self) {
        self.local.resume();
        self.remote.hold(false);
    }

    async fn next(&mut self) -> BackendEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                match self.pass_on(event) {
                    Some(event) => return event,
                    None => continue,
                }
            }
            if self.lost {
                return std::future::pending().await;
            }
            self.start_work();
            tokio::select! {
                biased;
                news = self.link.next() => self.hear(news),
                Some(done) = self.work.next() => self.done(done),
                Some(transfer) = self.transfers.1.recv() => return BackendEvent::Fact(transfer),
                event = self.local.next() => {
                    if let BackendEvent::Finished { job, .. } = &event {
                        self.local_jobs.remove(job);
                        if let Some(sharing) = &mut self.sharing {
                            sharing.ended_here(*job);
                        }
                    }
                    return event;
                }
            }
        }
    }

    async fn close(mut self) {
        self.remote.goodbye();
        let link = self.link.close(GOODBYE_MAX);
        futures::future::join(self.local.close(), link).await;
    }
}
