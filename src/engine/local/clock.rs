//! A running job's time limit, and how others bring about its end.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use maelstrom_model::backend::Stop;
use maelstrom_model::job::{ExitStatus, Job, JobEnd};

/// What can be done to a running job from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tug {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Suspend,
    /// SIGCONT.
    Continue,
}

/// What holds a running job.
pub trait Leash {
    /// Why it could not be held.
    type Error;

    /// Does this to the job. One that has just ended is no failure.
    fn pull(&self, tug: Tug) -> Result<(), Self::Error>;
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

    /// Whether somebody has asked for the job's end.
    pub fn is_unwanted(&self) -> bool {
        self.wish.get().is_some()
    }

    /// Waits until somebody wants something else.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How long the job has been suspended in all.
    pub fn suspended_for(&self) -> Duration {
        self.suspended_for.get()
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
pub struct Clock {
    deadline: Option<Instant>,
    grace: Duration,
    stopping: Stopping,
    /// What the job's end means, if somebody brought it about.
    cause: Option<JobEnd>,
    suspended: bool,
}

impl Clock {
    /// Starts the clock of a job that starts now.
    pub fn start(job: &Job, grace: Duration) -> Clock {
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
    pub fn obey<L: Leash>(&mut self, control: &Control, leash: &L) -> Result<(), L::Error> {
        let suspended = control.suspended_at.get().is_some();
        if suspended != self.suspended {
            self.suspended = suspended;
            leash.pull(if suspended {
                Tug::Suspend
            } else {
                Tug::Continue
            })?;
        }
        match control.wish.get() {
            None => Ok(()),
            Some(Stop::Terminate) => self.ask(leash, JobEnd::Cancelled),
            Some(Stop::Kill) => self.kill(leash, JobEnd::Cancelled),
        }
    }

    /// Waits until the next thing must be done because of the time alone.
    pub async fn strikes(&self, control: &Control) {
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
    pub fn strike<L: Leash>(&mut self, leash: &L) -> Result<(), L::Error> {
        match self.stopping {
            Stopping::No => self.ask(leash, JobEnd::TimedOut),
            Stopping::Asked(_) => self.kill(leash, JobEnd::TimedOut),
            Stopping::Killed => Ok(()),
        }
    }

    fn ask<L: Leash>(&mut self, leash: &L, cause: JobEnd) -> Result<(), L::Error> {
        if self.stopping != Stopping::No {
            return Ok(());
        }
        self.stopping = Stopping::Asked(Instant::now());
        self.cause.get_or_insert(cause);
        leash.pull(Tug::Terminate)
    }

    fn kill<L: Leash>(&mut self, leash: &L, cause: JobEnd) -> Result<(), L::Error> {
        if self.stopping == Stopping::Killed {
            return Ok(());
        }
        self.stopping = Stopping::Killed;
        self.cause.get_or_insert(cause);
        leash.pull(Tug::Kill)
    }

    /// What the end of its process means.
    pub fn end(self, status: ExitStatus) -> JobEnd {
        self.cause.unwrap_or(JobEnd::Exited(status))
    }
}
