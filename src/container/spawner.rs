//! The spawner: the helper process that is the ancestor of all containers.
//!
//! It is the same executable, run again under another name before it has any thread. It owns a user
//! namespace, in which it has privileges that an ordinary user lacks, and is PID 1 of a PID
//! namespace: when it ends, for whatever reason, the kernel kills every process of every container.
//! It ends when the socket to the main program closes, which happens even after `kill -9`.
//!
//! ```text
//! main program                  helper                         spawner (its child, PID 1)
//! launch ── exec ──────────────▶ unshare user and PID namespace
//!        ◀───────── Unshared ──
//! write uid_map, gid_map
//!        ── Mapped ───────────▶ fork ────────────────────────▶ unshare mounts, mount /proc,
//!                                                              control groups, system call filter
//!        ◀───────────────────────────────────────── Ready ──
//! start_container ── StartContainer ──────────────────────────────▶ fork ─▶ container init (PID 1)
//! close the socket              exit after it ◀─────────────── exit
//! ```
//!
//! Because a filter can't be removed, containers without one need a second spawner, which is
//! launched with the first of them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, getegid, geteuid, pipe2, setsid};

use super::filter::filter;
use super::init::build::StepFailed;
use super::init::kernel_files::KernelFiles;
use super::init::namespaces::forbid_control_groups;
use super::init::process::serve;
use super::message::{self, IdMapping, MessageError, SpawnerReply, SpawnerRequest, SystemCalls};
use super::plan::ContainerPlan;
use super::spec::{NetworkMode, PrivilegeLevel};
use super::sys::process::{close_all_but, fork_into, reap_children_automatically, reset_signals};
use super::sys::seccomp;
use super::sys::socket::{memory_file, pair, read_memory_file};

/// The name under which the executable is run as a helper, by which it recognizes that role.
const HELPER_NAME: &str = "maelstrom-spawner";

/// An error of the spawner.
#[derive(Debug, thiserror::Error)]
pub enum SpawnerError {
    /// The executable could not be run as the helper.
    #[error("cannot run {path:?} as the helper that starts containers")]
    Execute { path: PathBuf, source: io::Error },
    /// The ids could not be mapped.
    #[error("cannot map user and group ids into a user namespace: writing {path}")]
    Map {
        /// The file in `/proc`.
        path: String,
        source: io::Error,
    },
    /// The kernel refused one of the steps.
    #[error("the kernel refused to {0}")]
    Step(StepFailed),
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A memory file could not be created.
    #[error("cannot hand a container's plan to the helper")]
    MemoryFile(#[source] io::Error),
}

impl SpawnerError {
    /// Returns the error number of the underlying error, if there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            SpawnerError::Step(failed) => Some(Errno::from_raw(failed.errno)),
            SpawnerError::Message(MessageError::Socket(errno)) => Some(*errno),
            SpawnerError::Execute { source, .. }
            | SpawnerError::Map { source, .. }
            | SpawnerError::MemoryFile(source) => source.raw_os_error().map(Errno::from_raw),
            SpawnerError::Message(MessageError::Closed | MessageError::Form(_)) => None,
        }
    }
}

impl From<Errno> for SpawnerError {
    fn from(errno: Errno) -> Self {
        SpawnerError::Message(errno.into())
    }
}

/// The main program's end of its spawner.
pub struct Spawner {
    executable: PathBuf,
    filtered: SpawnerProcess,
    /// The spawner for containers with full privileges, which most runs don't have.
    unfiltered: OnceLock<SpawnerProcess>,
}

impl Spawner {
    /// Starts a spawner. The `main` of `executable` must begin with [`run_if_helper`].
    pub fn launch(executable: &Path) -> Result<Spawner, SpawnerError> {
        Ok(Spawner {
            executable: executable.to_owned(),
            filtered: SpawnerProcess::launch(executable, SystemCalls::Filtered)?,
            unfiltered: OnceLock::new(),
        })
    }

    /// Returns the executable of the helpers.
    pub fn executable(&self) -> &Path {
        &self.executable
    }

