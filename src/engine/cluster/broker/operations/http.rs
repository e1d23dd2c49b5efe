//! `/metrics`, `/healthz` and `/readyz` over HTTP. These need no credential, so they change no
//! state and reveal no name of a run, client or worker.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use tokio::net::TcpListener;

use super::health::{BrokerHealth, BrokerReadiness};
use super::metrics::{self, CONTENT_TYPE};
use super::snapshot::MetricsSnapshot;
use crate::broker::budgets::ResourceBudgets;
use crate::broker::cas::CasStorage;
use crate::broker::connections::{AcceptedConnection, ConnectionRegistry};
use crate::broker::services::BrokerHandle;

/// The sources of the handlers' responses.
#[derive(Clone)]
pub struct MonitoringState {
    pub door: BrokerHandle,
    pub storage: CasStorage,
    /// Whether the broker is ready for work.
    pub health: BrokerHealth,
}

/// Serves requests until the future is dropped.
pub async fn serve(listener: TcpListener, sources: MonitoringState) -> std::io::Result<()> {
    let pages = Router::new()
        .route("/metrics", get(figures))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(sources);
    axum::serve(MonitoringListener::new(listener), pages).await
}

/// A listener for unauthenticated clients: their connections are few, and limited in time; a client
/// that polls every few seconds reconnects.
struct MonitoringListener {
    listener: TcpListener,
    connections: ConnectionRegistry,
}

impl MonitoringListener {
    fn new(listener: TcpListener) -> MonitoringListener {
        MonitoringListener {
            listener,
            connections: ConnectionRegistry::new(ResourceBudgets::default()),
        }
    }
}

impl Listener for MonitoringListener {
    type Io = AcceptedConnection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (AcceptedConnection, SocketAddr) {
        let connection = self.connections.accept(&self.listener).await;
        let remote = connection.remote();
        (connection, remote)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn figures(State(sources): State<MonitoringState>) -> Response {
    let core = match sources.door.figures().await {
        Ok(core) => core,
        Err(status) => return unavailable(status.message().to_owned()),
    };
    let figures = MetricsSnapshot {
        core,
        storage: sources.storage.usage(),
        is_ready: sources.health.readiness() == BrokerReadiness::Ready,
    };
    match metrics::encode(figures) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => unavailable(error.to_string()),
    }
}

/// Succeeds if the core answers.
async fn alive(State(sources): State<MonitoringState>) -> Response {
    match sources.door.figures().await {
        Ok(_) => "alive\n".into_response(),
        Err(status) => unavailable(status.message().to_owned()),
    }
}

async fn ready(State(sources): State<MonitoringState>) -> Response {
    match sources.health.readiness() {
        BrokerReadiness::Ready => "ready\n".into_response(),
        readiness @ (BrokerReadiness::Ending | BrokerReadiness::Disk(_)) => {
            unavailable(readiness.to_string())
        }
    }
}

fn unavailable(why: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response()
}
