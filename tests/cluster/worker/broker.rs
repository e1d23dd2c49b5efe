//! A broker that says what a test wants it to, over a real connection, with a real storage behind it.

use std::time::Duration;

use maelstrom_cluster::broker::cas::{CasStorage, CasStorageOptions, ReapiServices};
use maelstrom_wire::to_proto::duration;
use maelstrom_wire::v1::workers_server::{Workers, WorkersServer};
use maelstrom_wire::v1::{self, report, worker_message, worker_order};
use maelstrom_wire::versions::VERSIONS;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// The broker's end of everything.
pub struct Broker {
    /// Host and port.
    pub address: String,
    /// What workers can fetch.
    pub storage: CasStorage,
    connections: UnboundedReceiver<Connection>,
    _directory: TempDir,
}

/// A worker's stream.
pub struct Connection {
    messages: Streaming<v1::WorkerMessage>,
    orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
    waiting: Vec<v1::Report>,
}

struct Door(UnboundedSender<Connection>);

#[tonic::async_trait]
impl Workers for Door {
    type WorkStream = UnboundedReceiverStream<Result<v1::WorkerOrder, Status>>;

    async fn work(
        &self,
        request: Request<Streaming<v1::WorkerMessage>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let (orders, stream) = unbounded_channel();
        let connection = Connection {
            messages: request.into_inner(),
            orders,
            waiting: Vec::new(),
        };
        let taken = self.0.send(connection);
        taken.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(UnboundedReceiverStream::new(stream)))
    }
}

impl Broker {
    /// One that listens.
    pub async fn start() -> Broker {
        let directory = tempfile::tempdir().unwrap();
        let options = CasStorageOptions {
            root: directory.path().to_owned(),
            size_target_bytes: u64::MAX,
        };
        let storage = CasStorage::open(&options).unwrap();
        let contents = ReapiServices::start(storage.clone()).await.unwrap();
        let (door, connections) = unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = Server::builder()
            .add_service(WorkersServer::new(Door(door)))
            .add_service(contents.contents())
            .add_service(contents.streams())
            .add_service(contents.capabilities())
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        Broker {
            address,
            storage,
            connections,
            _directory: directory,
        }
    }

    /// The next worker that calls.
    pub async fn connection(&mut self) -> Connection {
        self.connections.recv().await.unwrap()
    }

    /// A worker that calls and is taken; what it said of itself.
    pub async fn taken(&mut self) -> (Connection, v1::Register) {
        let mut connection = self.connection().await;
        let register = connection.register().await;
        connection.order(worker_order::Kind::Registered(v1::Registered {
            versions: Some(VERSIONS.clone()),
            worker: 7,
            heartbeat: Some(duration(Duration::from_secs(5))),
            lease: Some(duration(Duration::from_secs(20))),
            stop: Vec::new(),
        }));
        (connection, register)
    }
}

impl Connection {
    /// Tells the worker something.
    pub fn order(&self, kind: worker_order::Kind) {
        let order = v1::WorkerOrder { kind: Some(kind) };
        self.orders.send(Ok(order)).unwrap();
    }

    /// Ends the connection in this way.
    pub fn refuse(&self, status: Status) {
        self.orders.send(Err(status)).unwrap();
    }

    /// Leases, of template 1.
    pub fn lease(&self, fences: &[u64]) {
        let lease = |fence: &u64| v1::Lease {
            fence: *fence,
            run: vec![9; 16].into(),
            job: Some(v1::Job {
                id: 100 + *fence,
                template: 1,
                program: b"/bin/true".as_slice().into(),
                ..v1::Job::default()
            }),
        };
        let leases = fences.iter().map(lease).collect();
        self.order(worker_order::Kind::Leases(v1::Leases { leases }));
    }

    /// That ends of leases are safe.
    pub fn settle(&self, fences: &[u64]) {
        let fences = fences.to_vec();
        self.order(worker_order::Kind::Settled(v1::Settled { fences }));
    }

    /// What the worker says first.
    pub async fn register(&mut self) -> v1::Register {
        match self.said().await {
            Some(worker_message::Kind::Register(register)) => register,
            other => panic!("a worker begins with {other:?}"),
        }
    }

    /// The next thing it says besides heartbeats; nothing when it has hung up.
    pub async fn said(&mut self) -> Option<worker_message::Kind> {
        loop {
            let message = self.messages.message().await.ok().flatten()?;
            match message.kind {
                Some(worker_message::Kind::Heartbeat(_)) => {}
                kind => return kind,
            }
        }
    }

    /// The next thing it says that is neither a heartbeat nor how many leases it wants.
    pub async fn word(&mut self) -> Option<worker_message::Kind> {
        loop {
            match self.said().await {
                Some(worker_message::Kind::Credit(_)) => {}
                other => return other,
            }
        }
    }

    /// Its next report.
    pub async fn report(&mut self) -> (u64, report::Kind) {
        while self.waiting.is_empty() {
            match self.word().await {
                Some(worker_message::Kind::Reports(reports)) => self.waiting = reports.reports,
                other => panic!("instead of a report: {other:?}"),
            }
        }
        let report = self.waiting.remove(0);
        (report.fence, report.kind.unwrap())
    }

    /// Why a lease failed that must be the next to be reported on.
    pub async fn failure(&mut self, fence: u64) -> String {
        let (reported, kind) = self.report().await;
        assert_eq!(reported, fence, "{kind:?}");
        match kind {
            report::Kind::Finished(v1::JobResult {
                end: Some(v1::job_result::End::Infrastructure(why)),
                ..
            }) => why,
            other => panic!("no failure: {other:?}"),
        }
    }
}
