//! Runs a job in a plain process, for `--isolation=process`.
//!
//! The job has its own process group, which is killed when its first process ends, so that most
//! daemons do not outlive their test. There is no further isolation: the job sees this machine, a
//! process that leaves the group escapes, and if the program itself is killed, the jobs keep
//! running. The job's container spec is ignored.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::container::ContainerStartError;
use super::output::JobOutput;
use super::task::JobTask;
use super::timer::{JobSignal, JobTimer, SignalTarget};
use maelstrom_container::sys::process::{WaitMode, WaitOutcome, WaitTarget, pidfd, wait};
use maelstrom_container::sys::socket::watch;
use maelstrom_model::job::StackDumpMethod;
use maelstrom_model::job::{
    ExitStatus, Job, JobOutcome, JobResult, LeakedProcesses, ResourceUsage,
};

/// Makes this process the parent of orphaned descendants, so that it can wait for all processes of
/// a job (prctl(2), Linux 3.4).
pub(super) fn adopt_orphans() -> nix::Result<()> {
    prctl::set_child_subreaper(true)
}

/// Runs a job to its end.
pub(super) async fn run(assignment: &JobTask) -> Result<JobResult, ContainerStartError> {
    if assignment.control.is_unwanted() {
        return Ok(JobResult::not_run(JobOutcome::Cancelled));
    }
    let asked = Instant::now();
    let (mut outputs, writers) = JobOutput::open(assignment.job.output)?;
    let input = match assignment.streams.input() {
        Some(input) => input.try_clone_to_owned(),
        // Each job opens its own, so that attributes that it sets on the descriptor do not affect
        // others.
        None => File::open("/dev/null").map(OwnedFd::from),
    };
    let mut process = input
        .and_then(|input| {
            let [stdout, stderr] = writers.into_each()?;
            let own = assignment.own_variables();
            JobProcess::start(&assignment.job, own, [input, stdout, stderr])
        })
        .map_err(|error| ContainerStartError::Container(cannot_run(&assignment.job, &error)))?;
    let started = Instant::now();
    let mut clock = JobTimer::start(&assignment.job, assignment.grace).without_threads();
    let control = &assignment.control;
    let lost =
        |error: Errno| ContainerStartError::Container(format!("cannot signal a process: {error}"));
    clock.apply_control(control, &process).map_err(lost)?;
    loop {
        tokio::select! {
            // The same order as for a job in a container.
            biased;
            () = process.ended() => break,
            () = control.changed() => clock.apply_control(control, &process).map_err(lost)?,
            () = clock.wait_until_due(control) => clock.escalate(control, &process).map_err(lost)?,
            read = outputs.read() => {
                read?;
                assignment.pass_on(&mut outputs).await;
            }
        }
    }
    let ran = started.elapsed().saturating_sub(control.suspended_for());
    let (status, usage) = process.reap().map_err(|error| {
        ContainerStartError::Container(format!("cannot wait for a process: {error}"))
    })?;
    // Processes that left the group may still hold the pipes; what they write later is dropped.
    assignment.pass_on_rest(&mut outputs).await;
    Ok(JobResult {
        end: clock.end(status, ran),
        usage,
        prepared: started - asked,
        ran,
        // Only a container knows all processes of a job.
        leaked: LeakedProcesses::default(),
    })
}

fn cannot_run(job: &Job, error: &io::Error) -> String {
    let process = &job.process;
    format!(
        "cannot run {} in {}: {error}",
        process.program.display(),
        process.working_directory.display()
    )
}

/// A process and its group. Dropping it kills them.
struct JobProcess {
    pid: Pid,
    end: AsyncFd<OwnedFd>,
    state: PidState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PidState {
    /// The process was not waited for, so its process ID cannot be reused.
    Held,
    /// The process ID may belong to another process by now.
    Reaped,
}

impl JobProcess {
    fn start(
        job: &Job,
        own_variables: Vec<(OsString, OsString)>,
        [stdin, stdout, stderr]: [OwnedFd; 3],
    ) -> io::Result<JobProcess> {
        let child = Command::new(&*job.process.program)
            .args(&job.process.arguments)
            .env_clear()
            .envs(job.process.environment.iter())
            .envs(own_variables)
            .current_dir(&*job.process.working_directory)
            .stdin(Stdio::from(stdin))
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        let watched = pidfd(pid).map_err(io::Error::from).and_then(watch);
        match watched {
            Ok(end) => Ok(JobProcess {
                pid,
                end,
                state: PidState::Held,
            }),
            Err(error) => {
                // A process that cannot be watched must not be left running.
                let _ = killpg(pid, Signal::SIGKILL);
                let _ = wait(WaitTarget::One(pid), WaitMode::Block);
                Err(error)
            }
        }
    }

    /// Waits for the end of the first process.
    async fn ended(&self) {
        // An error means that the runtime is shutting down, which drops this future.
        let _ = self.end.readable().await;
    }

    /// Kills the remaining processes of the group and waits until they are gone. Reaping the first
    /// process frees its ID, which is also the group's, so the kill comes first.
    fn reap(&mut self) -> nix::Result<(ExitStatus, ResourceUsage)> {
        let _ = killpg(self.pid, Signal::SIGKILL);
        let first = wait(WaitTarget::One(self.pid), WaitMode::Block);
        self.state = PidState::Reaped;
        // A negative ID means a process group to wait4(2). Orphans of the group become children of
        // this process (see `adopt_orphans`), and do so before the end of their parents is visible.
        let group = Pid::from_raw(-self.pid.as_raw());
        while let WaitOutcome::Ended { .. } = wait(WaitTarget::One(group), WaitMode::Block)? {}
        match first? {
            WaitOutcome::Ended { status, usage, .. } => Ok((status, usage)),
            WaitOutcome::NoneYet | WaitOutcome::NoChildren => Err(Errno::ECHILD),
        }
    }
}

impl SignalTarget for JobProcess {
    type Error = Errno;

    fn send_signal(&self, tug: JobSignal) -> Result<(), Errno> {
        let signal = match tug {
            JobSignal::Dump(StackDumpMethod::Signal(number)) => {
                let signal = Signal::try_from(number)?;
                return match nix::sys::signal::kill(self.pid, signal) {
                    Err(Errno::ESRCH) => Ok(()),
                    other => other,
                };
            }
            JobSignal::Dump(StackDumpMethod::None | StackDumpMethod::Threads) => return Ok(()),
            JobSignal::Terminate => Signal::SIGTERM,
            JobSignal::Kill => Signal::SIGKILL,
            JobSignal::Suspend => Signal::SIGSTOP,
            JobSignal::Continue => Signal::SIGCONT,
        };
        match killpg(self.pid, signal) {
            Err(Errno::ESRCH) => Ok(()),
            other => other,
        }
    }
}

impl Drop for JobProcess {
    fn drop(&mut self) {
        match self.state {
            PidState::Held => {
                let _ = self.reap();
            }
            PidState::Reaped => {}
        }
    }
}
