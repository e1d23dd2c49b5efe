//! Failures and races.

use super::*;
use crate::broker::scheduler::InputsId;
use maelstrom_model::ids::WorkerId;

/// Promise 5: a cancellation is acknowledged once the container is gone.
#[tokio::test]
async fn a_cancelled_job_is_over_when_its_worker_says_so() {
    let (mut stage, mut worker, mut client, fence) = running().await;
    let cancel = v1::Cancel {
        job: 7,
        how: v1::Stop::Kill.into(),
    };
    stage
        .send(&client, client_message::Kind::Cancel(cancel))
        .await;
    assert_eq!(worker.stops(), [fence]);
    assert!(
        !client
            .news()
            .iter()
            .any(|line| line.starts_with("finished"))
    );
    let end = ended(job_result::End::Cancelled(v1::Empty {}));
    stage.reports(&worker, fence, end).await;
    assert_eq!(client.news(), ["finished 7: Cancelled(Empty)"]);
}

/// Its worker has done nothing wrong either.
#[tokio::test]
async fn a_job_that_starts_when_it_was_cancelled_may_write() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    let fence = worker.leases()[0];
    let cancel = v1::Cancel {
        job: 7,
        how: v1::Stop::Terminate.into(),
    };
    stage
        .send(&client, client_message::Kind::Cancel(cancel))
        .await;
    client.news();
    stage
        .reports(&worker, fence, report::Kind::Started(0))
        .await;
    stage.reports(&worker, fence, written(0, "ouch")).await;
    let end = ended(job_result::End::Cancelled(v1::Empty {}));
    stage.reports(&worker, fence, end).await;
    assert_eq!(
        client.news(),
        [
            "started 7",
            "output 0 of 7: ouch",
            "finished 7: Cancelled(Empty)"
        ]
    );
    let told = std::iter::from_fn(|| worker.orders.try_recv().ok());
    assert!(
        told.into_iter().all(|order| order.is_ok()),
        "it is sent away"
    );
}

#[tokio::test]
async fn jobs_wait_until_their_inputs_are_uploaded() {
    let digest = v1::Digest {
        hash: "a".repeat(64),
        size_bytes: 1,
    };
    let mut stage = stage(FakeInventory(Some(digest)));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    assert!(client.news().contains(&"missing for 5".to_owned()));
    assert!(worker.leases().is_empty());
    stage.core.inventory = Box::new(FakeInventory(None));
    let uploaded = client_message::Kind::Uploaded(v1::Uploaded { template: 5 });
    stage.send(&client, uploaded).await;
    assert_eq!(worker.leases().len(), 1);
}

#[tokio::test]
async fn what_no_worker_can_run_is_tried_three_times_and_names_the_workers() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage.client_with(1, &[7]).await;
    for _ in 0..3 {
        let leases = worker.leases();
        let broken = ended(job_result::End::Infrastructure("no space left".to_owned()));
        stage.reports(&worker, leases[0], broken).await;
        stage.pass_with(120, &worker).await;
    }
    let news = client.news();
    let finished: Vec<&String> = news
        .iter()
        .filter(|line| line.starts_with("finished"))
        .collect();
    let [finished] = finished.as_slice() else {
        panic!("{news:?}");
    };
    assert!(
        finished.contains("worker-1") && finished.contains("no space left"),
        "{finished}"
    );
}

#[tokio::test]
async fn what_makes_no_sense_ends_the_connection_and_nothing_else() {
    let (mut stage, mut worker, mut client, fence) = running().await;
    // A gap in what it wrote.
    stage.reports(&worker, fence, written(5, "late")).await;
    let last = std::iter::from_fn(|| worker.orders.try_recv().ok()).last();
    assert_eq!(last.unwrap().unwrap_err().code(), Code::InvalidArgument);
    client.news();

    let mut wrong = stage.client(2).await.unwrap();
    stage.send(&wrong, submit(&[1])).await;
    assert_eq!(wrong.news().last().unwrap(), "sent away: InvalidArgument");
    let mut old = v1::Hello {
        versions: Some(v1::Versions {
            lowest: 90,
            highest: 99,
            release: "9.9".to_owned(),
        }),
        run: vec![3; 16].into(),
        name: "somebody".to_owned(),
        weight: 1,
        ..v1::Hello::default()
    };
    for (code, change) in [
        (Code::FailedPrecondition, 0),
        (Code::InvalidArgument, 1),
        (Code::InvalidArgument, 2),
    ] {
        let session = stage.session();
        let (outbox, _outlet) = outbox(|| {});
        let (answer, mut answered) = oneshot::channel();
        match change {
            0 => {}
            1 => {
                old.versions = Some(VERSIONS.clone());
                old.run = vec![1].into();
            }
            _ => {
                old.run = vec![3; 16].into();
                old.name = "\x1b[2J".to_owned();
            }
        }
        let hello = old.clone();
        stage
            .handle(CoreInput::Hello {
                hello,
                caller: CallerPrincipal::default(),
                outbox,
                answer,
                session,
            })
            .await;
        assert_eq!(answered.try_recv().unwrap().unwrap_err().code(), code);
    }
    assert!(client.news().is_empty(), "others notice nothing");
}

