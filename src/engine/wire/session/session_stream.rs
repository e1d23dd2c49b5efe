//! The session's stream to the broker, reopened whenever it breaks.
//!
//! A task reads the stream, the dispatcher writes to it. A broken connection may lose messages in
//! both directions, so the dispatcher repeats everything that the broker may not know.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender, channel, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Status};

use crate::connection::BrokerChannel;
use crate::from_proto::text;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::v1::jobs_client::JobsClient;
use crate::v1::{ClientMessage, Hello, SessionEvent, client_message, session_event};
use crate::versions::{VERSIONS, agree};
use maelstrom_model::ids;

/// The number of events queued for the dispatcher. When the queue is full, the broker keeps them.
const EVENTS_MAX: usize = 1024;

/// The shortest and the longest pause between two attempts.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(3);

/// How long to retry before the run is lost. A restarted broker is back sooner.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long to retry before the first session: the peer may not be a broker at all, or one that was
/// just killed.
const PATIENCE_FIRST: Duration = Duration::from_secs(3);

/// An event of the stream.
pub(super) enum SessionStreamEvent {
    /// The session is open; the sender carries messages to the broker.
    Up(UnboundedSender<ClientMessage>),
    /// A message from the broker.
    Event(session_event::Kind),
    /// The session broke; it is being reopened.
    Down(String),
    /// The session is lost for good.
    Lost(Status),
}

/// A session that reconnects.
pub(super) struct ReconnectingSession {
    news: Receiver<SessionStreamEvent>,
    task: JoinHandle<()>,
}

impl ReconnectingSession {
    /// Opens a session of a run over this connection. Must be called within a runtime.
    pub(super) fn open(
        connection: BrokerChannel,
        run: [u8; 16],
        name: String,
    ) -> ReconnectingSession {
        let (sender, news) = channel(EVENTS_MAX);
        let hello = Hello {
            versions: Some(VERSIONS.clone()),
            run: run.to_vec().into(),
            name,
            weight: 1,
            secret: secret(),
        };
        let task = tokio::spawn(keep(connection, hello, sender));
        ReconnectingSession { news, task }
    }

    /// Returns the next event. This method is cancel safe.
    pub(super) async fn next(&mut self) -> SessionStreamEvent {
        match self.news.recv().await {
            Some(news) => news,
            // The reason was reported before.
            None => std::future::pending().await,
        }
    }

    /// Closes the session once pending messages are sent, or after a timeout.
    pub(super) async fn close(mut self, patience: Duration) {
        let drained = async {
            while let Some(SessionStreamEvent::Up(_) | SessionStreamEvent::Event(_)) =
                self.news.recv().await
            {}
        };
        drop(tokio::time::timeout(patience, drained).await);
        self.task.abort();
    }
}

/// Returns a secret that proves ownership of the run. Without it, only a credential lets a client
/// resume the run.
fn secret() -> Bytes {
    match ids::secret() {
        Ok(secret) => secret.to_vec().into(),
        Err(error) => {
            tracing::warn!(%error, "the kernel gives no random bytes: the run has no secret");
            Bytes::new()
        }
    }
}

async fn keep(connection: BrokerChannel, hello: Hello, news: Sender<SessionStreamEvent>) {
    let mut pause = PAUSE_FIRST;
    let mut down_since = tokio::time::Instant::now();
    let mut patience = PATIENCE_FIRST;
    loop {
        let ended = session(&connection, &hello, &news).await;
        let status = match ended {
            SessionStreamEnd::Closed => return,
            SessionStreamEnd::Broken { status, was_up } => {
                if was_up {
                    patience = PATIENCE;
                    pause = PAUSE_FIRST;
                    down_since = tokio::time::Instant::now();
                }
                status
            }
        };
        let is_over = down_since.elapsed() > patience || !may_pass(&status);
        let told = match is_over {
            true => SessionStreamEvent::Lost(status),
            false => SessionStreamEvent::Down(text(status.message()).to_string()),
        };
        if news.send(told).await.is_err() || is_over {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_LONGEST);
    }
}

/// Returns whether a retry may help.
fn may_pass(status: &Status) -> bool {
    !matches!(
        status.code(),
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::Unimplemented
            | Code::ResourceExhausted
            | Code::DataLoss
    )
}

enum SessionStreamEnd {
    /// The receiver was dropped.
    Closed,
    Broken {
        status: Status,
        was_up: bool,
    },
}

async fn session(
    connection: &BrokerChannel,
    hello: &Hello,
    news: &Sender<SessionStreamEvent>,
) -> SessionStreamEnd {
    let (outgoing, messages) = unbounded_channel();
    let greeting = ClientMessage {
        kind: Some(client_message::Kind::Hello(hello.clone())),
    };
    drop(outgoing.send(greeting));
    let mut client = JobsClient::new(connection.service())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let request = Request::new(UnboundedReceiverStream::new(messages));
    let mut events = match client.session(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => {
            return SessionStreamEnd::Broken {
                status,
                was_up: false,
            };
        }
    };
    let mut outgoing = Some(outgoing);
    loop {
        let status = match events.message().await {
            Ok(Some(SessionEvent { kind: Some(kind) })) => {
                if let session_event::Kind::Welcome(welcome) = &kind {
                    if let Err(why) = agree(welcome.versions.as_ref(), "broker") {
                        return SessionStreamEnd::Broken {
                            status: Status::failed_precondition(why),
                            was_up: false,
                        };
                    }
                    if let Some(outgoing) = outgoing.take()
                        && news.send(SessionStreamEvent::Up(outgoing)).await.is_err()
                    {
                        return SessionStreamEnd::Closed;
                    }
                }
                if news.send(SessionStreamEvent::Event(kind)).await.is_err() {
                    return SessionStreamEnd::Closed;
                }
                continue;
            }
            // An event of a newer broker.
            Ok(Some(SessionEvent { kind: None })) => continue,
            Ok(None) => Status::unavailable("the broker ended the session"),
            Err(status) => status,
        };
        return SessionStreamEnd::Broken {
            status,
            was_up: outgoing.is_none(),
        };
    }
}
