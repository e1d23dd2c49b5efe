//! The run from the framework's point of view: a queue of discovery events, and the helper jobs
//! that discovery needs.
//!
//! The framework's calls only enqueue events. The driver, which alone talks to the backend and the
//! machine, handles them in order. Dropping the future of [`FrameworkHost::run`] enqueues an event
//! too, so abandoning a discovery kills the jobs that it was waiting for.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::attempt::JobRole;
use maelstrom_model::backend::JobId;
use maelstrom_model::event::{EventKind, OutputStream, UserNotice};
use maelstrom_model::framework::{BrokenEntry, CapturedOutput, FrameworkHost, WatchPaths};
use maelstrom_model::job::{Job, JobOutcome, JobResult, TestCase};

/// The maximum captured output of one helper job, in bytes. Listing 100,000 tests takes about 10
/// MB.
const CAPTURED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// An event from a framework's discovery.
#[derive(Debug)]
pub enum DiscoveryEvent {
    /// Emit an event.
    Event(EventKind),
    /// Emit a notice, unless it was emitted less than a day ago.
    Reminder(UserNotice),
    /// Keep the history, logs and saved jobs of this run in this directory.
    StateDirectory(PathBuf),
    /// Watch these paths for changes.
    Watch(WatchPaths),
    Found {
        tests: Vec<TestCase>,
        /// The priority that the framework assigned to the tests, if any.
        priority: Option<i8>,
    },
    Broken(BrokenEntry),
    /// Run a helper job and send its result to `reply`.
    Run {
        id: JobId,
        job: Job,
        /// Receives the job's result and captured output.
        reply: oneshot::Sender<CapturedOutput>,
    },
    /// Stop after this many failures, unless the user set a limit.
    StopAfter(NonZeroU32),
    /// Drop a helper job whose result nobody awaits any more.
    Forget(JobId),
}

/// The framework's end of the event queue.
#[derive(Debug)]
pub struct DiscoveryHost {
    mail: mpsc::UnboundedSender<DiscoveryEvent>,
    helpers: Cell<u32>,
}

/// Creates a [`DiscoveryHost`] and the receiver of its events, for the driver.
pub fn discovery_host() -> (DiscoveryHost, mpsc::UnboundedReceiver<DiscoveryEvent>) {
    let (mail, receiver) = mpsc::unbounded_channel();
    let helpers = Cell::new(0);
    (DiscoveryHost { mail, helpers }, receiver)
}

impl DiscoveryHost {
    /// Enqueues an event. The driver outlives every discovery, so the channel is never closed.
    fn post(&self, mail: DiscoveryEvent) {
        drop(self.mail.send(mail));
    }
}

impl FrameworkHost for DiscoveryHost {
    fn emit(&self, event: impl Into<EventKind>) {
        self.post(DiscoveryEvent::Event(event.into()));
    }

    fn remind(&self, notice: UserNotice) {
        self.post(DiscoveryEvent::Reminder(notice));
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

/// Enqueues [`DiscoveryEvent::Forget`] when dropped. Forgetting a helper that has ended does
/// nothing, so completed and abandoned jobs need not be told apart.
struct ForgetOnDrop<'a> {
    mail: &'a mpsc::UnboundedSender<DiscoveryEvent>,
    id: JobId,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        drop(self.mail.send(DiscoveryEvent::Forget(self.id)));
    }
}

/// The running helper jobs and their output so far.
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

/// What the driver does with a helper job after its output was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperAction {
    GoOn,
    /// The job wrote too much and its caller got an error; kill it.
    Kill,
}

impl HelperJobs {
    /// Registers a helper job that was handed to the backend.
    pub fn began(&mut self, id: JobId, reply: oneshot::Sender<CapturedOutput>) {
        let (stdout, stderr) = (Vec::new(), Vec::new());
        let helper = HelperJob {
            stdout,
            stderr,
            reply,
        };
        self.running.insert(id, helper);
    }

    /// Captures a helper job's output.
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
            // Helper jobs keep their streams apart; joined output contains no readable answer.
            OutputStream::Stderr | OutputStream::Joined => helper.stderr.extend_from_slice(bytes),
        }
        HelperAction::GoOn
    }

    /// Drops the captured output of a helper job that the backend starts over.
    pub fn restarted(&mut self, id: JobId) {
        if let Some(helper) = self.running.get_mut(&id) {
            helper.stdout.clear();
            helper.stderr.clear();
        }
    }

    /// Sends a helper job's result and captured output to its caller.
    pub fn finished(&mut self, id: JobId, result: JobResult) {
        if let Some(HelperJob {
            stdout,
            stderr,
            reply,
        }) = self.running.remove(&id)
        {
            // The caller may be gone by now.
            drop(reply.send(CapturedOutput {
                result,
                stdout,
                stderr,
            }));
        }
    }

    /// Removes a helper job that nobody awaits any more. Returns whether it was still running.
    pub fn forget(&mut self, id: JobId) -> bool {
        self.running.remove(&id).is_some()
    }

    /// Fails all running helper jobs because the backend is gone.
    pub fn lost(&mut self, message: &str) {
        for (_, helper) in std::mem::take(&mut self.running) {
            drop(helper.reply.send(failed(message.to_owned())));
        }
    }
}

fn failed(message: String) -> CapturedOutput {
    CapturedOutput {
        result: JobResult::not_run(JobOutcome::Error(message)),
        stdout: Vec::new(),
        stderr: Vec::new(),
    }
}
