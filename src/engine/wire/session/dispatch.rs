//! Dispatches jobs to a cluster: prepares their templates, uploads what the broker lacks, and turns
//! its messages into events.
//!
//! Owns the session with the broker and everything in progress for it. Local execution is not its
//! concern.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::prepare::{LocalTemplate, PrepareError, PreparedTemplate, TemplatePreparer};
use super::remote::{self, RemoteJobs, TemplateKey};
use super::session_stream::{ReconnectingSession, SessionStreamEvent};
use crate::connection::BrokerChannel;
use crate::from_proto::text;
use crate::linger::FlushTime;
use crate::reapi::client::{CasClient, UploadCallback};
use crate::session::prepare::PreparationMode;
use crate::to_proto::PortabilityError;
use crate::v1;
use maelstrom_container::store::DigestCache;
use maelstrom_model::backend::{BackendEvent, BackendLost, JobId, JobPriority, StopMode};
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{ClusterEvent, NoticeSeverity, UserNotice};
use maelstrom_model::forwarding::EnvironmentForwarding;
use maelstrom_model::job::Job;

/// How long closing a run waits for the broker to receive the goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// How to dispatch jobs.
pub struct DispatchOptions {
    pub connection: BrokerChannel,
    /// The broker's address, for error messages.
    pub address: String,
    /// 16 random bytes that identify the run.
    pub run: [u8; 16],
    pub name: String,
    /// The cache of file digests.
    pub digests: DigestCache,
    /// Which environment variables are forwarded.
    pub forwarding: EnvironmentForwarding,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Where templates are prepared.
    pub preparing: PreparationMode,
}

/// What a dispatcher reports.
pub enum DispatchEvent {
    /// An event of a job or the cluster.
    Event(BackendEvent),
    /// The container of these jobs cannot run elsewhere; the broker does not have them.
    Unportable {
        jobs: Vec<(JobId, Job, JobPriority)>,
        why: PortabilityError,
    },
}

/// The result of a background task.
enum DispatchCompletion {
    Prepared {
        key: TemplateKey,
        result: Result<Box<PreparedTemplate>, PrepareError>,
    },
    Uploaded {
        template: u32,
        result: Result<(), String>,
    },
}

