//! The handle through which connections pass inputs to the core.

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

/// The interval at which clients are sent the cluster's status.
pub const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// A handle to the core.
#[derive(Clone, Debug)]
pub struct BrokerHandle {
    pub(super) inbox: Sender<CoreInput>,
    pub(super) own: UnboundedSender<CoreInput>,
    pub(super) sessions: Arc<AtomicU64>,
    /// Limits queued messages that take much memory.
    pub(super) large: Arc<Semaphore>,
    pub(super) end: Arc<Notify>,
}

impl BrokerHandle {
    /// Waits until an operator orders the broker to stop.
    pub async fn ordered_to_end(&self) {
        self.end.notified().await;
    }

    /// The storage has lost a blob. Returns whether the core is still running.
    pub fn contents_lost(&self) -> bool {
        self.own.send(CoreInput::ContentsLost).is_ok()
    }

    /// Returns the metrics of the core.
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

    /// Registers a connection with the core, which may refuse it.
    pub(super) async fn introduce(
        &self,
        input: impl FnOnce(oneshot::Sender<Result<SessionId, Status>>) -> CoreInput,
    ) -> Result<(), Status> {
        let (answer, answered) = oneshot::channel();
        self.send(input(answer)).await?;
        answered.await.map_err(|_| ending())?.map(drop)
    }

    /// Reads a stream to its end, which is reported to the core as well.
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
                // Messages of an unknown kind, from a newer version, are skipped.
                let Some(mut input) = input(message) else {
                    continue;
                };
                // Reading stops in the meantime, so flow control blocks the sender.
                if is_large && let Ok(permit) = Arc::clone(&door.large).acquire_owned().await {
                    input = CoreInput::Large(Box::new(input), permit);
                }
                if door.inbox.send(input).await.is_err() {
                    return;
                }
            }
            // The end takes the same path as the messages, so it arrives after them.
            drop(door.inbox.send(CoreInput::Gone(session)).await);
        });
    }
}

/// Returns the first message of a stream. A peer that does not send it in time is disconnected.
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
