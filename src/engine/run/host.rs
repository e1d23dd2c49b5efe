//! What a framework sees of the run: a mailbox, and the jobs that discovery itself needs.
//!
//! The framework's calls only leave messages; the driver, which alone talks to the backend and the
//! machine, takes them in order. A dropped [`Host::run`] leaves a message too, so abandoning a
//! discovery kills the jobs it was waiting for.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::attempt::Role;
use maelstrom_model::backend::JobId;
use maelstrom_model::event::{EventKind, Stream};
use maelstrom_model::framework::{BrokenEntry, Captured, Host, Watchlist};
use maelstrom_model::job::{Job, JobEnd, JobResult, ResourceUsage, TestCase};

/// What one helper may write. Listing 100,000 tests takes about 10 MB.
const CAPTURED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a framework has to say.
#[derive(Debug)]
pub enum Mail {
    /// Tell those who watch.
    Event(EventKind),
    /// History is kept here.
    StateDirectory(PathBuf),
    /// The project's own files are these.
    Watch(Watchlist),
    /// Tests were found.
    Found {
        /// Which.
        tests: Vec<TestCase>,
        /// What they were given.
        priority: Option<i8>,
    },
    /// Something is broken.
    Broken(BrokenEntry),
    /// Run this and answer there.
    Run {
        /// The helper's id.
        id: JobId,
        /// What to run.
        job: Job,
        /// Where its end is awaited.
        reply: oneshot::Sender<Captured>,
    },
    /// Stop after so many failures, unless the user has said when.
    StopAfter(NonZeroU32),
    /// Nobody waits for this helper any more.
    Forget(JobId),
}

/// The framework's end.
#[derive(Debug)]
pub struct Mailbox {
    mail: mpsc::UnboundedSender<Mail>,
    helpers: Cell<u32>,
}

/// Makes a mailbox and the driver's end of it.
pub fn mailbox() -> (Mailbox, mpsc::UnboundedReceiver<Mail>) {
    let (mail, receiver) = mpsc::unbounded_channel();
    let helpers = Cell::new(0);
    (Mailbox { mail, helpers }, receiver)
}

impl Mailbox {
    /// The driver outlives every discovery, so there is always somebody to read.
    fn post(&self, mail: Mail) {
        drop(self.mail.send(mail));
    }
}

impl Host for Mailbox {
    fn emit(&self, event: EventKind) {
        self.post(Mail::Event(event));
    }

    fn state_directory(&self, directory: PathBuf) {
        self.post(Mail::StateDirectory(directory));
    }

    fn watch(&self, list: Watchlist) {
        self.post(Mail::Watch(list));
    }

    fn found(&self, tests: Vec<TestCase>) {
        self.post(Mail::Found {
            tests,
            priority: None,
        });
    }

    fn found_at(&self, priority: i8, test: TestCase) {
        self.post(Mail::Found {
            tests: vec![test],
            priority: Some(priority),
        });
    }

    fn broken(&self, entry: BrokenEntry) {
        self.post(Mail::Broken(entry));
    }

    fn stop_after(&self, failures: NonZeroU32) {
        self.post(Mail::StopAfter(failures));
    }

    async fn run(&self, job: Job) -> Captured {
        let number = self.helpers.get();
        self.helpers.set(number.wrapping_add(1));
        let id = Role::Helper(number).job();
        let (reply, captured) = oneshot::channel();
        self.post(Mail::Run { id, job, reply });
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
    mail: &'a mpsc::UnboundedSender<Mail>,
    id: JobId,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        drop(self.mail.send(Mail::Forget(self.id)));
    }
}

/// The helpers that are under way, and what they wrote so far.
#[derive(Debug, Default)]
pub struct Helpers {
    running: BTreeMap<JobId, Helper>,
}

#[derive(Debug)]
struct Helper {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    reply: oneshot::Sender<Captured>,
}

/// Whether a helper may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    GoOn,
    /// It wrote too much and was answered for; it is to be killed.
    Kill,
}

impl Helpers {
    /// A helper was handed to the backend.
    pub fn began(&mut self, id: JobId, reply: oneshot::Sender<Captured>) {
        let (stdout, stderr) = (Vec::new(), Vec::new());
        let helper = Helper {
            stdout,
            stderr,
            reply,
        };
        self.running.insert(id, helper);
    }

    /// A helper wrote something.
    pub fn wrote(&mut self, id: JobId, stream: Stream, bytes: &[u8]) -> Verdict {
        let Some(helper) = self.running.get_mut(&id) else {
            return Verdict::GoOn;
        };
        if helper.stdout.len() + helper.stderr.len() + bytes.len() > CAPTURED_BYTES_MAX {
            let message = format!("it wrote more than {CAPTURED_BYTES_MAX} bytes");
            self.finished(id, failed(message).result);
            return Verdict::Kill;
        }
        match stream {
            Stream::Stdout => helper.stdout.extend_from_slice(bytes),
            // Both in one are nobody's answer.
            Stream::Stderr | Stream::Joined => helper.stderr.extend_from_slice(bytes),
        }
        Verdict::GoOn
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
        if let Some(Helper {
            stdout,
            stderr,
            reply,
        }) = self.running.remove(&id)
        {
            // Whoever asked may be gone by now.
            drop(reply.send(Captured {
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

fn failed(message: String) -> Captured {
    Captured {
        result: JobResult {
            end: JobEnd::Error(message),
            usage: ResourceUsage::default(),
            prepared: std::time::Duration::ZERO,
            ran: std::time::Duration::ZERO,
        },
        stdout: Vec::new(),
        stderr: Vec::new(),
    }
}
