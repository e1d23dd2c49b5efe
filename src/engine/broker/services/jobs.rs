//! Sessions of clients.

use tonic::{Request, Response, Status, Streaming};

use super::{Door, first};
use crate::engine::broker::budgets::Caller;
use crate::engine::broker::core::Input;
use crate::engine::broker::core::outbox::{Outlet, outbox};
use crate::engine::wire::v1::jobs_server::Jobs;
use crate::engine::wire::v1::{ClientMessage, SessionEvent, client_message};

/// See `proto/maelstrom/v1/client.proto`.
pub struct JobsService {
    door: Door,
}

impl JobsService {
    /// Through this door.
    pub fn new(door: Door) -> JobsService {
        JobsService { door }
    }
}

#[tonic::async_trait]
impl Jobs for JobsService {
    type SessionStream = Outlet<SessionEvent>;

    async fn session(
        &self,
        request: Request<Streaming<ClientMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let caller = Caller::of(&request);
        let mut messages = request.into_inner();
        let first = first(&mut messages, "hello").await?;
        let Some(client_message::Kind::Hello(hello)) = first.and_then(|message| message.kind)
        else {
            return Err(Status::invalid_argument("a session begins with `hello`"));
        };
        let session = self.door.session();
        let own = self.door.own.clone();
        let (outbox, outlet) = outbox(move || drop(own.send(Input::Room(session))));
        let hello = |answer| Input::Hello {
            hello,
            caller,
            outbox,
            answer,
            session,
        };
        self.door.introduce(hello).await?;
        self.door
            .read(session, messages, move |message: ClientMessage| {
                Some(Input::Client(session, message.kind?))
            });
        Ok(Response::new(outlet))
    }
}
