//! Runs the broker until a signal or `stop` ends it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::pin;
use std::time::Duration;

use miette::Diagnostic;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;

use super::options::BrokerSettings;
use super::security::BrokerSecurity;
use crate::program::descriptors;
use crate::program::failure::ProgramFailure;
use crate::program::systemd::{self, WatchdogStatus};
use maelstrom_cluster::broker::budgets::ResourceBudgets;
use maelstrom_cluster::broker::cas::{CasStorage, CasStorageOptions, ReapiServices};
use maelstrom_cluster::broker::connections::{ConnectionRegistry, calls};
use maelstrom_cluster::broker::inventory::StoredInventory;
use maelstrom_cluster::broker::journal::Journal;
use maelstrom_cluster::broker::operations::health::{BrokerHealth, FREE_BYTES_MIN};
use maelstrom_cluster::broker::operations::http::{self, MonitoringState};
use maelstrom_cluster::broker::services;
use maelstrom_cluster::security::roles::ClusterRole;
use maelstrom_engine::cache_kind::CacheKind;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// How long the broker waits on shutdown for responses in flight.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Runs the broker until it is told to stop, and returns the exit code.
pub(super) fn run(settings: BrokerSettings) -> Result<u8, ProgramFailure> {
    let BrokerSecurity {
        access,
        tls,
        warning,
    } = settings.security.resolve(settings.address.ip())?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    descriptors::ensure(descriptors::BROKER)?;
    // Checked before the storage is opened, so that nothing is written into the directory of
    // another program; claimed only after it has opened.
    CacheKind::Broker.check(&settings.directory)?;
    let storage = CasStorage::open(&CasStorageOptions {
        root: settings.directory.clone(),
        size_target_bytes: settings.size_target_bytes,
    })?;
    CacheKind::Broker.claim(storage.root())?;
    let journal = Journal::open(&settings.directory)
        .map_err(|error| ProgramFailure::infrastructure(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(connection_threads())
        .enable_all()
        .build()
        .map_err(|error| ProgramFailure::infrastructure(&error))?;
    runtime.block_on(async {
        let budgets = ResourceBudgets::default();
        let contents = ReapiServices::within(storage.clone(), budgets.clone()).await?;
        let results = contents.action_results().clone();
        let health = BrokerHealth::new(settings.directory.clone(), FREE_BYTES_MIN);
        let figures = storage.clone();
        let losing = storage.clone();
        let inventory = Box::new(StoredInventory::new(storage, results));
        let (door, engine) = services::open(settings.policy, journal, inventory);
        let loser = door.clone();
        tokio::spawn(async move {
            loop {
                losing.loss().await;
                if !loser.contents_lost() {
                    return;
                }
            }
        });
        let mut routes = Routes::builder();
        services::add_to(&mut routes, &door, &access);
        let everybody = access.guard(&ClusterRole::ALL);
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
        let (reporter, health_service) = tonic_health::server::health_reporter();
        health.report_once(&reporter).await;
        routes.add_service(health_service);
        let listener = listen(settings.address, "--port").await?;
        let watchers = match settings.http {
            Some(address) => {
                if !address.ip().is_loopback() {
                    tracing::warn!(
                        "--http-listen: everybody who reaches {address} can read figures"
                    );
                }
                Some(listen(address, "--http-port").await?)
            }
            None => None,
        };
        let address = listener
            .local_addr()
            .map_err(|error| ProgramFailure::infrastructure(&error))?;
        let mut interrupt =
            signal(SignalKind::interrupt()).map_err(|error| ProgramFailure::infrastructure(&error))?;
        let mut terminate =
            signal(SignalKind::terminate()).map_err(|error| ProgramFailure::infrastructure(&error))?;
        // The listeners are bound by now, so a program that reads this line can connect
        // immediately.
        writeln!(
            io::stdout().lock(),
            "maelstrom-broker {} listens on {address}, keeps {}",
            env!("CARGO_PKG_VERSION"),
            settings.directory.display()
        )
        .map_err(|error| ProgramFailure::writing(&error))?;
        let sources = MonitoringState {
            door: door.clone(),
            storage: figures,
            health: health.clone(),
        };
        let watched = watched(watchers, sources);
        let (end, ended) = oneshot::channel();
        let mut server = services::server();
        if let Some(tls) = tls {
            server = server
                .tls_config(tls)
                .map_err(|error| ProgramFailure::infrastructure(&error))?;
        }
        let connections = ConnectionRegistry::new(budgets);
        let routes = calls::serve(routes.routes(), connections.clone(), access);
        let serving = server.add_routes(routes).serve_with_incoming_shutdown(
            connections.incoming(listener),
            async {
                // A dropped sender means the same as a message.
                drop(ended.await);
            },
        );
        let mut serving = pin!(serving);
        systemd::ready();
        // On a thread of the connections, not on one of its own: a message to the core then doesn't
        // have to wake another thread.
        let mut core = JoinSet::new();
        core.spawn(engine.run());
        let answers = async || match door.figures().await {
            Ok(_) => WatchdogStatus::Given,
            Err(_) => WatchdogStatus::Missing,
        };
        tokio::select! {
            served = &mut serving => served.map_err(|error| ProgramFailure::infrastructure(&error))?,
            watched = watched => watched.map_err(|error| ProgramFailure::infrastructure(&error))?,
            Some(ended) = core.join_next() => if let Err(error) = ended {
                resume_unwind(error.into_panic());
            },
            () = health.report(reporter.clone()) => {}
            never = systemd::watchdog(answers) => match never {},
            () = door.ordered_to_end() => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Reported while calls are still answered, so that health watchers learn about the
        // shutdown.
        health.end();
        health.report_once(&reporter).await;
        systemd::stopping();
        tracing::info!("the broker ends; what waits is kept for its next start");
        // Waits until the journal has written what the core handed to it.
        core.shutdown().await;
        // The receiver is gone if the server has failed.
        let _ = end.send(());
        // Sessions end by themselves once the core is gone; clients that don't read are not waited
        // for.
        drop(tokio::time::timeout(GOODBYE_MAX, serving).await);
        Ok(exit_code::SUCCESS)
    })
}

/// Returns the number of threads that serve connections: half of the CPUs, at least one. The
/// storage has its own threads for file access; on a small machine, handing a message from thread
/// to thread costs more than processing it.
fn connection_threads() -> usize {
    let processors = std::thread::available_parallelism();
    processors.map_or(1, |count| (count.get() / 2).max(1))
}

async fn listen(address: SocketAddr, option: &'static str) -> Result<TcpListener, ProgramFailure> {
    let bound = TcpListener::bind(address).await;
    Ok(bound.map_err(|source| ListenError {
        address: address.to_string(),
        option,
        source,
    })?)
}

/// Serves metrics and health by HTTP if there is a listener; otherwise never returns.
async fn watched(listener: Option<TcpListener>, sources: MonitoringState) -> io::Result<()> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let address = listener.local_addr()?;
    writeln!(io::stdout().lock(), "metrics and health: http://{address}")?;
    http::serve(listener, sources).await
}

/// The error of an address that cannot be bound.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("cannot listen on {address}")]
#[diagnostic(help("another program may have it: choose another with `{option}`"))]
struct ListenError {
    address: String,
    /// The option that sets the port.
    option: &'static str,
    source: io::Error,
}

impl ProgramError for ListenError {}
