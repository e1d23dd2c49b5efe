//! The connection to the broker, which reconnects whenever it breaks.
//!
//! The state belongs to [`BrokerConnection`]. It does not interpret the messages, except the first
//! one, without which a broker does not answer.
//!
//! Invariant: [`BrokerConnection::next`] is cancel safe.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Bytes, StdError};
use tonic::{Code, Status, Streaming};

use maelstrom_wire::from_proto::text;
use maelstrom_wire::limits::MESSAGE_BYTES_MAX;
use maelstrom_wire::v1::workers_client::WorkersClient;
use maelstrom_wire::v1::{WorkerMessage, WorkerOrder, worker_message, worker_order};

/// How long a broker may take to answer. It answers at once unless its machine is down.
const DIAL_TIME_MAX: Duration = Duration::from_secs(20);

/// The pause after the first failure, then twice as long each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause. A lease lasts 20 s, so a broker that has restarted is found well before.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The number of messages queued for sending. More would only delay heartbeats.
const OUTGOING_MAX: usize = 16;

/// Opens the worker's stream to the broker.
pub type BrokerDialer = Box<dyn Fn(mpsc::Receiver<WorkerMessage>) -> DialFuture>;

/// A stream that is being opened.
pub type DialFuture = Pin<Box<dyn Future<Output = Result<Streaming<WorkerOrder>, Status>>>>;

/// Dials over a channel, which connects by itself.
pub fn channel_dialer<T>(channel: T) -> BrokerDialer
where
    T: GrpcService<Body> + Clone + 'static,
    T::Error: Into<StdError>,
    T::ResponseBody: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<StdError> + Send,
{
    Box::new(move |messages| {
        let mut client =
            WorkersClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Box::pin(async move {
            let orders = client.work(ReceiverStream::new(messages)).await?;
            Ok(orders.into_inner())
        })
    })
}

/// The connection of a worker to its broker.
pub struct BrokerConnection {
    dial: BrokerDialer,
    /// Randomizes the pauses of different workers.
    instance: [u8; 16],
    state: DialState,
    failures: u32,
}

enum DialState {
    Resting(Pin<Box<Sleep>>),
    Dialling {
        outgoing: mpsc::Sender<WorkerMessage>,
        dialled: Pin<Box<dyn Future<Output = Result<Streaming<WorkerOrder>, Status>>>>,
    },
    Up {
        outgoing: mpsc::Sender<WorkerMessage>,
        incoming: Box<Streaming<WorkerOrder>>,
        since: Instant,
    },
}

/// An event of the connection.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The connection is closed: call [`BrokerConnection::dial`].
    Idle,
    Up,
    /// An order from the broker.
    Order(Box<worker_order::Kind>),
    /// The connection broke, or could not be opened. A pause follows.
    Down(Disconnected),
    /// The broker permanently refuses this worker.
    Refused(Status),
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// The reason, for display.
    pub reason: String,
    /// The number of consecutive failures.
    pub failures: u32,
}

impl BrokerConnection {
    /// Creates the connection of this worker, which has not been dialed yet.
    pub fn new(dial: BrokerDialer, instance: [u8; 16]) -> BrokerConnection {
        BrokerConnection {
            dial,
            instance,
            state: DialState::Resting(Box::pin(sleep(Duration::ZERO))),
            failures: 0,
        }
    }

    /// Returns whether the connection is open.
    pub fn is_up(&self) -> bool {
        match &self.state {
            DialState::Up { .. } => true,
            DialState::Resting(_) | DialState::Dialling { .. } => false,
        }
    }

    /// Dials, and sends this message first.
    pub fn dial(&mut self, first: worker_message::Kind) {
        let (outgoing, messages) = mpsc::channel(OUTGOING_MAX);
        // The channel is new and has capacity.
        drop(outgoing.try_send(WorkerMessage { kind: Some(first) }));
        let dialled = (self.dial)(messages);
        self.state = DialState::Dialling {
            outgoing,
            dialled: Box::pin(async {
                let late = |_| Status::deadline_exceeded("the broker does not answer");
                timeout(DIAL_TIME_MAX, dialled).await.map_err(late)?
            }),
        };
    }

    /// Closes the connection, for a reason that the next [`ConnectionEvent::Down`] does not repeat.
    pub fn disconnect(&mut self) {
        self.rest();
    }

