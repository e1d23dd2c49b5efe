//! The state of a container init: its setup before the first job, and what it recreates for later
//! jobs.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::Mode;

use super::super::child::{self, ChildStack};
use super::super::plan::ContainerPlan;
use super::super::spec::PrivilegeLevel;
use super::super::sys::state::limit_processes;
use super::audit::{KernelBaseline, ScratchBaseline};
use super::build::{StepExecutor, StepFailed};
use super::fixed::MountBaseline;
use super::fork_server::ForkServer;
use super::job::watch_children;
use super::kernel_files::KernelFiles;
use super::limit;
use super::namespaces::limit_nesting;
use super::network::OwnNetwork;
use super::null::NullDevice;
use super::prepare::{PROCESSES_MAX, join_session_keyring, limit_process_ids, open_queues};
use super::startup_files::StartupFiles;

/// The state of a container init.
pub(super) struct ContainerInit {
    pub(super) plan: ContainerPlan,
    pub(super) builder: StepExecutor,
    pub(super) stack: ChildStack,
    pub(super) children: SignalFd,
    pub(super) baseline: Option<KernelBaseline>,
    /// `None` if it is the host's network, or jobs may change it.
    pub(super) network: Option<OwnNetwork>,
    pub(super) scratch: Option<ScratchBaseline>,
    /// The template's mount namespace, if there is a scratch stage.
    pub(super) template: Option<OwnedFd>,
    /// The scratch stage's mount namespace, for the forks of the fork server.
    pub(super) namespace: Option<OwnedFd>,
    pub(super) resident: Option<ForkServer>,
    /// The fork server's startup files, which every job gets.
    pub(super) heritage: StartupFiles,
    pub(super) retired: RetirementStatus,
    pub(super) proc: OwnedFd,
    /// A file to set the next process ID.
    pub(super) last_pid: Option<File>,
    pub(super) null: NullDevice,
    /// The mounts of the template that a job could change, and that cannot be restored.
    pub(super) fixed: Option<MountBaseline>,
    pub(super) kernel_files: KernelFiles,
}

/// Whether the container must not be reused, whatever the audit finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RetirementStatus {
    Due,
    NotDue,
}

impl ContainerInit {
    /// Executes the plan in the calling process and takes the baselines.
    pub(super) fn build(
        plan: ContainerPlan,
        kernel_files: KernelFiles,
    ) -> Result<ContainerInit, StepFailed> {
        let at = |step: &'static str| move |errno| StepFailed::new(step, errno);
        // The host's files are opened first, because the plan's steps leave the host's root.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let proc = open("/proc", flags, Mode::empty()).map_err(at("open /proc of the host"))?;
        let null = NullDevice::of_host().map_err(at("open /dev/null of the host"))?;
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        // Not every kernel has this file. Without it, process IDs are not reset.
        let last_pid = openat(&proc, "sys/kernel/ns_last_pid", flags, Mode::empty()).ok();
        match plan.privileges {
            // The jobs cannot access keyrings.
            PrivilegeLevel::Ordinary => {}
            PrivilegeLevel::Full => join_session_keyring()?,
        }
        limit::set(&plan.limits, &proc);
        let mut builder = StepExecutor::limited(plan.limits.clone(), plan.writable_parts());
        // The first step makes the mounts of this namespace private, and the second leaves the
        // host's root. `open_queues` requires both private mounts and a `/tmp`.
        let (privatize, rest) = plan.template.split_at(plan.template.len().min(1));
        builder.run(privatize)?;
        let queues = open_queues().ok();
        builder.run(rest)?;
        let template = match plan.scratch_file_system {
            None => None,
            Some(_) => Some(
                openat(
                    &proc,
                    "self/ns/mnt",
                    OFlag::O_RDONLY | OFlag::O_CLOEXEC,
                    Mode::empty(),
                )
                .map_err(at("open the mount namespace"))?,
            ),
        };
        limit_processes(PROCESSES_MAX);
        limit_process_ids(&proc);
        // Otherwise a job of the same user could trace this process and open its descriptors
        // through `/proc/1/fd`.
        nix::sys::prctl::set_dumpable(false).map_err(at("forbid inspection"))?;
        let baseline = match plan.privileges {
            PrivilegeLevel::Full => None,
            PrivilegeLevel::Ordinary => {
                let nesting = limit_nesting(&proc).map_err(at("limit nested namespaces"))?;
                child::bound_capabilities().map_err(at("limit capabilities"))?;
                // Without a baseline the audit cannot compare anything, and the container serves
                // only one job.
                KernelBaseline::take(&proc, queues, nesting).ok()
            }
        };
        let network = OwnNetwork::of(&proc, &plan, builder.network_control.take())?;
        let mut slot = ContainerInit {
            plan,
            builder,
            stack: ChildStack::default(),
            children: watch_children().map_err(at("watch child processes"))?,
            baseline,
            network,
            scratch: None,
            template,
            namespace: None,
            resident: None,
            heritage: StartupFiles::default(),
            retired: RetirementStatus::NotDue,
            proc,
            last_pid: last_pid.map(File::from),
            null,
            fixed: None,
            kernel_files,
        };
        slot.make_scratch()?;
        Ok(slot)
    }

    /// Creates everything that is recreated for each job, and takes the baseline of the rest.
    pub(super) fn make_scratch(&mut self) -> Result<(), StepFailed> {
        self.carry_out_scratch()?;
        self.null.look();
        let root = match &mut self.baseline {
            Some(baseline) => baseline.enter_root(),
            None => Ok(()),
        };
        root.map_err(|errno| StepFailed::new("open the root directory", errno))?;
        let fixed = MountBaseline::take(&self.plan, &self.kernel_files, self.fixed.take())
            .map_err(|errno| StepFailed::new("inspect the container", errno))?;
        self.fixed = Some(fixed);
        Ok(())
    }

    /// Executes the scratch stage in a new copy of the template's mount namespace.
    fn carry_out_scratch(&mut self) -> Result<(), StepFailed> {
        let (Some(template), Some(root)) = (&self.template, &self.plan.scratch_file_system) else {
            return Ok(());
        };
        // Its descriptors would keep the old file system, with everything that the last job wrote,
        // in memory.
        self.scratch = None;
        setns(template, CloneFlags::CLONE_NEWNS)
            .and_then(|()| unshare(CloneFlags::CLONE_NEWNS))
            .map_err(|errno| StepFailed::new("copy the mount namespace", errno))?;
        self.builder.run(&self.plan.scratch)?;
        // Overlays that are mounted later find these files in their upper directories. An overlay
        // that is already mounted may miss changes to its upper directory.
        self.heritage
            .give(Path::new(OsStr::from_bytes(root.to_bytes())))
            .map_err(|error| StepFailed::of_io("write what the resident has written", &error))?;
        self.builder.run(&self.plan.scratch_mounts)?;
        let known = &self.plan.scratch_directories;
        let scratch = ScratchBaseline::take(root, known, self.heritage.paths())
            .map_err(|errno| StepFailed::new("inspect the scratch directory", errno))?;
        self.scratch = Some(scratch);
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        // Without the namespace no fork server is possible, but everything else works.
        self.namespace = openat(&self.proc, "self/ns/mnt", flags, Mode::empty()).ok();
        nix::unistd::chdir("/").map_err(|errno| StepFailed::new("change into /", errno))
    }
}
