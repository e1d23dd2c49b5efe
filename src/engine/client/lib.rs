//! A client library that runs programs on a Maelstrom cluster.
//!
//! ```text
//!  BrokerClient::connect ─▶ define (a template) ─▶ submit … ─▶ next, next, … ─▶ close
//! ```
//!
//! A [`BrokerClient`] is one run. A [`JobTemplate`] describes the container that jobs run in; the
//! local directories and files that it names are uploaded unless the broker already has them. Jobs
//! are submitted against a template, and [`BrokerClient::next`] reports their progress: each job
//! finishes exactly once. A broken connection is reestablished, and unfinished jobs continue.
//!
//! # Example
//!
//! ```no_run
//! use maelstrom_client::{BrokerClient, ClientOptions, JobEvent, JobRequest, JobTemplate};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = BrokerClient::connect(&ClientOptions::new("localhost:4000".parse()?)).await?;
//!
//! // A container whose root is a local directory; it is uploaded once.
//! let template = JobTemplate::of_directories(["/srv/images/alpine"])
//!     .variable("PATH", "/bin:/usr/bin");
//! let template = client.define(template);
//! for number in 1..=10 {
//!     client.submit(&template, JobRequest::new("echo").argument(number.to_string()));
//! }
//!
//! while client.unfinished() > 0 {
//!     match client.next().await? {
//!         JobEvent::Output { bytes, .. } => print!("{}", String::from_utf8_lossy(&bytes)),
//!         JobEvent::Finished { job, result } => println!("job {job}: {:?}", result.end),
//!         _ => {}
//!     }
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! This library never runs jobs on the local machine. If a template cannot be moved to another
//! machine, its jobs end with [`JobOutcome::Error`], which gives the reason.

mod template;

/// Compiles the examples in `docs/api.md` as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/api.md")]
struct ApiPage;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;

pub use self::template::{JobRequest, JobTemplate, TemplateHandle};
use maelstrom_container::store::DigestCache;
pub use maelstrom_model::address::Address;
use maelstrom_model::backend::BackendEvent;
pub use maelstrom_model::backend::{BackendLost, GRACE_DEFAULT, JobId, StopMode};
use maelstrom_model::error::with_causes;
pub use maelstrom_model::event::{
    ClusterClient, ClusterEvent, ClusterSample, NoticeSeverity, OutputStream, UserNotice,
    WorkerCondition, WorkerSample, WorkerStatusEvent,
};
use maelstrom_model::forwarding::EnvironmentForwarding;
pub use maelstrom_model::ids::WorkerId;
use maelstrom_model::ids::random_name;
pub use maelstrom_model::job::{
    BindAccess, ContainerSpec, DeviceKind, DevicePattern, ExitStatus, JobOutcome, JobResult, Mount,
    MountKind, NetworkMode, PrivilegeLevel, ResourceUsage, RootAccess, RootKind, SkeletonEntry,
    SkeletonKind, WhenForbidden,
};
use maelstrom_model::job::{InputPath, PlacementConstraint};
use maelstrom_wire::connection::{BrokerChannel, connect};
pub use maelstrom_wire::connection::{ClientSecurity, ConnectError};
use maelstrom_wire::from_proto::text;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::reapi::client::BlobMap;
pub use maelstrom_wire::reapi::client::CasError;
use maelstrom_wire::session::dispatch::{self, DispatchEvent, JobDispatcher};
use maelstrom_wire::session::prepare::PreparationMode;
use maelstrom_wire::session::prepare::PrepareError;
use maelstrom_wire::session::remote::failed;
use maelstrom_wire::session::tree::InputDigest;
pub use maelstrom_wire::session::tree::InputTreeError;
use maelstrom_wire::v1::StatusRequest;
use maelstrom_wire::v1::operator_client::OperatorClient;
pub use maelstrom_wire::v1::{Client, Cluster, Worker, WorkerState};

