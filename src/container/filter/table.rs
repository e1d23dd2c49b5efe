//! The action for each system call. Every call of every ABI is listed; a test fails if one is
//! missing.
//!
//! A call is rejected instead of executed if it accesses something without a namespace, which the
//! container would share with the host and all other containers. `docs/system-calls.md` documents
//! the same for users.

use std::collections::BTreeMap;

use nix::errno::Errno;

/// What happens to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallAction {
    /// The kernel executes it.
    Allowed,
    /// It fails with this error and has no effect.
    Answered(Errno),
    /// The rules are applied in order. If none returns an error, the kernel executes the call.
    Examined(&'static [ArgumentRule]),
}

/// Decides by one argument of a call. Only the lower 32 bits are compared: all arguments in these
/// rules have the C type `int`, whose upper bits the kernel ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgumentRule {
    /// The index of the argument, from 0.
    pub argument: u8,
    /// The bits of the argument that are compared.
    pub mask: u32,
    /// The values to compare with.
    pub values: &'static [u32],
    /// Whether the call fails for the listed values or for all others.
    pub answered: ValueMatch,
    pub answer: Errno,
}

/// The values of an argument for which the call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// The listed values.
    Listed,
    Others,
}

/// Defined here because `libc` does not define it for every C library.
const AF_XDP: u32 = 44;

/// All bits of an argument.
const WHOLE: u32 = u32::MAX;

/// Address families whose sockets belong to a network namespace. Of the other families, some do not
/// (AF_VSOCK, AF_ALG, AF_RDS, AF_BLUETOOTH), and most exist only in the kernel's initial network
/// namespace. The error is that of a kernel without the family.
const SOCKETS: &[ArgumentRule] = &[ArgumentRule {
    argument: 0,
    mask: WHOLE,
    values: &[
        libc::AF_UNIX as u32,
        libc::AF_INET as u32,
        libc::AF_INET6 as u32,
        libc::AF_KEY as u32,
        libc::AF_NETLINK as u32,
        libc::AF_PACKET as u32,
        libc::AF_CAN as u32,
        libc::AF_TIPC as u32,
        AF_XDP,
    ],
    answered: ValueMatch::Others,
    answer: Errno::EAFNOSUPPORT,
}];

/// `SYS_SOCKET` and `SYS_SOCKETPAIR` (linux/net.h), the functions of `socketcall` that create
/// sockets. Their family is in memory, which a filter cannot read, so they fail as in a kernel
/// without them; 32-bit programs can use `socket` and `socketpair` instead.
const SOCKET_CALLS: &[ArgumentRule] = &[ArgumentRule {
    argument: 0,
    mask: WHOLE,
    values: &[1, 8],
    answered: ValueMatch::Listed,
    answer: Errno::ENOSYS,
}];

/// `F_SETLEASE`, `F_NOTIFY` and `F_SETDELEG` (linux/fcntl.h). A lease blocks the next process that
/// opens the file, for 45 seconds by default, and the toolbox's files are the host's own. The error
/// is that of a file system without leases.
const FILE_CONTROLS: &[ArgumentRule] = &[ArgumentRule {
    argument: 1,
    mask: WHOLE,
    values: &[1024, 1026, 1040],
    answered: ValueMatch::Listed,
    answer: Errno::EINVAL,
}];

const DEVICE_CONTROLS: &[ArgumentRule] = &[
    // `FS_IOC_ADD_ENCRYPTION_KEY`, `FS_IOC_REMOVE_ENCRYPTION_KEY` and `..._ALL_USERS`
    // (linux/fscrypt.h): they modify the keyring of the host's file system, even through a
    // read-only mount. The error is that of a file system without encryption.
    ArgumentRule {
        argument: 1,
        mask: WHOLE,
        values: &[0xc050_6617, 0xc040_6618, 0xc040_6619],
        answered: ValueMatch::Listed,
        answer: Errno::ENOTTY,
    },
    // `FS_IOC_SETFLAGS`, its 32-bit variant, and `FS_IOC_FSSETXATTR` (linux/fs.h), which chattr(1)
    // uses: inotify does not report them, so their effects would persist for the next job. The
    // error is that of a file system without such flags.
    ArgumentRule {
        argument: 1,
        mask: WHOLE,
        values: &[0x4008_6602, 0x4004_6602, 0x401c_5820],
        answered: ValueMatch::Listed,
        answer: Errno::ENOTTY,
    },
];