    /// Starts a container init, and returns the socket to it. Its first message says whether the
    /// container could be created; closing the socket ends it.
    pub fn start_container(&self, plan: &ContainerPlan) -> Result<OwnedFd, SpawnerError> {
        match (plan.privileges, self.unfiltered.get()) {
            (PrivilegeLevel::Ordinary, _) => self.filtered.start_container(plan),
            (PrivilegeLevel::Full, Some(helper)) => helper.start_container(plan),
            (PrivilegeLevel::Full, None) => {
                let helper = SpawnerProcess::launch(&self.executable, SystemCalls::All)?;
                // Two threads may start their first such container at the same time.
                if let Err(superfluous) = self.unfiltered.set(helper) {
                    superfluous.close();
                }
                self.start_container(plan)
            }
        }
    }

    /// Ends the spawner and every container. Returns when all their processes have ended.
    pub fn close(self) {
        self.filtered.close();
        if let Some(helper) = self.unfiltered.into_inner() {
            helper.close();
        }
    }
}

/// One spawner process, and its parent, the helper process.
struct SpawnerProcess {
    process: Child,
    control: OwnedFd,
}

impl SpawnerProcess {
    fn launch(executable: &Path, calls: SystemCalls) -> Result<SpawnerProcess, SpawnerError> {
        let (control, theirs) = pair()?;
        let process = Command::new(executable)
            .arg0(HELPER_NAME)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| SpawnerError::Execute {
                path: executable.to_owned(),
                source,
            })?;
        let helper = SpawnerProcess { process, control };
        match helper.set_up(calls) {
            Ok(()) => Ok(helper),
            Err(error) => {
                // Without waiting, the child would remain as a zombie.
                helper.close();
                Err(error)
            }
        }
    }

    /// Exchanges messages until the spawner is ready.
    fn set_up(&self, calls: SystemCalls) -> Result<(), SpawnerError> {
        self.expect_reply()?;
        let mapping = map_ids(Pid::from_raw(self.process.id() as i32))?;
        let mapped = SpawnerRequest::Mapped(mapping, calls);
        message::send(self.control.as_fd(), &mapped, &[])?;
        self.expect_reply()
    }

    fn expect_reply(&self) -> Result<(), SpawnerError> {
        match message::receive(self.control.as_fd())?.0 {
            SpawnerReply::Unshared | SpawnerReply::Ready => Ok(()),
            SpawnerReply::Failed(failed) => Err(SpawnerError::Step(failed)),
        }
    }

    fn start_container(&self, plan: &ContainerPlan) -> Result<OwnedFd, SpawnerError> {
        let (ours, theirs) = pair()?;
        let plan = memory_file(&message::encode(plan)?).map_err(SpawnerError::MemoryFile)?;
        let descriptors = [theirs.as_fd(), plan.as_fd()];
        message::send(
            self.control.as_fd(),
            &SpawnerRequest::StartContainer,
            &descriptors,
        )?;
        Ok(ours)
    }

    fn close(self) {
        let SpawnerProcess {
            mut process,
            control,
        } = self;
        drop(control);
        let _ = process.wait();
    }
}

/// Maps the ids of the helper's user namespace: all that are permitted if this process is
/// privileged, else only its own.
fn map_ids(helper: Pid) -> Result<IdMapping, SpawnerError> {
    let path = |file: &str| format!("/proc/{helper}/{file}");
    let write = |file: &str, text: &str| {
        fs::write(path(file), text).map_err(|source| SpawnerError::Map {
            path: path(file),
            source,
        })
    };
    if geteuid().is_root()
        && let (Ok(users), Ok(groups)) = (identity("uid_map"), identity("gid_map"))
        // Root without CAP_SETUID in its own namespace is refused this. The map is then still
        // unset, and can be written below.
        && write("uid_map", &users).is_ok()
    {
        write("gid_map", &groups)?;
        return Ok(IdMapping::All);
    }
    let (user, group) = (geteuid(), getegid());
    // An unprivileged process may map a group only after this (user_namespaces(7)).
    write("setgroups", "deny")?;
    write("uid_map", &format!("{user} {user} 1"))?;
    write("gid_map", &format!("{group} {group} 1"))?;
    Ok(IdMapping::Invoker)
}

/// Returns a map of every id of the calling process to itself.
fn identity(file: &str) -> io::Result<String> {
    let mut map = String::new();
    for line in fs::read_to_string(format!("/proc/self/{file}"))?.lines() {
        let mut columns = line.split_ascii_whitespace();
        // The ids on the outside do not matter: the parent of the new namespace is this one, with
        // the ids inside.
        if let (Some(inside), Some(count)) = (columns.next(), columns.nth(1)) {
            map.push_str(&format!("{inside} {inside} {count}\n"));
        }
    }
    Ok(map)
}

