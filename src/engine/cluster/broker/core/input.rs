//! What happens to the core, and what it asks of the storage.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tonic::Status;

use super::outbox::Outbox;
use super::templates::PinGuard;
use crate::broker::budgets::CallerPrincipal;
use crate::broker::operations::snapshot::CoreSnapshot;
use crate::broker::scheduler::InputsId;
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1;

/// One connection of a client or a worker. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// What happens to the core.
pub enum CoreInput {
    Hello {
        hello: v1::Hello,
        caller: CallerPrincipal,
        /// Where its messages go.
        outbox: Outbox<v1::SessionEvent>,
        /// The connection, or why it is not wanted.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// A client said something.
    Client(SessionId, v1::client_message::Kind),
    /// A full outbox of a client has room.
    Room(SessionId),
    Register {
        register: v1::Register,
        caller: CallerPrincipal,
        /// Where its orders go.
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
        /// The connection, or why it is not wanted.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// One of these that takes much memory, and what lets the next one in when it was taken in.
    Large(Box<CoreInput>, OwnedSemaphorePermit),
    /// A worker said something.
    Worker(SessionId, v1::worker_message::Kind),
    Gone(SessionId),
    /// The journal has written, or failed to.
    Journalled(u64, Result<(), String>),
    /// Whether the storage has what a template names.
    Checked(InputsId, Result<InventoryCheck, String>),
    /// The storage has lost something, whoever needs it.
    ContentsLost,
    /// How does the cluster do?
    Status(oneshot::Sender<v1::Cluster>),
    /// The same, and all that metrics tell.
    Figures(oneshot::Sender<CoreSnapshot>),
    /// Workers of this name, or all, are to take no more leases.
    Drain(String, oneshot::Sender<Vec<String>>),
    Tick,
    /// About a second has passed: those who watch want to know.
    Sample,
}

/// What the storage has of a template.
pub enum InventoryCheck {
    /// Everything, kept there from now on.
    Complete(PinGuard),
    /// Not these. The rest is kept there from now on, and these are once they come.
    Lacking(Vec<v1::Digest>, PinGuard),
    /// Whatever it has: a template that names this is not taken, for this reason.
    Refused(String),
}

/// Knows what the storage has.
pub trait ContentInventory: Send + Sync {
    /// Looks for contents, and for everything below directories.
    fn check(
        &self,
        contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>>;

    /// How many bytes it holds.
    fn bytes(&self) -> u64;

    /// How often action results were found, and not found.
    fn cache_uses(&self) -> (u64, u64) {
        (0, 0)
    }
}
