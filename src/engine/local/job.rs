//! Runs one job, from the moment it gets a slot to its end.
//!
//! ```text
//! Started ─▶ container (idle or new) ─▶ request ─▶ output … ─▶ reply ─▶ last output ─▶ Finished
//!                                         │ timeout or stop: SIGTERM ─ grace ─▶ SIGKILL
//! ```

use std::os::fd::AsFd;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::BackoffDecision;
use super::container::{ContainerHandle, ContainerPool, ContainerStartError};
use super::notices::{no_forks, waits};
use super::output::JobOutput;
use super::process;
use super::task::{ExecutionTarget, JobCompletion, JobStdio, JobTask, WORKER};
use super::timer::{JobSignal, JobTimer, SignalTarget};
use maelstrom_container::message::{
    ContainerReply, ContainerRequest, ContainerReuse, MessageError, ProcessImage, RetirementReason,
    ScratchSpace, ServiceReport,
};
use maelstrom_model::backend::{BackendEvent, BackendLost};
use maelstrom_model::byte_size::ByteSize;
use maelstrom_model::event::OutputStream;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::job::StackDumpMethod;
use maelstrom_model::job::{ExitStatus, JobOutcome, JobResult, LeakedProcesses, ResourceUsage};

/// How long a fork server may take to become ready. The fork server itself has stricter limits.
const RESIDENT_START_MAX: Duration = Duration::from_secs(600);

/// The result of running a job in a container.
enum ContainerRunResult {
    /// The job was run, or was stopped before it started.
    Yes {
        end: JobOutcome,
        usage: ResourceUsage,
        ran: Duration,
        fate: ContainerReuse,
        leaked: LeakedProcesses,
    },
    /// The container was gone before the job wrote anything.
    No,
}

/// Runs a job to its end.
pub(super) async fn run(mut assignment: JobTask) -> JobCompletion {
    let (id, slot) = (assignment.id, assignment.slot);
    // The target is moved out because the methods below borrow the whole task. The value left in
    // its place is never read.
    let means = std::mem::replace(&mut assignment.means, ExecutionTarget::Process);
    assignment.emit(BackendEvent::Started {
        job: id,
        worker: WORKER,
        slot,
    });
    let mut turn = JobCompletion {
        job: id,
        slot,
        container: None,
        lost: None,
    };
    let run = match means {
        ExecutionTarget::Container { idle, containers } => {
            assignment.run_in_some_container(idle, containers).await
        }
        ExecutionTarget::Process => process::run(&assignment).await.map(|result| (result, None)),
    };
    let result = match run {
        Ok((result, container)) => {
            turn.container = container;
            result
        }
        Err(ContainerStartError::Container(message)) => {
            JobResult::not_run(JobOutcome::Error(message))
        }
        Err(ContainerStartError::Exhausted(exhausted, message)) => {
            let (what, help) = (exhausted.message(), exhausted.help());
            JobResult::not_run(JobOutcome::Error(format!("{message}; {what}. {help}")))
        }
        Err(ContainerStartError::Helper(error)) => {
            let lost = turn.lost.insert(helper_lost(error));
            JobResult::not_run(JobOutcome::Error(lost.message.clone()))
        }
    };
    tracing::debug!(
        job = %id,
        slot,
        container = ?result.prepared,
        ran = ?result.ran,
        end = ?result.end,
        "a job has ended"
    );
    assignment.emit(BackendEvent::Finished { job: id, result });
    turn
}

impl JobTask {
    /// Runs the job as soon as the resources for its container are available.
    async fn run_in_some_container(
        &self,
        mut idle: Option<ContainerHandle>,
        containers: ContainerPool,
    ) -> Result<(JobResult, Option<ContainerHandle>), ContainerStartError> {
        let since = Instant::now();
        loop {
            let ran = self.try_to_run(idle.take(), &containers).await;
            let Err(ContainerStartError::Exhausted(exhausted, message)) = ran else {
                return ran;
            };
            tracing::debug!(job = %self.id, slot = self.slot, %message, "a job waits");
            if containers.shortage().is_news(exhausted) {
                self.emit(BackendEvent::Notice(waits(exhausted)));
            }
            let outlook = tokio::select! {
                outlook = containers.shortage().wait(since) => outlook,
                () = self.unwanted() => {
                    return Ok((JobResult::not_run(JobOutcome::Cancelled), None));
                }
            };
            match outlook {
                BackoffDecision::Better => {}
                BackoffDecision::Hopeless => {
                    return Err(ContainerStartError::Exhausted(exhausted, message));
                }
            }
            let resident = containers.resident(self.job.resident.as_ref());
            let resident = resident.as_ref().map(|resident| &resident.process);
            idle = containers.take_any_idle(&self.job.container, resident);
        }
    }

