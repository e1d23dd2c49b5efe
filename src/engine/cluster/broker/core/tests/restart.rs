//! Restarts of the broker, with workers that return or do not.

use std::path::Path;

use super::*;

/// The journal of a broker that ended while its worker 1 ran job 7 of run 1; returns the fence.
async fn ended_while_running(path: &Path) -> u64 {
    let mut stage = start(path);
    let mut worker = stage.worker(1, &[]).await;
    let _client = stage.client_with(1, &[7]).await;
    worker.leases()[0]
}

fn keep() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    (directory, path)
}

#[tokio::test]
async fn promise_4_nobody_else_gets_what_an_absent_worker_may_run() {
    let (_directory, path) = keep();
    let fence = ended_while_running(&path).await;
    let mut stage = start(&path);
    let mut other = stage.worker(2, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    stage.pass_with(15, &other).await;
    assert!(other.leases().is_empty());
    let _new = stage.client_with(2, &[1]).await;
    assert_eq!(other.leases().len(), 1, "a new run need not wait");

    let mut back = stage.worker(1, &[(1, 7, fence)]).await;
    assert_eq!((back.stops(), other.leases()), (vec![], vec![]));
    stage.reports(&back, fence, exited(0)).await;
    let told = client.news();
    let end = told.last().map(String::as_str);
    assert_eq!(end, Some("finished 7: Exited(0)"), "{told:?}");
}

#[tokio::test]
async fn a_worker_that_comes_back_without_it_lets_the_job_wait_no_longer() {
    let (_directory, path) = keep();
    ended_while_running(&path).await;
    let mut stage = start(&path);
    let _client = stage.client_with(1, &[7]).await;
    let mut back = stage.worker(1, &[]).await;
    assert_eq!(back.leases().len(), 1);
}

#[tokio::test]
async fn a_worker_that_stays_away_is_waited_for_as_long_as_leases_live_and_once() {
    let (_directory, path) = keep();
    ended_while_running(&path).await;
    let mut stage = start(&path);
    assert_eq!(stage.core.next_tick(), Some(BrokerInstant(20_000)));
    let mut other = stage.worker(2, &[]).await;
    let _client = stage.client_with(1, &[7]).await;
    stage.pass_with(20, &other).await;
    assert_eq!(other.leases().len(), 1);
    drop(stage);

    let mut stage = start(&path);
    let _client = stage.client_with(1, &[7]).await;
    let mut other = stage.worker(2, &[]).await;
    assert_eq!(other.leases().len(), 1);
}

#[tokio::test]
async fn a_worker_that_was_drained_is_not_waited_for() {
    let (_directory, path) = keep();
    let mut stage = start(&path);
    let drained = stage.worker(1, &[]).await;
    let draining = worker_message::Kind::Draining(v1::Empty {});
    stage
        .handle(CoreInput::Worker(drained.session, draining))
        .await;
    stage.handle(CoreInput::Gone(drained.session)).await;
    let _client = stage.client_with(1, &[7]).await;
    drop(stage);

    let mut stage = start(&path);
    let _client = stage.client_with(1, &[7]).await;
    let mut other = stage.worker(2, &[]).await;
    assert_eq!(other.leases().len(), 1);
}

/// Promise 4: a restart loses no accepted job, and none that runs.
#[tokio::test]
async fn a_broker_that_begins_anew_knows_its_jobs_and_adopts_leases() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let (own, receiver) = unbounded_channel();
        let journal = Journal::open(directory.path()).unwrap();
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
    };
    let mut stage = start();
    let mut worker = stage.worker(1, &[]).await;
    let client = stage.client_with(1, &[1, 2]).await;
    // The journal has a thread of its own.
    let written_down = stage.own.recv().await.unwrap();
    stage.handle(written_down).await;
    let leases = worker.leases();
    assert_eq!(leases.len(), 2);
    drop((stage, client, worker));

    let mut stage = start();
    let mut worker = stage.worker(1, &[(1, 1, leases[0])]).await;
    assert!(worker.stops().is_empty(), "the lease is adopted");
    let mut client = stage.client(1).await.unwrap();
    assert_eq!(client.news()[0], "welcome, resumed: true");
    assert!(
        worker.leases().is_empty(),
        "the client may know of outcomes"
    );
    stage.send(&client, acknowledge(&[])).await;
    stage.send(&client, template()).await;
    stage.send(&client, submit(&[1, 2])).await;
    let again = worker.leases();
    assert_eq!(again.len(), 1, "job 1 runs already");
    assert!(again[0] > leases[1]);
    stage
        .reports(&worker, leases[0], report::Kind::Started(0))
        .await;
    stage.reports(&worker, leases[0], exited(0)).await;
    stage.reports(&worker, again[0], exited(0)).await;
    let mut news = client.news();
    news.retain(|line| line.starts_with("finished"));
    assert_eq!(news, ["finished 1: Exited(0)", "finished 2: Exited(0)"]);
}

/// Jobs of a group that has one job at a time.
fn submit_to_group(jobs: &[u64]) -> client_message::Kind {
    let client_message::Kind::Submit(mut submitted) = submit(jobs) else {
        panic!("a submission");
    };
    for job in &mut submitted.jobs {
        job.needs = Some(v1::JobNeeds {
            group: "database".to_owned(),
            group_jobs_max: 1,
            ..v1::JobNeeds::default()
        });
    }
    client_message::Kind::Submit(submitted)
}

#[tokio::test]
async fn a_group_is_as_full_after_a_restart_as_before() {
    let (_directory, path) = keep();
    let mut stage = start(&path);
    let mut worker = stage.worker(1, &[]).await;
    let client = stage.client(1).await.unwrap();
    stage.send(&client, template()).await;
    stage.send(&client, submit_to_group(&[1, 2, 3])).await;
    let leases = worker.leases();
    assert_eq!(leases.len(), 1);
    drop((stage, client, worker));

    let mut stage = start(&path);
    let mut worker = stage.worker(1, &[(1, 1, leases[0])]).await;
    let client = stage.client(1).await.unwrap();
    stage.send(&client, acknowledge(&[])).await;
    stage.send(&client, template()).await;
    stage.send(&client, submit_to_group(&[1, 2, 3])).await;
    assert!(worker.leases().is_empty(), "the group is full");
    stage.reports(&worker, leases[0], exited(0)).await;
    assert_eq!(worker.leases().len(), 1, "and has one place again");
}

#[tokio::test]
async fn needs_that_make_no_sense_are_refused() {
    let mut stage = stage(FakeInventory(None));
    let mut client = stage.client(1).await.unwrap();
    stage.send(&client, template()).await;
    let client_message::Kind::Submit(mut submitted) = submit_to_group(&[1]) else {
        panic!("a submission");
    };
    submitted.jobs[0].needs.as_mut().unwrap().group_jobs_max = 0;
    stage
        .send(&client, client_message::Kind::Submit(submitted))
        .await;
    let news = client.news();
    assert_eq!(
        news.last().map(String::as_str),
        Some("sent away: InvalidArgument")
    );
}
