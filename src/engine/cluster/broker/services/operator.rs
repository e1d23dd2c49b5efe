//! The service for operators.

use tokio::sync::mpsc::channel;
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::handle::{BrokerHandle, SAMPLE_PERIOD, ending};
use crate::broker::core::CoreInput;
use crate::security::guard::is_for_admins;
use maelstrom_wire::v1::operator_server::Operator;
use maelstrom_wire::v1::{
    Cluster, DrainRequest, DrainResponse, StatusRequest, StopRequest, StopResponse,
};

/// The service for operators; see `proto/maelstrom/v1/operator.proto`.
pub(super) struct OperatorService {
    door: BrokerHandle,
}

impl OperatorService {
    /// Creates a service that uses this handle.
    pub(super) fn new(door: BrokerHandle) -> OperatorService {
        OperatorService { door }
    }
}

async fn status(door: &BrokerHandle) -> Result<Cluster, Status> {
    let (answer, answered) = oneshot::channel();
    door.send(CoreInput::Status(answer)).await?;
    answered.await.map_err(|_| ending())
}

async fn drain(door: &BrokerHandle, worker: String) -> Result<Vec<String>, Status> {
    let (answer, answered) = oneshot::channel();
    door.send(CoreInput::Drain(worker, answer)).await?;
    answered.await.map_err(|_| ending())
}

#[tonic::async_trait]
impl Operator for OperatorService {
    async fn status(&self, _request: Request<StatusRequest>) -> Result<Response<Cluster>, Status> {
        status(&self.door).await.map(Response::new)
    }

    type WatchStream = ReceiverStream<Result<Cluster, Status>>;

    async fn watch(
        &self,
        _request: Request<StatusRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // A capacity of one is enough, because the next status is newer.
        let (sender, receiver) = channel(1);
        let door = self.door.clone();
        tokio::spawn(async move {
            let mut period = tokio::time::interval(SAMPLE_PERIOD);
            loop {
                period.tick().await;
                let status = status(&door).await;
                let is_over = status.is_err();
                if sender.send(status).await.is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn drain(
        &self,
        request: Request<DrainRequest>,
    ) -> Result<Response<DrainResponse>, Status> {
        is_for_admins(&request)?;
        let name = request.into_inner().worker;
        let workers = drain(&self.door, name.clone()).await?;
        if workers.is_empty() && !name.is_empty() {
            let message = format!("no worker of the name `{name}` is connected");
            return Err(Status::not_found(message));
        }
        Ok(Response::new(DrainResponse { workers }))
    }

    async fn stop(&self, request: Request<StopRequest>) -> Result<Response<StopResponse>, Status> {
        is_for_admins(&request)?;
        if request.into_inner().workers {
            drain(&self.door, String::new()).await?;
        }
        self.door.end.notify_one();
        Ok(Response::new(StopResponse {}))
    }
}
