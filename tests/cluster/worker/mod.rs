//! A worker and a broker that is played: what orders that make no sense or cannot be carried out are
//! answered with, and what a worker does when it is left alone.

mod broker;
mod jobs;

use std::time::Duration;

use bytes::Bytes;
use maelstrom_cluster::worker::broker_connection::channel_dialer;
use maelstrom_cluster::worker::health::ResourceReporting;
use maelstrom_cluster::worker::inputs::TreeLimits;
use maelstrom_cluster::worker::{Worker, WorkerConfig, WorkerError, WorkerEvent};
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{Store, StoreOptions};
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_wire::connection::{ClientSecurity, connect_later};
use maelstrom_wire::reapi::client::CasClient;
use maelstrom_wire::reapi::v2;
use maelstrom_wire::to_proto;
use maelstrom_wire::v1::{self, container, report, source, worker_message, worker_order};
use prost::Message;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tonic::Status;

use broker::{Broker, Connection};
use jobs::{Control, jobs};

/// A worker with one slot that works for a broker.
struct Scene {
    broker: Broker,
    jobs: Control,
    worker: JoinHandle<Result<(), WorkerError>>,
    interrupts: UnboundedSender<TerminationSignal>,
    /// A directory that the worker lends.
    lent: TempDir,
    _store: TempDir,
}

/// Plays a scene: workers keep to one thread.
async fn play<F: Future<Output = ()>>(scene: impl FnOnce(Scene) -> F) {
    LocalSet::new()
        .run_until(async { scene(Scene::begin().await).await })
        .await;
}

impl Scene {
    async fn begin() -> Scene {
        let broker = Broker::start().await;
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreOptions {
            root: directory.path().to_owned(),
            size_target_bytes: u64::MAX,
        })
        .unwrap();
        let lent = tempfile::tempdir().unwrap();
        let settings = WorkerConfig {
            lent: vec![lent.path().to_owned()],
            content_patience: Duration::ZERO,
            disk_free_bytes_min: 0,
            vitals: ResourceReporting::Untold,
            tree_limits: TreeLimits {
                entries_max: 2,
                ..TreeLimits::default()
            },
            ..WorkerConfig::new("far".to_owned(), [3; 16], 1)
        };
        let address = broker.address.parse().unwrap();
        let connection = connect_later(&address, &ClientSecurity::default()).unwrap();
        let contents = (store, CasClient::new(connection.clone()));
        let (jobs, control) = jobs();
        let (interrupts, heard) = unbounded_channel();
        let dial = channel_dialer(connection.service());
        let worker = Worker::new(settings, jobs, contents, dial, heard, |_: &WorkerEvent| {});
        Scene {
            broker,
            jobs: control,
            worker: spawn_local(worker.run()),
            interrupts,
            lent,
            _store: directory,
        }
    }

    /// The worker's end: nothing of it is left.
    async fn end(self) -> Result<(), WorkerError> {
        self.worker.await.unwrap()
    }
}

/// A template whose root is a tree of the storage, or is empty.
fn template(root: Option<Digest>) -> worker_order::Kind {
    let root = match root {
        None => container::Root::Skeleton(v1::Skeleton::default()),
        Some(digest) => container::Root::Layers(v1::Layers {
            trees: vec![v1::Source {
                kind: Some(source::Kind::Directory(to_proto::digest(digest))),
            }],
            writable: false,
        }),
    };
    let container = v1::Container {
        root: Some(root),
        network: v1::Network::Loopback.into(),
        privileges: v1::Privileges::Ordinary.into(),
        hostname: "job".to_owned(),
        ..v1::Container::default()
    };
    worker_order::Kind::Template(v1::LeaseTemplate {
        number: 1,
        template: Some(v1::Template {
            container: Some(container),
            working_directory: b"/".as_slice().into(),
            architecture: std::env::consts::ARCH.to_owned(),
            ..v1::Template::default()
        }),
    })
}

fn exited() -> v1::job_result::End {
    v1::job_result::End::Exited(0)
}

