//! The inputs of the core, and the trait through which it queries the storage.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tonic::Status;

use super::outbox::Outbox;
use super::templates::InventoryCheck;
use crate::broker::budgets::CallerPrincipal;
use crate::broker::operations::snapshot::CoreSnapshot;
use crate::broker::scheduler::InputsId;
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1;

/// The id of a connection of a client or a worker. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// An input of the core.
pub enum CoreInput {
    Hello {
        hello: v1::Hello,
        caller: CallerPrincipal,
        /// The queue of outgoing messages.
        outbox: Outbox<v1::SessionEvent>,
        /// Receives the session, or the error of a rejected connection.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// A message from a client.
    Client(SessionId, v1::client_message::Kind),
    /// A full outbox has room again.
    Room(SessionId),
    Register {
        register: v1::Register,
        caller: CallerPrincipal,
        /// The queue of outgoing orders.
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
        /// Receives the session, or the error of a rejected connection.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// An input that takes much memory. The permit admits the next one when it is dropped.
    Large(Box<CoreInput>, OwnedSemaphorePermit),
    /// A message from a worker.
    Worker(SessionId, v1::worker_message::Kind),
    Gone(SessionId),
    /// The journal has committed a request, or failed to.
    Journalled(u64, Result<(), String>),
    /// The result of checking whether the storage has a template's contents.
    Checked(InputsId, Result<InventoryCheck, String>),
    /// The storage has lost a blob.
    ContentsLost,
    /// A request for the cluster's status.
    Status(oneshot::Sender<v1::Cluster>),
    /// A request for the metrics.
    Figures(oneshot::Sender<CoreSnapshot>),
    /// Drains the workers of this name, or all.
    Drain(String, oneshot::Sender<Vec<String>>),
    Tick,
    /// Sent about once a second: the core sends the cluster's status to clients.
    Sample,
}

/// The queries that the core makes to the storage.
pub trait ContentInventory: Send + Sync {
    /// Checks whether the storage has these contents, including everything below directories.
    fn check(
        &self,
        contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>>;

    /// Returns the total size of the stored blobs, in bytes.
    fn bytes(&self) -> u64;

    /// Returns the hits and misses of the action cache.
    fn cache_uses(&self) -> (u64, u64) {
        (0, 0)
    }
}
