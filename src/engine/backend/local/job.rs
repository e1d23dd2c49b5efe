//! One job, from the moment it has a slot to its end.
//!
//! ```text
//! Started ─▶ container (idle or new) ─▶ order ─▶ output … ─▶ reply ─▶ rest of the output ─▶ Finished
//!                                        │ timeout or stop: SIGTERM ─ grace ─▶ SIGKILL
//! ```

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::container::{Container, Containers, StartError};
use super::{Queue, WORKER, helper_lost};
use crate::container::message::{MessageError, ProcessImage, SlotFate, SlotOrder, SlotReply};
use crate::engine::backend::{BackendEvent, BackendLost, JobId, Stop};
use crate::engine::event::Stream;
use crate::engine::job::{Job, JobEnd, JobResult, ResourceUsage};

/// How much of a stream is read at a time: what a pipe holds by default.
const CHUNK_BYTES: usize = 64 * 1024;

/// Everything a job's future needs.
pub struct Assignment {
    /// The job's number.
    pub id: JobId,
    /// The job.
    pub job: Job,
    /// The slot it has.
    pub slot: u32,
    /// A container left from an earlier job like this one.
    pub idle: Option<Container>,
    /// Where to get another.
    pub containers: Containers,
    /// Standard input.
    pub null: Rc<OwnedFd>,
    /// How long it may go on after SIGTERM.
    pub grace: Duration,
    /// What others want of it.
    pub control: Rc<Control>,
    /// Where events go.
    pub events: Queue,
}

/// What a job's future leaves behind.
pub struct Turn {
    /// The job.
    pub job: JobId,
    /// Its slot, free again.
    pub slot: u32,
    /// The container, if it can be used again.
    pub container: Option<Container>,
    /// Why no further job can run, if none can.
    pub lost: Option<BackendLost>,
}

/// What others want of a running job.
#[derive(Default)]
pub struct Control {
    wish: Cell<Option<Stop>>,
    suspended_at: Cell<Option<Instant>>,
    suspended_for: Cell<Duration>,
    changed: Notify,
}

impl Control {
    /// Asks for the job's end.
    pub fn stop(&self, how: Stop) {
        self.wish.set(Some(match (self.wish.get(), how) {
            (Some(Stop::Kill), _) | (_, Stop::Kill) => Stop::Kill,
            (None | Some(Stop::Terminate), Stop::Terminate) => Stop::Terminate,
        }));
        self.changed.notify_one();
    }

    /// Stops the job's processes and its clock.
    pub fn suspend(&self) {
        if self.suspended_at.get().is_none() {
            self.suspended_at.set(Some(Instant::now()));
            self.changed.notify_one();
        }
    }

    /// Lets them go on.
    pub fn resume(&self) {
        if let Some(since) = self.suspended_at.take() {
            self.suspended_for
                .set(self.suspended_for.get() + since.elapsed());
            self.changed.notify_one();
        }
    }
}

/// What came of giving a job to a container.
enum Taken {
    /// It was run, or was stopped before.
    Yes {
        end: JobEnd,
        usage: ResourceUsage,
        ran: Duration,
        fate: SlotFate,
    },
    /// The container was gone before the job said anything.
    No,
}

/// Runs a job to its end.
pub async fn run(mut assignment: Assignment) -> Turn {
    let (id, slot) = (assignment.id, assignment.slot);
    let idle = assignment.idle.take();
    assignment.tell(BackendEvent::Started {
        job: id,
        worker: WORKER,
        slot,
    });
    let mut turn = Turn {
        job: id,
        slot,
        container: None,
        lost: None,
    };
    let result = match assignment.run_in_some_container(idle).await {
        Ok((result, container)) => {
            turn.container = container;
            result
        }
        Err(StartError::Container(message)) => JobResult::not_run(JobEnd::Error(message)),
        Err(StartError::Helper(error)) => {
            let lost = turn.lost.insert(helper_lost(error));
            JobResult::not_run(JobEnd::Error(lost.message.clone()))
        }
    };
    assignment.tell(BackendEvent::Finished { job: id, result });
    turn
}

impl Assignment {
    fn tell(&self, event: BackendEvent) {
        self.events.borrow_mut().push_back(event);
    }