/// The rest of a lease that has started.
async fn see_the_end(connection: &mut Connection, fence: u64) {
    match connection.report().await {
        (of, report::Kind::Finished(result)) => {
            assert_eq!((of, result.end), (fence, Some(exited())));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_content_that_nobody_has_is_named_with_the_machine_that_wants_it() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        let digest = Digest::of(b"nobody has this");
        broker.order(template(Some(digest)));
        broker.lease(&[1]);
        let why = broker.failure(1).await;
        assert!(why.contains("the worker far"), "{why}");
        let lacks = format!("the broker's storage has no {digest}");
        assert!(why.contains(&lacks), "{why}");
        assert!(scene.jobs.started().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_tree_beyond_the_limits_is_not_made() {
    play(async |mut scene| {
        let empty = Bytes::new();
        let file = scene.broker.storage.add(empty).await.unwrap();
        let node = |name: &str| v2::FileNode {
            name: name.to_owned(),
            digest: Some(v2::Digest {
                hash: file.hash.to_string(),
                size_bytes: 0,
            }),
            ..v2::FileNode::default()
        };
        let directory = v2::Directory {
            files: ["a", "b", "c"].map(node).to_vec(),
            ..v2::Directory::default()
        };
        let directory = directory.encode_to_vec().into();
        let root = scene.broker.storage.add(directory).await.unwrap();
        let (mut broker, _) = scene.broker.taken().await;
        broker.order(template(Some(root)));
        broker.lease(&[1]);
        let why = broker.failure(1).await;
        let expected = format!("the tree {root} has more than 2 ");
        assert!(why.contains(&expected), "{why}");
        assert!(scene.jobs.started().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_lease_without_a_template_costs_that_lease_alone() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        broker.lease(&[1]);
        let why = broker.failure(1).await;
        assert!(why.contains("nothing is known of its template 1"), "{why}");
        broker.order(template(None));
        broker.lease(&[2]);
        assert_eq!(broker.report().await, (2, report::Kind::Started(0)));
    })
    .await;
}

#[tokio::test]
async fn a_fence_that_comes_again_starts_nothing() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        broker.order(template(None));
        broker.lease(&[5, 5]);
        assert_eq!(broker.report().await, (5, report::Kind::Started(0)));
        broker.lease(&[5]);
        scene.jobs.exits(5);
        see_the_end(&mut broker, 5).await;
        // Its end is not settled yet.
        broker.lease(&[5, 6]);
        assert_eq!(broker.report().await, (6, report::Kind::Started(0)));
        assert_eq!(scene.jobs.started(), [5, 6]);
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_is_drained_finishes_what_runs_and_hands_the_rest_back() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        broker.order(template(None));
        broker.lease(&[1, 2]);
        assert_eq!(broker.report().await, (1, report::Kind::Started(0)));
        broker.order(worker_order::Kind::Drain(v1::Empty {}));
        let word = broker.word().await;
        assert_eq!(word, Some(worker_message::Kind::Draining(v1::Empty {})));
        let returned = report::Kind::Returned(v1::Empty {});
        assert_eq!(broker.report().await, (2, returned.clone()));
        // Given before the broker knew.
        broker.lease(&[3]);
        assert_eq!(broker.report().await, (3, returned));
        assert!(scene.jobs.stopped().is_empty());
        scene.jobs.exits(1);
        see_the_end(&mut broker, 1).await;
        broker.settle(&[1, 2, 3]);
        assert_eq!(scene.jobs.started(), [1]);
        scene.end().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_stops_what_runs_and_hands_it_back() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        broker.order(template(None));
        broker.lease(&[1]);
        assert_eq!(broker.report().await, (1, report::Kind::Started(0)));
        for _ in 0..2 {
            scene.interrupts.send(TerminationSignal::Terminate).unwrap();
        }
        let word = broker.word().await;
        assert_eq!(word, Some(worker_message::Kind::Draining(v1::Empty {})));
        let returned = report::Kind::Returned(v1::Empty {});
        assert_eq!(broker.report().await, (1, returned));
        assert_eq!(scene.jobs.stopped(), [1]);
        broker.settle(&[1]);
        scene.end().await.unwrap();
    })
    .await;
}

/// Promise 4.
#[tokio::test]
async fn a_broker_that_is_away_and_returns_finds_its_jobs_running() {
    play(async |mut scene| {
        let (mut broker, first) = scene.broker.taken().await;
        assert!(first.held.is_empty());
        broker.order(template(None));
        broker.lease(&[1]);
        assert_eq!(broker.report().await, (1, report::Kind::Started(0)));
        scene.jobs.writes(1, "before");
        let (_, before) = broker.report().await;
        drop(broker);
        // It is not ready yet, and once it takes the call and says nothing.
        let unready = scene.broker.connection().await;
        unready.refuse(Status::unavailable("not yet"));
        let mut silent = scene.broker.connection().await;
        silent.register().await;
        scene.jobs.writes(1, "meanwhile");
        drop(silent);

        let (mut broker, again) = scene.broker.taken().await;
        assert_eq!(again.instance, first.instance);
        let held: Vec<u64> = again.held.iter().map(|held| held.fence).collect();
        assert_eq!(held, [1]);
        let name = again.held[0].job.clone().unwrap();
        assert_eq!((name.run, name.job), (vec![9; 16].into(), 101));
        // All of it is told again.
        assert_eq!(broker.report().await, (1, report::Kind::Started(0)));
        assert_eq!(broker.report().await, (1, before));
        let (_, meanwhile) = broker.report().await;
        let report::Kind::Written(meanwhile) = meanwhile else {
            panic!("{meanwhile:?}");
        };
        assert_eq!((&*meanwhile.data, meanwhile.index), (&b"meanwhile"[..], 1));
        scene.jobs.exits(1);
        see_the_end(&mut broker, 1).await;
        let (started, stopped) = (scene.jobs.started(), scene.jobs.stopped());
        assert_eq!((started, stopped), (vec![1], vec![]));
    })
    .await;
}

#[tokio::test]
async fn what_a_returned_broker_does_not_want_is_stopped_and_its_end_is_nobodys() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        broker.order(template(None));
        broker.lease(&[1]);
        assert_eq!(broker.report().await, (1, report::Kind::Started(0)));
        drop(broker);
        let mut broker = scene.broker.connection().await;
        broker.register().await;
        broker.order(worker_order::Kind::Registered(v1::Registered {
            versions: Some(maelstrom_wire::versions::VERSIONS.clone()),
            heartbeat: Some(to_proto::duration(std::time::Duration::from_secs(5))),
            stop: vec![1],
            ..v1::Registered::default()
        }));
        broker.order(template(None));
        broker.lease(&[2]);
        loop {
            match broker.report().await {
                (2, kind) => break assert_eq!(kind, report::Kind::Started(0)),
                // It was running when it was told again, and nobody minds.
                (fence, kind) => assert_eq!((fence, kind), (1, report::Kind::Started(0))),
            }
        }
        let (started, stopped) = (scene.jobs.started(), scene.jobs.stopped());
        assert_eq!((started, stopped), (vec![1, 2], vec![1]));
    })
    .await;
}

