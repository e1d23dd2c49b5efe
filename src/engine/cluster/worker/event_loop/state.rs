//! The state of a worker, shared by the event loop and its handlers.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::Aborted;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Interval;

use super::control_queue::ControlQueue;
use super::lifecycle::WorkerLifecycle;
use super::{LEASES_AHEAD, WorkerConfig, WorkerEvent};
use crate::worker::broker_connection::{BrokerConnection, BrokerDialer};
use crate::worker::content_fetcher::ContentFetcher;
use crate::worker::executor::Executor;
use crate::worker::health::WorkerHealth;
use crate::worker::inputs::InputCache;
use crate::worker::inputs::host_paths::HostPathPolicy;
use crate::worker::leases::LeaseTable;
use crate::worker::template::{ReceivedTemplate, TemplateStore};
use maelstrom_container::secrets::HostSecrets;
use maelstrom_container::store::Store;
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_engine::schedule::room::MachineRoom;
use maelstrom_model::backend::BackendLost;
use maelstrom_wire::from_proto::JobOrder;
use maelstrom_wire::linger::LingerTimer;
use maelstrom_wire::v1;

/// How long reports linger: a job of a millisecond is reported in one message, and the delay is too
/// short to be noticed.
const LINGER_TIME: Duration = Duration::from_millis(5);

/// The worker: its configuration, leases, connection and backend.
pub struct Worker<C, E> {
    pub(super) settings: WorkerConfig,
    pub(super) backend: E,
    pub(super) shelf: Rc<InputCache<C>>,
    pub(super) line: BrokerConnection,
    pub(super) ledger: LeaseTable<LeasePayload>,
    pub(super) reporting: LingerTimer,
    pub(super) templates: TemplateStore,
    pub(super) preparations: FuturesUnordered<PreparationFuture>,
    pub(super) questions: FuturesUnordered<ToolboxCheckFuture>,
    pub(super) speech: ControlQueue,
    pub(super) health: WorkerHealth,
    pub(super) heart: Option<Interval>,
    pub(super) duty: WorkerLifecycle,
    pub(super) interrupts: UnboundedReceiver<TerminationSignal>,
    pub(super) watcher: Box<dyn FnMut(&WorkerEvent)>,
    pub(super) lost: Option<BackendLost>,
}

/// The data that starting a job requires.
pub(super) type LeasePayload = (Rc<ReceivedTemplate>, JobOrder);

/// Fetches a template's inputs.
pub(super) type PreparationFuture = Pin<Box<dyn Future<Output = Result<(), Aborted>>>>;

/// Checks whether the host provides a toolbox.
pub(super) type ToolboxCheckFuture = Pin<Box<dyn Future<Output = v1::ToolboxAnswer>>>;

impl<C: ContentFetcher + 'static, E: Executor> Worker<C, E> {
    /// Creates a worker that is not connected yet. `watcher` is called with its events.
    pub fn new(
        settings: WorkerConfig,
        backend: E,
        (store, contents): (Store, C),
        dial: BrokerDialer,
        interrupts: UnboundedReceiver<TerminationSignal>,
        watcher: impl FnMut(&WorkerEvent) + 'static,
    ) -> Worker<C, E> {
        let cache = store.root().to_owned();
        let mut private = settings.private.clone();
        // The store contains the inputs of the jobs of all clients.
        private.push(cache.clone());
        let shelf = InputCache::new(contents, store, settings.tree_limits)
            .with_host_paths(
                HostPathPolicy::new(settings.lent.clone(), private)
                    .without(HostSecrets::of_this_process())
                    .offering(settings.devices.clone()),
            )
            .allowing(settings.allowed.clone())
            .with_patience(settings.content_patience);
        let room = MachineRoom::new(settings.slots).with_memory(settings.memory_max);
        Worker {
            ledger: LeaseTable::new(cache.clone(), settings.output_bytes_max, room),
            health: WorkerHealth::new(cache, settings.disk_free_bytes_min, settings.vitals),
            shelf: Rc::new(shelf),
            line: BrokerConnection::new(dial, settings.instance),
            settings,
            backend,
            reporting: LingerTimer::new(LINGER_TIME),
            templates: TemplateStore::default(),
            preparations: FuturesUnordered::new(),
            questions: FuturesUnordered::new(),
            speech: ControlQueue::default(),
            heart: None,
            duty: WorkerLifecycle::Serving,
            interrupts,
            watcher: Box::new(watcher),
            lost: None,
        }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.heart.is_some()
    }

    /// Returns how many leases the worker can take.
    pub(super) fn credit(&self, degraded: &str) -> u32 {
        match &self.duty {
            WorkerLifecycle::Serving if degraded.is_empty() => self.settings.slots + LEASES_AHEAD,
            WorkerLifecycle::Serving
            | WorkerLifecycle::Draining(_)
            | WorkerLifecycle::Stopping
            | WorkerLifecycle::Leaving(_) => 0,
        }
    }
}
