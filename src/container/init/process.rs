//! The main loop of a container init, PID 1 of a container.
//!
//! It is single-threaded and blocks in one place: on its socket and, while a job runs, also on the
//! job's end. When the socket is closed it exits, and the kernel kills all remaining processes in
//! the container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::super::child::{self, CapabilitySet, ProcessTerminal};
use super::super::message::{
    self, ContainerReply, ContainerReuse, DiscardedFiles, LaunchMode, LeakedProcesses,
    MessageError, ProcessImage, RetirementReason, ScratchSpace,
};
use super::super::plan::ContainerPlan;
use super::super::spec::{ExitStatus, PrivilegeLevel, ResourceUsage};
use super::super::sys::socket::pair;
use super::audit::{AuditOutcome, ScratchBaseline};
use super::build::StepFailed;
use super::container_init::{ContainerInit, RetirementStatus};
use super::discarded::discarded;
use super::fork_server::{ForkEnd, ForkServer};
use super::job::{JobProcessEnd, follow, image_of, kill_remaining, obey, reap};
use super::kernel_files::KernelFiles;
use super::leaks::{LeakWatch, OtherProcesses, remaining};
use super::limit;
use super::network::{NetworkRenewal, OwnNetwork};
pub use super::prepare::PROCESSES_MAX;
use super::services::{ServiceStartError, ServiceStarter};
use super::startup_files::StartupFiles;

/// Serves as a container init until the other end of the socket is closed. Returns the process's
/// exit code.
pub fn serve(socket: OwnedFd, plan: ContainerPlan, kernel_files: KernelFiles) -> i32 {
    let reply = match ContainerInit::build(plan, kernel_files) {
        Ok(mut slot) => match message::send(socket.as_fd(), &ContainerReply::Ready, &[]) {
            Ok(()) => return slot.serve(&socket),
            Err(_) => return 1,
        },
        Err(failed) => ContainerReply::NotBuilt(failed),
    };
    let _ = message::send(socket.as_fd(), &reply, &[]);
    1
}

impl ContainerInit {
    fn serve(&mut self, socket: &OwnedFd) -> i32 {
        loop {
            let (order, descriptors) = match message::receive(socket.as_fd()) {
                Ok(received) => received,
                Err(MessageError::Closed) => return 0,
                Err(_) => return 1,
            };
            let (task, image, descriptors) = match image_of(order, descriptors) {
                Ok(Some(run)) => run,
                // A signal for a job that has just ended.
                Ok(None) => continue,
                Err(_) => return 1,
            };
            let end = match task {
                LaunchMode::Run => self.run(socket, &image, ProcessTerminal::None, descriptors),
                LaunchMode::RunOnTerminal => {
                    self.run(socket, &image, ProcessTerminal::Controlling, descriptors)
                }
                LaunchMode::Fork => self.fork(socket, &image, descriptors),
                LaunchMode::Keep => {
                    let kept = self.keep(socket, &image);
                    let reply = match &kept {
                        Ok(()) => ContainerReply::Kept,
                        Err(reason) => ContainerReply::NotKept(reason.clone()),
                    };
                    match (message::send(socket.as_fd(), &reply, &[]), kept) {
                        (Ok(()), Ok(())) => continue,
                        // What a failed start has left behind is unknown, so the container ends as
                        // well.
                        (Err(_), _) | (_, Err(_)) => return 0,
                    }
                }
            };
            let (reply, verdict) = match end {
                JobProcessEnd::Abandoned => return 0,
                JobProcessEnd::ServiceFailed { reason, service } => {
                    // What the services have left behind is unknown, so the container ends as well.
                    let reply = ContainerReply::ServiceFailed { reason, service };
                    let _ = message::send(socket.as_fd(), &reply, &[]);
                    return 0;
                }
                JobProcessEnd::NotStarted(failed) => {
                    let verdict = match self.plan.services.is_empty() {
                        true => AuditOutcome::Pristine,
                        false => self.audit(),
                    };
                    (ContainerReply::NotStarted(failed), verdict)
                }
                JobProcessEnd::Ended {
                    status,
                    usage,
                    ran,
                    leaked,
                    services,
                } => {
                    let verdict = self.audit();
                    let fate = match verdict {
                        AuditOutcome::Pristine | AuditOutcome::FilesWritten => {
                            ContainerReuse::Reusable
                        }
                        AuditOutcome::Altered(remains) => ContainerReuse::Retired(remains),
                    };
                    (
                        ContainerReply::Ended {
                            status,
                            usage,
                            ran,
                            fate,
                            discarded: self.discarded(verdict),
                            room: self.room(verdict),
                            leaked,
                            services,
                        },
                        verdict,
                    )
                }
            };
            // The result is sent before the container is restored.
            if message::send(socket.as_fd(), &reply, &[]).is_err() {
                return 0;
            }
            match verdict {
                AuditOutcome::Altered(_) => return 0,
                // If the container init exits, the main program behaves as if it had never existed
                // and starts another one.
                AuditOutcome::Pristine | AuditOutcome::FilesWritten => {
                    if self.restore(verdict).is_err() {
                        return 1;
                    }
                }
            }
        }
    }

