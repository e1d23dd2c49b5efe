//! Runs programs on a cluster, for programs.
//!
//! ```text
//!  BrokerClient::connect ─▶ define (a container) ─▶ submit … ─▶ next, next, … ─▶ close
//! ```
//!
//! A [`BrokerClient`] is one run. A [`JobTemplate`] says in plain data what container jobs run in; directories
//! and files of this machine that it names are uploaded as far as the broker lacks them. Jobs are
//! submitted against a template, and [`BrokerClient::next`] tells what becomes of them: each is finished
//! exactly once. When the connection breaks, another is made and what is unfinished goes on.
//!
//! # Example
//!
//! ```no_run
//! use maelstrom_client::{BrokerClient, ClientOptions, JobEvent, JobRequest, JobTemplate};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = BrokerClient::connect(&ClientOptions::new("localhost:4000".parse()?)).await?;
//!
//! // A container whose root is a directory of this machine; it is uploaded once.
//! let template = JobTemplate::of_directories(["/srv/images/alpine"]).variable("PATH", "/bin:/usr/bin");
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

use tonic::Status;

pub use self::template::{JobRequest, JobTemplate, TemplateHandle};
use maelstrom_container::store::DigestCache;
pub use maelstrom_model::address::Address;
use maelstrom_model::backend::{BackendEvent, BackendLost};
pub use maelstrom_model::backend::{GRACE_DEFAULT, JobId, StopMode};
use maelstrom_model::error::with_causes;
pub use maelstrom_model::event::{EventKind as ClusterEvent, OutputStream};
use maelstrom_model::forwarding::EnvironmentForwarding;
pub use maelstrom_model::ids::WorkerId;
use maelstrom_model::ids::random_name;
pub use maelstrom_model::job::{
    BindAccess, ContainerSpec, DeviceKind, ExitStatus, JobOutcome, JobResult, Mount, MountKind,
    NetworkMode, PrivilegeLevel, RootAccess, RootKind, SkeletonEntry, SkeletonKind, WhenForbidden,
};
use maelstrom_model::job::{InputPath, PlacementConstraint};
use maelstrom_wire::connection::{BrokerChannel, connect};
pub use maelstrom_wire::connection::{ClientSecurity, ConnectError};
use maelstrom_wire::from_proto::text;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::reapi::client::{BlobMap, CasError};
use maelstrom_wire::session::dispatch::{self, DispatchEvent, JobDispatcher};
use maelstrom_wire::session::prepare::PreparationMode;
use maelstrom_wire::session::prepare::PrepareError;
use maelstrom_wire::session::remote::failed;
use maelstrom_wire::session::tree::{InputDigest, InputTreeError};
pub use maelstrom_wire::v1::Cluster;
use maelstrom_wire::v1::StatusRequest;
use maelstrom_wire::v1::operator_client::OperatorClient;

/// What is to be known to use a cluster.
#[derive(Clone, Debug)]
pub struct ClientOptions {
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

impl ClientOptions {
    /// For this broker, with what is usual.
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
    Read(#[from] InputTreeError),
    /// The storage does not take something.
    #[error(transparent)]
    Upload(#[from] CasError),
    /// The broker says no.
    #[error("the broker refuses: {}", text(.0.message()))]
    Refused(#[source] Box<Status>),
}

/// What happens to jobs.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobEvent {
    Started {
        job: JobId,
        worker: WorkerId,
    },
    /// A job wrote something.
    Output {
        job: JobId,
        stream: OutputStream,
        bytes: Vec<u8>,
    },
    /// The worker that ran a job was lost, and the job begins again elsewhere. What it wrote so far is
    /// void.
    Restarted {
        job: JobId,
        reason: String,
    },
    /// A job has written over files of its sources, which nobody sees any more. Before its end.
    Discarded {
        job: JobId,
        /// Some of the files, as the job saw them.
        files: Vec<PathBuf>,
    },
    /// A job is over. Comes once for each.
    Finished {
        job: JobId,
        result: JobResult,
    },
    /// Something about the cluster: its workers, how it does, notices for people.
    Cluster(ClusterEvent),
}

/// One run on a cluster.
pub struct BrokerClient {
    connection: BrokerChannel,
    dispatch: JobDispatcher,
    /// Ends of jobs that were never sent away.
    events: VecDeque<BackendEvent>,
    unfinished: BTreeSet<u64>,
    next_job: u64,
}

impl BrokerClient {
    /// Connects to a broker. Must be called on a tokio runtime.
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

    /// Makes a template known. It is looked at, and uploaded, with the first job that uses it.
    pub fn define(&mut self, template: JobTemplate) -> TemplateHandle {
        template.defined()
    }

    /// Hands over a job. What becomes of it is told by [`BrokerClient::next`].
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

    /// Stops a job. It ends as [`JobOutcome::Cancelled`], unless it was over already.
    pub fn cancel(&mut self, job: JobId, how: StopMode) {
        self.dispatch.stop(job, how);
    }

    /// Jobs that are submitted and not finished.
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// What happens next. Waits as long as nothing does; dropping the future loses nothing. An error
    /// is the end of the run.
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

    /// Uploads a directory or a file of this machine. What the storage has is not sent. Gives back
    /// the digest by which the storage knows it, as lower-case hexadecimal digits and length.
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

    /// How the cluster does.
    pub async fn status(&self) -> Result<Cluster, ClientError> {
        let mut operator = OperatorClient::new(self.connection.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let answer = operator.status(StatusRequest {}).await;
        let refused = |status| ClientError::Refused(Box::new(status));
        Ok(answer.map_err(refused)?.into_inner())
    }

    /// Ends the run; what is unfinished is stopped.
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
            BackendEvent::Fact(fact) => JobEvent::Cluster(fact),
            BackendEvent::Lost(lost) => return Err(lost.into()),
        })
    }
}