/// See the module's documentation.
pub struct JobDispatcher {
    link: ReconnectingSession,
    contents: CasClient,
    preparer: Arc<TemplatePreparer>,
    preparing: PreparationMode,
    remote: RemoteJobs,
    work: FuturesUnordered<BoxFuture<'static, DispatchCompletion>>,
    happenings: VecDeque<DispatchEvent>,
    address: String,
    /// Upload progress.
    transfers: (
        UnboundedSender<ClusterEvent>,
        UnboundedReceiver<ClusterEvent>,
    ),
    slots: u64,
    lost: bool,
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl JobDispatcher {
    /// Opens the session. Must be called within a runtime.
    pub fn new(options: DispatchOptions) -> JobDispatcher {
        JobDispatcher {
            contents: CasClient::new(options.connection.clone()),
            link: ReconnectingSession::open(options.connection, options.run, options.name),
            preparer: Arc::new(TemplatePreparer::new(options.digests, options.forwarding)),
            preparing: options.preparing,
            remote: RemoteJobs::new(options.grace),
            work: FuturesUnordered::new(),
            happenings: VecDeque::new(),
            address: options.address,
            transfers: unbounded_channel(),
            slots: 0,
            lost: false,
        }
    }

    /// Changes the time between SIGTERM and SIGKILL.
    pub fn set_grace(&mut self, grace: Duration) {
        self.remote.set_grace(grace);
    }

    /// The number of the cluster's slots.
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// Whether the session is over for good.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// The client of the broker's storage.
    pub fn contents(&self) -> &CasClient {
        &self.contents
    }

    /// The preparer of templates.
    pub fn preparer(&self) -> &Arc<TemplatePreparer> {
        &self.preparer
    }

    /// Submits a job, which is sent once its template is ready.
    pub fn submit(&mut self, id: JobId, job: Job, rank: JobPriority, common: LocalTemplate) {
        self.remote.submit(id, job, rank, common);
    }

    /// Stops a job.
    pub fn stop(&mut self, id: JobId, how: StopMode) {
        if self.remote.stop(id, how) {
            self.emit(remote::cancelled(id));
        }
    }

    /// Notes that local files may have changed.
    pub fn files_changed(&mut self) {
        self.remote.files_changed();
    }

    /// Holds or releases the start of jobs.
    pub fn hold(&mut self, is_held: bool) {
        self.remote.hold(is_held);
    }

    /// The next event, if there is one.
    pub fn pop(&mut self) -> Option<DispatchEvent> {
        self.happenings.pop_front()
    }

    /// Waits until something happens, and handles it. This method is cancel safe.
    pub async fn step(&mut self) {
        let more = self.start_work();
        let overdue = self.remote.next_overdue();
        tokio::select! {
            biased;
            news = self.link.next() => self.on_stream_event(news),
            Some(done) = self.work.next() => self.done(done),
            Some(transfer) = self.transfers.1.recv() => self.emit(BackendEvent::Cluster(transfer)),
            // The next step sends it.
            () = more.come() => {}
            () = until(overdue) => {
                for id in self.remote.overdue() {
                    self.emit(remote::cancelled(id));
                }
            }
        }
    }

    /// Ends the run and stops unfinished jobs.
    pub async fn close(mut self) {
        self.remote.goodbye();
        self.link.close(GOODBYE_MAX).await;
    }

    fn emit(&mut self, event: BackendEvent) {
        self.happenings.push_back(DispatchEvent::Event(event));
    }

    fn notice(&mut self, severity: NoticeSeverity, text: String, help: Option<String>) {
        self.emit(BackendEvent::Notice(UserNotice {
            severity,
            text,
            help,
            in_summary: false,
        }));
    }

    fn fail(&mut self, jobs: impl IntoIterator<Item = JobId>, message: &str) {
        for id in jobs {
            self.emit(remote::failed(id, message.to_owned()));
        }
    }

    /// Sends what is ready and starts pending work, as [`JobDispatcher::step`] does, too. Returns
    /// when more is to be sent.
    pub fn start_work(&mut self) -> FlushTime {
        for (key, common) in self.remote.take_unprepared() {
            let (preparer, preparing) = (Arc::clone(&self.preparer), self.preparing);
            self.work.push(Box::pin(async move {
                let prepare = move || preparer.prepare(&common).map(Box::new);
                let result = match preparing {
                    PreparationMode::AtOnce => prepare(),
                    PreparationMode::Aside => match tokio::task::spawn_blocking(prepare).await {
                        Ok(result) => result,
                        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                    },
                };
                DispatchCompletion::Prepared { key, result }
            }));
        }
        for (template, contents) in self.remote.take_uploads() {
            let client = self.contents.clone();
            let sender = self.transfers.0.clone();
            let progress: UploadCallback = Arc::new(move |done_bytes, total_bytes| {
                drop(sender.send(ClusterEvent::Transfer {
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
                DispatchCompletion::Uploaded { template, result }
            }));
        }
        self.remote.flush()
    }

    fn done(&mut self, done: DispatchCompletion) {
        match done {
            DispatchCompletion::Prepared { key, result } => match result {
                Ok(prepared) => self.remote.prepared(&key, *prepared),
                Err(PrepareError::Unportable(why)) => {
                    let jobs = self.remote.unprepared(&key);
                    self.happenings
                        .push_back(DispatchEvent::Unportable { jobs, why });
                }
                Err(error @ (PrepareError::Tree(_) | PrepareError::Toolbox { .. })) => {
                    let jobs = self.remote.unprepared(&key);
                    self.fail(jobs.into_iter().map(|(id, ..)| id), &with_causes(&error));
                }
            },
            DispatchCompletion::Uploaded { template, result } => match result {
                Ok(()) => self.remote.uploaded(template),
                Err(message) => {
                    if self.remote.upload_failed(template) {
                        let text = format!("cannot upload to {}: {message}", self.address);
                        let jobs = self.remote.give_up(template);
                        self.fail(jobs, &text);
                    }
                }
            },
        }
    }

    fn on_stream_event(&mut self, news: SessionStreamEvent) {
        match news {
            SessionStreamEvent::Up(outgoing) => {
                if self.remote.is_down_reported() {
                    let text = format!("connected to the broker {} again", self.address);
                    self.notice(NoticeSeverity::Info, text, None);
                }
                self.remote.up(outgoing);
            }
            SessionStreamEvent::Event(event) => {
                if let v1::session_event::Kind::Welcome(welcome) = &event {
                    self.slots = welcome.slots.into();
                } else if let v1::session_event::Kind::Cluster(cluster) = &event {
                    self.slots = cluster.slots;
                }
                let mut events = VecDeque::new();
                self.remote.event(event, &mut events);
                self.happenings
                    .extend(events.into_iter().map(DispatchEvent::Event));
            }
            SessionStreamEvent::Down(message) => {
                if self.remote.down() {
                    let text = format!("no connection to the broker {}: {message}", self.address);
                    let help = "it is tried again; what runs goes on".to_owned();
                    self.notice(NoticeSeverity::Warning, text, Some(help));
                }
                for id in self.remote.killed() {
                    self.emit(remote::cancelled(id));
                }
            }
            SessionStreamEvent::Lost(status) => {
                self.lost = true;
                let why = text(status.message());
                let message = format!("the broker {} is lost: {why}", self.address);
                self.emit(BackendEvent::Lost(BackendLost {
                    message,
                    help: Some("see whether it runs and which callers it accepts".to_owned()),
                    source: None,
                }));
            }
        }
    }
}
