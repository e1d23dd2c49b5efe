//! Runs programs on a cluster, for programs.
//!
//! ```text
//!  Client::connect ─▶ define (a container) ─▶ submit … ─▶ next, next, … ─▶ close
//! ```
//!
//! A [`Client`] is one run. A [`Template`] says in plain data what container jobs run in; directories
//! and files of this machine that it names are uploaded as far as the broker lacks them. Jobs are
//! submitted against a template, and [`Client::next`] tells what becomes of them: each is finished
//! exactly once. When the connection breaks, another is made and what is unfinished goes on.
//!
//! # Example
//!
//! ```no_run
//! use maelstrom::client::{Client, Event, Options, Request, Template};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect(&Options::new("localhost:4000".parse()?)).await?;
//!
//! // A container whose root is a directory of this machine; it is uploaded once.
//! let template = Template::of_directories(["/srv/images/alpine"]).variable("PATH", "/bin:/usr/bin");
//! let template = client.define(template);
//! for number in 1..=10 {
//!     client.submit(&template, Request::new("echo").argument(number.to_string()));
//! }
//!
//! while client.unfinished() > 0 {
//!     match client.next().await? {
//!         Event::Output { bytes, .. } => print!("{}", String::from_utf8_lossy(&bytes)),
//!         Event::Finished { job, result } => println!("job {job}: {:?}", result.end),
//!         _ => {}
//!     }
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! Deliberately absent: running jobs on this machine. What a template cannot take to another machine
//! is the job's outcome, an infrastructure error that says so.

mod template;

/// Holds the example of the API's documentation against what is here.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/api.md")]
struct ApiPage;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tonic::Status;

pub use self::template::{Defined, Request, Template};
use crate::container::store::DigestCache;
use crate::engine::backend::broker::link::{Link, News};
use crate::engine::backend::broker::prepare::{PrepareError, Prepared, Preparer};
use crate::engine::backend::broker::remote::{self, Remote, TemplateKey};
use crate::engine::backend::broker::tree::{Packed, TreeError, pack};
use crate::engine::backend::{BackendEvent, BackendLost};
pub use crate::engine::backend::{GRACE_DEFAULT, JobId, Stop};
pub use crate::engine::config::Address;
use crate::engine::error::with_causes;
pub use crate::engine::event::{EventKind as Fact, Stream};
pub use crate::engine::ids::WorkerId;
use crate::engine::ids::random_name;
pub use crate::engine::job::{
    BindAccess, ContainerSpec, Device, JobEnd, JobResult, Mount, MountKind, Network, Privileges,
    Root, RootAccess, SkeletonEntry, SkeletonKind, WhenForbidden,
};
use crate::engine::job::{Carried, Placement};
use crate::engine::reapi::client::{CasClient, CasError, Contents};
pub use crate::engine::security::client::{ClientSecurity, ConnectError};
use crate::engine::security::client::{Connection, connect};
use crate::engine::wire::limits::MESSAGE_BYTES_MAX;
pub use crate::engine::wire::v1::Cluster;
use crate::engine::wire::v1::StatusRequest;
use crate::engine::wire::v1::operator_client::OperatorClient;

/// How long the end of a run waits for the broker to hear of it.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// What is to be known to use a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The broker.
    pub broker: Address,
    /// What to trust and what to show. By default nothing, which a broker on loopback may take.
    pub security: ClientSecurity,
    /// Who this is, for people who look at the cluster.
    pub name: String,
    /// A file that remembers digests of files from run to run. By default they are known until the
    /// client is gone.
    pub digests: Option<PathBuf>,
    /// How long a job may go on after SIGTERM.
    pub grace: Duration,
}

impl Options {
    /// For this broker, with what is usual.
    pub fn new(broker: Address) -> Options {
        Options {
            broker,
            security: ClientSecurity::default(),
            name: format!("process {}", std::process::id()),
            digests: None,
            grace: GRACE_DEFAULT,
        }
    }
}

