//! The broker itself.

use std::io::{self, Write};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;

use super::options::Settings;
use super::security::Security;
use crate::engine::broker::cas::{Services, Storage, StorageOptions};
use crate::engine::broker::inventory::StoredInventory;
use crate::engine::broker::journal::Journal;
use crate::engine::broker::services;
use crate::engine::exit_code;
use crate::engine::security::roles::Role;
use crate::program::failure::Failure;

/// Is the broker until it is told to end.
pub fn run(settings: Settings) -> Result<u8, Failure> {
    let infrastructure = |error: &dyn std::error::Error| Failure::infrastructure(error, None);
    let Security {
        access,
        tls,
        warning,
    } = settings.security.settle(settings.address.ip())?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let storage = Storage::open(&StorageOptions {
        root: settings.directory.clone(),
        size_target_bytes: settings.size_target_bytes,
    })
    .map_err(|error| {
        let help = error.help().to_owned();
        Failure::infrastructure(&error, Some(help))
    })?;
    let journal = Journal::open(&settings.directory).map_err(|error| infrastructure(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| infrastructure(&error))?;
    runtime.block_on(async {
        let contents = Services::start(storage.clone()).await;
        let contents = contents.map_err(|error| infrastructure(&error))?;
        let results = contents.action_results().clone();
        let inventory = Box::new(StoredInventory::new(storage, results));
        let (door, engine) = services::open(settings.policy, journal, inventory);
        let mut routes = Routes::builder();
        services::add_to(&mut routes, &door, &access);
        let everybody = access.guard(&Role::ALL);
        routes
            .add_service(InterceptedService::new(
                contents.contents(),
                everybody.clone(),
            ))
            .add_service(InterceptedService::new(
                contents.streams(),
                everybody.clone(),
            ))
            .add_service(InterceptedService::new(
                contents.action_cache(),
                everybody.clone(),
            ))
            .add_service(contents.capabilities());
        let listener = TcpListener::bind(settings.address)
            .await
            .map_err(|source| {
                let error = ListenError {
                    address: settings.address.to_string(),
                    source,
                };
                let help = "another broker may have it: choose another with `--port`".to_owned();
                Failure::infrastructure(&error, Some(help))
            })?;
        let address = listener
            .local_addr()
            .map_err(|error| infrastructure(&error))?;
        let mut interrupt =
            signal(SignalKind::interrupt()).map_err(|error| infrastructure(&error))?;
        let mut terminate =
            signal(SignalKind::terminate()).map_err(|error| infrastructure(&error))?;
        writeln!(
            io::stdout().lock(),
            "maelstrom-broker {} listens on {address}, keeps {}",
            env!("CARGO_PKG_VERSION"),
            settings.directory.display()
        )
        .map_err(|error| infrastructure(&error))?;
        let mut server = Server::builder().tcp_nodelay(true);
        if let Some(tls) = tls {
            server = server
                .tls_config(tls)
                .map_err(|error| infrastructure(&error))?;
        }
        let serving = server
            .add_routes(routes.routes())
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::select! {
            served = serving => served.map_err(|error| infrastructure(&error))?,
            () = engine.run() => {}
            () = door.ordered_to_end() => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(exit_code::SUCCESS)
    })
}

/// Nobody could reach the broker.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
struct ListenError {
    address: String,
    source: io::Error,
}
