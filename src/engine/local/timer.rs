//! The timeout of a running job, and the requests to stop, suspend or resume it.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use maelstrom_model::backend::StopMode;
use maelstrom_model::job::StackDumpMethod;
use maelstrom_model::job::{ExitStatus, Job, JobOutcome};

/// The longest time from the start of a job's timer to that of its process.
const START_MAX: Duration = Duration::from_millis(100);

/// How long a job has to show what its threads do, before SIGTERM. Writing the stacks takes
/// milliseconds; a program that cannot write them must not last much longer for it.
const DUMP_MAX: Duration = Duration::from_millis(500);

/// A signal to a running job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobSignal {
    /// Show what the threads do.
    Dump(StackDumpMethod),
    Terminate,
    Kill,
    Suspend,
    Continue,
}

/// A running job to which signals can be sent.
pub(super) trait SignalTarget {
    /// Why the signal could not be sent.
    type Error;

    /// Sends a signal to the job. Succeeds if the job has just ended.
    fn send_signal(&self, tug: JobSignal) -> Result<(), Self::Error>;
}

/// Stop and suspend requests for a running job.
#[derive(Default)]
pub(super) struct JobControl {
    wish: Cell<Option<StopMode>>,
    suspended_at: Cell<Option<Instant>>,
    suspended_for: Cell<Duration>,
    changed: Notify,
}

impl JobControl {
    /// Requests the job's end. A kill request is never downgraded.
    pub(super) fn stop(&self, how: StopMode) {
        self.wish.set(Some(match (self.wish.get(), how) {
            (Some(StopMode::Kill), _) | (_, StopMode::Kill) => StopMode::Kill,
            (None | Some(StopMode::Terminate), StopMode::Terminate) => StopMode::Terminate,
        }));
        self.changed.notify_one();
    }

    /// Returns whether the job's end was requested.
    pub(super) fn is_unwanted(&self) -> bool {
        self.wish.get().is_some()
    }

    /// Waits until the requests change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns how long the job was suspended in total.
    pub(super) fn suspended_for(&self) -> Duration {
        self.suspended_for.get()
    }

    /// Requests that the job's processes be suspended and stops its clock.
    pub(super) fn suspend(&self) {
        if self.suspended_at.get().is_none() {
            self.suspended_at.set(Some(Instant::now()));
            self.changed.notify_one();
        }
    }

    /// Requests that the job's processes continue and restarts its clock.
    pub(super) fn resume(&self) {
        if let Some(since) = self.suspended_at.take() {
            self.suspended_for
                .set(self.suspended_for.get() + since.elapsed());
            self.changed.notify_one();
        }
    }
}

/// How far a job has been stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminationStage {
    No,
    /// The job's time is over, and it shows what its threads do.
    Dumping {
        since: Instant,
    },
    /// SIGTERM was sent.
    Asked {
        since: Instant,
        /// How long the job had been suspended before SIGTERM.
        suspended_before: Duration,
    },
    Killed,
}

/// A job's timeout and the state of stopping it.
pub(super) struct JobTimer {
    /// The timeout, if it counts from the start of the job's process.
    process_timeout: Option<Duration>,
    deadline: Option<Instant>,
    grace: Duration,
    stopping: TerminationStage,
    /// The outcome to report if the job was stopped.
    cause: Option<JobOutcome>,
    suspended: bool,
    dump: StackDumpMethod,
}

impl JobTimer {
    /// Starts the clock of a job that starts now.
    pub(super) fn start(job: &Job, grace: Duration) -> JobTimer {
        let deadline = job
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        JobTimer {
            // The wait for services is part of the time that a job has.
            process_timeout: job.timeout.filter(|_| job.container.services.is_empty()),
            deadline,
            grace,
            stopping: TerminationStage::No,
            cause: None,
            suspended: false,
            dump: job.additions.stack_dump,
        }
    }

    /// Does not wait for a list of threads, because nobody would write one.
    pub(super) fn without_threads(self) -> JobTimer {
        let dump = match self.dump {
            StackDumpMethod::Threads => StackDumpMethod::None,
            method @ (StackDumpMethod::None | StackDumpMethod::Signal(_)) => method,
        };
        JobTimer { dump, ..self }
    }

    /// Applies the requests made since the last call.
    pub(super) fn apply_control<L: SignalTarget>(
        &mut self,
        control: &JobControl,
        leash: &L,
    ) -> Result<(), L::Error> {
        let suspended = control.suspended_at.get().is_some();
        if suspended != self.suspended {
            self.suspended = suspended;
            leash.send_signal(if suspended {
                JobSignal::Suspend
            } else {
                JobSignal::Continue
            })?;
        }
        match control.wish.get() {
            None => Ok(()),
            Some(StopMode::Terminate) => self.ask(control, leash, JobOutcome::Cancelled),
            Some(StopMode::Kill) => self.kill(leash, JobOutcome::Cancelled),
        }
    }