    async fn try_to_run(
        &self,
        idle: Option<ContainerHandle>,
        containers: &ContainerPool,
    ) -> Result<(JobResult, Option<ContainerHandle>), ContainerStartError> {
        let started = Instant::now();
        let own = self.own_variables();
        let own = own.iter().map(|(name, value)| (&**name, &**value));
        let image = containers
            .image(&self.job.process)
            .and_then(|image| image.with_variables(own))
            .map_err(|error| ContainerStartError::Container(error.to_string()))?;
        if let Some(container) = idle
            && let ContainerRunResult::Yes {
                end,
                usage,
                ran,
                fate,
                leaked,
            } = self.run_in(&container, image.clone(), containers).await?
        {
            let result = JobResult {
                end,
                usage,
                prepared: Duration::ZERO,
                ran,
                leaked,
            };
            return Ok((result, self.reusable(container, fate)));
        }
        // There was no idle container, or it was lost while it was reset after its previous job.
        let container = self.container(containers).await?;
        let prepared = started.elapsed();
        tracing::debug!(slot = self.slot, took = ?prepared, "a container was made");
        match self.run_in(&container, image, containers).await? {
            ContainerRunResult::Yes {
                end,
                usage,
                ran,
                fate,
                leaked,
            } => {
                let result = JobResult {
                    end,
                    usage,
                    prepared,
                    ran,
                    leaked,
                };
                Ok((result, self.reusable(container, fate)))
            }
            ContainerRunResult::No => Err(ContainerStartError::Container(
                "the container's first process was killed (for want of memory?)".to_owned(),
            )),
        }
    }

    fn reusable(
        &self,
        container: ContainerHandle,
        fate: ContainerReuse,
    ) -> Option<ContainerHandle> {
        match fate {
            ContainerReuse::Reusable => Some(container),
            ContainerReuse::Retired(remains) => {
                tracing::debug!(
                    job = %self.id,
                    slot = self.slot,
                    reason = %remains,
                    "the container serves no further job"
                );
                None
            }
        }
    }

    /// Starts a container, with the job's fork server in it if that is possible.
    async fn container(
        &self,
        containers: &ContainerPool,
    ) -> Result<ContainerHandle, ContainerStartError> {
        let container = containers.start(&self.job.container).await?;
        let Some(resident) = containers.resident(self.job.resident.as_ref()) else {
            return Ok(container);
        };
        let image = containers
            .image(&resident.process)
            .map_err(|error| ContainerStartError::Container(error.to_string()))?;
        container.keep(&resident.process, image)?;
        let reason = tokio::select! {
            reply = container.reply() => match reply {
                Ok(ContainerReply::Kept) => return Ok(container),
                Ok(ContainerReply::NotKept(reason)) => reason,
                Ok(_) | Err(_) => "its container ended".to_owned(),
            },
            // This container ends, and the fork server with it.
            () = self.unwanted() => return containers.start(&self.job.container).await,
            () = tokio::time::sleep(RESIDENT_START_MAX) => {
                format!("it was not ready after {} s", RESIDENT_START_MAX.as_secs())
            }
        };
        if containers.refuse(&resident) {
            self.emit(BackendEvent::Notice(no_forks(&resident.process, &reason)));
        }
        // The first container is not reused, because the failed fork server may have modified it.
        containers.start(&self.job.container).await
    }

    /// Waits until the job is stopped.
    async fn unwanted(&self) {
        while !self.control.is_unwanted() {
            self.control.changed().await;
        }
    }

