//! A client: hands over what its plan says, and holds what it hears against a backend's promises.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use maelstrom_cluster::backend::{BrokerBackend, BrokerBackendOptions};
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::forwarding::EnvironmentForwarding;
use maelstrom_model::job::{
    ContainerSpec, ExitStatus, Job, JobOutcome, NetworkMode, OutputPipes, PlacementConstraint,
    PrivilegeLevel, ProcessSpec, RootKind,
};
use maelstrom_wire::session::prepare::PreparationMode;
use tokio::time::{Instant, sleep_until};

use crate::executor::Nowhere;
use crate::network::connect;
use crate::nodes::{World, pass};
use crate::plan::Task;

/// What is to be done, and when.
enum Step {
    Submit(usize),
    Stop(usize, StopMode),
}

/// What was heard of a job.
#[derive(Default)]
struct Heard {
    started: bool,
    output: Vec<(bool, Vec<u8>)>,
}

struct Client {
    world: World,
    number: u32,
    running: BTreeMap<JobId, Heard>,
    waiting: BTreeSet<JobId>,
    stopped: BTreeSet<JobId>,
    over: BTreeSet<JobId>,
}

/// A client from its start to its end.
pub(crate) async fn client(world: World, number: u32) -> turmoil::Result {
    // The broker is there before its clients are.
    pass(Duration::from_millis(500)).await;
    let plan = Rc::clone(&world.plan);
    let jobs = &plan.clients[number as usize].jobs;
    let mut run = [0; 16];
    run[0] = number as u8;
    run[8..].copy_from_slice(&plan.seed.to_be_bytes());
    let options = BrokerBackendOptions {
        connection: connect(),
        address: "broker".to_owned(),
        run,
        name: format!("client-{number}"),
        digests: world.directory.join(format!("digests-{number}")),
        forwarding: EnvironmentForwarding::default(),
        grace: Duration::from_secs(1),
        local_slots: 0,
        preparing: PreparationMode::AtOnce,
    };
    let mut backend = BrokerBackend::new(options, Nowhere);
    let containers: Vec<Surroundings> = (0..2).map(Surroundings::new).collect();
    let began = Instant::now();
    let mut steps: Vec<(Instant, Step)> = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        steps.push((began + job.submitted_at, Step::Submit(index)));
        steps.extend(
            job.stopped
                .map(|(at, how)| (began + at, Step::Stop(index, how))),
        );
    }
    steps.sort_by_key(|(at, _)| *at);
    let mut steps = steps.into_iter().peekable();
    let mut client = Client {
        world: world.clone(),
        number,
        running: BTreeMap::new(),
        waiting: BTreeSet::new(),
        stopped: BTreeSet::new(),
        over: BTreeSet::new(),
    };
    while client.over.len() < jobs.len() {
        let due = steps
            .peek()
            .map_or(began + Duration::from_secs(100_000), |(at, _)| *at);
        tokio::select! {
            biased;
            () = sleep_until(due) => match steps.next() {
                Some((_, Step::Submit(index))) => {
                    let planned = &jobs[index];
                    let id = JobId(planned.task.job);
                    client.waiting.insert(id);
                    let job = containers[planned.container as usize].job(planned.task);
                    // It also says how long to wait for another worker.
                    let estimate = job.needs.avoided_worker.map(|_| planned.task.runs);
                    backend.submit(id, job, JobPriority { priority: planned.priority, estimate });
                }
                Some((_, Step::Stop(index, how))) => {
                    let id = JobId(jobs[index].task.job);
                    client.stopped.insert(id);
                    backend.stop(id, how);
                }
                None => {}
            },
            event = backend.next() => client.hear(event),
        }
    }
    backend.close().await;
    let mut witness = world.witness.borrow_mut();
    witness.note(format!("client {number} has all it wanted"));
    witness.content.insert(number);
    Ok(())
}

impl Client {
    fn task(&self, id: JobId) -> Task {
        let jobs = &self.world.plan.clients[self.number as usize].jobs;
        jobs[id.0 as usize].task
    }