    /// Returns the next event.
    pub async fn next(&mut self) -> ConnectionEvent {
        let status = match &mut self.state {
            DialState::Resting(until) => {
                until.await;
                return ConnectionEvent::Idle;
            }
            DialState::Dialling { outgoing, dialled } => match dialled.await {
                Ok(incoming) => {
                    self.state = DialState::Up {
                        outgoing: outgoing.clone(),
                        incoming: Box::new(incoming),
                        since: Instant::now(),
                    };
                    return ConnectionEvent::Up;
                }
                Err(status) => status,
            },
            DialState::Up { incoming, .. } => match incoming.message().await {
                Ok(Some(WorkerOrder { kind: Some(order) })) => {
                    return ConnectionEvent::Order(Box::new(order));
                }
                // If an order was skipped, the broker might count on a lease that no one runs, so
                // the connection starts over.
                Ok(Some(WorkerOrder { kind: None })) => {
                    Status::internal("the broker sends orders that this version does not know")
                }
                Ok(None) => Status::unavailable("the broker has closed the connection"),
                Err(status) => status,
            },
        };
        if is_final(&status) {
            return ConnectionEvent::Refused(status);
        }
        self.rest();
        ConnectionEvent::Down(Disconnected {
            reason: explained(&status),
            failures: self.failures,
        })
    }

    /// Waits for capacity to send a message, forever while the connection is down.
    pub fn room(&self) -> impl Future<Output = OwnedPermit<WorkerMessage>> + use<> {
        let outgoing = match &self.state {
            DialState::Up { outgoing, .. } => Some(outgoing.clone()),
            DialState::Resting(_) | DialState::Dialling { .. } => None,
        };
        async move {
            if let Some(outgoing) = outgoing
                && let Ok(permit) = outgoing.reserve_owned().await
            {
                return permit;
            }
            // The receiving side reports why the connection broke.
            std::future::pending().await
        }
    }

    fn rest(&mut self) {
        let stood = match &self.state {
            DialState::Up { since, .. } => since.elapsed(),
            DialState::Resting(_) | DialState::Dialling { .. } => Duration::ZERO,
        };
        // A connection that breaks right after it opens counts as a failure.
        self.failures = match stood > PAUSE_MAX {
            true => 1,
            false => self.failures.saturating_add(1),
        };
        self.state = DialState::Resting(Box::pin(sleep(pause(self.instance, self.failures))));
    }
}

/// Returns half to all of the backoff for this number of failures, so that workers don't reconnect
/// at the same time.
fn pause(instance: [u8; 16], failures: u32) -> Duration {
    // The maximum is reached long before the shift would overflow.
    let doubled = failures.saturating_sub(1).min(16);
    let whole = PAUSE_MIN.saturating_mul(1 << doubled).min(PAUSE_MAX);
    let mut hasher = DefaultHasher::new();
    (instance, failures).hash(&mut hasher);
    let chance = hasher.finish() % 1000;
    whole / 2 + whole.mul_f64(0.5 * chance as f64 / 1000.0)
}

/// Returns whether retrying is pointless until the configuration or the software changes.
fn is_final(status: &Status) -> bool {
    match status.code() {
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::Unimplemented => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => false,
    }
}

/// Formats a status with its causes, such as a refused connection.
fn explained(status: &Status) -> String {
    let message = match status.message() {
        "" => status.code().description().to_owned(),
        message => text(message).to_string(),
    };
    match std::error::Error::source(status) {
        None => message,
        Some(source) => {
            let causes = maelstrom_model::error::with_causes(source);
            match causes.contains(&message) {
                true => causes,
                false => format!("{message}: {causes}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        for failures in [0, 1, 2, 5, 100, u32::MAX] {
            let pause = pause([7; 16], failures);
            assert!(pause >= PAUSE_MIN / 2 && pause <= PAUSE_MAX, "{pause:?}");
        }
        assert!(pause([7; 16], 100) >= PAUSE_MAX / 2);
        let workers = (0..50).map(|worker| pause([worker; 16], 9));
        let pauses: std::collections::BTreeSet<Duration> = workers.collect();
        assert!(pauses.len() > 40);
    }

    #[test]
    fn what_time_heals_is_tried_again() {
        assert!(!is_final(&Status::unavailable("")));
        assert!(!is_final(&Status::out_of_range("a message too large")));
        assert!(is_final(&Status::unauthenticated("no token")));
    }
}