/// Serves as a helper if this process is one, and returns its exit code. Must be called before
/// anything else in `main`.
pub fn run_if_helper() -> Option<i32> {
    let name = std::env::args_os().next()?;
    (name == OsStr::new(HELPER_NAME)).then(help)
}

fn help() -> i32 {
    // Standard input is the socket to the main program.
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned() else {
        return 1;
    };
    // Standard output is `/dev/null`. Descriptor 0 must stay taken: `child` relies on no stream of
    // a job having a number below 3.
    let _ = nix::unistd::dup2_stdin(io::stdout());
    // Jobs must not inherit descriptors or ignored signals from the caller of the main program.
    close_all_but(&control);
    reset_signals();
    match start_spawner(&control) {
        Ok(HelperRole::Helper(spawner)) => {
            drop(control);
            let _ = nix::sys::wait::waitpid(spawner, None);
            0
        }
        Ok(HelperRole::Spawner(mapping, calls)) => spawn(control, mapping, calls),
        Err(failed) => {
            let _ = message::send(control.as_fd(), &SpawnerReply::Failed(failed), &[]);
            1
        }
    }
}

/// The role of the process after the helper has forked.
enum HelperRole {
    Helper(Pid),
    Spawner(IdMapping, SystemCalls),
}

fn start_spawner(control: &OwnedFd) -> Result<HelperRole, StepFailed> {
    let at = |step: &'static str| move |errno| StepFailed::new(step, errno);
    // Ctrl-C in the main program's terminal must not reach the helpers: the main program ends its
    // jobs itself.
    setsid().map_err(at("start a session"))?;
    // Created before the other namespaces: it owns them, and it gives an ordinary user the
    // capability to create them.
    unshare(CloneFlags::CLONE_NEWUSER).map_err(at("create a user namespace"))?;
    let lost = |_| StepFailed::new("talk to the program", Errno::EPIPE);
    message::send(control.as_fd(), &SpawnerReply::Unshared, &[]).map_err(lost)?;
    let (mapping, calls) = match message::receive(control.as_fd()).map_err(lost)?.0 {
        SpawnerRequest::Mapped(mapping, calls) => (mapping, calls),
        SpawnerRequest::StartContainer => {
            return Err(StepFailed::new("talk to the program", Errno::EPROTO));
        }
    };
    let child = fork_into(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS)
        .map_err(at("create a PID and a mount namespace"))?;
    if let Some(child) = child {
        return Ok(HelperRole::Helper(child));
    }
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(at("take the mounts out of the host's propagation"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .map_err(at("mount proc on /proc"))?;
    match calls {
        SystemCalls::Filtered => {
            // Owned by a user namespace that no job is in, and the last of its kind, so no job can
            // mount a control group tree.
            match unshare(CloneFlags::CLONE_NEWCGROUP) {
                // ENOSPC: this program itself runs in a container of this kind, whose own namespace
                // suffices.
                Ok(()) | Err(Errno::ENOSPC) => {}
                Err(errno) => return Err(at("create a cgroup namespace")(errno)),
            }
            forbid_control_groups().map_err(at("forbid further cgroup namespaces"))?;
            seccomp::install(&filter()).map_err(at("install the system call filter"))?;
        }
        SystemCalls::All => {}
    }
    message::send(control.as_fd(), &SpawnerReply::Ready, &[]).map_err(lost)?;
    Ok(HelperRole::Spawner(mapping, calls))
}

/// Runs the spawner's loop, and returns its exit code.
fn spawn(control: OwnedFd, mapping: IdMapping, calls: SystemCalls) -> i32 {
    let _ = nix::sys::prctl::set_name(c"mael-spawner");
    // The exit status of a container init is not needed: its socket closes, which the main program
    // notices.
    reap_children_automatically();
    // All container inits inherit these contents, which are read before the first job. A container
    // init that read them itself could see a file that another container's job has just changed.
    let kernel_files = KernelFiles::read();
    loop {
        let descriptors = match message::receive(control.as_fd()) {
            Ok((SpawnerRequest::StartContainer, descriptors)) => descriptors,
            Ok((SpawnerRequest::Mapped(..), _)) | Err(_) => return 0,
        };
        let mut descriptors = descriptors.into_iter();
        let (Some(socket), Some(plan)) = (descriptors.next(), descriptors.next()) else {
            // This process had no room for the descriptors. The main program notices, because the
            // container init's socket closes.
            continue;
        };
        let Some(plan) = read_memory_file(plan)
            .ok()
            .and_then(|plan| postcard::from_bytes(&plan).ok())
        else {
            return 1;
        };
        match start_container(&plan, mapping, calls) {
            Ok(Some(())) => {}
            Ok(None) => {
                drop(control);
                return serve(socket, plan, kernel_files);
            }
            Err(failed) => {
                let reply = message::ContainerReply::NotBuilt(failed);
                let _ = message::send(socket.as_fd(), &reply, &[]);
            }
        }
    }
}

/// Forks a container init. Returns `None` in the container init, once its ids are mapped.
fn start_container(
    plan: &ContainerPlan,
    mapping: IdMapping,
    calls: SystemCalls,
) -> Result<Option<()>, StepFailed> {
    let at = |step: &'static str| move |errno| StepFailed::new(step, errno);
    // The container init waits at this pipe until its ids are mapped: before that, the kernel does
    // not let it create files.
    let (go, ready) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(at("make a pipe"))?;
    let network = match plan.network {
        NetworkMode::Local => CloneFlags::empty(),
        NetworkMode::Disabled | NetworkMode::Loopback => CloneFlags::CLONE_NEWNET,
    };
    let control_groups = match calls {
        // The spawner has already created its own, and has forbidden further ones.
        SystemCalls::Filtered => CloneFlags::empty(),
        SystemCalls::All => CloneFlags::CLONE_NEWCGROUP,
    };
    let flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | control_groups
        | network;
    match fork_into(flags).map_err(at("create a container's namespaces"))? {
        Some(slot) => {
            drop(go);
            map_container_ids(slot, plan, mapping)
                .map_err(|errno| StepFailed::new("map a container's user and group", errno))?;
            nix::unistd::write(&ready, b"g").map_err(at("tell a slot to go on"))?;
            Ok(Some(()))
        }
        None => {
            drop(ready);
            let _ = nix::sys::prctl::set_name(c"mael-init");
            reset_signals();
            // Without the byte, the spawner has failed and reports that itself.
            match nix::unistd::read(&go, &mut [0]) {
                Ok(1) => Ok(None),
                Ok(_) | Err(_) => std::process::exit(1),
            }
        }
    }
}

fn map_container_ids(slot: Pid, plan: &ContainerPlan, mapping: IdMapping) -> nix::Result<()> {
    let write = |file: &str, text: &str| {
        fs::write(format!("/proc/{slot}/{file}"), text)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    };
    let (user, group) = (geteuid(), getegid());
    let own = plan.user == user.as_raw() && plan.group == group.as_raw();
    match mapping {
        // Under the invoker's own ids all files keep their owners. Any other id is a new name for
        // the invoker's, and only that one is mapped.
        IdMapping::All if own => {
            let map = |file| identity(file).map_err(|_| Errno::EIO);
            write("uid_map", &map("uid_map")?)?;
            write("gid_map", &map("gid_map")?)
        }
        IdMapping::All | IdMapping::Invoker => {
            write("setgroups", "deny")?;
            write("uid_map", &format!("{} {user} 1", plan.user))?;
            write("gid_map", &format!("{} {group} 1", plan.group))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a child of this process has this name, running or not.
    fn has_child(name: &str) -> bool {
        let processes = fs::read_dir("/proc").unwrap();
        let mut stats = processes.filter_map(|process| {
            let stat = process.ok()?.path().join("stat");
            fs::read_to_string(stat).ok()
        });
        // The process id, the name in brackets, the state, the parent's process id.
        let own = format!(" {} ", std::process::id());
        stats.any(|stat| {
            let named = stat.split_once(&format!("({name}) "));
            named.is_some_and(|(_, rest)| rest.get(1..).is_some_and(|it| it.starts_with(&own)))
        })
    }

    #[test]
    fn a_helper_that_fails_leaves_no_zombie() {
        let directory = tempfile::tempdir().unwrap();
        let executable = directory.path().join("no-spawner");
        std::os::unix::fs::symlink("/bin/false", &executable).unwrap();
        assert!(Spawner::launch(&executable).is_err());
        assert!(!has_child("no-spawner"));
    }
}