    async fn run_in_some_container(
        &self,
        idle: Option<Container>,
    ) -> Result<(JobResult, Option<Container>), StartError> {
        let started = Instant::now();
        let image = ProcessImage::new(&self.job.process)
            .map_err(|error| StartError::Container(error.to_string()))?;
        if let Some(container) = idle
            && let Taken::Yes {
                end,
                usage,
                ran,
                fate,
            } = self.run_in(&container, image.clone()).await?
        {
            let result = JobResult {
                end,
                usage,
                prepared: Duration::ZERO,
                ran,
            };
            return Ok((result, reusable(container, fate)));
        }
        // None was left over, or it was lost while it was made ready again after the job before.
        let container = self.containers.start(&self.job.container).await?;
        let prepared = started.elapsed();
        match self.run_in(&container, image).await? {
            Taken::Yes {
                end,
                usage,
                ran,
                fate,
            } => {
                let result = JobResult {
                    end,
                    usage,
                    prepared,
                    ran,
                };
                Ok((result, reusable(container, fate)))
            }
            Taken::No => Err(StartError::Container(
                "the container's first process was killed (for want of memory?)".to_owned(),
            )),
        }
    }

    async fn run_in(
        &self,
        container: &Container,
        image: ProcessImage,
    ) -> Result<Taken, StartError> {
        if self.control.wish.get().is_some() {
            let (usage, ran) = (ResourceUsage::default(), Duration::ZERO);
            return Ok(Taken::Yes {
                end: JobEnd::Cancelled,
                usage,
                ran,
                fate: SlotFate::Reusable,
            });
        }
        let (mut stdout, stdout_writer) = Output::open(Stream::Stdout)?;
        let (mut stderr, stderr_writer) = Output::open(Stream::Stderr)?;
        let streams = [
            self.null.as_fd(),
            stdout_writer.as_fd(),
            stderr_writer.as_fd(),
        ];
        match container.run(image, streams) {
            Err(MessageError::Closed) => return Ok(Taken::No),
            other => other?,
        }
        drop((stdout_writer, stderr_writer));
        let mut clock = Clock::start(&self.job, self.grace);
        clock.obey(&self.control, container)?;
        let reply = loop {
            tokio::select! {
                reply = container.reply() => break reply,
                () = stdout.read(), if stdout.open => self.pass_on(&mut stdout).await,
                () = stderr.read(), if stderr.open => self.pass_on(&mut stderr).await,
                () = self.control.changed.notified() => clock.obey(&self.control, container)?,
                () = clock.strikes(&self.control) => clock.strike(container)?,
            }
        };
        let (end, usage, ran, fate) = match reply {
            Ok(SlotReply::Ended {
                status,
                usage,
                ran,
                fate,
            }) => (clock.end(status), usage, ran, fate),
            Ok(SlotReply::NotStarted(failed)) => (
                JobEnd::Error(format!("cannot {failed}")),
                ResourceUsage::default(),
                Duration::ZERO,
                SlotFate::Reusable,
            ),
            Ok(SlotReply::Ready | SlotReply::NotBuilt(_)) => {
                return Err(StartError::from(MessageError::Closed));
            }
            Err(MessageError::Closed) if stdout.silent && stderr.silent => return Ok(Taken::No),
            Err(error) => return Err(error.into()),
        };
        // Nobody can write any more; what is left is in the pipes.
        for mut output in [stdout, stderr] {
            while output.take_rest() {
                self.pass_on(&mut output).await;
            }
        }
        let ran = ran.saturating_sub(self.control.suspended_for.get());
        Ok(Taken::Yes {
            end,
            usage,
            ran,
            fate,
        })
    }

    /// Tells what was read, and lets whoever takes the events come to it before more is read.
    async fn pass_on(&self, output: &mut Output) {
        if !output.buffer.is_empty() {
            let bytes = std::mem::take(&mut output.buffer);
            self.tell(BackendEvent::Output {
                job: self.id,
                stream: output.stream,
                bytes,
            });
            tokio::task::yield_now().await;
        }
    }
}

fn reusable(container: Container, fate: SlotFate) -> Option<Container> {
    match fate {
        SlotFate::Reusable => Some(container),
        SlotFate::Retired => None,
    }
}

/// One of the job's output streams.
struct Output {
    stream: Stream,
    pipe: Receiver,
    buffer: Vec<u8>,
    open: bool,
    silent: bool,
}

impl Output {
    fn open(stream: Stream) -> Result<(Output, OwnedFd), StartError> {
        let failed = |error: std::io::Error| {
            StartError::Container(format!("cannot make a pipe for the job's output: {error}"))
        };
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let pipe = Receiver::from_owned_fd(reader).map_err(failed)?;
        Ok((
            Output {
                stream,
                pipe,
                buffer: Vec::new(),
                open: true,
                silent: true,
            },
            writer,
        ))
    }

