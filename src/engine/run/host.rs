//! The run as a framework sees it: a queue of discovery events, and the jobs that discovery itself
//! needs.
//!
//! The framework's calls only enqueue events; the driver, which alone talks to the backend and the
//! machine, handles them in order. Dropping a [`FrameworkHost::run`] enqueues one too, so
//! abandoning a discovery kills the jobs that it was waiting for.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::attempt::JobRole;
use maelstrom_model::backend::JobId;
use maelstrom_model::event::{EventKind, OutputStream};
use maelstrom_model::framework::{BrokenEntry, CapturedOutput, FrameworkHost, WatchPaths};
use maelstrom_model::job::{Job, JobOutcome, JobResult, ResourceUsage, TestCase};

/// What one helper may write. Listing 100,000 tests takes about 10 MB.
const CAPTURED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// An event from a framework.
#[derive(Debug)]
pub enum DiscoveryEvent {
    /// Emit an event.
    Event(EventKind),
    /// History is kept here.
    StateDirectory(PathBuf),
    /// The project's own files are these.
    Watch(WatchPaths),
    Found {
        tests: Vec<TestCase>,
        /// What they were given.
        priority: Option<i8>,
    },
    Broken(BrokenEntry),
    /// Run this and answer there.
    Run {
        id: JobId,
        job: Job,
        /// Where its end is awaited.
        reply: oneshot::Sender<CapturedOutput>,
    },
    /// Stop after so many failures, unless the user has said when.
    StopAfter(NonZeroU32),
    /// This helper job's result is no longer awaited.
    Forget(JobId),
}

/// The framework's end.
#[derive(Debug)]
pub struct DiscoveryHost {
    mail: mpsc::UnboundedSender<DiscoveryEvent>,
    helpers: Cell<u32>,
}

/// Makes a [`DiscoveryHost`] and the driver's end of its channel.
pub fn discovery_host() -> (DiscoveryHost, mpsc::UnboundedReceiver<DiscoveryEvent>) {
    let (mail, receiver) = mpsc::unbounded_channel();
    let helpers = Cell::new(0);
    (DiscoveryHost { mail, helpers }, receiver)
}

impl DiscoveryHost {
    /// The driver outlives every discovery, so there is always somebody to read.
    fn post(&self, mail: DiscoveryEvent) {
        drop(self.mail.send(mail));
    }
}

impl FrameworkHost for DiscoveryHost {
    fn emit(&self, event: impl Into<EventKind>) {
        self.post(DiscoveryEvent::Event(event.into()));
    }

    fn state_directory(&self, directory: PathBuf) {
        self.post(DiscoveryEvent::StateDirectory(directory));
    }

    fn watch(&self, list: WatchPaths) {
        self.post(DiscoveryEvent::Watch(list));
    }

    fn found(&self, tests: Vec<TestCase>) {
        self.post(DiscoveryEvent::Found {
            tests,
            priority: None,
        });
    }

    fn found_at(&self, priority: i8, test: TestCase) {
        self.post(DiscoveryEvent::Found {
            tests: vec![test],
            priority: Some(priority),
        });
    }

    fn broken(&self, entry: BrokenEntry) {
        self.post(DiscoveryEvent::Broken(entry));
    }

    fn stop_after(&self, failures: NonZeroU32) {
        self.post(DiscoveryEvent::StopAfter(failures));
    }

    async fn run(&self, job: Job) -> CapturedOutput {
        let number = self.helpers.get();
        self.helpers.set(number.wrapping_add(1));
        let id = JobRole::Helper(number).job();
        let (reply, captured) = oneshot::channel();
        self.post(DiscoveryEvent::Run { id, job, reply });
        let _forget = ForgetOnDrop {
            mail: &self.mail,
            id,
        };
        captured
            .await
            .unwrap_or_else(|_| failed("the run ended before this job".to_owned()))
    }
}

/// Forgetting a helper that is over does nothing, so there is no need to tell the ends apart.
struct ForgetOnDrop<'a> {
    mail: &'a mpsc::UnboundedSender<DiscoveryEvent>,
    id: JobId,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        drop(self.mail.send(DiscoveryEvent::Forget(self.id)));
    }
}

/// The running helper jobs, and their output so far.
#[derive(Debug, Default)]
pub struct HelperJobs {
    running: BTreeMap<JobId, HelperJob>,
}

#[derive(Debug)]
struct HelperJob {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    reply: oneshot::Sender<CapturedOutput>,
}

/// Whether a helper may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperAction {
    GoOn,
    /// It wrote too much and was answered for; it is to be killed.
    Kill,
}

impl HelperJobs {
    /// A helper was handed to the backend.
    pub fn began(&mut self, id: JobId, reply: oneshot::Sender<CapturedOutput>) {
        let (stdout, stderr) = (Vec::new(), Vec::new());
        let helper = HelperJob {
            stdout,
            stderr,
            reply,
        };
        self.running.insert(id, helper);
    }

    /// A helper wrote something.
    pub fn wrote(&mut self, id: JobId, stream: OutputStream, bytes: &[u8]) -> HelperAction {
        let Some(helper) = self.running.get_mut(&id) else {
            return HelperAction::GoOn;
        };
        if helper.stdout.len() + helper.stderr.len() + bytes.len() > CAPTURED_BYTES_MAX {
            let message = format!("it wrote more than {CAPTURED_BYTES_MAX} bytes");
            self.finished(id, failed(message).result);
            return HelperAction::Kill;
        }
        match stream {
            OutputStream::Stdout => helper.stdout.extend_from_slice(bytes),
            // Both in one are nobody's answer.
            OutputStream::Stderr | OutputStream::Joined => helper.stderr.extend_from_slice(bytes),
        }
        HelperAction::GoOn
    }

    /// A helper begins again: what it wrote is void.
    pub fn restarted(&mut self, id: JobId) {
        if let Some(helper) = self.running.get_mut(&id) {
            helper.stdout.clear();
            helper.stderr.clear();
        }
    }

    /// A helper is over.
    pub fn finished(&mut self, id: JobId, result: JobResult) {
        if let Some(HelperJob {
            stdout,
            stderr,
            reply,
        }) = self.running.remove(&id)
        {
            // Whoever asked may be gone by now.
            drop(reply.send(CapturedOutput {
                result,
                stdout,
                stderr,
            }));
        }
    }

    /// Nobody waits for this helper any more. Whether it was still under way.
    pub fn forget(&mut self, id: JobId) -> bool {
        self.running.remove(&id).is_some()
    }

    /// The backend is gone.
    pub fn lost(&mut self, message: &str) {
        for (_, helper) in std::mem::take(&mut self.running) {
            drop(helper.reply.send(failed(message.to_owned())));
        }
    }
}

fn failed(message: String) -> CapturedOutput {
    CapturedOutput {
        result: JobResult {
            end: JobOutcome::Error(message),
            usage: ResourceUsage::default(),
            prepared: std::time::Duration::ZERO,
            ran: std::time::Duration::ZERO,
        },
        stdout: Vec::new(),
        stderr: Vec::new(),
    }
}