    async fn run_in(
        &self,
        container: &ContainerHandle,
        image: ProcessImage,
        containers: &ContainerPool,
    ) -> Result<ContainerRunResult, ContainerStartError> {
        // The job may have been stopped while its container was created. The container is unused
        // and can be kept.
        if self.control.is_unwanted() {
            let (usage, ran) = (ResourceUsage::default(), Duration::ZERO);
            return Ok(ContainerRunResult::Yes {
                end: JobOutcome::Cancelled,
                usage,
                ran,
                fate: ContainerReuse::Reusable,
                leaked: LeakedProcesses::default(),
            });
        }
        let (mut outputs, ordered) = match &*self.streams {
            JobStdio::NoInput | JobStdio::Input(_) => {
                let (outputs, writers) = JobOutput::open(self.job.output)?;
                let ordered = container.run(image, self.streams.input(), writers.each());
                (outputs, ordered)
            }
            JobStdio::Terminal(terminal) => {
                let ordered = container.run_on_terminal(image, terminal.as_fd());
                (JobOutput::none(), ordered)
            }
        };
        match ordered {
            Err(MessageError::Closed) => return Ok(ContainerRunResult::No),
            other => other?,
        }
        let _running = containers.shortage().runs();
        let mut clock = JobTimer::start(&self.job, self.grace);
        clock
            .apply_control(&self.control, container)
            .map_err(begun)?;
        let reply = loop {
            tokio::select! {
                // The reply comes first: a job that has ended did not time out, however late its
                // end is noticed. Output comes last, so that a job that writes without end still
                // times out.
                biased;
                reply = container.reply_with_descriptors() => match reply {
                    Ok((ContainerReply::Threads(text), processes)) => {
                        self.emit_threads(&containers.with_stacks(text, processes).await);
                        clock.shown(&self.control, container).map_err(begun)?;
                    }
                    other => break other.map(|(reply, _)| reply),
                },
                () = self.control.changed() => {
                    clock.apply_control(&self.control, container).map_err(begun)?;
                }
                () = clock.wait_until_due(&self.control) => clock.escalate(&self.control, container).map_err(begun)?,
                read = outputs.read() => {
                    read.map_err(begun)?;
                    self.pass_on(&mut outputs).await;
                }
            }
        };
        let (end, usage, ran, fate, room, leaked, services) = match reply {
            Ok(ContainerReply::Ended {
                status,
                usage,
                ran,
                fate,
                discarded,
                room,
                leaked,
                services,
            }) => {
                if !discarded.files.is_empty() {
                    self.emit(BackendEvent::Discarded {
                        job: self.id,
                        files: discarded,
                    });
                }
                let end = clock.end(status, ran);
                let leaked = leaked_by(&end, leaked);
                (end, usage, ran, fate, room, leaked, services)
            }
            Ok(ContainerReply::ServiceFailed { reason, service }) => {
                let usage = ResourceUsage::default();
                let fate = ContainerReuse::Retired(RetirementReason::Service);
                let (end, leaked) = (
                    JobOutcome::Error(clean(&reason).into()),
                    LeakedProcesses::default(),
                );
                let room = ScratchSpace::Left;
                (
                    end,
                    usage,
                    Duration::ZERO,
                    fate,
                    room,
                    leaked,
                    vec![service],
                )
            }
            Ok(ContainerReply::NotStarted(failed)) => {
                return match ContainerStartError::of_step(&failed, format!("cannot {failed}")) {
                    ContainerStartError::Container(message) => Ok(ContainerRunResult::Yes {
                        end: JobOutcome::Error(message),
                        usage: ResourceUsage::default(),
                        ran: Duration::ZERO,
                        fate: ContainerReuse::Reusable,
                        leaked: LeakedProcesses::default(),
                    }),
                    exhausted => Err(exhausted),
                };
            }
            Ok(
                ContainerReply::Ready
                | ContainerReply::NotBuilt(_)
                | ContainerReply::Kept
                | ContainerReply::NotKept(_)
                | ContainerReply::Threads(_),
            ) => {
                return Err(ContainerStartError::from(MessageError::Closed));
            }
            // No output of the job was reported yet, so it can run again in another container.
            Err(MessageError::Closed) if outputs.are_silent() => return Ok(ContainerRunResult::No),
            Err(error) => return Err(begun(error)),
        };
        // All writers are gone; the remaining output is in the pipes.
        self.pass_on_rest(&mut outputs).await;
        // A job that passes may have filled the space on purpose.
        if let (ScratchSpace::Exhausted, Some(bytes)) = (room, containers.scratch_bytes())
            && end != JobOutcome::Exited(ExitStatus::Code(0))
        {
            self.emit(BackendEvent::Output {
                job: self.id,
                stream: OutputStream::Stderr,
                bytes: no_room(bytes).into_bytes(),
            });
        }
        if end != JobOutcome::Exited(ExitStatus::Code(0)) {
            let printed: Vec<u8> = services
                .iter()
                .flat_map(ServiceReport::after_failure)
                .collect();
            if !printed.is_empty() {
                self.emit(BackendEvent::Output {
                    job: self.id,
                    stream: OutputStream::Stderr,
                    bytes: printed,
                });
            }
        }
        // The container's clock keeps running while its processes are suspended.
        let ran = ran.saturating_sub(self.control.suspended_for());
        Ok(ContainerRunResult::Yes {
            end,
            usage,
            ran,
            fate,
            leaked,
        })
    }
}