/// How to connect to a cluster.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub broker: Address,
    /// TLS and token files. The default is none, which a broker on loopback may accept.
    pub security: ClientSecurity,
    /// The client's name, shown to people who look at the cluster's status.
    pub name: String,
    /// A file that caches file digests across runs. By default digests are cached in memory for the
    /// lifetime of the client.
    pub digests: Option<PathBuf>,
    /// How long a job may run between SIGTERM and SIGKILL. [`GRACE_DEFAULT`] by default.
    pub grace: Duration,
}

impl ClientOptions {
    /// Connects to this broker, with defaults for everything else.
    pub fn new(broker: Address) -> ClientOptions {
        ClientOptions {
            broker,
            security: ClientSecurity::default(),
            name: format!("process {}", std::process::id()),
            digests: None,
            grace: GRACE_DEFAULT,
        }
    }
}

/// Why a client operation failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection could not be established.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection was lost for good, and the run is over.
    #[error(transparent)]
    Lost(#[from] BackendLost),
    /// A local file or directory could not be read.
    #[error(transparent)]
    Read(#[from] InputTreeError),
    /// The broker's storage rejected an upload, or the transfer failed.
    #[error(transparent)]
    Upload(#[from] CasError),
    /// The broker refused the request.
    #[error("the broker refuses: {}", text(.0.message()))]
    Refused(#[source] Box<Status>),
}

/// An event of a job or of the cluster.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobEvent {
    Started {
        job: JobId,
        worker: WorkerId,
    },
    /// A job wrote to standard output or standard error.
    Output {
        job: JobId,
        stream: OutputStream,
        bytes: Vec<u8>,
    },
    /// The worker that ran the job was lost, and the job starts over on another one. Discard the
    /// output received so far.
    Restarted {
        job: JobId,
        reason: String,
    },
    /// A job overwrote some of its input files, and these writes were discarded. Precedes
    /// `Finished`.
    Discarded {
        job: JobId,
        /// Some of the files, by their paths in the container.
        files: Vec<PathBuf>,
    },
    /// A job is over. Emitted exactly once per job.
    Finished {
        job: JobId,
        result: JobResult,
    },
    /// A worker joined, left, or reported.
    Worker(WorkerStatusEvent),
    /// A change of the cluster as a whole: its load, or a transfer.
    Cluster(ClusterEvent),
    /// A message for the user.
    Notice(UserNotice),
}

/// A client of one broker, for the duration of one run.
pub struct BrokerClient {
    connection: BrokerChannel,
    dispatch: JobDispatcher,
    /// Ends of jobs that were never sent to the broker.
    events: VecDeque<BackendEvent>,
    unfinished: BTreeSet<u64>,
    next_job: u64,
}

impl BrokerClient {
    /// Connects to a broker. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`] if the credentials cannot be read or the broker does not answer.
    pub async fn connect(options: &ClientOptions) -> Result<BrokerClient, ClientError> {
        let connection = connect(&options.broker, &options.security).await?;
        let known = options.digests.clone().map(DigestCache::new);
        let known = known.unwrap_or_else(DigestCache::of_this_process);
        Ok(BrokerClient {
            dispatch: JobDispatcher::new(dispatch::DispatchOptions {
                connection: connection.clone(),
                address: options.broker.to_string(),
                run: random_name(),
                name: options.name.clone(),
                digests: known,
                // A program says itself what its jobs get.
                forwarding: EnvironmentForwarding::default(),
                grace: options.grace,
                preparing: PreparationMode::Aside,
            }),
            connection,
            events: VecDeque::new(),
            unfinished: BTreeSet::new(),
            next_job: 0,
        })
    }

    /// Defines a template. It is read and uploaded when the first job that uses it is submitted.
    pub fn define(&mut self, template: JobTemplate) -> TemplateHandle {
        template.defined()
    }

    /// Submits a job. [`BrokerClient::next`] reports its progress, failures included. Must be
    /// called within a tokio runtime.
    pub fn submit(&mut self, template: &TemplateHandle, request: JobRequest) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        self.unfinished.insert(id.0);
        let (job, rank, common) = template.job(request);
        debug_assert!(matches!(job.placement, PlacementConstraint::Anywhere(_)));
        self.dispatch.submit(id, job, rank, common);
        self.dispatch.start_work();
        id
    }

    /// Stops a job. It ends with [`JobOutcome::Cancelled`] unless it was already over.
    pub fn cancel(&mut self, job: JobId, how: StopMode) {
        self.dispatch.stop(job, how);
    }

    /// The number of jobs that were submitted and have not finished.
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// Returns the next event, and waits until there is one. This method is cancel safe: dropping
    /// the future loses no event.
    ///
    /// # Errors
    ///
    /// [`ClientError::Lost`] if the connection is lost for good. The run is then over.
    pub async fn next(&mut self) -> Result<JobEvent, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return self.on_backend_event(event);
            }
            match self.dispatch.pop() {
                Some(DispatchEvent::Event(event)) => return self.on_backend_event(event),
                Some(DispatchEvent::Unportable { jobs, why }) => {
                    let message = with_causes(&PrepareError::from(why));
                    let ends = jobs.into_iter().map(|(id, ..)| failed(id, message.clone()));
                    self.events.extend(ends);
                }
                None => self.dispatch.step().await,
            }
        }
    }

    /// Uploads a local directory or file, without the contents that the storage already has.
    ///
    /// Returns the digest as the storage knows it: the SHA-256 hash in lowercase hexadecimal
    /// digits, and the size in bytes. A directory's digest is that of its `Directory` message.
    ///
    /// # Errors
    ///
    /// [`ClientError::Read`] if a file cannot be read, [`ClientError::Upload`] if the transfer
    /// fails.
    pub async fn upload(&self, path: &Path) -> Result<(String, u64), ClientError> {
        let carried = InputPath {
            source: path.to_owned(),
            ..InputPath::default()
        };
        let preparer = Arc::clone(self.dispatch.preparer());
        let packing = tokio::task::spawn_blocking(move || {
            let mut contents = BlobMap::new();
            let packed = preparer.pack(carried, &mut contents);
            packed.map(|packed| (packed, contents))
        });
        let (packed, contents) = match packing.await {
            Ok(packed) => packed?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let ignore = Arc::new(|_done: u64, _total: u64| {});
        self.dispatch
            .contents()
            .upload_missing(Arc::new(contents), ignore)
            .await?;
        let (InputDigest::Directory(digest) | InputDigest::File(digest, _)) = packed;
        Ok((digest.hash.to_string(), digest.size_bytes))
    }

    /// Returns the status of the cluster: its workers, clients and queues.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if the broker does not answer or denies access.
    pub async fn status(&self) -> Result<Cluster, ClientError> {
        let mut operator = OperatorClient::new(self.connection.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let answer = operator.status(StatusRequest {}).await;
        let refused = |status| ClientError::Refused(Box::new(status));
        Ok(answer.map_err(refused)?.into_inner())
    }

    /// Ends the run and stops unfinished jobs.
    pub async fn close(self) {
        self.dispatch.close().await;
    }

    fn on_backend_event(&mut self, event: BackendEvent) -> Result<JobEvent, ClientError> {
        Ok(match event {
            BackendEvent::Started {
                job,
                worker,
                slot: _,
            } => JobEvent::Started { job, worker },
            BackendEvent::Output { job, stream, bytes } => JobEvent::Output { job, stream, bytes },
            BackendEvent::Restarted { job, reason } => JobEvent::Restarted { job, reason },
            BackendEvent::Discarded { job, files } => JobEvent::Discarded {
                job,
                files: files.files,
            },
            BackendEvent::Finished { job, result } => {
                self.unfinished.remove(&job.0);
                JobEvent::Finished { job, result }
            }
            BackendEvent::Worker(event) => JobEvent::Worker(event),
            BackendEvent::Cluster(event) => JobEvent::Cluster(event),
            BackendEvent::Notice(notice) => JobEvent::Notice(notice),
            BackendEvent::Lost(lost) => return Err(lost.into()),
        })
    }
}