/// What a client cannot do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There was one, and there will be none again: the run is over.
    #[error(transparent)]
    Lost(#[from] BackendLost),
    /// A file or directory cannot be read.
    #[error(transparent)]
    Read(#[from] TreeError),
    /// The storage does not take something.
    #[error(transparent)]
    Upload(#[from] CasError),
    /// The broker says no.
    #[error("the broker refuses: {}", .0.message())]
    Refused(#[source] Box<Status>),
}

/// What happens to jobs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A job began.
    Started {
        /// Which.
        job: JobId,
        /// Where.
        worker: WorkerId,
    },
    /// A job wrote something.
    Output {
        /// Which.
        job: JobId,
        /// Where to.
        stream: Stream,
        /// What; never empty.
        bytes: Vec<u8>,
    },
    /// The worker that ran a job was lost, and the job begins again elsewhere. What it wrote so far is
    /// void.
    Restarted {
        /// Which.
        job: JobId,
        /// Why.
        reason: String,
    },
    /// A job is over. Comes once for each.
    Finished {
        /// Which.
        job: JobId,
        /// How.
        result: JobResult,
    },
    /// Something about the cluster: its workers, how it does, notices for people.
    Fact(Fact),
}

enum Done {
    Prepared(TemplateKey, Result<Box<Prepared>, PrepareError>),
    Uploaded(u32, Result<(), String>),
}

/// One run on a cluster.
pub struct Client {
    connection: Connection,
    contents: CasClient,
    link: Link,
    remote: Remote,
    preparer: Arc<Preparer>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    events: VecDeque<BackendEvent>,
    unfinished: BTreeSet<u64>,
    next_job: u64,
    options: Options,
}

impl Client {
    /// Connects to a broker. Must be called on a tokio runtime.
    pub async fn connect(options: &Options) -> Result<Client, ClientError> {
        let connection = connect(&options.broker, &options.security).await?;
        let known = options.digests.clone().map(DigestCache::new);
        let known = known.unwrap_or_else(DigestCache::of_this_process);
        Ok(Client {
            contents: CasClient::new(connection.clone()),
            link: Link::open(connection.clone(), random_name(), options.name.clone()),
            connection,
            remote: Remote::new(options.grace),
            preparer: Arc::new(Preparer::new(known)),
            work: FuturesUnordered::new(),
            events: VecDeque::new(),
            unfinished: BTreeSet::new(),
            next_job: 0,
            options: options.clone(),
        })
    }

    /// Makes a template known. It is looked at, and uploaded, with the first job that uses it.
    pub fn define(&mut self, template: Template) -> Defined {
        template.defined()
    }

    /// Hands over a job. What becomes of it is told by [`Client::next`].
    pub fn submit(&mut self, template: &Defined, request: Request) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        self.unfinished.insert(id.0);
        let (job, rank, common) = template.job(request);
        debug_assert!(matches!(job.placement, Placement::Anywhere(_)));
        self.remote.submit(id, job, rank, common);
        self.start_work();
        id
    }

    /// Stops a job. It ends as [`JobEnd::Cancelled`], unless it was over already.
    pub fn cancel(&mut self, job: JobId, how: Stop) {
        if self.remote.stop(job, how) {
            self.events.push_back(remote::cancelled(job));
        }
    }

    /// Jobs that are submitted and not finished.
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// What happens next. Waits as long as nothing does; dropping the future loses nothing. An error
    /// is the end of the run.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return self.told(event);
            }
            self.start_work();
            tokio::select! {
                biased;
                news = self.link.next() => self.hear(news)?,
                Some(done) = self.work.next() => self.done(done),
            }
        }
    }

    /// Uploads a directory or a file of this machine. What the storage has is not sent. Gives back
    /// the digest by which the storage knows it, as lower-case hexadecimal digits and length.
    pub async fn upload(&self, path: &Path) -> Result<(String, u64), ClientError> {
        let carried = Carried {
            source: path.to_owned(),
            ..Carried::default()
        };
        let preparer = self.preparer.clone();
        let packing = tokio::task::spawn_blocking(move || {
            let mut contents = Contents::new();
            pack(&carried, preparer.digests(), &mut contents).map(|packed| (packed, contents))
        });
        let (packed, contents) = match packing.await {
            Ok(packed) => packed?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let ignore = Arc::new(|_done: u64, _total: u64| {});
        self.contents
            .upload_missing(Arc::new(contents), ignore)
            .await?;
        let (Packed::Directory(digest) | Packed::File(digest, _)) = packed;
        Ok((digest.hash.to_string(), digest.size_bytes))
    }

    /// How the cluster does.
    pub async fn status(&self) -> Result<Cluster, ClientError> {
        let mut operator = OperatorClient::new(self.connection.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let answer = operator.status(StatusRequest {}).await;
        let refused = |status| ClientError::Refused(Box::new(status));
        Ok(answer.map_err(refused)?.into_inner())
    }

    /// Ends the run; what is unfinished is stopped.
    pub async fn close(mut self) {
        self.remote.goodbye();
        self.link.close(GOODBYE_MAX).await;
    }

    fn told(&mut self, event: BackendEvent) -> Result<Event, ClientError> {
        Ok(match event {
            BackendEvent::Started {
                job,
                worker,
                slot: _,
            } => Event::Started { job, worker },
            BackendEvent::Output { job, stream, bytes } => Event::Output { job, stream, bytes },
            BackendEvent::Restarted { job, reason } => Event::Restarted { job, reason },
            BackendEvent::Finished { job, result } => {
                self.unfinished.remove(&job.0);
                Event::Finished { job, result }
            }
            BackendEvent::Fact(fact) => Event::Fact(fact),
            BackendEvent::Lost(lost) => return Err(lost.into()),
        })
    }

    fn hear(&mut self, news: News) -> Result<(), ClientError> {
        match news {
            News::Up(outgoing) => self.remote.up(outgoing),
            News::Event(event) => self.remote.event(event, &mut self.events),
            News::Down(_) => {
                self.remote.down();
                for id in self.remote.killed() {
                    self.events.push_back(remote::cancelled(id));
                }
            }
            News::Lost(status) => {
                let broker = &self.options.broker;
                let message = format!("the broker {broker} is lost: {}", status.message());
                let lost = BackendLost {
                    message,
                    help: Some("see whether it runs and whom it lets in".to_owned()),
                    source: None,
                };
                return Err(lost.into());
            }
        }
        Ok(())
    }

    fn start_work(&mut self) {
        for (key, common) in self.remote.take_unprepared() {
            let preparer = Arc::clone(&self.preparer);
            self.work.push(Box::pin(async move {
                let preparing =
                    tokio::task::spawn_blocking(move || preparer.prepare(&common).map(Box::new));
                match preparing.await {
                    Ok(result) => Done::Prepared(key, result),
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
            }));
        }
        for (template, contents) in self.remote.take_uploads() {
            let client = self.contents.clone();
            self.work.push(Box::pin(async move {
                let ignore = Arc::new(|_done: u64, _total: u64| {});
                let result = client.upload_missing(contents, ignore).await;
                Done::Uploaded(template, result.map_err(|error| with_causes(&error)))
            }));
        }
        self.remote.flush();
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Prepared(key, Ok(prepared)) => self.remote.prepared(&key, *prepared),
            Done::Prepared(key, Err(error)) => {
                let message = with_causes(&error);
                for (id, _, _) in self.remote.unprepared(&key) {
                    self.events.push_back(remote::failed(id, message.clone()));
                }
            }
            Done::Uploaded(template, Ok(())) => self.remote.uploaded(template),
            Done::Uploaded(template, Err(message)) => {
                if self.remote.upload_failed(template) {
                    let text = format!("cannot upload to {}: {message}", self.options.broker);
                    for id in self.remote.give_up(template) {
                        self.events.push_back(remote::failed(id, text.clone()));
                    }
                }
            }
        }
    }
}