#[tokio::test]
async fn a_broker_of_another_version_ends_the_worker_and_is_named() {
    play(async |mut scene| {
        let mut broker = scene.broker.connection().await;
        broker.register().await;
        broker.order(worker_order::Kind::Registered(v1::Registered {
            versions: Some(v1::Versions {
                lowest: 8,
                highest: 9,
                release: "9.1.0".to_owned(),
            }),
            ..v1::Registered::default()
        }));
        let error = scene.end().await.unwrap_err();
        assert!(matches!(error, WorkerError::Version(_)), "{error:?}");
        let told = error.to_string();
        assert!(
            told.contains("the broker (9.1.0) speaks the protocol's versions 8 to 9"),
            "{told}"
        );
        assert!(told.contains("update this side"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_does_not_want_a_worker_ends_it_and_says_why() {
    play(async |mut scene| {
        let broker = scene.broker.connection().await;
        broker.refuse(Status::failed_precondition("the worker is too old"));
        let error = scene.end().await.unwrap_err();
        let told = error.to_string();
        assert_eq!(
            told,
            "the broker refuses this worker: the worker is too old"
        );
    })
    .await;
}

#[tokio::test]
async fn orders_before_the_registration_is_answered_cost_the_connection() {
    play(async |mut scene| {
        let mut broker = scene.broker.connection().await;
        broker.register().await;
        broker.order(template(None));
        assert_eq!(broker.said().await, None);
        let (_broker, register) = scene.broker.taken().await;
        assert!(register.held.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_toolbox_that_is_not_here_is_said_to_be_lacking() {
    play(async |mut scene| {
        let (mut broker, _) = scene.broker.taken().await;
        let here = &scene.lent;
        let elsewhere = tempfile::tempdir().unwrap();
        let identity = maelstrom_wire::toolbox::identity(here.path()).unwrap();
        let path = |path: &std::path::Path, identity: &[u8]| v1::ToolboxPath {
            path: to_proto::path(path),
            identity: identity.to_vec().into(),
        };
        let missing = here.path().join("missing");
        let questions = [
            (path(here.path(), &identity), ""),
            (path(here.path(), &[0; 32]), "is not the same here"),
            (path(&missing, &identity), "cannot look at"),
            // Guessed right, and still nobody's.
            (path(elsewhere.path(), &identity), "does not lend"),
        ];
        for (number, (path, lacks)) in questions.into_iter().enumerate() {
            let toolbox = number as u32;
            broker.order(worker_order::Kind::Toolbox(v1::ToolboxQuestion {
                toolbox,
                paths: vec![path],
            }));
            let answer = broker.word().await;
            let Some(worker_message::Kind::Toolbox(answer)) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(answer.toolbox, toolbox);
            assert_eq!(answer.lacks.is_empty(), lacks.is_empty(), "{answer:?}");
            assert!(answer.lacks.contains(lacks), "{answer:?}");
        }
    })
    .await;
}