    fn took(&mut self, result: std::io::Result<usize>) {
        match result {
            Ok(0) | Err(_) => self.open = false,
            Ok(_) => self.silent = false,
        }
    }

    /// Waits for output and reads it. Dropping the future loses nothing.
    async fn read(&mut self) {
        self.buffer.reserve(1024);
        let result = loop {
            if let Err(error) = self.pipe.readable().await {
                break Err(error);
            }
            let mut chunk = [0; CHUNK_BYTES];
            match self.pipe.try_read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(length) => break Ok(self.keep(&chunk, length)),
                Err(error) => break Err(error),
            }
        };
        self.took(result);
    }

    /// Reads what is there, without waiting; whether there was anything.
    ///
    /// The runtime may not have heard of it yet, and would then deny that there is any: only the
    /// pipe itself is asked.
    fn take_rest(&mut self) -> bool {
        if self.open {
            let mut chunk = [0; CHUNK_BYTES];
            let result = loop {
                match read(&self.pipe, &mut chunk) {
                    Err(Errno::EINTR) => {}
                    Ok(length) => break Ok(self.keep(&chunk, length)),
                    Err(errno) => break Err(errno.into()),
                }
            };
            self.took(result);
        }
        self.open
    }

    fn keep(&mut self, chunk: &[u8], length: usize) -> usize {
        self.buffer
            .extend_from_slice(chunk.get(..length).unwrap_or_default());
        length
    }
}

/// How far a job's end has been brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    /// It runs.
    No,
    /// It got SIGTERM at this time.
    Asked(Instant),
    /// It got SIGKILL.
    Killed,
}

/// A job's time limit and what has been done about it.
struct Clock {
    deadline: Option<Instant>,
    grace: Duration,
    stopping: Stopping,
    /// What the job's end means, if somebody brought it about.
    cause: Option<JobEnd>,
    suspended: bool,
}

impl Clock {
    fn start(job: &Job, grace: Duration) -> Clock {
        let deadline = job
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        Clock {
            deadline,
            grace,
            stopping: Stopping::No,
            cause: None,
            suspended: false,
        }
    }

    /// Does what others have asked for since the last time.
    fn obey(&mut self, control: &Control, container: &Container) -> Result<(), MessageError> {
        let suspended = control.suspended_at.get().is_some();
        if suspended != self.suspended {
            self.suspended = suspended;
            let order = if suspended {
                SlotOrder::Suspend
            } else {
                SlotOrder::Continue
            };
            ignore_end(container.order(order))?;
        }
        match control.wish.get() {
            None => Ok(()),
            Some(Stop::Terminate) => self.ask(container, JobEnd::Cancelled),
            Some(Stop::Kill) => self.kill(container, JobEnd::Cancelled),
        }
    }

    /// Waits until the next thing must be done because of the time alone.
    async fn strikes(&self, control: &Control) {
        let next = match (self.stopping, self.suspended) {
            (Stopping::No, false) => self.deadline,
            (Stopping::Asked(since), false) => since.checked_add(self.grace),
            (Stopping::Killed, _) | (_, true) => None,
        };
        match next.and_then(|next| next.checked_add(control.suspended_for.get())) {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Does it.
    fn strike(&mut self, container: &Container) -> Result<(), MessageError> {
        match self.stopping {
            Stopping::No => self.ask(container, JobEnd::TimedOut),
            Stopping::Asked(_) => self.kill(container, JobEnd::TimedOut),
            Stopping::Killed => Ok(()),
        }
    }

    fn ask(&mut self, container: &Container, cause: JobEnd) -> Result<(), MessageError> {
        if self.stopping != Stopping::No {
            return Ok(());
        }
        self.stopping = Stopping::Asked(Instant::now());
        self.cause.get_or_insert(cause);
        ignore_end(container.order(SlotOrder::Signal(libc::SIGTERM)))
    }

    fn kill(&mut self, container: &Container, cause: JobEnd) -> Result<(), MessageError> {
        if self.stopping == Stopping::Killed {
            return Ok(());
        }
        self.stopping = Stopping::Killed;
        self.cause.get_or_insert(cause);
        ignore_end(container.order(SlotOrder::Kill))
    }

    /// What the end of its process means.
    fn end(self, status: crate::engine::job::ExitStatus) -> JobEnd {
        self.cause.unwrap_or(JobEnd::Exited(status))
    }
}

/// An order to a container that has just ended is no failure: its reply tells.
fn ignore_end(result: Result<(), MessageError>) -> Result<(), MessageError> {
    match result {
        Err(MessageError::Closed) => Ok(()),
        other => other,
    }
}
