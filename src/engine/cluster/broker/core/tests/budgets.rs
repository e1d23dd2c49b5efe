//! Promise 9: every countable resource has a budget per client, and a client that exhausts it
//! affects only itself; and what is unused is removed.

use super::*;
use crate::broker::budgets::Principal;
use crate::broker::limits::{ClientLimits, ClientResource};

fn caller(name: &str) -> CallerPrincipal {
    CallerPrincipal {
        principal: Principal::Member(name.to_owned()),
        member: Some(name.to_owned()),
    }
}

fn stage_of(what: ClientResource, most: u64) -> CoreHarness {
    let policy = BrokerConfig {
        per_client: ClientLimits::default().with(what, most),
        ..BrokerConfig::default()
    };
    stage_with(FakeInventory(None), policy)
}

/// A template of this number, with a toolbox if there is an identity for it.
fn template_of(number: u32, toolbox: Option<u32>) -> client_message::Kind {
    let client_message::Kind::Template(mut defined) = template() else {
        panic!("it is one");
    };
    defined.number = number;
    let template = defined.template.as_mut().unwrap();
    template.working_directory = format!("/{number}").into_bytes().into();
    template.toolbox = toolbox.into_iter().map(tools).collect();
    client_message::Kind::Template(defined)
}

fn tools(identity: u32) -> v1::ToolboxPath {
    v1::ToolboxPath {
        path: b"/usr".as_slice().into(),
        identity: identity.to_be_bytes().to_vec().into(),
    }
}

fn job_of(id: u64, template: u32) -> client_message::Kind {
    let client_message::Kind::Submit(mut submit) = submit(&[id]) else {
        panic!("it is one");
    };
    submit.jobs[0].template = template;
    client_message::Kind::Submit(submit)
}

impl FakeClient {
    /// Why it was dismissed, if it was.
    fn error(&mut self) -> Option<Status> {
        let events = std::iter::from_fn(|| self.outlet.next().now_or_never().flatten());
        events.filter_map(Result::err).last()
    }
}

impl FakeWorker {
    /// Answers all toolbox queries, and returns the fences of leases that came.
    async fn answer(&mut self, stage: &mut CoreHarness, lacks: &str) -> Vec<u64> {
        let mut fences = Vec::new();
        while let Ok(order) = self.orders.try_recv() {
            match order.unwrap().kind {
                Some(worker_order::Kind::Toolbox(question)) => {
                    let answer = v1::ToolboxAnswer {
                        toolbox: question.toolbox,
                        lacks: lacks.to_owned(),
                    };
                    let answer = worker_message::Kind::Toolbox(answer);
                    stage.handle(CoreInput::Worker(self.session, answer)).await;
                }
                Some(worker_order::Kind::Leases(leases)) => {
                    fences.extend(leases.leases.iter().map(|lease| lease.fence));
                }
                _ => {}
            }
        }
        fences
    }
}

fn check(what: ClientResource, refused: &Status) {
    assert_eq!(
        refused.code(),
        Code::ResourceExhausted,
        "{what:?}: {refused}"
    );
    for part in ["a has ", what.unit(), what.help()] {
        assert!(
            refused.message().contains(part),
            "{what:?}: {}",
            refused.message()
        );
    }
}

/// Uses up every resource that a client can accumulate.
#[tokio::test]
async fn a_client_at_its_limit_is_refused_and_another_is_served() {
    type MessageFactory = fn(u32) -> client_message::Kind;
    let rows: [(ClientResource, u64, MessageFactory); 5] = [
        (ClientResource::Jobs, 2, |turn| job_of(turn.into(), 5)),
        (ClientResource::JobBytes, 40, |turn| job_of(turn.into(), 5)),
        (ClientResource::Templates, 4, |turn| {
            template_of(100 + turn, None)
        }),
        (ClientResource::TemplateBytes, 200, |turn| {
            template_of(100 + turn, None)
        }),
        (ClientResource::Toolboxes, 3, |turn| {
            template_of(100 + turn, Some(turn))
        }),
    ];
    for (what, most, say) in rows {
        let mut stage = stage_of(what, most);
        let mut worker = stage.worker(1, &[]).await;
        let mut a = stage.client_as(1, &caller("a"), b"").await.unwrap();
        stage.send(&a, template_of(5, None)).await;
        let mut refused = None;
        for turn in 0..20 {
            stage.send(&a, say(turn)).await;
            refused = a.error();
            if refused.is_some() {
                assert!(turn > 0, "{what:?}: there was room for one");
                break;
            }
        }
        check(what, &refused.unwrap());
        // Another run of the same client does not help, and another client is not affected.
        let mut again = stage.client_as(2, &caller("a"), b"").await.unwrap();
        stage.send(&again, template_of(5, None)).await;
        stage.send(&again, say(20)).await;
        check(what, &again.error().unwrap());
        let mut b = stage.client_as(3, &caller("b"), b"").await.unwrap();
        stage.send(&b, template_of(5, None)).await;
        stage.send(&b, submit(&[1])).await;
        assert!(b.news().contains(&"accepted [1]".to_owned()), "{what:?}");
        worker.answer(&mut stage, "").await;

        // When all is over nothing is left of any client.
        for (run, name) in [(1, "a"), (2, "a"), (3, "b")] {
            let client = stage.client_as(run, &caller(name), b"").await.unwrap();
            let goodbye = client_message::Kind::Goodbye(v1::Empty {});
            stage.send(&client, goodbye).await;
        }
        let core = &stage.core;
        assert_eq!(core.runs.counts(), (0, 0, 0));
        assert_eq!(core.templates.toolboxes().count(), 0);
        assert_eq!(core.workers.toolbox_count(), 0);
    }
}

