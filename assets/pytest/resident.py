"""Lists tests, or runs one, in a fork of an interpreter that has collected all of them.

The process that started us (the container's first) talks to us over a seqpacket socket, standard
input at our start:

    us:   ready                             we wait for requests
          unfit REASON                      a fork of us would not be as good as a fresh process
    it:   the program's arguments and the variables that it has besides ours (behind a byte of 1),
          each followed by a NUL, with these descriptors: standard input,
          output and error, the mount namespace for the test, and its network namespace, unless
          the network is the host's
    fork: started PID                       said before its test begins, which may well stop us
          failed STEP                       the fork could not become what it should be
    us:   ended STATUS USER SYSTEM PEAK MEMORY
                                            as wait(2) and getrusage(2) have it: microseconds,
                                            kilobytes; MEMORY is what we occupy ourselves

Before its test begins, a fork is made what a fresh process would be: leader of its session, in the
namespaces with the untouched files and the unused network, with the test's own streams wherever
ours were kept, without our capabilities, with random numbers of its own.

What can't be made so is found in `unfitness`: threads, open descriptors whose state forks would
share, memory shared for writing, child processes, running timers.
"""

import os
import random
import socket
import stat
import sys
import warnings

runner = None  # The module that runs us; it sets this.

CAPABILITY_VERSION = 0x20080522
CAP_SYS_CHROOT, CAP_SYS_ADMIN = 18, 21
NEEDED = 1 << CAP_SYS_CHROOT | 1 << CAP_SYS_ADMIN
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
REQUEST_BYTES_MAX = 1 << 17
VARIABLE_MARK = b"\1"  # Before a variable of the test's own, behind the arguments.
MADV_COLLAPSE = 25
HUGE_PAGE = 1 << 21

# What threads of plugins run, by module and name, that only serve processes which we keep from being
# started: pytest-rerunfailures' server for the workers of pytest-xdist. A fork is as good without
# such a thread, and never uses the socket it listens on.
IDLE_SERVERS = {("pytest_rerunfailures", "ServerStatusDB.run_server")}

# What plugins, by their names, import when a session ends: each fork would have to.
IMPORTED_AT_THE_END = {"hypothesispytest": "hypothesis.internal.observability"}

# What belongs to nobody in particular: nothing that one process does to them another can see.
HARMLESS_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9)}