/// Returns the processes that a job leaked, with names that are safe to display. A job that was
/// stopped leaks nothing: it had no chance to end its processes.
fn leaked_by(end: &JobOutcome, leaked: LeakedProcesses) -> LeakedProcesses {
    match end {
        JobOutcome::Exited(_) => LeakedProcesses {
            names: leaked.names.iter().map(|name| clean(name).into()).collect(),
            more: leaked.more,
        },
        JobOutcome::TimedOut | JobOutcome::Cancelled | JobOutcome::Error(_) => {
            LeakedProcesses::default()
        }
    }
}

/// Converts an error after the job's program was started: the job must not run twice, so an
/// exhausted resource is no reason to retry.
fn begun(error: impl Into<ContainerStartError>) -> ContainerStartError {
    match error.into() {
        ContainerStartError::Exhausted(_, message) => ContainerStartError::Container(message),
        other => other,
    }
}

/// Reports the loss of the helper process, which ends the run.
fn helper_lost(source: impl std::error::Error + Send + Sync + 'static) -> BackendLost {
    BackendLost {
        message: "the helper process that starts containers is gone".to_owned(),
        help: Some(
            "it may have been killed, for want of memory for instance; run again".to_owned(),
        ),
        source: Some(Box::new(source)),
    }
}

/// Returns a message that follows the job's output and says why the job may have failed.
fn no_room(bytes: u64) -> String {
    // Round down to megabytes; the exact share is of no interest.
    const MEGABYTE: u64 = 1 << 20;
    let bytes = if bytes < MEGABYTE {
        bytes
    } else {
        bytes - bytes % MEGABYTE
    };
    format!(
        "maelstrom: files in /tmp and wherever else this job writes have taken all of the {} of memory \
         that they may take; --scratch-memory allows more\n",
        ByteSize(bytes)
    )
}

impl SignalTarget for ContainerHandle {
    type Error = MessageError;

    /// Sends a request. A container that has just ended is no error; its reply reports the end.
    fn send_signal(&self, tug: JobSignal) -> Result<(), MessageError> {
        let order = match tug {
            JobSignal::Dump(StackDumpMethod::None) => return Ok(()),
            JobSignal::Dump(StackDumpMethod::Signal(number)) => {
                ContainerRequest::SignalFirst(number)
            }
            JobSignal::Dump(StackDumpMethod::Threads) => ContainerRequest::DescribeThreads,
            JobSignal::Terminate => ContainerRequest::Signal(libc::SIGTERM),
            JobSignal::Kill => ContainerRequest::Kill,
            JobSignal::Suspend => ContainerRequest::Suspend,
            JobSignal::Continue => ContainerRequest::Continue,
        };
        match self.order(order) {
            Err(MessageError::Closed) => Ok(()),
            other => other,
        }
    }
}
