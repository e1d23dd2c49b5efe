//! The core against fake clients and workers, message by message, with a manual clock.

mod budgets;
mod owners;
mod restart;
mod trouble;

use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio_stream::StreamExt;
use tonic::{Code, Status};

use super::outbox::{OutboxReceiver, outbox};
use super::*;
use crate::broker::budgets::CallerPrincipal;
use crate::broker::journal::records::JournalFile;
use maelstrom_model::ids::shown_run;
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1::{
    self, client_message, container, job_result, report, session_event, worker_message,
    worker_order,
};
use maelstrom_wire::versions::VERSIONS;

/// Has everything, or lacks one content.
struct FakeInventory(Option<v1::Digest>);

impl ContentInventory for FakeInventory {
    fn check(
        &self,
        _contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
        let checked = match &self.0 {
            None => InventoryCheck::Complete(Box::new(())),
            Some(digest) => InventoryCheck::Lacking(vec![digest.clone()], Box::new(())),
        };
        async move { Ok(checked) }.boxed()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

struct CoreHarness {
    core: BrokerCore,
    own: UnboundedReceiver<CoreInput>,
    now: BrokerInstant,
    sessions: u64,
}

struct FakeClient {
    session: SessionId,
    outlet: OutboxReceiver<v1::SessionEvent>,
}

struct FakeWorker {
    session: SessionId,
    orders: UnboundedReceiver<Result<v1::WorkerOrder, Status>>,
}

fn stage(shelf: FakeInventory) -> CoreHarness {
    stage_with(shelf, BrokerConfig::default())
}

fn stage_with(shelf: FakeInventory, policy: BrokerConfig) -> CoreHarness {
    let (own, receiver) = unbounded_channel();
    let journal = (Journal::none(), RecoveredState::default());
    CoreHarness {
        core: BrokerCore::new(policy, journal, Box::new(shelf), own),
        own: receiver,
        now: BrokerInstant(0),
        sessions: 0,
    }
}

/// A broker that starts on this journal.
fn start(path: &Path) -> CoreHarness {
    let (records, remembered) = JournalFile::open(path).unwrap();
    let journal = Journal::handing_over(move |request| records.carry_out(vec![request]));
    let (own, receiver) = unbounded_channel();
    let journal = (journal, remembered);
    CoreHarness {
        core: BrokerCore::new(
            BrokerConfig::default(),
            journal,
            Box::new(FakeInventory(None)),
            own,
        ),
        own: receiver,
        now: BrokerInstant(0),
        sessions: 0,
    }
}

/// One job, 7 of run 1, that has just started on a worker.
async fn running() -> (CoreHarness, FakeWorker, FakeClient, u64) {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let client = stage.client_with(1, &[7]).await;
    let fence = worker.leases()[0];
    stage
        .reports(&worker, fence, report::Kind::Started(0))
        .await;
    (stage, worker, client, fence)
}

impl CoreHarness {
    /// Handles an input and everything that follows from it.
    async fn handle(&mut self, input: CoreInput) {
        self.core.handle(input, self.now);
        self.core.tick(self.now);
        loop {
            // What the core has spawned is ready at once.
            tokio::task::yield_now().await;
            let Ok(input) = self.own.try_recv() else {
                return;
            };
            self.core.handle(input, self.now);
            self.core.tick(self.now);
        }
    }

    async fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1_000);
        self.handle(CoreInput::Tick).await;
    }

    /// Time passes, and this worker sends heartbeats.
    async fn pass_with(&mut self, seconds: u64, worker: &FakeWorker) {
        for _ in 0..seconds / 5 {
            let beat = worker_message::Kind::Heartbeat(v1::Heartbeat::default());
            self.handle(CoreInput::Worker(worker.session, beat)).await;
            self.pass(5).await;
        }
    }

    fn session(&mut self) -> SessionId {
        self.sessions += 1;
        SessionId(self.sessions)
    }

    async fn client(&mut self, run: u8) -> Result<FakeClient, Status> {
        self.client_as(run, &CallerPrincipal::default(), &[run; 16])
            .await
    }

    /// A client that shows this credential and this secret.
    async fn client_as(
        &mut self,
        run: u8,
        caller: &CallerPrincipal,
        secret: &[u8],
    ) -> Result<FakeClient, Status> {
        let session = self.session();
        let (outbox, outlet) = outbox(|| {});
        let (answer, mut answered) = oneshot::channel();
        let hello = v1::Hello {
            versions: Some(VERSIONS.clone()),
            run: vec![run; 16].into(),
            name: "somebody".to_owned(),
            weight: 1,
            secret: secret.to_vec().into(),
        };
        self.handle(CoreInput::Hello {
            hello,
            caller: caller.clone(),
            outbox,
            answer,
            session,
        })
        .await;
        answered.try_recv().unwrap()?;
        Ok(FakeClient { session, outlet })
    }

    async fn send(&mut self, client: &FakeClient, kind: client_message::Kind) {
        self.handle(CoreInput::Client(client.session, kind)).await;
    }