#[tokio::test]
async fn a_run_whose_client_stays_away_is_dropped() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let client = stage.client_with(1, &[1, 2, 3, 4, 5, 6]).await;
    let leases = worker.leases();
    stage.handle(CoreInput::Gone(client.session)).await;
    stage.pass(10).await;
    assert!(worker.stops().is_empty());
    stage.now = stage.now.plus_ms(400_000);
    let beat = worker_message::Kind::Heartbeat(v1::Heartbeat::default());
    stage.handle(CoreInput::Worker(worker.session, beat)).await;
    let mut stops = worker.stops();
    stops.sort_unstable();
    assert_eq!(stops, leases);
    let mut back = stage.client(1).await.unwrap();
    assert_eq!(back.news()[0], "welcome, resumed: false");
}

#[tokio::test]
async fn a_worker_that_comes_back_in_time_goes_on() {
    let (mut stage, worker, mut client, fence) = running().await;
    stage.reports(&worker, fence, written(0, "a")).await;
    stage.handle(CoreInput::Gone(worker.session)).await;
    stage.pass(5).await;
    let mut back = stage.worker(1, &[(1, 7, fence)]).await;
    assert!(back.stops().is_empty());
    client.news();
    stage.reports(&back, fence, report::Kind::Started(0)).await;
    stage.reports(&back, fence, written(0, "a")).await;
    stage.reports(&back, fence, written(1, "b")).await;
    stage.reports(&back, fence, exited(0)).await;
    assert_eq!(client.news(), ["output 1 of 7: b", "finished 7: Exited(0)"]);
}

#[tokio::test]
async fn a_worker_that_comes_back_is_told_again_to_drain() {
    let (mut stage, worker, _client, fence) = running().await;
    let (answer, drained) = tokio::sync::oneshot::channel();
    stage.handle(CoreInput::Drain(String::new(), answer)).await;
    assert_eq!(drained.await.unwrap().len(), 1);
    // The connection breaks before the worker has read the order.
    stage.handle(CoreInput::Gone(worker.session)).await;
    let mut back = stage.worker(1, &[(1, 7, fence)]).await;
    let mut is_told = false;
    while let Ok(order) = back.orders.try_recv() {
        is_told |= matches!(order.unwrap().kind, Some(worker_order::Kind::Drain(_)));
    }
    assert!(is_told, "a lost order is given again");
}

/// Invariant 3: a job has one outcome, even one whose output could not be kept.
#[tokio::test]
async fn a_job_whose_output_was_refused_is_over_whatever_its_worker_does() {
    use crate::broker::limits::{ClientLimits, ClientResource};
    let config = BrokerConfig {
        per_client: ClientLimits::default().with(ClientResource::OutputBytes, 1_000),
        ..BrokerConfig::default()
    };
    for is_lost in [false, true] {
        let mut stage = stage_with(FakeInventory(None), config.clone());
        let mut worker = stage.worker(1, &[]).await;
        let mut client = stage.client_with(1, &[7]).await;
        let fence = worker.leases()[0];
        let started = report::Kind::Started(0);
        stage.reports(&worker, fence, started).await;
        let text = "x".repeat(2_000);
        stage.reports(&worker, fence, written(0, &text)).await;
        assert_eq!(worker.stops(), [fence]);
        let news = client.news();
        let end = news.last().unwrap();
        assert!(end.starts_with("finished 7: Infrastructure"), "{end}");
        match is_lost {
            // It does not come back, and neither does the job.
            true => {
                stage.handle(CoreInput::Gone(worker.session)).await;
                stage.pass(60).await;
                stage.worker(2, &[]).await;
            }
            false => stage.reports(&worker, fence, exited(0)).await,
        }
        let mut client = stage.client(1).await.unwrap();
        let news = client.news();
        let ends = news.iter().filter(|line| line.starts_with("finished"));
        let ends: Vec<&String> = ends.collect();
        assert_eq!(ends, [end]);
        assert!(!news.iter().any(|line| line.starts_with("requeued")));
    }
}

#[tokio::test]
async fn a_template_that_cannot_be_sent_does_not_count_as_sent() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    // Nobody has defined this one yet.
    let early = std::panic::AssertUnwindSafe(|| {
        stage.core.send_template(WorkerId(0), InputsId(0));
    });
    drop(std::panic::catch_unwind(early));
    let _client = stage.client_with(1, &[7]).await;
    let orders = std::iter::from_fn(|| worker.orders.try_recv().ok());
    let sent = orders.filter(|order| {
        let kind = order.as_ref().unwrap().kind.as_ref();
        matches!(kind, Some(worker_order::Kind::Template(_)))
    });
    assert_eq!(sent.count(), 1);
}