#[tokio::test]
async fn a_client_has_so_many_runs_and_a_machine_so_many_workers() {
    let mut stage = stage_of(ClientResource::Runs, 2);
    for run in 1..=2 {
        stage.client_as(run, &caller("a"), b"").await.unwrap();
    }
    check(
        ClientResource::Runs,
        &stage.client_as(3, &caller("a"), b"").await.err().unwrap(),
    );
    stage.client_as(1, &caller("a"), b"").await.unwrap();
    stage.client_as(3, &caller("b"), b"").await.unwrap();

    let mut stage = stage_of(ClientResource::Workers, 1);
    stage.worker_as(1, &caller("a"), &[]).await.unwrap();
    stage.worker_as(1, &caller("a"), &[]).await.unwrap();
    let refused = stage.worker_as(2, &caller("a"), &[]).await.err().unwrap();
    check(ClientResource::Workers, &refused);
    stage.worker_as(2, &caller("b"), &[]).await.unwrap();
}

/// First no further job of it starts; if running ones go on writing, they are ended.
#[tokio::test]
async fn a_client_that_does_not_read_has_so_much_output() {
    let mut stage = stage_of(ClientResource::OutputBytes, 4_000);
    let mut worker = stage.worker(1, &[]).await;
    let mut a = stage.client_as(1, &caller("a"), b"").await.unwrap();
    stage.send(&a, template()).await;
    stage.send(&a, submit(&[1])).await;
    let first = worker.leases()[0];
    stage
        .reports(&worker, first, report::Kind::Started(0))
        .await;
    let text = "x".repeat(1_500);
    stage.reports(&worker, first, written(0, &text)).await;
    stage.send(&a, submit(&[2])).await;
    assert_eq!(worker.leases(), [0; 0], "it has enough to read");
    let b = stage.client_as(2, &caller("b"), b"").await.unwrap();
    stage.send(&b, template()).await;
    stage.send(&b, submit(&[1])).await;
    assert_eq!(worker.leases().len(), 1, "others go on");

    for index in 1..3 {
        stage.reports(&worker, first, written(index, &text)).await;
    }
    let told = a.news();
    let end = told.last().unwrap();
    for part in [
        "finished 1: Infrastructure",
        "a has 4000 bytes of output",
        "acknowledge",
    ] {
        assert!(end.contains(part), "{end}");
    }
    stage.send(&a, acknowledge(&[1])).await;
    // The lease's end is still to come; then there is a slot.
    stage.reports(&worker, first, exited(0)).await;
    assert_eq!(worker.leases().len(), 1);
}

/// A broker runs for long, and every project and every update brings another toolbox.
#[tokio::test]
async fn any_number_of_toolboxes_come_and_go() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    for turn in 0..200 {
        let client = stage.client(1).await.unwrap();
        stage.send(&client, template_of(1, Some(turn))).await;
        stage.send(&client, job_of(1, 1)).await;
        let mut leases = worker.answer(&mut stage, "").await;
        leases.extend(worker.leases());
        assert_eq!(leases.len(), 1, "turn {turn}");
        stage.reports(&worker, leases[0], exited(0)).await;
        stage
            .send(&client, client_message::Kind::Goodbye(v1::Empty {}))
            .await;
    }
    assert_eq!(stage.core.scheduler_status().pools.len(), 1);
}

