//! A client that says everything once: what the broker has accepted it never speaks of again, and waits
//! to hear how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use maelstrom_wire::to_proto;
use maelstrom_wire::v1::jobs_client::JobsClient;
use maelstrom_wire::v1::{self, client_message, container, job_result, session_event};
use maelstrom_wire::versions::VERSIONS;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Status;

use crate::network::connect;
use crate::nodes::{World, pass};
use crate::plan::Task;

/// The number of the template of all jobs.
const TEMPLATE: u32 = 0;

/// How long an upload takes.
const UPLOAD: Duration = Duration::from_millis(50);

/// What is known of the jobs.
struct Client {
    world: World,
    number: u32,
    tasks: BTreeMap<u64, Task>,
    accepted: BTreeSet<u64>,
    finished: BTreeSet<u64>,
    output: BTreeMap<u64, Vec<(u64, u32, Vec<u8>)>>,
    /// When what was missing will be there, if something is.
    uploaded_at: Option<Instant>,
}

/// A client from its start to its end.
pub(crate) async fn client(world: World, number: u32) -> turmoil::Result {
    pass(Duration::from_millis(500)).await;
    let plan = Rc::clone(&world.plan);
    let jobs = &plan.clients[number as usize].jobs;
    let mut client = Client {
        world: world.clone(),
        number,
        tasks: jobs.iter().map(|job| (job.task.job, job.task)).collect(),
        accepted: BTreeSet::new(),
        finished: BTreeSet::new(),
        output: BTreeMap::new(),
        uploaded_at: None,
    };
    while client.finished.len() < client.tasks.len() {
        if let Err(status) = client.session().await {
            client.note(format!("is cut off: {}", status.message()));
            pass(Duration::from_millis(100)).await;
        }
    }
    let mut witness = world.witness.borrow_mut();
    witness.content.insert(number);
    Ok(())
}

impl Client {
    /// From a connection to its break, or to the end of all jobs.
    async fn session(&mut self) -> Result<(), Status> {
        let (say, messages) = unbounded_channel();
        let mut run = vec![0; 16];
        run[0] = self.number as u8;
        run[8..].copy_from_slice(&self.world.plan.seed.to_be_bytes());
        tell(
            &say,
            client_message::Kind::Hello(v1::Hello {
                versions: Some(VERSIONS.clone()),
                run: run.into(),
                name: format!("client-{}", self.number),
                weight: 1,
                secret: vec![self.number as u8; 16].into(),
            }),
        );
        let connection = connect();
        let mut jobs = JobsClient::new(connection.service());
        let answer = jobs.session(UnboundedReceiverStream::new(messages)).await?;
        let mut events = answer.into_inner();
        let mut is_greeted = false;
        loop {
            let event = tokio::select! {
                biased;
                () = until(self.uploaded_at) => {
                    self.uploaded_at = None;
                    let uploaded = v1::Uploaded { template: TEMPLATE };
                    tell(&say, client_message::Kind::Uploaded(uploaded));
                    continue;
                }
                event = events.next() => event,
            };
            let ended = || Status::unavailable("the session has ended");
            match event.ok_or_else(ended)??.kind {
                Some(session_event::Kind::Welcome(welcome)) => {
                    let knows = welcome.resumed;
                    assert!(knows || self.accepted.is_empty(), "the run was forgotten");
                    self.want(&say);
                    is_greeted = true;
                }
                Some(kind) => {
                    assert!(is_greeted, "{kind:?} comes before the welcome");
                    self.hear(kind, &say);
                }
                None => panic!("an event of no kind"),
            }
            if self.finished.len() == self.tasks.len() {
                tell(&say, client_message::Kind::Goodbye(v1::Empty {}));
                drop(say);
                // Until the broker has taken note.
                while let Some(Ok(_)) = events.next().await {}
                return Ok(());
            }
        }
    }

