//! The broker's gRPC services: they pass messages between connections and the core.
//!
//! Each connection has a task that reads it and passes its messages on. The inbox is bounded, so a
//! connection that sends more than the core can handle waits, and so does its sender.
//!
//! [`handle`]: the connections' handle to the core. [`jobs`], [`workers`], [`operator`]: the
//! services.

mod handle;
mod jobs;
mod operator;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, channel, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;

use super::core::{BrokerConfig, BrokerCore, ContentInventory, CoreInput};
use super::journal::{Journal, RecoveredState};
use super::limits::{HEADER_BYTES_MAX, RESETS_MAX, STREAMS_PER_CONNECTION_MAX};
use super::scheduler::BrokerInstant;
use crate::security::guard::AccessPolicy;
use crate::security::roles::ClusterRole;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::v1::jobs_server::JobsServer;
use maelstrom_wire::v1::operator_server::OperatorServer;
use maelstrom_wire::v1::workers_server::WorkersServer;

pub use self::handle::{BrokerHandle, SAMPLE_PERIOD};

/// The number of messages queued for the core: enough that it is never idle while messages arrive.
const INBOX_MAX: usize = 1024;

/// The number of large messages among them, each of up to 4 MiB; further ones wait.
const LARGE_MAX: usize = 16;

/// The number of inputs between two rounds of decisions.
const BATCH_MAX: usize = 256;

/// The interval and the timeout of keepalive pings: a client that disappears sends no goodbye, and
/// its jobs must not be kept forever.
const KEEP_ALIVE_PERIOD: Duration = Duration::from_secs(5);
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(10);

/// The core and its inbox, ready to run.
pub struct BrokerTask {
    core: BrokerCore,
    inbox: Receiver<CoreInput>,
    own: UnboundedReceiver<CoreInput>,
    began: Instant,
}

/// Creates a core without connections. Must be called within a runtime.
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
    /// Runs until every handle is dropped, or the future is.
    pub async fn run(mut self) {
        let mut sampling = tokio::time::interval(SAMPLE_PERIOD);
        // After a pause, such as a suspended machine, one sample is enough.
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut inputs, mut others) = (Vec::new(), Vec::new());
        loop {
            let due = self.core.next_tick();
            let due = due.map(|moment| self.began + Duration::from_millis(moment.0));
            tokio::select! {
                // Rare events come first, so that an inbox that is never empty does not block them:
                // a sample comes once a second, inputs from the core itself are few, and clients
                // wait for their effects. The core does the work that is due after each batch.
                biased;
                _ = sampling.tick() => inputs.push(CoreInput::Sample),
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

/// Returns the configured server, independent of the transport.
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

/// Adds the broker's services, each with its guard.
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
        // The service itself checks which calls are reserved for administrators.
        .add_service(InterceptedService::new(operator, for_clients));
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::future::BoxFuture;
    use tokio::sync::oneshot;

    use super::super::budgets::CallerPrincipal;
    use super::super::core::outbox::outbox;
    use super::super::core::{InventoryCheck, SessionId};
    use super::*;
    use maelstrom_wire::from_proto::ContentSource;
    use maelstrom_wire::v1::{self, client_message, session_event};
    use maelstrom_wire::versions::VERSIONS;

    struct EmptyInventory;

    impl ContentInventory for EmptyInventory {
        fn check(
            &self,
            _contents: Vec<ContentSource>,
        ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
            Box::pin(async { Ok(InventoryCheck::Complete(Box::new(()))) })
        }

        fn bytes(&self) -> u64 {
            0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_inbox_keeps_no_client_from_its_sample() {
        let journal = (Journal::none(), RecoveredState::default());
        let (handle, mut task) = open(BrokerConfig::default(), journal, Box::new(EmptyInventory));
        let (outbox, mut outlet) = outbox(|| {});
        let (answer, _answered) = oneshot::channel();
        let session = SessionId(0);
        let hello = CoreInput::Hello {
            hello: v1::Hello {
                versions: Some(VERSIONS.clone()),
                run: vec![1; 16].into(),
                name: "somebody".to_owned(),
                weight: 1,
                ..v1::Hello::default()
            },
            caller: CallerPrincipal::default(),
            outbox,
            answer,
            session,
        };
        task.core.handle(hello, BrokerInstant(0));
        // The client leaves with the last input of a full inbox: only a sample that need not wait
        // for the inbox to be empty reaches it.
        for _ in 1..INBOX_MAX {
            handle.inbox.try_send(CoreInput::Tick).unwrap();
        }
        let goodbye = client_message::Kind::Goodbye(v1::Empty {});
        let goodbye = CoreInput::Client(session, goodbye);
        handle.inbox.try_send(goodbye).unwrap();
        drop(handle);
        task.run().await;
        let mut samples = 0;
        while let Some(event) = outlet.next().await {
            let kind = event.unwrap().kind;
            samples += u32::from(matches!(kind, Some(session_event::Kind::Cluster(_))));
        }
        assert_eq!(samples, 1);
    }
}