/// Events of a whole CPU (process -1) and of control groups (`PERF_FLAG_PID_CGROUP`) measure
/// everything that runs there, including other containers; a process's own events do not. The error
/// is the kernel's own if `kernel.perf_event_paranoid` is 1 or more.
const PERFORMANCE_EVENTS: &[ArgumentRule] = &[
    ArgumentRule {
        argument: 1,
        mask: WHOLE,
        values: &[u32::MAX],
        answered: ValueMatch::Listed,
        answer: Errno::EACCES,
    },
    ArgumentRule {
        argument: 4,
        mask: 4,
        values: &[4],
        answered: ValueMatch::Listed,
        answer: Errno::EACCES,
    },
];

/// A group of calls with the same action.
pub struct SyscallGroup {
    pub class: SyscallAction,
    pub calls: &'static str,
}

/// The action for a number without a name in the tables, and for an unknown ABI: the error of a
/// kernel without the call.
pub const UNKNOWN: SyscallAction = SyscallAction::Answered(Errno::ENOSYS);

/// All system calls, in groups.
pub const GROUPS: &[SyscallGroup] = &[
    SyscallGroup {
        // Files and their attributes. The container's mounts determine which files they reach.
        class: SyscallAction::Allowed,
        calls: "
            _llseek access arm_fadvise64_64 arm_sync_file_range cachestat chdir chmod chown
            chown32 chroot close close_range copy_file_range creat faccessat faccessat2
            fadvise64 fadvise64_64 fallocate fanotify_init fanotify_mark fchdir fchmod
            fchmodat fchmodat2 fchown fchown32 fchownat fdatasync fgetxattr file_getattr
            flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64
            fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents
            getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
            inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
            io_pgetevents_time64 io_setup io_submit lchown lchown32 lgetxattr link linkat
            listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64
            mkdir mkdirat mknod mknodat name_to_handle_at newfstatat oldfstat oldlstat
            oldstat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2
            read readahead readdir readlink readlinkat readv removexattr removexattrat
            rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice
            stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs
            sysfs tee truncate truncate64 umask unlink unlinkat ustat utime utimensat
            utimensat_time64 utimes vmsplice write writev
        ",
    },
    SyscallGroup {
        // Memory of the job's own processes.
        class: SyscallAction::Allowed,
        calls: "
            brk get_mempolicy madvise map_shadow_stack mbind membarrier memfd_create
            memfd_secret migrate_pages mincore mlock mlock2 mlockall mmap mmap2 move_pages
            mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
            pkey_mprotect process_madvise process_mrelease process_vm_readv
            process_vm_writev remap_file_pages set_mempolicy set_mempolicy_home_node
            userfaultfd
        ",
    },
    SyscallGroup {
        // Processes, threads and their attributes, signals, descriptors. The PID namespace
        // determines which processes they reach.
        class: SyscallAction::Allowed,
        calls: "
            _newselect arch_prctl breakpoint cacheflush capget capset clone clone3 dup dup2
            dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait
            eventfd eventfd2 execve execveat exit exit_group fork futex futex_requeue
            futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area
            get_tls getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
            getgroups32 getpgid getpgrp getpid getppid getpriority getrandom getresgid
            getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid
            getuid32 ioprio_get ioprio_set kcmp kill modify_ldt nice oldolduname olduname
            pause personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 poll ppoll
            ppoll_time64 prctl prlimit64 pselect6 pselect6_time64 ptrace restart_syscall
            rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
            rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
            sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
            sched_getparam sched_getscheduler sched_rr_get_interval
            sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
            sched_setscheduler sched_yield select set_robust_list set_thread_area
            set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
            setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid
            setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid
            setuid32 sgetmask sigaction sigaltstack signal signalfd signalfd4 sigpending
            sigprocmask sigreturn sigsuspend ssetmask sysinfo tgkill tkill ugetrlimit uname
            uprobe uretprobe usr26 usr32 vfork vhangup vm86 vm86old wait4 waitid waitpid
        ",
    },
    SyscallGroup {
        // Clocks and timers. The kernel does not let processes in a user namespace set the
        // machine's clocks.
        class: SyscallAction::Allowed,
        calls: "
            adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
            clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
            clock_settime clock_settime64 getitimer gettimeofday nanosleep setitimer
            settimeofday stime time timer_create timer_delete timer_getoverrun timer_gettime
            timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
            timerfd_gettime64 timerfd_settime timerfd_settime64 times
        ",
    },
    SyscallGroup {
        // Existing sockets, and messages and memory in the IPC namespace.
        class: SyscallAction::Allowed,
        calls: "
            accept accept4 bind connect getpeername getsockname getsockopt ipc listen
            mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
            mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv
            recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop
            semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt
            shmget shutdown
        ",
    },
    SyscallGroup {
        // The building blocks of sandboxes. Jobs lack the capabilities to change the container's
        // own namespaces; nested ones are limited (`init/namespaces.rs`).
        class: SyscallAction::Allowed,
        calls: "
            fsconfig fsmount fsopen fspick landlock_add_rule landlock_create_ruleset
            landlock_restrict_self listmount listns lsm_get_self_attr lsm_list_modules
            lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr
            pivot_root reboot seccomp setdomainname sethostname setns statmount umount
            umount2 unshare
        ",
    },
    SyscallGroup {
        // Keyrings: those of a user are shared by all containers and the host. The error is that of
        // a kernel without keyrings, for which every program that uses them has a fallback.
        class: SyscallAction::Answered(Errno::ENOSYS),
        calls: "
            add_key keyctl request_key
        ",
    },
    SyscallGroup {
        // A ring makes calls that no filter sees, including sockets of every family. The error is
        // that of a kernel without io_uring; event loops then use epoll.
        class: SyscallAction::Answered(Errno::ENOSYS),
        calls: "
            io_uring_enter io_uring_register io_uring_setup
        ",
    },
    SyscallGroup {
        // Functions that affect the whole machine: its log, disks, modules, quotas, swap, ports,
        // and programs in its kernel. The error is the kernel's own for processes without
        // capabilities.
        class: SyscallAction::Answered(Errno::EPERM),
        calls: "
            acct bpf delete_module finit_module init_module ioperm iopl kexec_file_load
            kexec_load open_by_handle_at pciconfig_iobase pciconfig_read pciconfig_write
            quotactl quotactl_fd swapoff swapon syslog
        ",
    },
    SyscallGroup {
        // Calls that are obsolete, or that no kernel in use implements.
        class: SyscallAction::Answered(Errno::ENOSYS),
        calls: "
            _sysctl afs_syscall bdflush break create_module epoll_ctl_old epoll_wait_old
            ftime get_kernel_syms getpmsg gtty idle lock lookup_dcookie mpx nfsservctl prof
            profil putpmsg query_module security stty tuxcall ulimit uselib vserver
        ",
    },
    SyscallGroup {
        // Like `FS_IOC_SETFLAGS` in [`DEVICE_CONTROLS`]: the error of a file system without flags.
        class: SyscallAction::Answered(Errno::EOPNOTSUPP),
        calls: "file_setattr",
    },
    SyscallGroup {
        class: SyscallAction::Examined(SOCKETS),
        calls: "socket socketpair",
    },
    SyscallGroup {
        class: SyscallAction::Examined(SOCKET_CALLS),
        calls: "socketcall",
    },
    SyscallGroup {
        class: SyscallAction::Examined(FILE_CONTROLS),
        calls: "fcntl fcntl64",
    },
    SyscallGroup {
        class: SyscallAction::Examined(DEVICE_CONTROLS),
        calls: "ioctl",
    },
    SyscallGroup {
        class: SyscallAction::Examined(PERFORMANCE_EVENTS),
        calls: "perf_event_open",
    },
];

/// Returns the action of each call, by name.
pub fn classes() -> BTreeMap<&'static str, SyscallAction> {
    let calls = |group: &'static SyscallGroup| {
        let names = group.calls.split_ascii_whitespace();
        names.map(|name| (name, group.class))
    };
    GROUPS.iter().flat_map(calls).collect()
}
