//! The broker's own services: connections on one side, the core's inputs on the other.
//!
//! Each connection has a task that reads it and hands over what it says. The inbox is bounded, so a
//! connection that says more than the core can take waits, and so does whoever sends on it.

mod jobs;
mod operator;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{
    Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel,
};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Status, Streaming};

use super::core::{BrokerConfig, BrokerCore, ContentInventory, CoreInput, SessionId};
use super::journal::{Journal, RecoveredState};
use super::limits::{HEADER_BYTES_MAX, HELLO_MAX, RESETS_MAX, STREAMS_PER_CONNECTION_MAX};
use super::operations::snapshot::CoreSnapshot;
use super::scheduler::BrokerInstant;
use crate::security::guard::AccessPolicy;
use crate::security::roles::ClusterRole;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::v1::jobs_server::JobsServer;
use maelstrom_wire::v1::operator_server::OperatorServer;
use maelstrom_wire::v1::workers_server::WorkersServer;

/// Messages that wait for the core: enough that it is never idle while there are some.
const INBOX_MAX: usize = 1024;

/// Large messages among them, each of which may have 4 MiB: whoever sends more waits.
const LARGE_MAX: usize = 16;

/// Inputs between two rounds of decisions.
const BATCH_MAX: usize = 256;

/// How often a silent connection is tried, and for how long: a client's machine that vanished says
/// no goodbye, and what it wanted must not be kept for ever.
const KEEP_ALIVE_PERIOD: Duration = Duration::from_secs(5);
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(10);

/// How often those who watch are told how the cluster does.
pub const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// The way to the core.
#[derive(Clone, Debug)]
pub struct BrokerHandle {
    inbox: Sender<CoreInput>,
    own: UnboundedSender<CoreInput>,
    sessions: Arc<AtomicU64>,
    /// For those messages that take much memory.
    large: Arc<Semaphore>,
    end: Arc<Notify>,
}

/// The core and what it hears, ready to run.
pub struct BrokerTask {
    core: BrokerCore,
    inbox: Receiver<CoreInput>,
    own: UnboundedReceiver<CoreInput>,
    began: Instant,
}

/// A core that nobody has spoken to yet. Must be called on a runtime.
pub fn open(
    policy: BrokerConfig,
    journal: (Journal, RecoveredState),
    inventory: Box<dyn ContentInventory>,
) -> (BrokerHandle, BrokerTask) {
    let (inbox, receiver) = channel(INBOX_MAX);
    let (own, own_receiver) = unbounded_channel();
    let core = BrokerCore::new(policy, journal, inventory, own.clone());
    let door = BrokerHandle {
        inbox,
        own,
        sessions: Arc::default(),
        large: Arc::new(Semaphore::new(LARGE_MAX)),
        end: Arc::default(),
    };
    let engine = BrokerTask {
        core,
        inbox: receiver,
        own: own_receiver,
        began: Instant::now(),
    };
    (door, engine)
}

impl BrokerTask {
    /// Runs until every way to the core is closed, or the future is dropped.
    pub async fn run(mut self) {
        let mut sampling = tokio::time::interval(SAMPLE_PERIOD);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut inputs, mut others) = (Vec::new(), Vec::new());
        loop {
            let due = self.core.next_tick();
            let due = due.map(|moment| self.began + Duration::from_millis(moment.0));
            tokio::select! {
                biased;
                count = self.own.recv_many(&mut inputs, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                count = self.inbox.recv_many(&mut others, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                _ = sampling.tick() => inputs.push(CoreInput::Sample),
                () = sleep_until(due) => {}
            }
            for input in inputs.drain(..).chain(others.drain(..)) {
                let now = self.now();
                self.core.handle(input, now);
            }
            let now = self.now();
            self.core.tick(now);
        }
    }

    fn now(&self) -> BrokerInstant {
        let elapsed = self.began.elapsed().as_millis();
        BrokerInstant(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl BrokerHandle {
    /// Waits until an operator orders the broker to end.
    pub async fn ordered_to_end(&self) {
        self.end.notified().await;
    }

    /// The storage has lost something. Tells whether anybody is there to hear it.
    pub fn contents_lost(&self) -> bool {
        self.own.send(CoreInput::ContentsLost).is_ok()
    }

    /// What metrics tell.
    pub async fn figures(&self) -> Result<CoreSnapshot, Status> {
        let (answer, answered) = oneshot::channel();
        self.send(CoreInput::Figures(answer)).await?;
        let ending = |_| Status::unavailable("the broker is ending");
        answered.await.map_err(ending)
    }

    fn session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    async fn send(&self, input: CoreInput) -> Result<(), Status> {
        let sent = self.inbox.send(input).await;
        sent.map_err(|_| ending())
    }

    /// Introduces somebody to the core, which may not want the connection.
    async fn introduce(
        &self,
        input: impl FnOnce(oneshot::Sender<Result<SessionId, Status>>) -> CoreInput,
    ) -> Result<(), Status> {
        let (answer, answered) = oneshot::channel();
        self.send(input(answer)).await?;
        answered.await.map_err(|_| ending())?.map(drop)
    }

    /// Reads a connection to its end, and says so.
    fn read<M: Send + 'static>(
        &self,
        session: SessionId,
        mut messages: Streaming<M>,
        is_large: fn(&M) -> bool,
        input: impl Fn(M) -> Option<CoreInput> + Send + 'static,
    ) {
        let door = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                let is_large = is_large(&message);
                // A kind of message that a newer version has is passed over.
                let Some(mut input) = input(message) else {
                    continue;
                };
                if is_large && let Ok(permit) = Arc::clone(&door.large).acquire_owned().await {
                    input = CoreInput::Large(Box::new(input), permit);
                }
                if door.inbox.send(input).await.is_err() {
                    return;
                }
            }
            drop(door.inbox.send(CoreInput::Gone(session)).await);
        });
    }
}

/// What a stream begins with. Whoever does not say it has no use for a connection.
async fn first<M>(messages: &mut Streaming<M>, expected: &str) -> Result<Option<M>, Status> {
    match timeout(HELLO_MAX, messages.message()).await {
        Ok(first) => first,
        Err(_) => Err(Status::deadline_exceeded(format!(
            "nothing came for {} s: `{expected}` comes first",
            HELLO_MAX.as_secs()
        ))),
    }
}

fn ending() -> Status {
    Status::unavailable("the broker is ending")
}

/// How the broker listens, whatever carries it.
pub fn server() -> Server {
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(KEEP_ALIVE_PERIOD))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_MAX))
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(RESETS_MAX))
}

/// Adds the broker's services, each for those who may call it.
pub fn add_to(routes: &mut RoutesBuilder, door: &BrokerHandle, access: &AccessPolicy) {
    let jobs = JobsServer::new(jobs::JobsService::new(door.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let workers = WorkersServer::new(workers::WorkersService::new(door.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let operator = OperatorServer::new(operator::OperatorService::new(door.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let for_clients = access.guard(&[ClusterRole::Client]);
    routes
        .add_service(InterceptedService::new(jobs, for_clients.clone()))
        .add_service(InterceptedService::new(
            workers,
            access.guard(&[ClusterRole::Worker]),
        ))
        // What of it is for administrators alone, it finds out itself.
        .add_service(InterceptedService::new(operator, for_clients));
}
