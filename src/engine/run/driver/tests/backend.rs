//! An in-memory backend whose jobs act according to the name of their program.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use crate::schedule::{SlotScheduler, WithdrawResult};
use maelstrom_model::backend::{Backend, BackendEvent, BackendLost, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{ExitStatus, Job, JobOutcome, JobResult, ResourceUsage};

/// Returns the output and the outcome of a job, according to its program.
fn behavior(job: &Job) -> (Vec<(OutputStream, Vec<u8>)>, Option<JobOutcome>) {
    let stderr = |text: &str| (OutputStream::Stderr, text.as_bytes().to_vec());
    match job.process.program.to_str().unwrap() {
        "pass" => (vec![], Some(JobOutcome::Exited(ExitStatus::Code(0)))),
        "fail" => (
            vec![stderr("panicked at "), stderr("src/a.rs:7:5:\n")],
            Some(JobOutcome::Exited(ExitStatus::Code(101))),
        ),
        "list" => (
            vec![
                (OutputStream::Stdout, b"a: test\n".to_vec()),
                stderr("warn"),
            ],
            Some(JobOutcome::Exited(ExitStatus::Code(0))),
        ),
        "broken" => (vec![], Some(JobOutcome::Error("no such image".into()))),
        "hang" => (vec![stderr("waiting")], None),
        other => panic!("no behavior for {other}"),
    }
}

/// Runs jobs by priority in two slots, all at once.
pub(crate) struct ScriptedBackend {
    scheduler: SlotScheduler<Job>,
    news: VecDeque<BackendEvent>,
    hanging: Vec<JobId>,
    pub lose_at_start_of: Option<&'static str>,
    trace: Trace,
}

/// The recorded calls to the backend and the framework.
pub(crate) type Trace = Rc<RefCell<Vec<String>>>;

impl ScriptedBackend {
    pub(crate) fn new(trace: &Trace) -> Self {
        ScriptedBackend {
            scheduler: SlotScheduler::new(2),
            news: VecDeque::new(),
            hanging: Vec::new(),
            lose_at_start_of: None,
            trace: Rc::clone(trace),
        }
    }

    fn log(&self, what: impl Into<String>) {
        self.trace.borrow_mut().push(what.into());
    }

    fn post_end(&mut self, job: JobId, end: JobOutcome) {
        self.news.push_back(BackendEvent::Finished {
            job,
            result: JobResult {
                end,
                usage: ResourceUsage::default(),
                prepared: Duration::from_micros(11),
                ran: Duration::from_millis(2),
                leaked: Default::default(),
            },
        });
    }

    fn start_next(&mut self) -> bool {
        let Some(start) = self.scheduler.start_next() else {
            return false;
        };
        let program = start.payload.process.program.to_str().unwrap();
        if self.lose_at_start_of == Some(program) {
            self.news.push_back(BackendEvent::Lost(BackendLost {
                message: "the spawner died".into(),
                help: Some("look at the kernel log".into()),
                source: None,
            }));
            self.scheduler.hold();
            return true;
        }
        if program == "unstarted" {
            self.scheduler.finished(start.job);
            self.post_end(start.job, JobOutcome::Error("no such image".into()));
            return true;
        }
        self.news.push_back(BackendEvent::Started {
            job: start.job,
            worker: WorkerId(0),
            slot: start.slot,
        });
        let (output, end) = behavior(&start.payload);
        for (stream, bytes) in output {
            let job = start.job;
            self.news
                .push_back(BackendEvent::Output { job, stream, bytes });
        }
        match end {
            Some(end) => {
                self.scheduler.finished(start.job);
                self.post_end(start.job, end);
            }
            None => self.hanging.push(start.job),
        }
        true
    }
}

impl Backend for ScriptedBackend {
    fn slots(&self) -> u32 {
        2
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        self.scheduler.enqueue(id, rank, job).unwrap();
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        match self.scheduler.withdraw(id) {
            WithdrawResult::FromQueue(_) => self.post_end(id, JobOutcome::Cancelled),
            WithdrawResult::StillRunning { .. } => {
                self.log(format!("{how:?}"));
                // The job ignores SIGTERM.
                if how == StopMode::Kill {
                    self.hanging.retain(|hanging| *hanging != id);
                    self.scheduler.finished(id);
                    self.post_end(id, JobOutcome::Cancelled);
                }
            }
            WithdrawResult::Unknown => {}
        }
    }

    fn hold(&mut self) {
        self.scheduler.hold();
    }

    fn release(&mut self) {
        self.scheduler.release();
    }

    fn suspend(&mut self) {
        self.log("suspend");
    }

    fn resume(&mut self) {
        self.log("resume");
    }

    async fn next(&mut self) -> BackendEvent {
        loop {
            if let Some(news) = self.news.pop_front() {
                return news;
            }
            if !self.start_next() {
                return pending().await;
            }
        }
    }

    async fn close(self) {
        self.log(format!("closed with {} running", self.hanging.len()));
    }
}