    /// Waits until the timeout or the grace period has elapsed.
    pub(super) async fn wait_until_due(&self, control: &JobControl) {
        let next = match (self.stopping, self.suspended) {
            (TerminationStage::No, false) => self.deadline,
            (TerminationStage::Dumping { since }, false) => since.checked_add(DUMP_MAX),
            (TerminationStage::Asked { since, .. }, false) => since.checked_add(self.grace),
            // A suspended process cannot act on SIGTERM, so its grace period does not run either.
            (TerminationStage::Killed, _) | (_, true) => None,
        };
        // The timeout counts from the job's start and the grace period from SIGTERM, so only the
        // suspended time since then extends them.
        let stood_still = match self.stopping {
            TerminationStage::Asked {
                suspended_before, ..
            } => control.suspended_for.get().saturating_sub(suspended_before),
            TerminationStage::Dumping { .. } => Duration::ZERO,
            TerminationStage::No | TerminationStage::Killed => control.suspended_for.get(),
        };
        match next.and_then(|next| next.checked_add(stood_still)) {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the next step of stopping the job.
    pub(super) fn escalate<L: SignalTarget>(
        &mut self,
        control: &JobControl,
        leash: &L,
    ) -> Result<(), L::Error> {
        match self.stopping {
            TerminationStage::No => match self.dump {
                StackDumpMethod::None => self.ask(control, leash, JobOutcome::TimedOut),
                method @ (StackDumpMethod::Signal(_) | StackDumpMethod::Threads) => {
                    let since = Instant::now();
                    self.stopping = TerminationStage::Dumping { since };
                    self.cause.get_or_insert(JobOutcome::TimedOut);
                    leash.send_signal(JobSignal::Dump(method))
                }
            },
            TerminationStage::Dumping { .. } => self.ask(control, leash, JobOutcome::TimedOut),
            TerminationStage::Asked { .. } => self.kill(leash, JobOutcome::TimedOut),
            TerminationStage::Killed => Ok(()),
        }
    }

    /// Stops a job that has shown what its threads do.
    pub(super) fn shown<L: SignalTarget>(
        &mut self,
        control: &JobControl,
        leash: &L,
    ) -> Result<(), L::Error> {
        match self.stopping {
            TerminationStage::Dumping { .. } => self.ask(control, leash, JobOutcome::TimedOut),
            TerminationStage::No | TerminationStage::Asked { .. } | TerminationStage::Killed => {
                Ok(())
            }
        }
    }

    fn ask<L: SignalTarget>(
        &mut self,
        control: &JobControl,
        leash: &L,
        cause: JobOutcome,
    ) -> Result<(), L::Error> {
        match self.stopping {
            TerminationStage::No | TerminationStage::Dumping { .. } => {}
            TerminationStage::Asked { .. } | TerminationStage::Killed => return Ok(()),
        }
        self.stopping = TerminationStage::Asked {
            since: Instant::now(),
            suspended_before: control.suspended_for.get(),
        };
        self.cause.get_or_insert(cause);
        leash.send_signal(JobSignal::Terminate)
    }

    fn kill<L: SignalTarget>(&mut self, leash: &L, cause: JobOutcome) -> Result<(), L::Error> {
        if self.stopping == TerminationStage::Killed {
            return Ok(());
        }
        self.stopping = TerminationStage::Killed;
        // The first cause counts: a job that is killed after its timeout still reports a timeout.
        self.cause.get_or_insert(cause);
        leash.send_signal(JobSignal::Kill)
    }

    /// Returns the outcome of a job whose process ended with this status, after it `ran` this long.
    pub(super) fn end(self, status: ExitStatus, ran: Duration) -> JobOutcome {
        let in_time = |timeout: Duration| ran.saturating_add(START_MAX) < timeout;
        match (self.cause, status) {
            // The timer went on while the container waited for what the process left running.
            (Some(JobOutcome::TimedOut), ExitStatus::Code(_))
                if self.process_timeout.is_some_and(in_time) =>
            {
                JobOutcome::Exited(status)
            }
            // A job that exits with 0 after SIGTERM did not run to completion.
            (Some(cause), _) => cause,
            (None, _) => JobOutcome::Exited(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::convert::Infallible;
    use std::sync::Arc;

    use maelstrom_model::job::{ContainerSpec, ProcessSpec, ServiceSpec};
    use maelstrom_model::testing::job;

    use super::*;

    #[derive(Default)]
    struct Signals(RefCell<Vec<JobSignal>>);

    impl SignalTarget for Signals {
        type Error = Infallible;

        fn send_signal(&self, signal: JobSignal) -> Result<(), Infallible> {
            self.0.borrow_mut().push(signal);
            Ok(())
        }
    }

    const GRACE: Duration = Duration::from_secs(5);

    /// Suspends the job while time passes.
    async fn stand_still(timer: &mut JobTimer, control: &JobControl, seconds: u64) {
        control.suspend();
        let Ok(()) = timer.apply_control(control, &Signals::default());
        tokio::time::advance(Duration::from_secs(seconds)).await;
        control.resume();
        let Ok(()) = timer.apply_control(control, &Signals::default());
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_a_job_stands_still_within_its_grace_makes_that_longer() {
        for within in [0, 7] {
            let (control, signals) = (JobControl::default(), Signals::default());
            let mut timer = JobTimer::start(&job(), GRACE);
            stand_still(&mut timer, &control, 3600).await;
            let asked = Instant::now();
            control.stop(StopMode::Terminate);
            let Ok(()) = timer.apply_control(&control, &signals);
            stand_still(&mut timer, &control, within).await;
            timer.wait_until_due(&control).await;
            assert_eq!(asked.elapsed().as_secs(), GRACE.as_secs() + within);
            let Ok(()) = timer.escalate(&control, &signals);
            assert_eq!(signals.0.take(), [JobSignal::Terminate, JobSignal::Kill]);
        }
    }

    /// A container that waits for what a process left running ends later than the process.
    #[tokio::test(start_paused = true)]
    async fn what_ended_in_time_is_not_timed_out() {
        let timed = Job {
            timeout: Some(Duration::from_secs(10)),
            ..job()
        };
        let in_time = Duration::from_millis(9_800);
        let signal = ExitStatus::Signal {
            number: 15,
            core_dumped: false,
        };
        for (status, ran, end) in [
            (
                ExitStatus::Code(101),
                in_time,
                JobOutcome::Exited(ExitStatus::Code(101)),
            ),
            (
                ExitStatus::Code(0),
                Duration::from_secs(10),
                JobOutcome::TimedOut,
            ),
            (signal, in_time, JobOutcome::TimedOut),
        ] {
            let (control, signals) = (JobControl::default(), Signals::default());
            let mut timer = JobTimer::start(&timed, GRACE);
            timer.wait_until_due(&control).await;
            let Ok(()) = timer.escalate(&control, &signals);
            assert_eq!(timer.end(status, ran), end, "{status:?}");
        }
    }

    /// A job that waits for its services has less of its time left when its process starts.
    #[tokio::test(start_paused = true)]
    async fn what_waited_for_services_and_was_stopped_is_timed_out() {
        let mut timed = Job {
            timeout: Some(Duration::from_secs(10)),
            ..job()
        };
        let mut container = ContainerSpec::clone(&timed.container);
        container.services.push(ServiceSpec {
            name: "db".into(),
            process: ProcessSpec::clone(&timed.process),
            readiness: None,
            ready_timeout: Duration::from_secs(10),
        });
        timed.container = Arc::new(container);
        for code in [0, 101] {
            let (control, signals) = (JobControl::default(), Signals::default());
            let mut timer = JobTimer::start(&timed, GRACE);
            timer.wait_until_due(&control).await;
            let Ok(()) = timer.escalate(&control, &signals);
            let ran = Duration::from_secs(3);
            assert_eq!(timer.end(ExitStatus::Code(code), ran), JobOutcome::TimedOut);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_shows_its_threads_before_it_is_stopped_for_its_timeout_only() {
        let mut timed = Job {
            timeout: Some(Duration::from_secs(10)),
            ..job()
        };
        timed.additions.stack_dump = StackDumpMethod::Signal(3);
        let (control, signals) = (JobControl::default(), Signals::default());
        let began = Instant::now();
        let mut timer = JobTimer::start(&timed, GRACE);
        for at in [
            Duration::from_secs(10),
            Duration::from_secs(10) + DUMP_MAX,
            Duration::from_secs(10) + DUMP_MAX + GRACE,
        ] {
            timer.wait_until_due(&control).await;
            assert_eq!(began.elapsed(), at);
            let Ok(()) = timer.escalate(&control, &signals);
        }
        let dump = JobSignal::Dump(StackDumpMethod::Signal(3));
        let expected = [dump, JobSignal::Terminate, JobSignal::Kill];
        assert_eq!(signals.0.take(), expected);
        let ran = began.elapsed();
        assert_eq!(timer.end(ExitStatus::Code(2), ran), JobOutcome::TimedOut);

        let mut timer = JobTimer::start(&timed, GRACE);
        control.stop(StopMode::Terminate);
        let Ok(()) = timer.apply_control(&control, &signals);
        assert_eq!(signals.0.take(), [JobSignal::Terminate]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_job_stands_still_is_no_part_of_its_time() {
        let control = JobControl::default();
        let timed = Job {
            timeout: Some(Duration::from_secs(10)),
            ..job()
        };
        let began = Instant::now();
        let mut timer = JobTimer::start(&timed, GRACE);
        stand_still(&mut timer, &control, 60).await;
        timer.wait_until_due(&control).await;
        assert_eq!(began.elapsed().as_secs(), 70);
    }
}
