//! The inputs of the core, and its view of the storage.

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

/// A connection of a client or a worker. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// An input of the core.
pub enum CoreInput {
    Hello {
        hello: v1::Hello,
        caller: CallerPrincipal,
        /// Where its messages go.
        outbox: Outbox<v1::SessionEvent>,
        /// Receives the session, or why it is refused.
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
        /// Where its orders go.
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
        /// Receives the session, or why it is refused.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// An input that takes much memory, with the permit that admits the next one.
    Large(Box<CoreInput>, OwnedSemaphorePermit),
    /// A message from a worker.
    Worker(SessionId, v1::worker_message::Kind),
    Gone(SessionId),
    /// The journal has committed a request, or failed to.
    Journalled(u64, Result<(), String>),
    /// Whether the storage has a template's contents.
    Checked(InputsId, Result<InventoryCheck, String>),
    /// The storage has lost a blob.
    ContentsLost,
    /// Asks for the cluster's status.
    Status(oneshot::Sender<v1::Cluster>),
    /// Asks for the metrics.
    Figures(oneshot::Sender<CoreSnapshot>),
    /// Drains the workers of this name, or all.
    Drain(String, oneshot::Sender<Vec<String>>),
    Tick,
    /// About once a second: sends the cluster's status to clients.
    Sample,
}

/// What the core asks of the storage.
pub trait ContentInventory: Send + Sync {
    /// Checks for contents, and for everything below directories.
    fn check(
        &self,
        contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>>;

    /// The total size of its blobs.
    fn bytes(&self) -> u64;

    /// The hits and misses of the action cache.
    fn cache_uses(&self) -> (u64, u64) {
        (0, 0)
    }
}
