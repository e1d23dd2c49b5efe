//! Executes the [`ContainerStep`]s of a plan in the calling process, the first process of new
//! namespaces.
//!
//! The plan determines the order of the steps; each step is a short sequence of system calls.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, fstat, stat};
use nix::sys::statfs::{FsType, statfs};
use nix::unistd::{AccessFlags, access, chdir, fchdir, pivot_root, sethostname, symlinkat};
use serde::{Deserialize, Serialize};

use super::super::limits::ContainerLimits;
use super::super::spec::{BindAccess, WhenForbidden};
use super::super::step::{ContainerStep, FileSystem, OverlayFallback, RootWrites};
use super::super::sys::mount::{
    MountRecursion, attach, clone_tree, make_read_only, open_by_name, open_in_root,
};
use super::super::sys::network::bring_loopback_up;
use super::files::{is_directory, make_directory, make_mount_point, make_points, write_file};
use super::level;

/// A step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{step}: {errno_text}")]
pub struct StepFailed {
    /// The step, as formatted by its `Display`.
    pub step: String,
    pub errno: i32,
    pub errno_text: String,
}

impl StepFailed {
    /// Creates an error from an operation on files.
    pub fn of_io(step: impl ToString, error: &std::io::Error) -> StepFailed {
        StepFailed::new(
            step,
            Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
        )
    }

    /// Creates an error from a failed system call.
    pub fn new(step: impl ToString, errno: Errno) -> StepFailed {
        StepFailed {
            step: step.to_string(),
            errno: errno as i32,
            errno_text: format!("{} ({errno:?})", errno.desc()),
        }
    }
}

/// The explanation of an `EINVAL` of `mount(2)`.
const NO_OVERLAY: &str = "the kernel makes no overlay of this file system, nor of an overlay of \
                          an overlay: keep the directory on another one";

impl StepFailed {
    /// Replaces the error text by an explanation, if there is one for this step.
    fn with_cause(mut self, step: &ContainerStep) -> StepFailed {
        if matches!(step, ContainerStep::MountOverlay { .. }) && self.errno == Errno::EINVAL as i32
        {
            self.errno_text = format!("{NO_OVERLAY} (EINVAL)");
        }
        self
    }
}

/// The directory where the host's root is mounted while the new root is entered. Any directory
/// works, because nothing is looked up below it meanwhile; this one exists everywhere.
const STAGE: &CStr = c"/tmp";

/// An empty file in the stash that is mounted over files to hide them.
const HIDDEN: &CStr = c"hidden";

/// Executes lists of steps.
#[derive(Default)]
pub struct StepExecutor {
    host: Option<OwnedFd>,
    /// The descriptor used to set up the network. It counts as one of the namespace's sockets.
    pub network_control: Option<OwnedFd>,
    limits: ContainerLimits,
    /// The number of file systems that share [`ContainerLimits::scratch_bytes`].
    parts: u64,
}

impl StepExecutor {
    /// Creates an executor for a container with these limits and `parts` file systems that share
    /// them.
    pub fn limited(limits: ContainerLimits, parts: u64) -> StepExecutor {
        StepExecutor {
            limits,
            parts,
            ..StepExecutor::default()
        }
    }

    /// Executes steps up to the first that fails.
    pub fn run(&mut self, steps: &[ContainerStep]) -> Result<(), StepFailed> {
        steps.iter().try_for_each(|step| {
            self.step(step)
                .map_err(|errno| StepFailed::new(step, errno).with_cause(step))
        })
    }

