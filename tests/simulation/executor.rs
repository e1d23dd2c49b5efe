//! What stands for containers: jobs that do what their arguments say, in simulated time.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use maelstrom_cluster::worker::executor::Executor;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{ExitStatus, Job, JobOutcome, JobResult};
use tokio::time::{Instant, sleep_until};

use crate::plan::Task;
use crate::witness::Witness;

/// How long a job takes to die of SIGTERM.
const DYING: Duration = Duration::from_millis(300);

/// Runs tasks.
pub(crate) struct Tasks {
    worker: u32,
    slots: u32,
    running: BTreeMap<JobId, Running>,
    events: VecDeque<BackendEvent>,
    witness: Rc<RefCell<Witness>>,
    held: bool,
}

struct Running {
    task: Task,
    slots: Vec<u32>,
    /// The pieces that were written.
    written: u32,
    next: Instant,
    stopped: bool,
}

impl Tasks {
    /// As many as this at a time.
    pub(crate) fn new(worker: u32, slots: u32, witness: Rc<RefCell<Witness>>) -> Tasks {
        Tasks {
            worker,
            slots,
            running: BTreeMap::new(),
            events: VecDeque::new(),
            witness,
            held: false,
        }
    }

    /// A running job's next moment has come.
    fn advance(&mut self, id: JobId) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        let (task, written) = (running.task, running.written);
        if running.stopped {
            return self.end(id, JobOutcome::Cancelled);
        }
        let Some((is_error, bytes)) = task.output().into_iter().nth(written as usize) else {
            // Machines fail as well as jobs: of these the broker is to make another attempt.
            let attempt = self.witness.borrow_mut().ends(task);
            return match (task.job + u64::from(attempt)) % 11 == 0 && attempt < 2 {
                true => self.end(
                    id,
                    JobOutcome::Error("the container could not be made".to_owned()),
                ),
                false => self.end(id, JobOutcome::Exited(ExitStatus::Code(task.code))),
            };
        };
        running.written += 1;
        running.next = Instant::now() + step(task);
        let stream = match is_error {
            true => OutputStream::Stderr,
            false => OutputStream::Stdout,
        };
        self.events.push_back(BackendEvent::Output {
            job: id,
            stream,
            bytes,
        });
    }

    fn end(&mut self, job: JobId, end: JobOutcome) {
        if let Some(running) = self.running.remove(&job) {
            self.witness.borrow_mut().over(self.worker, &running.slots);
            let result = JobResult {
                ran: running.task.runs,
                ..JobResult::not_run(end)
            };
            self.events
                .push_back(BackendEvent::Finished { job, result });
        }
    }
}

/// How long a task takes for each of its parts.
fn step(task: Task) -> Duration {
    task.runs / (task.chunks + 1)
}

impl Executor for Tasks {
    fn submit_with_grace(&mut self, id: JobId, job: Job, _rank: JobPriority, _grace: Duration) {
        let task = Task::from_arguments(&job.process.arguments);
        let (sent, planned) = (&job.needs, task.needs());
        assert_eq!(
            (sent.weight, sent.exclusive),
            (planned.weight, planned.exclusive)
        );
        let taken = self.running.values().flat_map(|running| &running.slots);
        let taken: Vec<u32> = taken.copied().collect();
        let wanted = task.slots_of(self.slots) as usize;
        let free = (0..self.slots).filter(|slot| !taken.contains(slot));
        let slots: Vec<u32> = free.take(wanted).collect();
        assert_eq!(
            slots.len(),
            wanted,
            "worker {} has no slots for {task:?}",
            self.worker
        );
        self.witness
            .borrow_mut()
            .starts(self.worker, &slots, task, id);
        let slot = slots[0];
        let next = Instant::now() + step(task);
        let running = Running {
            task,
            slots,
            written: 0,
            next,
            stopped: false,
        };
        assert!(
            self.running.insert(id, running).is_none(),
            "a lease was started twice: {id}"
        );
        self.events.push_back(BackendEvent::Started {
            job: id,
            worker: WorkerId(0),
            slot,
        });
    }
}

impl Backend for Tasks {
    fn slots(&self) -> u32 {
        self.slots
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        self.submit_with_grace(id, job, rank, Duration::ZERO);
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        if let Some(running) = self.running.get_mut(&id) {
            let end = match how {
                StopMode::Terminate => Instant::now() + DYING,
                StopMode::Kill => Instant::now(),
            };
            running.next = match running.stopped {
                true => running.next.min(end),
                false => end,
            };
            running.stopped = true;
        }
    }

    fn hold(&mut self) {
        self.held = true;
    }

    fn release(&mut self) {
        self.held = false;
    }

    fn suspend(&mut self) {}

    fn resume(&mut self) {}

    async fn next(&mut self) -> BackendEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let first = self
                .running
                .iter()
                .min_by_key(|(id, running)| (running.next, **id));
            match first.map(|(id, running)| (*id, running.next)) {
                Some((id, next)) => {
                    sleep_until(next).await;
                    self.advance(id);
                }
                None => pending().await,
            }
        }
    }

    async fn close(self) {}
}

impl Drop for Tasks {
    /// A worker that ends takes its jobs along.
    fn drop(&mut self) {
        for running in self.running.values() {
            self.witness.borrow_mut().over(self.worker, &running.slots);
        }
    }
}

/// A client's own machine, on which nothing of this runs.
pub(crate) struct Nowhere;

impl Backend for Nowhere {
    fn slots(&self) -> u32 {
        1
    }

    fn submit(&mut self, id: JobId, _job: Job, _rank: JobPriority) {
        panic!("the job {id} is to run on the client's own machine");
    }

    fn stop(&mut self, id: JobId, _how: StopMode) {
        panic!("the job {id} is not on the client's own machine");
    }

    fn hold(&mut self) {}

    fn release(&mut self) {}

    fn suspend(&mut self) {}

    fn resume(&mut self) {}

    async fn next(&mut self) -> BackendEvent {
        pending().await
    }

    async fn close(self) {}
}
