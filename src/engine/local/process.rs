//! A job in a plain process: what `--isolation=process` chooses where containers are not to be had,
//! or not wanted.
//!
//! The job has a process group of its own, which is killed when its first process ends, so that the
//! ordinary daemon does not outlive its test. Nothing else keeps it apart: it sees this machine, a
//! process that leaves the group escapes, and a program that is itself killed leaves its tests
//! running. The specification of its container is not looked at.

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

use super::clock::{Clock, Leash, Tug};
use super::container::StartError;
use super::job::Assignment;
use super::output::Outputs;
use maelstrom_container::sys::process::{Patience, Waited, Whom, pidfd, wait};
use maelstrom_container::sys::socket::watch;
use maelstrom_model::job::{ExitStatus, Job, JobEnd, JobResult, ResourceUsage};

/// Makes this process the parent of the orphans among its descendants, so that it can wait for all
/// of a job's processes (prctl(2), Linux 3.4).
pub fn adopt_orphans() -> nix::Result<()> {
    prctl::set_child_subreaper(true)
}

/// Runs a job to its end.
pub async fn run(assignment: &Assignment) -> Result<JobResult, StartError> {
    if assignment.control.is_unwanted() {
        return Ok(JobResult::not_run(JobEnd::Cancelled));
    }
    let asked = Instant::now();
    let (mut outputs, writers) = Outputs::open(assignment.job.output)?;
    let input = match assignment.streams.input() {
        Some(input) => input.try_clone_to_owned(),
        // Opened for each: what a process sets on it is not the next one's.
        None => File::open("/dev/null").map(OwnedFd::from),
    };
    let mut process = input
        .and_then(|input| {
            let [stdout, stderr] = writers.into_each()?;
            Process::start(&assignment.job, [input, stdout, stderr])
        })
        .map_err(|error| StartError::Container(cannot_run(&assignment.job, &error)))?;
    let started = Instant::now();
    let mut clock = Clock::start(&assignment.job, assignment.grace);
    let control = &assignment.control;
    let lost = |error: Errno| StartError::Container(format!("cannot signal a process: {error}"));
    clock.obey(control, &process).map_err(lost)?;
    loop {
        tokio::select! {
            // In the order in which they count, as for a container's job.
            biased;
            () = process.ended() => break,
            () = control.changed() => clock.obey(control, &process).map_err(lost)?,
            () = clock.strikes(control) => clock.strike(&process).map_err(lost)?,
            read = outputs.read() => {
                read?;
                assignment.pass_on(&mut outputs).await;
            }
        }
    }
    let ran = started.elapsed().saturating_sub(control.suspended_for());
    let (status, usage) = process
        .reap()
        .map_err(|error| StartError::Container(format!("cannot wait for a process: {error}")))?;
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
struct Process {
    pid: Pid,
    end: AsyncFd<OwnedFd>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its number is its own, whether it has ended or not.
    Held,
    /// Its number may be another's by now.
    Reaped,
}

impl Process {
    fn start(job: &Job, [stdin, stdout, stderr]: [OwnedFd; 3]) -> io::Result<Process> {
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
            Ok(end) => Ok(Process {
                pid,
                end,
                state: State::Held,
            }),
            Err(error) => {
                // Not being able to watch it is no reason to leave it running.
                let _ = killpg(pid, Signal::SIGKILL);
                let _ = wait(Whom::One(pid), Patience::Block);
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
        let first = wait(Whom::One(self.pid), Patience::Block);
        self.state = State::Reaped;
        // To wait4(2) a negative number is a group. Its orphans are this process's children, see
        // `adopt_orphans`, and become so before their parents' ends can be seen.
        let group = Pid::from_raw(-self.pid.as_raw());
        while let Waited::Ended { .. } = wait(Whom::One(group), Patience::Block)? {}
        match first? {
            Waited::Ended { status, usage, .. } => Ok((status, usage)),
            Waited::NoneYet | Waited::NoChildren => Err(Errno::ECHILD),
        }
    }
}

impl Leash for Process {
    type Error = Errno;

    fn pull(&self, tug: Tug) -> Result<(), Errno> {
        let signal = match tug {
            Tug::Terminate => Signal::SIGTERM,
            Tug::Kill => Signal::SIGKILL,
            Tug::Suspend => Signal::SIGSTOP,
            Tug::Continue => Signal::SIGCONT,
        };
        match killpg(self.pid, signal) {
            Err(Errno::ESRCH) => Ok(()),
            other => other,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        match self.state {
            State::Held => {
                let _ = self.reap();
            }
            State::Reaped => {}
        }
    }
}