    fn step(&mut self, step: &ContainerStep) -> nix::Result<()> {
        if let Some(place) = step.place() {
            stay_inside(place)?;
        }
        match step {
            ContainerStep::Privatize => {
                let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
                mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
            }
            ContainerStep::EnterEmptyRoot => self.enter_root(Vec::new(), &[], RootWrites::Tmpfs),
            ContainerStep::EnterLayers {
                trees,
                points,
                writes,
            } => {
                let host = open_directory(c"/")?;
                let trees = trees
                    .iter()
                    .map(|tree| {
                        let tree = open_in_root(host.as_fd(), tree)?;
                        clone_tree(tree.as_fd(), MountRecursion::One)
                    })
                    .collect::<Result<_, _>>()?;
                self.enter_root(trees, points, *writes)
            }
            ContainerStep::SealRoot => {
                make_read_only(open_directory(c"/")?.as_fd(), MountRecursion::One)
            }
            ContainerStep::LeaveHost => self.leave_host(),
            ContainerStep::SetHostName { name } => sethostname(name.to_string_lossy().as_ref()),
            ContainerStep::BringLoopbackUp => {
                self.network_control = Some(bring_loopback_up()?);
                Ok(())
            }
            ContainerStep::MakeDirectory { path, mode } => make_directory(path, *mode),
            ContainerStep::MakeMountPoint { path, of } => {
                make_mount_point(path, stat(of.as_c_str())?.st_mode)
            }
            ContainerStep::WriteFile { path, content } => write_file(path, content),
            ContainerStep::MakeSymlink { path, target } => {
                symlinkat(target.as_c_str(), nix::fcntl::AT_FDCWD, path.as_c_str())
            }
            ContainerStep::BindHost {
                source,
                target,
                access,
            } => attach(self.copy_of_host(source, *access)?.as_fd(), target),
            ContainerStep::StashHost {
                source,
                name,
                access,
            } => {
                let tree = self.copy_of_host(source, *access)?;
                make_mount_point(name, fstat(&tree)?.st_mode)?;
                attach(tree.as_fd(), name)
            }
            ContainerStep::StashLevel {
                source,
                name,
                directories,
                copies,
                points,
            } => {
                let host = self.host.as_ref().ok_or(Errno::EBADF)?;
                let source = open_in_root(host.as_fd(), source)?;
                level::make(source.as_fd(), name, [directories, copies, points])
                    .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
            }
            ContainerStep::BindStash { source, target } => bind(source, target),
            ContainerStep::Mount {
                file_system,
                target,
                when_forbidden,
            } => match (self.mount_new(*file_system, target), when_forbidden) {
                (Err(Errno::EPERM | Errno::EACCES), WhenForbidden::LeaveEmpty) => Ok(()),
                (result, _) => result,
            },
            ContainerStep::GuardProc { target } => guard_proc(target),
            ContainerStep::MountOverlay {
                lower,
                upper,
                work,
                target,
                otherwise,
                ..
            } => {
                let names = lower_option(&[lower.as_c_str()]);
                match (
                    mount_overlay(&names, Some((upper, work)), target),
                    otherwise,
                ) {
                    (Err(Errno::EINVAL), OverlayFallback::ReadOnly) => bind(lower, target),
                    (result, _) => result,
                }
            }
            ContainerStep::Mask { target } => self.mask(target),
            ContainerStep::EnterStash { path } => chdir(path.as_c_str()),
        }
    }

    /// Replaces a sysfs of another network namespace by one of the current namespace. Does nothing
    /// if the kernel forbids such mounts and there is none.
    pub fn mount_sys_again(&self, target: &CStr) -> nix::Result<()> {
        // An unprivileged user may mount a sysfs only while another one is mounted, so the old one
        // must still exist.
        match self.mount_new(FileSystem::Sys, target) {
            Err(Errno::EPERM | Errno::EACCES)
                if statfs(target)?.filesystem_type() != SYSFS_MAGIC =>
            {
                return Ok(());
            }
            other => other?,
        }
        let new = clone_tree(open_directory(target)?.as_fd(), MountRecursion::One)?;
        // Unmounts the new mount, of which `new` is a copy, and then the old one below it.
        umount2(target, MntFlags::MNT_DETACH)?;
        umount2(target, MntFlags::MNT_DETACH)?;
        attach(new.as_fd(), target)
    }

