//! What runs a worker's jobs here: they begin when they are given and end when a test says so.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use maelstrom_cluster::worker::executor::Executor;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{ExitStatus, Job, JobOutcome, JobResult};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// For the worker.
pub struct Jobs {
    happens: UnboundedReceiver<BackendEvent>,
    control: Control,
}

/// For the test.
#[derive(Clone)]
pub struct Control {
    events: UnboundedSender<BackendEvent>,
    seen: Rc<RefCell<Seen>>,
}

/// What the worker has asked for.
#[derive(Default)]
struct Seen {
    started: Vec<u64>,
    stopped: BTreeSet<u64>,
}

/// Both ends.
pub fn jobs() -> (Jobs, Control) {
    let (events, happens) = unbounded_channel();
    let control = Control {
        events,
        seen: Rc::default(),
    };
    let jobs = Jobs {
        happens,
        control: control.clone(),
    };
    (jobs, control)
}

impl Control {
    fn happens(&self, event: BackendEvent) {
        self.events.send(event).unwrap();
    }

    /// A job writes something.
    pub fn writes(&self, fence: u64, text: &str) {
        self.happens(BackendEvent::Output {
            job: JobId(fence),
            stream: OutputStream::Stdout,
            bytes: text.as_bytes().to_vec(),
        });
    }

    /// A job exits with 0.
    pub fn exits(&self, fence: u64) {
        self.ends(fence, JobOutcome::Exited(ExitStatus::Code(0)));
    }

    fn ends(&self, fence: u64, end: JobOutcome) {
        let (job, result) = (JobId(fence), JobResult::not_run(end));
        self.happens(BackendEvent::Finished { job, result });
    }

    /// Which were started, in order.
    pub fn started(&self) -> Vec<u64> {
        self.seen.borrow().started.clone()
    }

    /// Which were to be stopped.
    pub fn stopped(&self) -> Vec<u64> {
        self.seen.borrow().stopped.iter().copied().collect()
    }
}

impl Executor for Jobs {
    fn submit_with_grace(&mut self, id: JobId, _job: Job, _rank: JobPriority, _grace: Duration) {
        self.control.seen.borrow_mut().started.push(id.0);
        self.control.happens(BackendEvent::Started {
            job: id,
            worker: WorkerId(0),
            slot: 0,
        });
    }
}

impl Backend for Jobs {
    fn slots(&self) -> u32 {
        1
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        self.submit_with_grace(id, job, rank, Duration::ZERO);
    }

    fn stop(&mut self, id: JobId, _how: StopMode) {
        if self.control.seen.borrow_mut().stopped.insert(id.0) {
            self.control.ends(id.0, JobOutcome::Cancelled);
        }
    }

    fn hold(&mut self) {}

    fn release(&mut self) {}

    fn suspend(&mut self) {}

    fn resume(&mut self) {}

    async fn next(&mut self) -> BackendEvent {
        // It is held here, too.
        self.happens.recv().await.unwrap()
    }

    async fn close(self) {}
}