    /// Restores the container after a job that left no more than this verdict says, and replaces
    /// the network if it was used.
    fn restore(&mut self, verdict: AuditOutcome) -> Result<(), StepFailed> {
        let kept = self.namespace.as_ref();
        let mounts = [
            self.template.as_ref(),
            // A scratch stage that is recreated below shows the new network without this.
            kept.filter(|_| verdict == AuditOutcome::Pristine),
        ];
        let renewal = match &mut self.network {
            None => NetworkRenewal::Unnecessary,
            Some(network) => {
                network.renew(&self.proc, self.plan.network, &mut self.builder, mounts)?
            }
        };
        match (renewal, verdict) {
            (
                NetworkRenewal::Done {
                    scratch_is_stale: true,
                },
                _,
            )
            | (_, AuditOutcome::FilesWritten) => self.make_scratch(),
            (_, AuditOutcome::Pristine | AuditOutcome::Altered(_)) => Ok(()),
        }
    }

    fn run(
        &mut self,
        socket: &OwnedFd,
        image: &ProcessImage,
        terminal: ProcessTerminal,
        descriptors: Vec<OwnedFd>,
    ) -> JobProcessEnd {
        // So that the job always is process 2, unless there are services.
        self.number_next_process(b"1");
        let capabilities = match self.plan.privileges {
            PrivilegeLevel::Ordinary => CapabilitySet::Ordinary,
            PrivilegeLevel::Full => CapabilitySet::All,
        };
        let starter = ServiceStarter {
            socket,
            proc: &self.proc,
            children: &self.children,
            null: &self.null,
            stack: &mut self.stack,
            capabilities,
        };
        let services = match starter.start(&self.plan.services) {
            Ok(services) => services,
            Err(ServiceStartError::Abandoned) => return JobProcessEnd::Abandoned,
            Err(ServiceStartError::Failed { reason, service }) => {
                return JobProcessEnd::ServiceFailed { reason, service };
            }
            Err(ServiceStartError::Stopped(number)) => {
                kill_remaining();
                return JobProcessEnd::Ended {
                    status: ExitStatus::Signal {
                        number,
                        core_dumped: false,
                    },
                    usage: ResourceUsage::default(),
                    ran: Duration::ZERO,
                    leaked: LeakedProcesses::default(),
                    services: Vec::new(),
                };
            }
        };
        let streams = match self.null.complete(&self.proc, descriptors) {
            Ok(streams) => streams,
            Err(errno) => {
                kill_remaining();
                return JobProcessEnd::NotStarted(StepFailed::new("open /dev/null", errno));
            }
        };
        let started = Instant::now();
        let lent = streams.each_ref().map(AsFd::as_fd);
        let pid = match child::start(&mut self.stack, image, lent, terminal, capabilities) {
            Ok(pid) => pid,
            Err(failed) => {
                kill_remaining();
                return JobProcessEnd::NotStarted(failed);
            }
        };
        // If this process kept a copy, readers of the job's output would wait for more after its
        // end.
        drop(streams);
        let Some((status, usage)) = follow(socket, &self.proc, &self.children, pid, &services)
        else {
            return JobProcessEnd::Abandoned;
        };
        let ran = started.elapsed();
        let watch = LeakWatch {
            socket,
            children: &self.children,
            proc: &self.proc,
        };
        let leaked = match services.is_empty() {
            true => watch.leaked(OtherProcesses::None, reap),
            false => {
                let others = OtherProcesses::Services(services.processes());
                watch.leaked(others, || remaining(&self.proc, others).is_empty())
            }
        };
        let Some(leaked) = leaked else {
            return JobProcessEnd::Abandoned;
        };
        let services = services.report();
        // The job is over, and the audit requires that no other process runs.
        kill_remaining();
        JobProcessEnd::Ended {
            status,
            usage,
            ran,
            leaked,
            services,
        }
    }

