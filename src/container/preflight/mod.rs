//! Checks before a run whether this machine allows containers, and how to allow them if it does
//! not.
//!
//! The check starts a spawner and a container with every kind of mount. Only if that fails are the
//! machine's settings read, to turn the failure into advice; [`advise`] is pure.

pub use super::kernel::kernel_version;

use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::exhausted::ExhaustedResource;
use super::init::build::StepFailed;
use super::message::{self, ContainerReply};
use super::mountinfo::{self, HostMount};
use super::plan::plan;
use super::spawner::{Spawner, SpawnerError};
use super::spec::{
    ContainerSpec, Mount, MountKind, NetworkMode, PrivilegeLevel, RootKind, SkeletonEntry,
    SkeletonKind,
};

/// This machine does not allow containers.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PreflightError {
    /// What is forbidden, and by which setting.
    pub message: String,
    /// The command or setting that allows it.
    pub help: String,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The facts about this machine that determine whether it allows containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreflightFacts {
    /// The major and minor version of the kernel.
    pub kernel: (u32, u32),
    pub user_namespaces_max: Option<u64>,
    /// The value of `kernel.unprivileged_userns_clone`, in kernels with Debian's patch.
    pub unprivileged_clone: Option<u64>,
    /// The value of `kernel.apparmor_restrict_unprivileged_userns`, in kernels with Ubuntu's patch.
    pub apparmor_restricts: Option<u64>,
    /// Whether this process runs as root.
    pub root: bool,
    /// Whether a seccomp filter applies to this process.
    pub seccomp: bool,
    /// The container engine in which this process runs, if any.
    pub engine: Option<ContainerEngine>,
    /// Whether something is mounted over parts of `/proc`, as engines do to hide them.
    pub proc_masked: bool,
    /// The path of the executable, for an AppArmor profile.
    pub executable: PathBuf,
}

/// A container engine or sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerEngine {
    Docker,
    Podman,
    /// Bubblewrap, which many sandboxes use, even within an engine's container.
    Bubblewrap,
    /// Another engine, such as that of Kubernetes.
    Other,
}

impl fmt::Display for ContainerEngine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            ContainerEngine::Docker => "Docker",
            ContainerEngine::Podman => "Podman",
            ContainerEngine::Bubblewrap => "a sandbox of bubblewrap",
            ContainerEngine::Other => "a container engine",
        })
    }
}

/// The oldest supported kernel. Containers require overlayfs in user namespaces (5.11) and
/// `mount_setattr` (5.12).
const KERNEL_OLDEST: (u32, u32) = (5, 12);

/// Starts a spawner and checks that it can create containers.
pub fn spawner(executable: &Path) -> Result<Spawner, PreflightError> {
    let forbidden = |source: SpawnerError| explain(executable, source.errno(), Box::new(source));
    let spawner = Spawner::launch(executable).map_err(forbidden)?;
    probe(&spawner).map_err(forbidden)?;
    Ok(spawner)
}

/// Checks that `/dev/null` exists, which jobs without input read from.
pub fn check_null_device() -> Result<(), PreflightError> {
    File::open("/dev/null")
        .map(drop)
        .map_err(|source| PreflightError {
            message: "cannot open /dev/null".to_owned(),
            help: "a Linux system needs one: mknod -m 666 /dev/null c 1 3".to_owned(),
            source: Box::new(source),
        })
}

/// Creates one container and ends it.
fn probe(spawner: &Spawner) -> Result<(), SpawnerError> {
    let plan = plan(&probe_spec())
        .map_err(|_| SpawnerError::Step(StepFailed::new("plan a container", Errno::EINVAL)))?;
    let socket = spawner.start_container(&plan)?;
    match message::receive(socket.as_fd())?.0 {
        ContainerReply::NotBuilt(failed) => Err(SpawnerError::Step(failed)),
        ContainerReply::Ready
        | ContainerReply::Kept
        | ContainerReply::NotKept(_)
        | ContainerReply::NotStarted(_)
        | ContainerReply::ServiceFailed { .. }
        | ContainerReply::Threads(_)
        | ContainerReply::Ended { .. } => Ok(()),
    }
}

/// Directories to use as the source of an overlay in the check. The kernel refuses an overlay of a
/// directory with a mount below it, which says nothing about this machine.
const OVERLAY_CANDIDATES: [&str; 9] = [
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/etc",
    "/var",
    "/home",
    "/opt",
    "/srv",
];

/// Returns the first candidate with no mount below it.
fn overlay_candidate(mounts: &[HostMount]) -> &'static str {
    let fits = |candidate: &&&str| {
        let path = Path::new(candidate);
        path.is_dir() && mountinfo::all_below(mounts, path).is_empty()
    };
    let mut candidates = OVERLAY_CANDIDATES.iter();
    candidates.find(fits).copied().unwrap_or("/usr")
}

