//! `/metrics`, `/healthz` and `/readyz` by HTTP. Deliberately absent: anything that changes
//! something, and names of runs, clients or workers, since no credential is asked for.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use tokio::net::TcpListener;

use super::figures::Figures;
use super::health::{Health, Readiness};
use super::metrics::{self, CONTENT_TYPE};
use crate::broker::budgets::Budgets;
use crate::broker::cas::Storage;
use crate::broker::connections::{Connection, Connections};
use crate::broker::services::Door;

/// What is asked.
#[derive(Clone)]
pub struct Sources {
    /// The core.
    pub door: Door,
    /// The storage.
    pub storage: Storage,
    /// Whether work can be sent.
    pub health: Health,
}

/// Answers until the future is dropped.
pub async fn serve(listener: TcpListener, sources: Sources) -> std::io::Result<()> {
    let pages = Router::new()
        .route("/metrics", get(figures))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(sources);
    axum::serve(Watchers::new(listener), pages).await
}

/// Connections of those who watch. Nobody shows a credential here, so each has a limited time, and there
/// are few at once: who asks every few seconds connects again.
struct Watchers {
    listener: TcpListener,
    connections: Connections,
}

impl Watchers {
    fn new(listener: TcpListener) -> Watchers {
        Watchers {
            listener,
            connections: Connections::new(Budgets::default()),
        }
    }
}

impl Listener for Watchers {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let connection = self.connections.accept(&self.listener).await;
        let remote = connection.remote();
        (connection, remote)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn figures(State(sources): State<Sources>) -> Response {
    let core = match sources.door.figures().await {
        Ok(core) => core,
        Err(status) => return unavailable(status.message().to_owned()),
    };
    let figures = Figures {
        core,
        storage: sources.storage.usage(),
        is_ready: sources.health.readiness() == Readiness::Ready,
    };
    match metrics::encode(figures) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => unavailable(error.to_string()),
    }
}

/// The core answers.
async fn alive(State(sources): State<Sources>) -> Response {
    match sources.door.figures().await {
        Ok(_) => "alive\n".into_response(),
        Err(status) => unavailable(status.message().to_owned()),
    }
}

async fn ready(State(sources): State<Sources>) -> Response {
    match sources.health.readiness() {
        Readiness::Ready => "ready\n".into_response(),
        readiness @ (Readiness::Ending | Readiness::Disk(_)) => unavailable(readiness.to_string()),
    }
}

fn unavailable(why: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response()
}