    /// Starts a fork server and waits until it accepts requests. Returns the reason if it cannot.
    fn keep(&mut self, socket: &OwnedFd, image: &ProcessImage) -> Result<(), String> {
        if self.resident.is_some() {
            return Err("the container has a resident already".to_owned());
        }
        if !self.plan.services.is_empty() {
            return Err("the container has services, which are for one job".to_owned());
        }
        if self.baseline.is_none() || self.namespace.is_none() {
            return Err("such a container serves one job only".to_owned());
        }
        // The sockets are counted in the container's network namespace.
        let sockets = pair().map_err(|errno| errno.desc().to_owned())?;
        if let Some(network) = &mut self.network {
            network
                .watch(&self.proc)
                .map_err(|error| error.to_string())?;
        }
        self.number_next_process(b"1");
        let mut resident = ForkServer::start(&mut self.stack, image, sockets)
            .map_err(|failed| format!("cannot {failed}"))?;
        resident.await_readiness(socket, |pid| {
            obey(socket, &self.proc, pid, OtherProcesses::None)
        })?;
        if !resident.is_alone() {
            return Err("it leaves processes running".to_owned());
        }
        let baseline = self.baseline.as_ref();
        if baseline.is_none_or(|baseline| baseline.changed().is_some()) {
            return Err("it uses shared memory or message queues".to_owned());
        }
        if self
            .network
            .as_ref()
            .is_some_and(|network| network.spent().is_some())
        {
            return Err("it uses the network".to_owned());
        }
        self.heritage = match &self.scratch {
            Some(scratch) => StartupFiles::of(&self.plan, &scratch.place()),
            None => Ok(StartupFiles::default()),
        }
        .map_err(|error| error.to_string())?;
        resident.take_baseline();
        self.resident = Some(resident);
        // The fork server keeps its own mount namespace, and also its network if it has used that.
        self.restore(AuditOutcome::FilesWritten)
            .map_err(|failed| format!("cannot {failed}"))
    }

    /// Requests a fork for a job from the fork server and follows it to its end.
    fn fork(
        &mut self,
        socket: &OwnedFd,
        image: &ProcessImage,
        descriptors: Vec<OwnedFd>,
    ) -> JobProcessEnd {
        // The fork server is process 2, so the job always is process 3.
        self.number_next_process(b"2");
        let (Some(resident), Some(namespace)) = (&mut self.resident, &self.namespace) else {
            return JobProcessEnd::Abandoned;
        };
        let streams = match self.null.complete(&self.proc, descriptors) {
            Ok(streams) => streams,
            Err(errno) => {
                return JobProcessEnd::NotStarted(StepFailed::new("open /dev/null", errno));
            }
        };
        let mut handed: Vec<BorrowedFd<'_>> = streams.iter().map(AsFd::as_fd).collect();
        handed.push(namespace.as_fd());
        handed.extend(self.network.as_ref().map(OwnNetwork::namespace));
        let started = Instant::now();
        // Other errors mean that the fork server is gone, which `follow` detects.
        if let Err(errno @ Errno::E2BIG) = resident.request(image, &handed) {
            return JobProcessEnd::NotStarted(StepFailed::new("ask for a fork", errno));
        }
        let end = resident.follow(socket, |pid| {
            obey(socket, &self.proc, pid, OtherProcesses::None)
        });
        match end {
            ForkEnd::NotStarted(failed) => JobProcessEnd::NotStarted(failed),
            // Without a reply, the main program behaves as if the container init had never existed.
            ForkEnd::Abandoned | ForkEnd::NoResident => JobProcessEnd::Abandoned,
            ForkEnd::Ended(status, usage) => {
                let ran = started.elapsed();
                let watch = LeakWatch {
                    socket,
                    children: &self.children,
                    proc: &self.proc,
                };
                let leaked = watch.leaked(OtherProcesses::ForkServer(resident.pid()), || {
                    // Orphans of the job are children of this process. As zombies they would count
                    // as running processes.
                    reap();
                    resident.is_alone()
                });
                let Some(leaked) = leaked else {
                    return JobProcessEnd::Abandoned;
                };
                if !resident.is_alone() || !resident.is_sound() {
                    kill_remaining();
                    // The signal has reached the fork server, too.
                    self.resident = None;
                    self.retired = RetirementStatus::Due;
                }
                JobProcessEnd::Ended {
                    status,
                    usage,
                    ran,
                    leaked,
                    services: Vec::new(),
                }
            }
        }
    }

