//! The way to the core, as every connection has it: who hands over what, and who waits for what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{Sender, UnboundedSender};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::broker::core::{CoreInput, SessionId};
use crate::broker::limits::HELLO_MAX;
use crate::broker::operations::snapshot::CoreSnapshot;

/// How often those who watch are told how the cluster does.
pub const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// The way to the core.
#[derive(Clone, Debug)]
pub struct BrokerHandle {
    pub(super) inbox: Sender<CoreInput>,
    pub(super) own: UnboundedSender<CoreInput>,
    pub(super) sessions: Arc<AtomicU64>,
    /// For those messages that take much memory.
    pub(super) large: Arc<Semaphore>,
    pub(super) end: Arc<Notify>,
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

    pub(super) fn session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) async fn send(&self, input: CoreInput) -> Result<(), Status> {
        let sent = self.inbox.send(input).await;
        sent.map_err(|_| ending())
    }

    /// Introduces somebody to the core, which may not want the connection.
    pub(super) async fn introduce(
        &self,
        input: impl FnOnce(oneshot::Sender<Result<SessionId, Status>>) -> CoreInput,
    ) -> Result<(), Status> {
        let (answer, answered) = oneshot::channel();
        self.send(input(answer)).await?;
        answered.await.map_err(|_| ending())?.map(drop)
    }

    /// Reads a connection to its end, and says so.
    pub(super) fn read<M: Send + 'static>(
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
                // Reading stops meanwhile, so that flow control makes the sender wait.
                if is_large && let Ok(permit) = Arc::clone(&door.large).acquire_owned().await {
                    input = CoreInput::Large(Box::new(input), permit);
                }
                if door.inbox.send(input).await.is_err() {
                    return;
                }
            }
            // It goes the same way as the messages, so that it comes after them.
            drop(door.inbox.send(CoreInput::Gone(session)).await);
        });
    }
}

/// What a stream begins with. Whoever does not say it has no use for a connection.
pub(super) async fn first<M>(
    messages: &mut Streaming<M>,
    expected: &str,
) -> Result<Option<M>, Status> {
    match timeout(HELLO_MAX, messages.message()).await {
        Ok(first) => first,
        Err(_) => Err(Status::deadline_exceeded(format!(
            "nothing came for {} s: `{expected}` comes first",
            HELLO_MAX.as_secs()
        ))),
    }
}

pub(super) fn ending() -> Status {
    Status::unavailable("the broker is ending")
}