fn probe_spec() -> ContainerSpec {
    let points = ["/proc", "/tmp", "/usr", "/dev/pts", "/dev/mqueue"];
    let entry = |path: &&str| SkeletonEntry {
        path: path.into(),
        kind: SkeletonKind::Directory,
    };
    let mount = |point: &str, kind| Mount {
        mount_point: point.into(),
        kind,
    };
    ContainerSpec {
        root: RootKind::Skeleton(points.iter().map(entry).collect()),
        mounts: vec![
            mount("/proc", MountKind::Proc),
            mount("/dev/pts", MountKind::DevPts),
            mount("/dev/mqueue", MountKind::MessageQueue),
            mount("/tmp", MountKind::Scratch { mode: 0o1777 }),
            mount(
                "/usr",
                MountKind::Overlay {
                    source: overlay_candidate(&mountinfo::of_this_host()).into(),
                },
            ),
        ],
        network: NetworkMode::Loopback,
        hostname: "probe".to_owned(),
        user: nix::unistd::geteuid().as_raw(),
        group: nix::unistd::getegid().as_raw(),
        privileges: PrivilegeLevel::Ordinary,
        services: Vec::new(),
        devices: Vec::new(),
    }
}

fn explain(
    executable: &Path,
    errno: Option<Errno>,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> PreflightError {
    let (message, help) = advise(&PreflightFacts::gather(executable), errno);
    PreflightError {
        message,
        help,
        source,
    }
}

/// Returns what is wrong and how to fix it.
pub fn advise(facts: &PreflightFacts, errno: Option<Errno>) -> (String, String) {
    let (major, minor) = facts.kernel;
    let (oldest_major, oldest_minor) = KERNEL_OLDEST;
    if facts.kernel < KERNEL_OLDEST {
        return (
            format!(
                "containers need Linux {oldest_major}.{oldest_minor} or later, and this is Linux \
                 {major}.{minor}"
            ),
            "Boot a newer kernel.".to_owned(),
        );
    }
    // Before the error number: with a limit of 0 the kernel returns ENOSPC, as if all namespaces
    // were in use.
    if facts.user_namespaces_max == Some(0) {
        return (
            "this machine allows no user namespaces (user.max_user_namespaces is 0)".to_owned(),
            "Allow them: sudo sysctl -w user.max_user_namespaces=15000".to_owned(),
        );
    }
    if facts.unprivileged_clone == Some(0) && !facts.root {
        return (
            "this machine allows user namespaces to root only \
             (kernel.unprivileged_userns_clone is 0)"
                .to_owned(),
            "Allow them: sudo sysctl -w kernel.unprivileged_userns_clone=1".to_owned(),
        );
    }
    // If a resource is exhausted, that is the cause, even if something else also forbids
    // containers.
    if let Some(exhausted) = errno.and_then(ExhaustedResource::of) {
        return (exhausted.message().to_owned(), exhausted.help().to_owned());
    }
    if let Some(engine) = facts.engine {
        return in_engine(engine, facts);
    }
    if facts.apparmor_restricts.is_some_and(|value| value != 0) && !facts.root {
        let program = facts.executable.display();
        return (
            "AppArmor keeps programs without a profile from using user namespaces \
             (kernel.apparmor_restrict_unprivileged_userns is 1)"
                .to_owned(),
            format!(
                "Give this program a profile:\n  printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\n\
                 profile maelstrom {program} flags=(unconfined) {{\\n  userns,\\n}}\\n' | \
                 sudo tee /etc/apparmor.d/maelstrom && sudo apparmor_parser -r \
                 /etc/apparmor.d/maelstrom\nor lift the restriction: sudo sysctl -w \
                 kernel.apparmor_restrict_unprivileged_userns=0"
            ),
        );
    }
    match errno {
        Some(Errno::EPERM | Errno::EACCES | Errno::ENOSYS) if facts.seccomp => (
            "a seccomp filter keeps this process from making containers".to_owned(),
            "Start it without the filter, or with one that allows unshare, clone, mount, openat2, \
             pivot_root, seccomp and setns.\nA service of systemd gets one by DynamicUser=yes (User= gives it a \
             user without), by RestrictNamespaces=, RestrictSUIDSGID= and SystemCallFilter=."
                .to_owned(),
        ),
        Some(Errno::EPERM | Errno::EACCES) if facts.proc_masked => (
            "parts of /proc are hidden, so that the kernel allows no container a /proc of its own"
                .to_owned(),
            "Unmount what is mounted below /proc, or run outside of the sandbox that hides it."
                .to_owned(),
        ),
        Some(_) | None => (
            "this machine does not allow containers".to_owned(),
            "The cause below names the step that was refused.".to_owned(),
        ),
    }
}

fn in_engine(engine: ContainerEngine, facts: &PreflightFacts) -> (String, String) {
    let what = if facts.seccomp {
        format!("this process runs in {engine}, whose seccomp profile forbids containers in it")
    } else {
        format!("this process runs in {engine}, which forbids containers in it")
    };
    let cure = match engine {
        ContainerEngine::Docker => {
            "Start it with: docker run --security-opt seccomp=unconfined --security-opt \
             apparmor=unconfined --security-opt systempaths=unconfined ...\n(or, with less care: \
             docker run --privileged ...)"
        }
        ContainerEngine::Podman => {
            "Start it with: podman run --security-opt seccomp=unconfined --security-opt \
             unmask=ALL ..."
        }
        // As root, `--proc` covers directories of the new /proc, which masks it as far as the kernel
        // is concerned.
        ContainerEngine::Bubblewrap if facts.proc_masked => {
            "Start it outside of the sandbox, or start the sandbox with the machine's own /proc: \
             `bwrap --bind /proc /proc` in place of --proc and --unshare-pid (as an ordinary user, \
             --proc works as well)."
        }
        ContainerEngine::Bubblewrap => {
            "Start it outside of the sandbox, or start the sandbox without --disable-userns and \
             without a seccomp filter (bwrap --seccomp)."
        }
        ContainerEngine::Other => {
            "Start its container with seccompProfile: {type: Unconfined} and procMount: Unmasked \
             in the securityContext (or privileged: true)."
        }
    };
    (what, cure.to_owned())
}

impl PreflightFacts {
    /// Reads the facts from this machine.
    pub fn gather(executable: &Path) -> PreflightFacts {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        PreflightFacts {
            kernel: kernel_version(),
            user_namespaces_max: number("/proc/sys/user/max_user_namespaces"),
            unprivileged_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            root: nix::unistd::geteuid().is_root(),
            seccomp: has_seccomp_filter(&status),
            engine: engine(&EngineMarkers {
                exists: &|path| path.exists(),
                variable: container_variable().as_deref(),
                mounts: &mounts,
                ancestors: &ancestors(),
            }),
            proc_masked: has_masked_proc(&mounts),
            executable: fs::canonicalize(executable)
                .unwrap_or_else(|_: io::Error| executable.to_owned()),
        }
    }
}

/// Returns whether `status` contains `Seccomp: 2`, which means a filter (proc_pid_status(5)).
fn has_seccomp_filter(status: &str) -> bool {
    let field = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    field.is_some_and(|value| value.trim() == "2")
}

/// Returns whether something is mounted below `/proc`. The fifth field of a line is the mount point
/// (proc_pid_mountinfo(5)).
fn has_masked_proc(mountinfo: &str) -> bool {
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        // Every desktop has an automount there, on an otherwise empty directory.
        .any(|point| point.starts_with("/proc/") && point != "/proc/sys/fs/binfmt_misc")
}

/// The signs that show in which environment a process runs.
struct EngineMarkers<'a> {
    exists: &'a dyn Fn(&Path) -> bool,
    /// The environment variable `container`, which engines set.
    variable: Option<&'a str>,
    mounts: &'a str,
    /// The names of this process's ancestors.
    ancestors: &'a [String],
}