    /// Creates a new root from these detached trees, lowest first, with empty files below them at
    /// these points, or an empty one, and enters it.
    fn enter_root(
        &mut self,
        trees: Vec<OwnedFd>,
        points: &[CString],
        writes: RootWrites,
    ) -> nix::Result<()> {
        let host = open_directory(c"/")?;
        let tmpfs = Some(c"tmpfs");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | UNTOLD_READING;
        let options = format!("mode=755{}", self.limits.tmpfs_options(self.parts));
        let options = Some(options.as_str());
        mount(tmpfs, STAGE, tmpfs, flags, options)?;
        chdir(STAGE)?;
        for directory in [c"root", c"trees", c"upper", c"work"] {
            make_directory(directory, 0o755)?;
        }
        let mut names = Vec::with_capacity(trees.len() + 1);
        if !points.is_empty() {
            make_points(c"points", points)?;
            names.push(c"points".to_owned());
        }
        for (index, tree) in trees.iter().enumerate() {
            let name = CString::new(format!("trees/{index}")).map_err(|_| Errno::EINVAL)?;
            make_directory(&name, 0o755)?;
            make_read_only(tree.as_fd(), MountRecursion::One)?;
            attach(tree.as_fd(), &name)?;
            names.push(name);
        }
        // The kernel uses the reverse order: the first directory is the uppermost.
        let lower: Vec<&CStr> = names.iter().rev().map(CString::as_c_str).collect();
        match (lower.as_slice(), writes) {
            ([], _) => mount(tmpfs, c"root", tmpfs, flags, options)?,
            // The kernel refuses an overlay of a single lower directory without an upper one.
            ([only], RootWrites::Refused) => {
                mount(Some(*only), c"root", NONE, MsFlags::MS_BIND, NONE)?;
            }
            (several, RootWrites::Refused) => mount_overlay(&lower_option(several), None, c"root")?,
            (all, RootWrites::Tmpfs) => {
                mount_overlay(&lower_option(all), Some((c"upper", c"work")), c"root")?;
            }
        }
        chdir(c"root")?;
        // Stacks the old root on the new one: `/` now is the new one, and the old one is accessed
        // through its descriptor.
        pivot_root(c".", c".")?;
        fchdir(&host)?;
        // This is the host's `/tmp`, because the working directory is the host's root.
        umount2(c"tmp", MntFlags::MNT_DETACH)?;
        chdir(c"/")?;
        self.host = Some(host);
        Ok(())
    }

    /// Returns a detached copy of the mount tree at a path of the host.
    fn copy_of_host(&self, source: &CStr, access: BindAccess) -> nix::Result<OwnedFd> {
        let host = self.host.as_ref().ok_or(Errno::EBADF)?;
        let source = open_in_root(host.as_fd(), source)?;
        let tree = clone_tree(source.as_fd(), MountRecursion::Tree)?;
        match access {
            BindAccess::ReadOnly => make_read_only(tree.as_fd(), MountRecursion::Tree)?,
            BindAccess::ReadWrite => {}
        }
        Ok(tree)
    }

    fn mount_new(&self, file_system: FileSystem, target: &CStr) -> nix::Result<()> {
        let limit = self.limits.tmpfs_options(self.parts);
        let nosuid_nodev = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let (flags, options) = match file_system {
            FileSystem::DevPts => {
                let limit = self.limits.pseudoterminals;
                let limit = limit.map_or(String::new(), |most| format!(",max={most}"));
                (
                    MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | UNTOLD_READING,
                    Some(format!("newinstance,ptmxmode=0666,mode=0620{limit}")),
                )
            }
            FileSystem::MessageQueue => (nosuid_nodev | MsFlags::MS_NOEXEC | UNTOLD_READING, None),
            // `proc` does not record such times, and must be mounted with the same flags as the
            // host's.
            FileSystem::Proc => (nosuid_nodev | MsFlags::MS_NOEXEC, None),
            FileSystem::Sys => (nosuid_nodev | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY, None),
            FileSystem::Tmp { mode } => (
                nosuid_nodev | UNTOLD_READING,
                Some(format!("mode={mode:o}{limit}")),
            ),
        };
        let name = file_system.type_name();
        mount(Some(name), target, Some(name), flags, options.as_deref())
    }

