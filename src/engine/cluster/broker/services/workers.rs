//! The service for workers.

use tokio::sync::mpsc::unbounded_channel;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::handle::{BrokerHandle, first};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::core::CoreInput;
use maelstrom_wire::v1::workers_server::Workers;
use maelstrom_wire::v1::{WorkerMessage, WorkerOrder, worker_message};

/// The number of reports in a message that counts as small.
const REPORTS_SMALL: usize = 64;

/// The service for workers; see `proto/maelstrom/v1/worker.proto`.
pub(super) struct WorkersService {
    door: BrokerHandle,
}

impl WorkersService {
    /// Creates a service that uses this handle.
    pub(super) fn new(door: BrokerHandle) -> WorkersService {
        WorkersService { door }
    }
}

/// Returns whether a message may take much memory: many reports, or one with much output.
fn is_large(message: &WorkerMessage) -> bool {
    match &message.kind {
        Some(worker_message::Kind::Reports(reports)) => reports.reports.len() > REPORTS_SMALL,
        _ => false,
    }
}

#[tonic::async_trait]
impl Workers for WorkersService {
    /// Unbounded by type, but a worker is sent only leases up to its slots plus prefetch, with
    /// their templates.
    type WorkStream = UnboundedReceiverStream<Result<WorkerOrder, Status>>;

    async fn work(
        &self,
        request: Request<Streaming<WorkerMessage>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let caller = CallerPrincipal::of(&request);
        let mut messages = request.into_inner();
        let first = first(&mut messages, "register").await?;
        let Some(worker_message::Kind::Register(register)) = first.and_then(|message| message.kind)
        else {
            return Err(Status::invalid_argument("a worker begins with `register`"));
        };
        let session = self.door.session();
        let (orders, outlet) = unbounded_channel();
        let register = |answer| CoreInput::Register {
            register,
            caller,
            orders,
            answer,
            session,
        };
        self.door.introduce(register).await?;
        self.door.read(
            session,
            messages,
            is_large,
            move |message: WorkerMessage| Some(CoreInput::Worker(session, message.kind?)),
        );
        Ok(Response::new(UnboundedReceiverStream::new(outlet)))
    }
}