    fn hear(&mut self, event: BackendEvent) {
        let (number, note) = (self.number, |client: &Client, what: String| {
            client
                .world
                .witness
                .borrow_mut()
                .note(format!("client {}: {what}", client.number));
        });
        match event {
            BackendEvent::Started { job, .. } => {
                note(self, format!("{job} starts"));
                assert!(
                    self.waiting.remove(&job),
                    "client {number}: {job} started unasked"
                );
                self.running.insert(
                    job,
                    Heard {
                        started: true,
                        ..Heard::default()
                    },
                );
            }
            BackendEvent::Output { job, stream, bytes } => {
                let heard = self.running.get_mut(&job);
                let heard = heard.unwrap_or_else(|| panic!("output of {job}, which does not run"));
                heard.output.push((stream == OutputStream::Stderr, bytes));
            }
            BackendEvent::Restarted { job, reason } => {
                note(self, format!("{job} starts again: {reason}"));
                let heard = self.running.get_mut(&job);
                let heard = heard.unwrap_or_else(|| panic!("{job} starts again and never did"));
                heard.output.clear();
            }
            BackendEvent::Finished { job, result } => {
                note(self, format!("{job} ends: {:?}", result.end));
                assert!(
                    self.over.insert(job),
                    "client {number} hears of two ends of {job}"
                );
                let heard = match self.running.remove(&job) {
                    Some(heard) => heard,
                    None => {
                        assert!(
                            self.waiting.remove(&job),
                            "{job} ends and was never submitted"
                        );
                        Heard::default()
                    }
                };
                self.judge(job, &result.end, &heard);
            }
            BackendEvent::Worker(_)
            | BackendEvent::Cluster(_)
            | BackendEvent::Notice(_)
            | BackendEvent::Discarded { .. } => {}
            BackendEvent::Lost(lost) => panic!("client {number} has lost the broker: {lost}"),
        }
    }

    /// Whether a job's end is the right one.
    fn judge(&self, id: JobId, end: &JobOutcome, heard: &Heard) {
        let task = self.task(id);
        let who = format!("{}/{}", task.client, task.job);
        match end {
            JobOutcome::Exited(ExitStatus::Code(code)) => {
                assert!(heard.started, "{who} ended and never started");
                assert_eq!(*code, task.code, "{who} ended in another way");
                assert!(
                    joined(&heard.output) == joined(&task.output()),
                    "{who} wrote otherwise"
                );
            }
            JobOutcome::Cancelled => {
                assert!(self.stopped.contains(&id), "{who} was stopped unasked")
            }
            JobOutcome::Error(message) => {
                let attempts_max = self.world.plan.attempts_max;
                let tried = message.contains(&format!("tried {attempts_max} times"));
                // What was to be stopped is not tried again.
                assert!(
                    tried || self.stopped.contains(&id),
                    "{who} failed: {message}"
                );
            }
            JobOutcome::TimedOut | JobOutcome::Exited(ExitStatus::Signal { .. }) => {
                panic!("{who} ended like no task does: {end:?}");
            }
        }
    }
}

/// Each stream's bytes: where one piece ends and the next begins may change on the way.
fn joined(output: &[(bool, Vec<u8>)]) -> [Vec<u8>; 2] {
    [false, true].map(|wanted| {
        let pieces = output.iter().filter(|(is_error, _)| *is_error == wanted);
        pieces
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect()
    })
}

/// What jobs have in common.
struct Surroundings {
    container: Arc<ContainerSpec>,
    environment: Arc<BTreeMap<OsString, OsString>>,
    placement: PlacementConstraint,
}

impl Surroundings {
    fn new(number: u32) -> Surroundings {
        Surroundings {
            container: Arc::new(ContainerSpec {
                root: RootKind::Skeleton(Vec::new()),
                mounts: Vec::new(),
                network: NetworkMode::Loopback,
                hostname: format!("container-{number}"),
                user: 0,
                group: 0,
                privileges: PrivilegeLevel::Ordinary,
                services: Vec::new(),
                devices: Vec::new(),
            }),
            environment: Arc::default(),
            placement: PlacementConstraint::Anywhere(Arc::default()),
        }
    }

    fn job(&self, task: Task) -> Job {
        Job {
            container: Arc::clone(&self.container),
            process: Arc::new(ProcessSpec {
                program: AsRef::<std::ffi::OsStr>::as_ref("/task").into(),
                arguments: task.arguments(),
                environment: Arc::clone(&self.environment),
                working_directory: Path::new("/").into(),
            }),
            resident: None,
            timeout: None,
            output: OutputPipes::Separate,
            placement: self.placement.clone(),
            grace: None,
            needs: task.needs(),
            additions: Default::default(),
        }
    }
}