    /// Hides the file or directory at a path, if it exists.
    fn mask(&self, target: &CStr) -> nix::Result<()> {
        match stat(target) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
            Err(errno) => Err(errno),
            // Includes files that are not regular files.
            Ok(there) if !is_directory(there.st_mode) => {
                if self.host.is_some() {
                    let null = self.copy_of_host(c"/dev/null", BindAccess::ReadOnly)?;
                    return attach(null.as_fd(), target);
                }
                let flags = MsFlags::MS_BIND;
                match mount(Some(c"/dev/null"), target, NONE, flags, NONE) {
                    // In a container without devices, an empty file of the stash is used instead.
                    Err(Errno::ENOENT) => {
                        match write_file(HIDDEN, &[]) {
                            Ok(()) | Err(Errno::EEXIST) => {}
                            Err(errno) => return Err(errno),
                        }
                        mount(Some(HIDDEN), target, NONE, flags, NONE)?;
                        let mounted =
                            open(target, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
                        make_read_only(mounted.as_fd(), MountRecursion::One)
                    }
                    other => other,
                }
            }
            Ok(_) => {
                let name = Some(c"tmpfs");
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_RDONLY;
                mount(name, target, name, flags, Some(c"mode=555,nr_inodes=1"))
            }
        }
    }

    fn leave_host(&mut self) -> nix::Result<()> {
        let host = self.host.take().ok_or(Errno::EBADF)?;
        fchdir(&host)?;
        umount2(c".", MntFlags::MNT_DETACH)?;
        chdir(c"/")
    }
}

/// Refuses a path that leads out of the container. While the host's root is open, the container's
/// own `proc` contains a link to it. A mount behind that link would appear where the host's files
/// are looked up afterwards, so that a container could be given any file.
fn stay_inside(place: &CStr) -> nix::Result<()> {
    match open_by_name(place) {
        // A missing path is created or reported by the step itself.
        Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

const NONE: Option<&CStr> = None;

/// The file system type of sysfs in `statfs(2)`.
const SYSFS_MAGIC: FsType = FsType(0x6265_6572);

fn open_directory(path: &CStr) -> nix::Result<OwnedFd> {
    open(
        path,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
}

fn bind(source: &CStr, target: &CStr) -> nix::Result<()> {
    // Recursive, because a tree in the stash may consist of several mounts.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, NONE, flags, NONE)
}

/// A flag for all file systems that a job may list. Without it, the access time of a directory
/// would reveal to the next job that this one listed it, while nothing else that the audit checks
/// changes.
const UNTOLD_READING: MsFlags = MsFlags::MS_NODIRATIME;

/// Returns the `lowerdir` option for names without characters that are special to overlayfs,
/// uppermost first.
fn lower_option(names: &[&CStr]) -> String {
    let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    format!("lowerdir={}", names.join(":"))
}

fn mount_overlay(lower: &str, upper: Option<(&CStr, &CStr)>, target: &CStr) -> nix::Result<()> {
    // `userxattr` is the only form of metadata that an unprivileged user may write. With it, the
    // kernel cannot record from where a directory was moved, so renaming a directory of the lower
    // layer fails (EXDEV). With `xino=on`, files have the same device number as their directories.
    let options = match upper {
        None => format!("{lower},userxattr,xino=on"),
        Some((upper, work)) => format!(
            "{lower},upperdir={},workdir={},userxattr,xino=on",
            upper.to_string_lossy(),
            work.to_string_lossy()
        ),
    };
    let name = Some(c"overlay");
    mount(
        name,
        target,
        name,
        MsFlags::MS_NODEV | UNTOLD_READING,
        Some(options.as_str()),
    )
}

/// The parts of `proc` that control the machine, as container engines commonly protect them.
pub(super) const GUARDED: [&str; 7] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"];

fn guard_proc(target: &CStr) -> nix::Result<()> {
    let path = |name: &str| {
        CString::new([target.to_bytes(), b"/", name.as_bytes()].concat()).map_err(|_| Errno::EINVAL)
    };
    // Writable for root of the host, and for user 0 of the IPC namespace.
    let may_write = |name: &str| Ok(access(path(name)?.as_c_str(), AccessFlags::W_OK).is_ok());
    if !may_write("sys/kernel/core_pattern")? && !may_write("sys/kernel/shmmax")? {
        return Ok(());
    }
    for name in GUARDED {
        let path = path(name)?;
        match open(
            path.as_c_str(),
            OFlag::O_PATH | OFlag::O_CLOEXEC,
            Mode::empty(),
        ) {
            Ok(guarded) => {
                let copy = clone_tree(guarded.as_fd(), MountRecursion::One)?;
                make_read_only(copy.as_fd(), MountRecursion::One)?;
                attach(copy.as_fd(), &path)?;
            }
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
