//! Reads kernel state that one job could leave to the next: System V IPC objects, and the limits
//! and scheduling attributes of the calling process.

use nix::errno::Errno;
use nix::unistd::Pid;

/// The number of System V objects in the calling process's IPC namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemVObjects {
    pub segments: i32,
    pub semaphores: i32,
    pub queues: i32,
}

/// The structure of linux/shm.h, which the `libc` crate does not define for every target.
#[repr(C)]
struct ShmInfo {
    used_ids: libc::c_int,
    others: [libc::c_ulong; 6],
}

const SHM_INFO: libc::c_int = 14;
const SEM_INFO: libc::c_int = 19;
const MSG_INFO: libc::c_int = 12;

/// Counts the System V objects.
pub fn system_v_objects() -> nix::Result<SystemVObjects> {
    let mut shm = ShmInfo {
        used_ids: 0,
        others: [0; 6],
    };
    // `struct seminfo` (linux/sem.h) and `struct msginfo` (linux/msg.h): ten and eight `int`s (the
    // last one a `short` with its padding). `semusz` (index 7) and `msgpool` (index 0) count the
    // objects in use.
    let mut sem = [0 as libc::c_int; 10];
    let mut msg = [0 as libc::c_int; 8];
    // SAFETY: with SHM_INFO the kernel writes a `struct shm_info`, with SEM_INFO a `struct
    // seminfo`, and with MSG_INFO a `struct msginfo`. Each buffer is a live local that is at least
    // that large.
    unsafe {
        Errno::result(libc::shmctl(0, SHM_INFO, (&raw mut shm).cast()))?;
        Errno::result(libc::semctl(0, 0, SEM_INFO, sem.as_mut_ptr()))?;
        Errno::result(libc::msgctl(0, MSG_INFO, msg.as_mut_ptr().cast()))?;
    }
    Ok(SystemVObjects {
        segments: shm.used_ids,
        semaphores: sem[7],
        queues: msg[0],
    })
}

/// The attributes of a process that any process of the same user may change, and that children
/// inherit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessAttributes {
    limits: Vec<(libc::rlim_t, libc::rlim_t)>,
    affinity: [u64; 16],
    nice: libc::c_int,
    policy: libc::c_int,
    io_priority: libc::c_long,
}

const RESOURCES: u32 = 16;

/// Reads the attributes of the calling process.
pub fn process_attributes() -> nix::Result<ProcessAttributes> {
    attributes_of(Pid::from_raw(0))
}

/// Reads the attributes of a process; 0 means the calling process.
pub fn attributes_of(pid: Pid) -> nix::Result<ProcessAttributes> {
    let pid = pid.as_raw();
    let mut limits = Vec::with_capacity(RESOURCES as usize);
    for resource in 0..RESOURCES {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is a live local of the type that the call writes. The resources 0 to 15
        // are those of linux/resource.h on both x86-64 and ARM64.
        Errno::result(unsafe { libc::prlimit(pid, resource as _, std::ptr::null(), &mut limit) })?;
        limits.push((limit.rlim_cur, limit.rlim_max));
    }
    let mut affinity = [0u64; 16];
    // SAFETY: the call writes at most the given size, which is that of the live local. The other
    // calls take numbers.
    unsafe {
        let size = size_of_val(&affinity);
        // The mask of a machine with more than 1024 CPUs does not fit. Then all attributes except
        // this one are compared.
        let _ = libc::syscall(
            libc::SYS_sched_getaffinity,
            pid,
            size,
            affinity.as_mut_ptr(),
        );
        Ok(ProcessAttributes {
            limits,
            affinity,
            nice: libc::getpriority(libc::PRIO_PROCESS, pid as libc::id_t),
            policy: libc::sched_getscheduler(pid),
            io_priority: libc::syscall(libc::SYS_ioprio_get, 1, pid),
        })
    }
}

/// Limits the number of processes and threads of the calling process's user in its user namespace.
/// Never raises the limit.
pub fn limit_processes(most: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live local of the type that the calls read and write. If lowering fails,
    // the limit remains unchanged, which is harmless.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NPROC, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_cur.min(most);
            limit.rlim_max = limit.rlim_max.min(most);
            libc::setrlimit(libc::RLIMIT_NPROC, &limit);
        }
    }
}