    async fn worker(&mut self, instance: u8, held: &[(u8, u64, u64)]) -> FakeWorker {
        let worker = self
            .worker_as(instance, &CallerPrincipal::default(), held)
            .await;
        worker.unwrap()
    }

    /// A worker that shows this credential.
    async fn worker_as(
        &mut self,
        instance: u8,
        caller: &CallerPrincipal,
        held: &[(u8, u64, u64)],
    ) -> Result<FakeWorker, Status> {
        let session = self.session();
        let (orders, receiver) = unbounded_channel();
        let (answer, mut answered) = oneshot::channel();
        let held = held.iter().map(|(run, job, fence)| v1::HeldLease {
            job: Some(v1::JobName {
                run: shown_run(&[*run; 16]).to_vec().into(),
                job: *job,
            }),
            fence: *fence,
        });
        let register = v1::Register {
            versions: Some(VERSIONS.clone()),
            instance: vec![instance; 16].into(),
            name: format!("worker-{instance}"),
            architecture: "x86_64".to_owned(),
            slots: 2,
            held: held.collect(),
        };
        self.handle(CoreInput::Register {
            register,
            caller: caller.clone(),
            orders,
            answer,
            session,
        })
        .await;
        answered.try_recv().unwrap()?;
        Ok(FakeWorker {
            session,
            orders: receiver,
        })
    }

    async fn reports(&mut self, worker: &FakeWorker, fence: u64, kind: report::Kind) {
        let report = v1::Report {
            fence,
            kind: Some(kind),
        };
        let reports = v1::Reports {
            reports: vec![report],
        };
        let kind = worker_message::Kind::Reports(reports);
        self.handle(CoreInput::Worker(worker.session, kind)).await;
    }

    /// A client with a template and jobs.
    async fn client_with(&mut self, run: u8, jobs: &[u64]) -> FakeClient {
        let client = self.client(run).await.unwrap();
        self.send(&client, template()).await;
        self.send(&client, submit(jobs)).await;
        client
    }
}

impl FakeClient {
    /// Messages since the last call, without those that always occur.
    fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        while let Some(Some(event)) = self.outlet.next().now_or_never() {
            use session_event::Kind;
            news.push(match event {
                Ok(event) => match event.kind.unwrap() {
                    Kind::Welcome(welcome) => format!("welcome, resumed: {}", welcome.resumed),
                    Kind::Accepted(accepted) => format!("accepted {:?}", accepted.jobs),
                    Kind::Missing(missing) => format!("missing for {}", missing.template),
                    Kind::Started(started) => format!("started {}", started.job),
                    Kind::Output(output) => format!(
                        "output {} of {}: {}",
                        output.index,
                        output.job,
                        String::from_utf8_lossy(&output.data)
                    ),
                    Kind::Finished(finished) => {
                        let end = finished.result.unwrap().end.unwrap();
                        format!("finished {}: {end:?}", finished.job)
                    }
                    Kind::Requeued(requeued) => {
                        format!("requeued {}: {}", requeued.job, requeued.reason)
                    }
                    Kind::Worker(worker) => format!("{} joined", worker.name),
                    Kind::WorkerLeft(left) => format!("worker {} left", left.worker),
                    Kind::Cluster(_) | Kind::Notice(_) => continue,
                },
                Err(status) => format!("sent away: {:?}", status.code()),
            });
        }
        news
    }
}

impl FakeWorker {
    /// The fences of leases since the last call.
    fn leases(&mut self) -> Vec<u64> {
        let mut fences = Vec::new();
        while let Ok(order) = self.orders.try_recv() {
            if let Some(worker_order::Kind::Leases(leases)) = order.unwrap().kind {
                fences.extend(leases.leases.iter().map(|lease| lease.fence));
            }
        }
        fences
    }

    /// Fences that it was told to stop or forget since the last call.
    fn stops(&mut self) -> Vec<u64> {
        let mut fences = Vec::new();
        while let Ok(order) = self.orders.try_recv() {
            match order.unwrap().kind.unwrap() {
                worker_order::Kind::Stop(stop) => fences.push(stop.fence),
                worker_order::Kind::Registered(registered) => fences.extend(registered.stop),
                _ => {}
            }
        }
        fences
    }
}

fn template() -> client_message::Kind {
    template_with(v1::Privileges::Ordinary)
}

fn template_with(privileges: v1::Privileges) -> client_message::Kind {
    let container = v1::Container {
        root: Some(container::Root::Skeleton(v1::Skeleton::default())),
        network: v1::Network::Loopback.into(),
        privileges: privileges.into(),
        hostname: "h".to_owned(),
        ..v1::Container::default()
    };
    client_message::Kind::Template(v1::DefineTemplate {
        number: 5,
        template: Some(v1::Template {
            container: Some(container),
            working_directory: b"/".as_slice().into(),
            architecture: "x86_64".to_owned(),
            ..v1::Template::default()
        }),
    })
}