fn engine(signs: &EngineMarkers<'_>) -> Option<ContainerEngine> {
    let exists = |path: &str| (signs.exists)(Path::new(path));
    // Checked first, because a sandbox shows the files of its environment.
    if signs.ancestors.iter().any(|name| name == "bwrap") {
        Some(ContainerEngine::Bubblewrap)
    } else if exists("/.dockerenv") && has_mount(signs.mounts, "/etc/hosts") {
        // The file alone also exists in disk images that were made from a container.
        Some(ContainerEngine::Docker)
    } else if exists("/run/.containerenv") || signs.variable == Some("podman") {
        Some(ContainerEngine::Podman)
    } else if exists("/run/secrets/kubernetes.io")
        || signs.variable.is_some_and(|name| !name.is_empty())
    {
        Some(ContainerEngine::Other)
    } else {
        None
    }
}

fn has_mount(mountinfo: &str, mount_point: &str) -> bool {
    let mut points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    points.any(|point| point == mount_point)
}

/// Returns the variable `container` of this process, or of the first process in its PID namespace.
fn container_variable() -> Option<String> {
    std::env::var("container").ok().or_else(|| {
        let environment = fs::read("/proc/1/environ").ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let value = variables.find_map(|variable| variable.strip_prefix(b"container="))?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// Returns the names of this process's ancestors, nearest first.
fn ancestors() -> Vec<String> {
    // Shells and sandboxes are never nested more deeply.
    const ANCESTORS_MAX: usize = 64;
    let mut names = Vec::new();
    let mut process = "self".to_owned();
    while names.len() < ANCESTORS_MAX {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let Some((name, parent)) = name_and_parent(&stat) else {
            break;
        };
        names.push(name.to_owned());
        process = parent.to_owned();
    }
    names
}

/// Parses `12 (name) S 3 ...` into the name and the parent's ID. The name may contain any character
/// (proc_pid_stat(5)).
fn name_and_parent(stat: &str) -> Option<(&str, &str)> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(") ")?;
    Some((name, rest.split(' ').nth(1)?))
}

#[cfg(test)]
mod tests;
