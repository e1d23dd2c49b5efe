//! The programs: the broker, workers and clients as they are, with what they run on made up.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use maelstrom_cluster::broker::core::{BrokerConfig, ContentInventory, InventoryCheck};
use maelstrom_cluster::broker::journal::records::JournalFile;
use maelstrom_cluster::broker::journal::{Journal, JournalRequest};
use maelstrom_cluster::broker::scheduler::SchedulerLimits;
use maelstrom_cluster::broker::services;
use maelstrom_cluster::security::guard::AccessPolicy;
use maelstrom_cluster::worker::broker_connection::channel_dialer;
use maelstrom_cluster::worker::content_fetcher::{ContentFetcher, FetchError};
use maelstrom_cluster::worker::health::ResourceReporting;
use maelstrom_cluster::worker::{Worker, WorkerConfig};
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{Blob, Store, StoreOptions};
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1;
use maelstrom_wire::v1::operator_client::OperatorClient;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::service::Routes;

use crate::disk::Disk;
use crate::executor::Tasks;
use crate::network::{connect, incoming};
use crate::plan::Plan;
use crate::witness::Witness;

/// What all programs of one simulation share.
#[derive(Clone)]
pub(crate) struct World {
    pub plan: Rc<Plan>,
    pub witness: Rc<RefCell<Witness>>,
    pub disk: Disk,
    /// For what real files there have to be.
    pub directory: Rc<PathBuf>,
}

/// How long the disk takes to sync.
const SYNC: Duration = Duration::from_millis(15);

/// How long the storage takes to look.
const LOOK: Duration = Duration::from_millis(5);

/// Lets simulated time pass, for which nobody waits.
pub(crate) async fn pass(time: Duration) {
    sleep_until(Instant::now() + time).await;
}

/// Has everything that templates name, but finds so at the second look.
#[derive(Default)]
struct Shelf {
    looks: std::sync::atomic::AtomicU32,
}

impl ContentInventory for Shelf {
    fn check(
        &self,
        _contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
        let looks = self
            .looks
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            pass(LOOK).await;
            Ok(match looks % 2 {
                0 => InventoryCheck::Lacking(Vec::new(), Box::new(())),
                _ => InventoryCheck::Complete(Box::new(())),
            })
        }
        .boxed()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// A broker from its start to its crash.
pub(crate) async fn broker(world: World) -> turmoil::Result {
    world.witness.borrow_mut().broker_begins();
    let name = Path::new("journal");
    let (records, remembered) = JournalFile::open_on(world.disk.mount(), name)?;
    let (requests, mut inbox) = unbounded_channel::<JournalRequest>();
    tokio::task::spawn_local(async move {
        while let Some(first) = inbox.recv().await {
            pass(SYNC).await;
            let mut batch = vec![first];
            batch.extend(std::iter::from_fn(|| inbox.try_recv().ok()));
            records.carry_out(batch);
        }
    });
    let journal = Journal::handing_over(move |request| drop(requests.send(request)));
    let policy = BrokerConfig {
        lease: world.plan.lease,
        heartbeat: world.plan.heartbeat,
        client_patience: Duration::from_secs(20),
        outputs: world.directory.to_path_buf(),
        limits: SchedulerLimits {
            attempts_max: world.plan.attempts_max,
            ..SchedulerLimits::default()
        },
        ..BrokerConfig::default()
    };
    let (door, engine) = services::open(policy, (journal, remembered), Box::<Shelf>::default());
    let mut routes = Routes::builder();
    services::add_to(&mut routes, &door, &AccessPolicy::default());
    let serving = services::server().add_routes(routes.routes());
    tokio::select! {
        biased;
        served = serving.serve_with_incoming(incoming().await) => Ok(served?),
        () = engine.run() => Err("the broker's core has ended".into()),
    }
}

/// Nobody asks for any contents.
struct Nothing;

impl ContentFetcher for Nothing {
    async fn fetch(&self, wanted: &[Digest], _store: &Store) -> Result<Vec<Blob>, FetchError> {
        panic!("contents are asked for: {wanted:?}");
    }
}

/// A worker, started again whenever it was drained.
pub(crate) async fn worker(world: World, number: u32) -> turmoil::Result {
    loop {
        let start = {
            let mut witness = world.witness.borrow_mut();
            witness.starts += 1;
            witness.starts
        };
        let mut instance = [0; 16];
        instance[..4].copy_from_slice(&start.to_be_bytes());
        instance[4..12].copy_from_slice(&world.plan.seed.to_be_bytes());
        let slots = world.plan.workers[number as usize];
        let settings = WorkerConfig {
            disk_free_bytes_min: 0,
            vitals: ResourceReporting::Untold,
            drain_timeout: Duration::from_secs(10),
            ..WorkerConfig::new(format!("worker-{number}"), instance, slots)
        };
        let store = Store::open(&StoreOptions {
            root: world.directory.join(format!("worker-{number}")),
            size_target_bytes: u64::MAX,
        })?;
        let tasks = Tasks::new(number, slots, Rc::clone(&world.witness));
        let dial = channel_dialer(connect().service());
        let (_signals, interrupts) = unbounded_channel();
        let worker = Worker::new(settings, tasks, (store, Nothing), dial, interrupts, |_| {});
        worker.run().await?;
        if is_over(&world, number) {
            return Ok(());
        }
        pass(Duration::from_secs(2)).await;
    }
}

/// Whether a worker that has ended need not be started again.
fn is_over(world: &World, number: u32) -> bool {
    let mut witness = world.witness.borrow_mut();
    witness.note(format!("worker {number} has ended"));
    if witness.closing {
        witness.closed.insert(number);
    }
    witness.closing
}

/// Drains workers, and in the end sees that nothing is left.
pub(crate) async fn operator(world: World) -> turmoil::Result {
    let mut operator = OperatorClient::new(connect().service());
    loop {
        pass(Duration::from_millis(200)).await;
        let drains = std::mem::take(&mut world.witness.borrow_mut().drains);
        for worker in drains {
            let request = v1::DrainRequest { worker };
            // It may be gone, or the broker.
            drop(timeout(Duration::from_secs(5), operator.drain(request)).await);
        }
        if !world.witness.borrow().closing {
            continue;
        }
        let Ok(Ok(status)) = timeout(
            Duration::from_secs(5),
            operator.status(v1::StatusRequest {}),
        )
        .await
        else {
            continue;
        };
        let status = status.into_inner();
        if status.clients.is_empty() {
            assert_eq!(
                (status.queued, status.running),
                (0, 0),
                "jobs of nobody: {status:?}"
            );
            let request = v1::DrainRequest {
                worker: String::new(),
            };
            drop(timeout(Duration::from_secs(5), operator.drain(request)).await);
        }
    }
}
