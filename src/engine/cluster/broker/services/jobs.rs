//! The service for clients.

use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::handle::{BrokerHandle, first};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::core::CoreInput;
use crate::broker::core::outbox::{OutboxReceiver, outbox};
use maelstrom_wire::v1::jobs_server::Jobs;
use maelstrom_wire::v1::{ClientMessage, SessionEvent, client_message};

/// The number of jobs in a message that counts as small: a thousand such messages may be queued.
const JOBS_SMALL: usize = 64;
const BYTES_SMALL: usize = 64 * 1024;

/// The service for clients; see `proto/maelstrom/v1/client.proto`.
pub(super) struct JobsService {
    door: BrokerHandle,
}

impl JobsService {
    /// Creates a service that uses this handle.
    pub(super) fn new(door: BrokerHandle) -> JobsService {
        JobsService { door }
    }
}

/// Returns whether a message may take much memory.
fn is_large(message: &ClientMessage) -> bool {
    match &message.kind {
        Some(client_message::Kind::Submit(submit)) => {
            let bytes = || submit.jobs.iter().map(Message::encoded_len).sum::<usize>();
            submit.jobs.len() > JOBS_SMALL || bytes() > BYTES_SMALL
        }
        Some(client_message::Kind::Acknowledge(acknowledge)) => {
            acknowledge.jobs.len() > BYTES_SMALL / size_of::<u64>()
        }
        // A template may contain whole files, and templates are rare.
        Some(client_message::Kind::Template(_)) => true,
        _ => false,
    }
}

#[tonic::async_trait]
impl Jobs for JobsService {
    type SessionStream = OutboxReceiver<SessionEvent>;

    async fn session(
        &self,
        request: Request<Streaming<ClientMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let caller = CallerPrincipal::of(&request);
        let mut messages = request.into_inner();
        let first = first(&mut messages, "hello").await?;
        let Some(client_message::Kind::Hello(hello)) = first.and_then(|message| message.kind)
        else {
            return Err(Status::invalid_argument("a session begins with `hello`"));
        };
        let session = self.door.session();
        let own = self.door.own.clone();
        let (outbox, outlet) = outbox(move || drop(own.send(CoreInput::Room(session))));
        let hello = |answer| CoreInput::Hello {
            hello,
            caller,
            outbox,
            answer,
            session,
        };
        self.door.introduce(hello).await?;
        self.door.read(
            session,
            messages,
            is_large,
            move |message: ClientMessage| Some(CoreInput::Client(session, message.kind?)),
        );
        Ok(Response::new(outlet))
    }
}