/// A job that no worker can run ends with the reason.
#[tokio::test]
async fn a_job_whose_toolbox_nobody_has_ends_at_once() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage.client(1).await.unwrap();
    stage.send(&client, template_of(1, Some(7))).await;
    let submit = v1::Submit {
        jobs: (0..2_000)
            .map(|id| v1::Job {
                id,
                template: 1,
                program: b"x".as_slice().into(),
                ..v1::Job::default()
            })
            .collect(),
    };
    worker.answer(&mut stage, "`/usr` is another").await;
    stage
        .send(&client, client_message::Kind::Submit(submit))
        .await;
    let mut ended = 0;
    for _ in 0..100 {
        let news = client.news();
        let told = news
            .iter()
            .filter(|line| line.contains("`/usr` is another"));
        ended += told.count();
        // Each yield handles a limited number of messages.
        tokio::task::yield_now().await;
    }
    assert_eq!(ended, 2_000);

    // A worker that does not answer counts as lacking it.
    stage.send(&client, template_of(2, Some(8))).await;
    stage.send(&client, job_of(5_000, 2)).await;
    stage.pass_with(65, &worker).await;
    stage.handle(CoreInput::Sample).await;
    let news = client.news();
    let ended = news
        .iter()
        .any(|line| line.contains("did not say within 60 s"));
    assert!(ended, "{news:?}");
}

#[tokio::test]
async fn jobs_for_machines_that_are_not_there_say_so_once() {
    let mut stage = stage(FakeInventory(None));
    let _worker = stage.worker(1, &[]).await;
    let mut client = stage.client(1).await.unwrap();
    let client_message::Kind::Template(mut defined) = template() else {
        panic!("it is one");
    };
    defined.template.as_mut().unwrap().architecture = "aarch64".to_owned();
    stage
        .send(&client, client_message::Kind::Template(defined))
        .await;
    stage.send(&client, submit(&[1])).await;
    stage.send(&client, submit(&[2])).await;
    let mut notices = Vec::new();
    while let Some(Some(Ok(event))) = client.outlet.next().now_or_never() {
        if let Some(session_event::Kind::Notice(notice)) = event.kind {
            notices.push(notice.text);
        }
    }
    let expected = "jobs wait for a worker of the architecture aarch64, and none is there";
    assert_eq!(notices, [expected]);
}

/// A repeated message costs no more than one.
#[tokio::test]
async fn a_client_that_takes_nothing_has_little_to_take() {
    let mut stage = stage(FakeInventory(None));
    let client = stage.client(1).await.unwrap();
    for _ in 0..40_000 {
        stage.core.handle(CoreInput::Sample, BrokerInstant(0));
    }
    assert!(!stage.core.runs.has_listeners());
    drop(client);
}

/// At most one check of a template runs at a time.
#[tokio::test]
async fn uploads_that_are_said_often_are_looked_for_once_more() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct CountingInventory(Arc<AtomicU32>);

    impl ContentInventory for CountingInventory {
        fn check(
            &self,
            _contents: Vec<ContentSource>,
        ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            async move { Ok(InventoryCheck::Lacking(Vec::new(), Box::new(()))) }.boxed()
        }

        fn bytes(&self) -> u64 {
            0
        }
    }

    let mut stage = stage(FakeInventory(None));
    let looks = Arc::new(AtomicU32::new(0));
    stage.core.inventory = Box::new(CountingInventory(Arc::clone(&looks)));
    let client = stage.client(1).await.unwrap();
    stage.core.handle(
        CoreInput::Client(client.session, template()),
        BrokerInstant(0),
    );
    for _ in 0..1_000 {
        let uploaded = client_message::Kind::Uploaded(v1::Uploaded { template: 5 });
        stage.core.handle(
            CoreInput::Client(client.session, uploaded),
            BrokerInstant(0),
        );
    }
    stage.handle(CoreInput::Tick).await;
    assert_eq!(looks.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_template_that_is_refused_says_why() {
    struct RefusingInventory;

    impl ContentInventory for RefusingInventory {
        fn check(
            &self,
            _contents: Vec<ContentSource>,
        ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
            async move { Ok(InventoryCheck::Refused("it is too large".to_owned())) }.boxed()
        }

        fn bytes(&self) -> u64 {
            0
        }
    }

    let mut stage = stage(FakeInventory(None));
    stage.core.inventory = Box::new(RefusingInventory);
    let mut client = stage.client(1).await.unwrap();
    stage.send(&client, template()).await;
    let refused = client.error().unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "template 5 is refused: it is too large");
}