    /// Says which jobs it wants: those that the broker has not accepted.
    fn want(&self, say: &UnboundedSender<v1::ClientMessage>) {
        let heard = self.finished.iter().copied().collect();
        tell(
            say,
            client_message::Kind::Acknowledge(v1::Acknowledge { jobs: heard }),
        );
        let unknown = |job: &&Task| !self.accepted.contains(&job.job);
        let wanted: Vec<v1::Job> = self.tasks.values().filter(unknown).map(job).collect();
        // The protocol wants it anew: what it lacks was told to nobody.
        tell(say, client_message::Kind::Template(template()));
        tell(
            say,
            client_message::Kind::Submit(v1::Submit { jobs: wanted }),
        );
    }

    fn hear(&mut self, kind: session_event::Kind, say: &UnboundedSender<v1::ClientMessage>) {
        use session_event::Kind;
        match kind {
            Kind::Accepted(accepted) => self.accepted.extend(accepted.jobs),
            Kind::Output(output) => {
                let heard = self.output.entry(output.job).or_default();
                let is_new = |(attempt, index, _): &(u64, u32, Vec<u8>)| {
                    (*attempt, *index) != (output.attempt, output.index)
                };
                if heard.iter().all(is_new) {
                    heard.push((output.attempt, output.index, output.data.to_vec()));
                }
            }
            Kind::Finished(finished) => {
                let job = finished.job;
                // A broker that has lost what was acknowledged says that such a job is over now.
                if self.finished.insert(job) {
                    self.judge(job, finished.result.and_then(|result| result.end));
                }
                tell(
                    say,
                    client_message::Kind::Acknowledge(v1::Acknowledge { jobs: vec![job] }),
                );
            }
            Kind::Welcome(_) => panic!("a second welcome"),
            Kind::Missing(_) => {
                self.uploaded_at
                    .get_or_insert_with(|| Instant::now() + UPLOAD);
            }
            Kind::Started(_)
            | Kind::Requeued(_)
            | Kind::Worker(_)
            | Kind::WorkerLeft(_)
            | Kind::Cluster(_)
            | Kind::Notice(_) => {}
        }
    }

    fn judge(&self, job: u64, end: Option<job_result::End>) {
        let task = self.tasks[&job];
        self.note(format!("{job} ends: {end:?}"));
        assert_eq!(
            end,
            Some(job_result::End::Exited(task.code)),
            "{job} ended in another way"
        );
        let heard = self.output.get(&job).map_or(&[][..], Vec::as_slice);
        let last = heard.iter().map(|(attempt, ..)| *attempt).max();
        let written = heard.iter().filter(|(attempt, ..)| Some(*attempt) == last);
        let written: Vec<u8> = written.flat_map(|(.., data)| data.clone()).collect();
        let expected: Vec<u8> = task.output().into_iter().flat_map(|(_, it)| it).collect();
        assert!(written == expected, "{job} wrote otherwise");
    }

    fn note(&self, what: String) {
        let mut witness = self.world.witness.borrow_mut();
        witness.note(format!("client {}: {what}", self.number));
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// A connection that is gone is told of by its other direction.
fn tell(say: &UnboundedSender<v1::ClientMessage>, kind: client_message::Kind) {
    drop(say.send(v1::ClientMessage { kind: Some(kind) }));
}

fn template() -> v1::DefineTemplate {
    let template = v1::Template {
        container: Some(v1::Container {
            root: Some(container::Root::Skeleton(v1::Skeleton::default())),
            network: v1::Network::Loopback.into(),
            privileges: v1::Privileges::Ordinary.into(),
            hostname: "container".to_owned(),
            ..v1::Container::default()
        }),
        working_directory: to_proto::path(Path::new("/")),
        architecture: std::env::consts::ARCH.to_owned(),
        ..v1::Template::default()
    };
    v1::DefineTemplate {
        number: TEMPLATE,
        template: Some(template),
    }
}

fn job(task: &Task) -> v1::Job {
    v1::Job {
        id: task.job,
        template: TEMPLATE,
        program: to_proto::text(OsStr::new("/task")),
        arguments: task
            .arguments()
            .iter()
            .map(|it| to_proto::text(it))
            .collect(),
        needs: to_proto::needs(&task.needs(), None),
        ..v1::Job::default()
    }
}