class Capabilities:
    """Of this process; the two that a fork needs are ours without being in effect."""

    def __init__(self):
        import ctypes

        self.ctypes = ctypes
        self.libc = ctypes.CDLL(None, use_errno=True)

    def words(self, values=None):
        array = (self.ctypes.c_uint32 * 6)()
        header = (self.ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        if values is None:
            self.check("read capabilities", self.libc.capget(header, array))
            return list(array)
        array[:] = values
        self.check("set capabilities", self.libc.capset(header, array))
        return values

    def check(self, step, result):
        if result != 0:
            errno = self.ctypes.get_errno()
            raise OSError(errno, step + ": " + os.strerror(errno))

    def hide(self):
        """Takes the two out of effect, and from the programs we may run."""
        _, permitted, _, *high = self.words()
        if permitted & NEEDED != NEEDED:
            raise OSError(0, "the capabilities to enter a mount namespace are missing")
        self.words([self.ordinary(permitted), permitted, 0, *high])
        result = self.libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        self.check("clear ambient capabilities", result)

    def enter(self, mounts, networks):
        """Enters a mount namespace and a network namespace, if any, and gives the two up."""
        _, permitted, _, *high = self.words()
        self.words([permitted, permitted, 0, *high])
        self.check("enter the mount namespace", self.libc.setns(mounts, CLONE_NEWNS))
        for network in networks:
            self.check("enter the network namespace", self.libc.setns(network, CLONE_NEWNET))
        left = self.ordinary(permitted)
        self.words([left, left, 0, *high])

    @staticmethod
    def ordinary(permitted):
        """What a process has that is no resident: user 0 may change its root all the same."""
        if os.geteuid() == 0:
            return permitted & ~(1 << CAP_SYS_ADMIN)
        return permitted & ~NEEDED


def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # The descriptor of the listing itself.
    return found


def import_early(manager):
    """Imports what every fork would."""
    import importlib

    for plugin, module in IMPORTED_AT_THE_END.items():
        if manager.hasplugin(plugin):
            try:
                importlib.import_module(module)
            except Exception:
                pass  # It is for the plugin to complain.


def threads():
    return len(os.listdir("/proc/self/task"))


def idle_servers():
    """Known threads of plugins, and the descriptors of their sockets."""
    import threading

    found = {}
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        name = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
        listener = getattr(getattr(target, "__self__", None), "sock", None)
        if name in IDLE_SERVERS and listener is not None:
            found[thread] = listener.fileno()
    return found


def fork():
    """Forks without the warning of threads, which may be an error: we know those there are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def lasting_threads():
    """Counts threads. Libraries that can be forked end theirs before a fork, and start others when
    they need them: the count is taken after a fork for nothing."""
    if threads() == 1:
        return 1
    child = fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return threads()


def possessions():
    return threads(), frozenset(descriptors().items())


def gained(before, after):
    """What the import of a file has left behind, if it keeps us from forking."""
    if after[0] > before[0] and lasting_threads() > before[0]:
        return "it starts a thread when it is imported"
    for descriptor, target in sorted(after[1] - before[1]):
        if descriptor not in dict(before[1]) and not is_harmless(descriptor):
            return "it leaves " + target + " open when it is imported"
    return None


def is_harmless(descriptor):
    try:
        status = os.fstat(descriptor)
    except OSError:
        return True
    if stat.S_ISCHR(status.st_mode):
        device = os.major(status.st_rdev), os.minor(status.st_rdev)
        return device in HARMLESS_DEVICES
    return is_reopenable(descriptor, status)


def is_reopenable(descriptor, status):
    import fcntl

    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    reads = flags & os.O_ACCMODE == os.O_RDONLY
    kind = status.st_mode
    return reads and (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def unfitness(capture, own=()):
    """Why forks of this process would not be as good as fresh ones, or nothing. Capturing must be
    resumed by the forks."""
    if capture is not None:
        capture.stop_global_capturing()
    idle = idle_servers()
    if lasting_threads() > 1 + len(idle):
        import threading

        others = [thread for thread in threading.enumerate() if thread not in idle]
        names = [thread.name for thread in others][1:]
        return "threads run after collection: " + (", ".join(names) or "of a library")
    own = {*own, *idle.values()}
    for descriptor, target in sorted(descriptors().items()):
        if descriptor > 2 and descriptor not in own and not is_ours(descriptor):
            if not is_harmless(descriptor):
                return target + " is open after collection"
    with open("/proc/self/maps") as maps:
        for line in maps:
            access, name = line.split()[1], line.split(None, 5)[5:]
            if "w" in access and "s" in access:
                return "memory is shared for writing: " + "".join(name).strip()
    if has_children():
        return "a child process runs after collection"
    import signal

    if signal.getitimer(signal.ITIMER_REAL)[0]:
        return "a timer runs after collection"
    return None


def has_children():
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def is_ours(descriptor):
    """Whether it is one of the standard streams once more, or one of ours."""
    here = os.fstat(descriptor)
    streams = (os.fstat(stream) for stream in range(3))
    return descriptor >= 200 or any(os.path.samestat(here, stream) for stream in streams)


class Random:
    """What the fork of a seeded generator must keep, and of an unseeded one must not."""

    def __init__(self):
        self.initial = random.getstate()
        self.seeded = None

    def before_fork(self):
        # A generator that nobody has touched is seeded anew by the fork itself.
        state = random.getstate()
        self.seeded = state if state != self.initial else None

    def after_fork(self):
        if self.seeded is not None:
            random.setstate(self.seeded)
        numpy = sys.modules.get("numpy.random")
        if numpy is not None and self.is_fresh(numpy):
            numpy.seed()

    @staticmethod
    def is_fresh(numpy):
        """Whether numpy's generator is as it was when numpy was imported."""
        try:
            generator = numpy.mtrand._rand._bit_generator
            sequence = getattr(generator, "seed_seq", None) or generator._seed_seq
            again = numpy.MT19937(numpy.SeedSequence(sequence.entropy)).state["state"]
            state = generator.state["state"]
            return state["pos"] == again["pos"] and (state["key"] == again["key"]).all()
        except Exception:
            return False


class Forks:
    """What a `runner.Collector` needs to become a server."""

    def begin(self):
        self.socket = socket.socket(fileno=runner.private(0))
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self.capabilities = Capabilities()
        self.capabilities.hide()
        self.random = Random()

    def pytest_runtestloop(self, session):
        self.at_rest()
        manager = session.config.pluginmanager
        capture = manager.getplugin("capturemanager")
        import_early(manager)
        reason = unfitness(capture, own=(self.socket.fileno(),))
        # A file that has left something behind, but no longer.
        reason = reason or next(iter(self.unfit.values()), None)
        if reason:
            self.send("unfit " + reason)
            os._exit(0)
        import gc

        self.prepare_session(session)
        self.wires = wires()
        # Forks that looked for their test among all would copy all, and so would one that let the
        # list of them go.
        self.all, self.which = session.items, runner.Which(session.items)
        sys.stdout.flush()
        sys.stderr.flush()
        # What has been imported is garbage to no test. A fork that looked for some among it would
        # copy all of it, five times: pytest looks so often at its end.
        gc.collect()
        gc.freeze()
        join_pages(self.capabilities)
        self.send("ready")
        request = self.serve()
        self.socket.close()
        if request == "collect":
            self.output = runner.private(1)
            self.say_all(session)
        if request in ("collect", "nothing"):
            os._exit(0)
        self.become(session, request)
        if capture is not None:
            capture.start_global_capturing()
            capture.suspend_global_capture()
        return None

    def send(self, text):
        self.socket.send(text.encode(errors="replace")[:4096])

    def serve(self):
        """Forks for each request. Returns in the forks only."""
        while True:
            message, streams, _, _ = socket.recv_fds(self.socket, REQUEST_BYTES_MAX, 5)
            if not message:
                os._exit(0)
            request = self.understand(message)
            self.random.before_fork()
            child = fork()
            if child == 0:
                try:
                    self.prepare(streams)
                    self.send("started %d" % os.getpid())
                except BaseException as error:
                    self.send("failed " + str(error))
                    os._exit(127)
                return request
            for stream in streams:
                os.close(stream)
            # A test may have killed us: then this is the last that we do, and the slot is left to
            # wait for its process.
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            _, status, usage = os.wait4(child, 0)
            user, system = usage.ru_utime * 1e6, usage.ru_stime * 1e6
            self.send(
                "ended %d %d %d %d %d" % (status, user, system, usage.ru_maxrss, memory())
            )

    def understand(self, message):
        """The test that is asked for: its node id, which of that id it is, and the tests to run,
        which are one, or none if it was not collected. Another mode is its own name."""
        words = message.removesuffix(b"\0").split(b"\0")
        self.variables = [word[1:] for word in words if word.startswith(VARIABLE_MARK)]
        _, _, mode, *rest = (word.decode(errors="surrogateescape") for word in words)
        if mode != "test":
            return mode
        node, which = rest[:2]
        return node, which, self.which.find(node, which)

    def prepare(self, streams):
        """Makes a fork what a fresh process would be."""
        os.setsid()
        for variable in self.variables:
            name, _, value = variable.partition(b"=")
            os.environb[name] = value
        self.capabilities.enter(streams[3], streams[4:])
        os.chdir(runner.DIRECTORY)
        for descriptor, stream, inheritable in self.wires:
            if stream is None:
                reopen(descriptor, inheritable)
            else:
                os.dup2(streams[stream], descriptor, inheritable)
        os.dup2(streams[0], 0)
        for stream in streams:
            os.close(stream)
        self.random.after_fork()
        sys.dont_write_bytecode = not runner.writes_bytecode

    def prepare_session(self, session):
        """Does what every fork would have to do: each page that a fork writes to is copied."""
        manager = session.config.pluginmanager
        self.reporter = runner.what_became.Reporter(None, None, None)
        manager.register(self.reporter, "_maelstrom_reporter")
        self.reporter.pytest_sessionstart(session)
        session.testsfailed = 0
        self.terminal = manager.getplugin("terminalreporter")
        if self.terminal is not None:
            # What collection had to say is no test's.
            self.terminal.stats.clear()

    def become(self, session, request):
        """Leaves one test to the session, as if it had been named to pytest, and reports it."""
        self.reporter.node, self.reporter.which, session.items = request
        self.reporter.choose(session.items)
        config = session.config
        here = config.rootpath == config.invocation_params.dir
        node = self.reporter.node
        runner.name_only(config, node if here else os.path.join(str(config.rootpath), node))
        self.reporter.output = runner.private(2)
        if self.reporter.testcases is not None:
            self.reporter.testcases.forget()
        session.testscollected = len(session.items)
        if self.terminal is not None:
            restart_clock(self.terminal)
            self.terminal._numcollected = len(session.items)


def join_pages(capabilities):
    """Has the kernel keep our memory in huge pages as far as it can: what a fork costs is then a
    fraction, since each page that is mapped is an entry to be copied, and taken away again."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, access, _, _, inode = line.split()[:5]
            if access == "rw-p" and inode == "0":
                start, end = (int(address, 16) for address in span.split("-"))
                start = (start + HUGE_PAGE - 1) // HUGE_PAGE * HUGE_PAGE
                if start + HUGE_PAGE <= end:
                    capabilities.libc.madvise(
                        capabilities.ctypes.c_void_p(start),
                        capabilities.ctypes.c_size_t(end // HUGE_PAGE * HUGE_PAGE - start),
                        MADV_COLLAPSE,
                    )


def leave(code):
    """Ends a fork as the interpreter would, but for taking everything apart that was imported,
    which takes longer than most tests: the process is over, and nobody can see the difference."""
    import atexit
    import threading

    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def restart_clock(terminal):
    import time

    if hasattr(terminal, "_sessionstarttime"):
        terminal._sessionstarttime = time.time()
    elif hasattr(terminal, "_session_start"):
        terminal._session_start = type(terminal._session_start)()


def wires():
    """What a fork does to its descriptors: which of them become one of the test's streams, and
    which files it opens anew (no stream)."""
    found = []
    ours = {1: os.fstat(1), 2: os.fstat(2)}
    for descriptor in sorted(descriptors()):
        try:
            here = os.fstat(descriptor)
        except OSError:
            continue
        inheritable = os.get_inheritable(descriptor)
        same = [stream for stream, our in ours.items() if os.path.samestat(here, our)]
        if same:
            found.append((descriptor, same[0], inheritable))
        elif descriptor > 2 and is_reopenable(descriptor, here):
            found.append((descriptor, None, inheritable))
    return found


def reopen(descriptor, inheritable):
    """Gives a file opened for reading a position of its own."""
    import fcntl

    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    again = os.open("/proc/self/fd/%d" % descriptor, flags)
    os.lseek(again, position, os.SEEK_SET)
    os.dup2(again, descriptor, inheritable)
    os.close(again)


def memory():
    """Kilobytes that this process occupies."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
