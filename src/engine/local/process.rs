//! Runs a job in a plain process, for `--isolation=process`, where containers are not available or
//! not wanted.
//!
//! The job has its own process group, which is killed when its first process ends, so that most
//! daemons do not outlive their test. There is no further isolation: the job sees this machine, a
//! process that leaves the group escapes, and if the program itself is killed its tests keep
//! running. The job's container spec is ignored.

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
use maelstrom_model::job::{ExitStatus, Job, JobOutcome, JobResult, ResourceUsage};

/// Makes this process the parent of the orphans among its descendants, so that it can wait for all
/// of a job's processes (prctl(2), Linux 3.4).
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
        // Opened for each: what a process sets on it is not the next one's.
        None => File::open("/dev/null").map(OwnedFd::from),
    };
    let mut process = input
        .and_then(|input| {
            let [stdout, stderr] = writers.into_each()?;
            JobProcess::start(&assignment.job, [input, stdout, stderr])
        })
        .map_err(|error| ContainerStartError::Container(cannot_run(&assignment.job, &error)))?;
    let started = Instant::now();
    let mut clock = JobTimer::start(&assignment.job, assignment.grace);
    let control = &assignment.control;
    let lost =
        |error: Errno| ContainerStartError::Container(format!("cannot signal a process: {error}"));
    clock.apply_control(control, &process).map_err(lost)?;
    loop {
        tokio::select! {
            // In the order in which they count, as for a container's job.
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
    // Whoever escaped may still hold the pipes; what they write from now on is nobody's output.
    assignment.pass_on_rest(&mut outputs).await;
    Ok(JobResult {
        end: clock.end(status),
        usage,
        prepared: started - asked,
        ran,
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
    /// Its number is its own, whether it has ended or not.
    Held,
    /// Its number may be another's by now.
    Reaped,
}

impl JobProcess {
    fn start(job: &Job, [stdin, stdout, stderr]: [OwnedFd; 3]) -> io::Result<JobProcess> {
        let child = Command::new(&*job.process.program)
            .args(&job.process.arguments)
            .env_clear()
            .envs(job.process.environment.iter())
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
                // Not being able to watch it is no reason to leave it running.
                let _ = killpg(pid, Signal::SIGKILL);
                let _ = wait(WaitTarget::One(pid), WaitMode::Block);
                Err(error)
            }
        }
    }

    /// Waits for the end of the first process.
    async fn ended(&self) {
        // An error could only mean that the runtime is going away, and this future with it.
        let _ = self.end.readable().await;
    }

    /// Kills what is left of the group and waits until it is gone. That frees the number, which is
    /// the group's as well, so the killing comes first.
    fn reap(&mut self) -> nix::Result<(ExitStatus, ResourceUsage)> {
        let _ = killpg(self.pid, Signal::SIGKILL);
        let first = wait(WaitTarget::One(self.pid), WaitMode::Block);
        self.state = PidState::Reaped;
        // To wait4(2) a negative number is a group. Its orphans are this process's children, see
        // `adopt_orphans`, and become so before their parents' ends can be seen.
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