fn submit(jobs: &[u64]) -> client_message::Kind {
    let job = |id: &u64| v1::Job {
        id: *id,
        template: 5,
        program: b"/bin/true".as_slice().into(),
        ..v1::Job::default()
    };
    client_message::Kind::Submit(v1::Submit {
        jobs: jobs.iter().map(job).collect(),
    })
}

fn written(index: u32, text: &str) -> report::Kind {
    report::Kind::Written(v1::Written {
        stream: v1::Stream::Stdout.into(),
        data: text.as_bytes().to_vec().into(),
        index,
    })
}

fn ended(end: job_result::End) -> report::Kind {
    report::Kind::Finished(v1::JobResult {
        end: Some(end),
        ..v1::JobResult::default()
    })
}

fn exited(code: i32) -> report::Kind {
    ended(job_result::End::Exited(code))
}

fn acknowledge(jobs: &[u64]) -> client_message::Kind {
    client_message::Kind::Acknowledge(v1::Acknowledge {
        jobs: jobs.to_vec(),
    })
}

#[tokio::test]
async fn a_job_goes_to_a_worker_and_its_outcome_comes_back() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    assert_eq!(
        client.news(),
        ["welcome, resumed: false", "worker-1 joined", "accepted [7]"]
    );
    let leases = worker.leases();
    let [fence] = leases.as_slice() else {
        panic!("{leases:?}");
    };
    stage
        .reports(&worker, *fence, report::Kind::Started(0))
        .await;
    stage.reports(&worker, *fence, written(0, "hello")).await;
    stage.reports(&worker, *fence, exited(0)).await;
    assert_eq!(
        client.news(),
        ["started 7", "output 0 of 7: hello", "finished 7: Exited(0)"]
    );
    stage.send(&client, acknowledge(&[7])).await;
    let mut again = stage.client(1).await.unwrap();
    assert_eq!(again.news(), ["welcome, resumed: true", "worker-1 joined"]);
}

/// Promise 2: submission is idempotent; promise 1: one outcome.
#[tokio::test]
async fn what_is_submitted_twice_runs_once() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    stage.send(&client, submit(&[7])).await;
    let leases = worker.leases();
    assert_eq!(leases.len(), 1);
    stage.reports(&worker, leases[0], exited(3)).await;
    stage.reports(&worker, leases[0], exited(4)).await;
    let mut news = client.news();
    news.retain(|line| line.starts_with("finished"));
    assert_eq!(news, ["finished 7: Exited(3)"]);
}

#[tokio::test]
async fn a_client_that_comes_back_hears_everything_until_it_acknowledges() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let client = stage.client_with(1, &[1, 2, 3]).await;
    let leases = worker.leases();
    stage
        .reports(&worker, leases[0], report::Kind::Started(0))
        .await;
    stage.reports(&worker, leases[0], written(0, "a")).await;
    stage.handle(CoreInput::Gone(client.session)).await;
    drop(client);
    stage.reports(&worker, leases[0], written(1, "b")).await;
    stage.reports(&worker, leases[0], exited(0)).await;
    let told = [
        "started 1",
        "output 0 of 1: a",
        "output 1 of 1: b",
        "finished 1: Exited(0)",
    ];
    for _ in 0..2 {
        let mut client = stage.client(1).await.unwrap();
        let news = client.news();
        assert!(news.ends_with(&told.map(str::to_owned)), "{news:?}");
    }
    assert!(
        worker.leases().is_empty(),
        "nobody is there to hear of more"
    );
}

/// Promise 3: a lease lives by heartbeat.
#[tokio::test]
async fn a_silent_worker_loses_its_leases_and_is_not_believed_later() {
    let mut stage = stage(FakeInventory(None));
    let mut silent = stage.worker(1, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    let first = silent.leases()[0];
    stage
        .reports(&silent, first, report::Kind::Started(0))
        .await;
    stage.reports(&silent, first, written(0, "half")).await;
    client.news();
    stage.pass(25).await;
    // It may reconnect: a worker that is told anything worse ends.
    let told = std::iter::from_fn(|| silent.orders.try_recv().ok());
    let codes = told.filter_map(|order| Some(order.err()?.code()));
    assert_eq!(codes.collect::<Vec<_>>(), [Code::Unavailable]);
    let mut other = stage.worker(2, &[]).await;
    stage.pass_with(60, &other).await;
    let news = client.news();
    let requeued = "requeued 7: nothing is heard of the worker worker-1".to_owned();
    assert!(news.contains(&requeued), "{news:?}");
    let second = other.leases()[0];
    assert!(second > first);
    // The first returns with what it has done meanwhile.
    let mut returned = stage.worker(1, &[(1, 7, first)]).await;
    assert_eq!(returned.stops(), [first]);
    stage.reports(&returned, first, exited(1)).await;
    stage
        .reports(&other, second, report::Kind::Started(1))
        .await;
    stage.reports(&other, second, written(0, "whole")).await;
    stage.reports(&other, second, exited(0)).await;
    let mut news = client.news();
    news.retain(|line| line.contains('7'));
    assert_eq!(
        news,
        ["started 7", "output 0 of 7: whole", "finished 7: Exited(0)"]
    );
}