    /// Sets the process ID that precedes the next one. If that fails, IDs keep counting.
    fn number_next_process(&self, before: &[u8]) {
        if let Some(last_pid) = &self.last_pid {
            let _ = last_pid.write_all_at(before, 0);
        }
    }

    /// Returns the files that a job with this verdict wrote over the host's files.
    fn discarded(&self, verdict: AuditOutcome) -> DiscardedFiles {
        match (verdict, &self.plan.scratch_file_system, &self.scratch) {
            (AuditOutcome::FilesWritten | AuditOutcome::Altered(_), Some(name), Some(scratch)) => {
                discarded(&self.plan.scratch_mounts, name, &scratch.place())
            }
            (AuditOutcome::Pristine, _, _) | (_, None, _) | (_, _, None) => {
                DiscardedFiles::default()
            }
        }
    }

    /// Returns whether files have used up the memory limit.
    fn room(&self, verdict: AuditOutcome) -> ScratchSpace {
        if verdict == AuditOutcome::Pristine || self.plan.limits.scratch_bytes.is_none() {
            return ScratchSpace::Left;
        }
        let is_full = self.scratch.as_ref().is_some_and(ScratchBaseline::is_full)
            || limit::any_is_full(self.plan.writable_file_systems());
        if is_full {
            ScratchSpace::Exhausted
        } else {
            ScratchSpace::Left
        }
    }

    fn audit(&self) -> AuditOutcome {
        // Checked first, because these files belong to the machine and must be restored in any
        // case.
        let Some(fixed) = &self.fixed else {
            return AuditOutcome::Altered(RetirementReason::Unreadable);
        };
        let reported = fixed.reported(&self.kernel_files);
        if reported.kernel_files {
            self.kernel_files.restore(&self.proc);
            return AuditOutcome::Altered(RetirementReason::KernelFiles);
        }
        match self.retired {
            RetirementStatus::Due => return AuditOutcome::Altered(RetirementReason::Resident),
            RetirementStatus::NotDue => {}
        }
        let Some(baseline) = &self.baseline else {
            return AuditOutcome::Altered(match self.plan.privileges {
                PrivilegeLevel::Full => RetirementReason::Privileges,
                PrivilegeLevel::Ordinary => RetirementReason::Unreadable,
            });
        };
        let spent = self.network.as_ref().and_then(OwnNetwork::spent);
        if let Some(remains) = baseline.changed().or(spent) {
            return AuditOutcome::Altered(remains);
        }
        if self.plan.root_is_ephemeral {
            return AuditOutcome::Altered(RetirementReason::WritableRoot);
        }
        if reported.root {
            return AuditOutcome::Altered(RetirementReason::Root);
        }
        // Such a socket can hold a file that the job has mapped. Writes through the mapping are
        // reported when the file is closed, which may be after the audit.
        if fixed.reports_when_closed()
            && let Some(network) = &self.network
            && network.has_sockets_in_flight()
        {
            return AuditOutcome::Altered(RetirementReason::Sockets);
        }
        if let Some(remains) = fixed.changed() {
            return AuditOutcome::Altered(remains);
        }
        match &self.scratch {
            None => AuditOutcome::Pristine,
            Some(scratch) => match scratch.unchanged() {
                Ok(true) => AuditOutcome::Pristine,
                Ok(false) => AuditOutcome::FilesWritten,
                Err(_) => AuditOutcome::Altered(RetirementReason::Unreadable),
            },
        }
    }
}
