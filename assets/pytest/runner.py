"""Runs pytest in one of four modes, as `python -m pytest` would, with Maelstrom's plugin in it.

    runner.py collect IGNORED SECONDS [ARGUMENT ...]    says what the tests are
    runner.py test NODEID NTH [ARGUMENT ...]            runs one test
    runner.py serve IGNORED SECONDS [ARGUMENT ...]      collects, then does any of these in a fork
    runner.py nothing                                   is there, and ends

IGNORED is a JSON list of files that are not to be collected, SECONDS how long the import of one
file may take. In `collect` mode standard output is one JSON object a line, and nothing else: what
anybody prints goes to standard error. In `test` mode what became of the test is a JSON object in
an escape sequence at the end of standard error; terminals show nothing of it. What a plugin or
a test prints can thus never be taken for what pytest says.
"""

import json
import os
import sys

RECORD_START = b"\x1b_maelstrom-pytest "
RECORD_END = b"\x1b\\"
TEXT_MAX = 2000

# How much more time than a file plugins and conftest.py have.
START_TIMES = 10


def shortened(text):
    text = str(text)
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "..."


def private(descriptor):
    """A duplicate that neither a test's programs nor the first free numbers are bothered by."""
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 200)


def write(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


def relative(path):
    """From the working directory, which is the project's."""
    path = os.path.join(DIRECTORY, str(path))
    inside = os.path.relpath(path, DIRECTORY)
    return path if inside.startswith("..") else inside


def is_alone(config):
    """Keeps plugins from spreading one test over processes."""
    for option, value in (("numprocesses", 0), ("dist", "no"), ("tx", [])):
        if hasattr(config.option, option):
            setattr(config.option, option, value)


class Collector:
    """Collects, and notes what would make it unsafe to fork afterwards.

    What it says of that goes to `output`, once there is one.
    """

    def __init__(self, ignored, seconds, output=None):
        self.ignored = {os.path.join(DIRECTORY, path) for path in ignored}
        self.seconds = seconds
        self.output = output
        self.unsaid = []
        self.deselected = 0
        self.unfit = {}
        self.before = None

    def say(self, **fields):
        if self.output is None:
            self.unsaid.append(fields)
        else:
            write(self.output, json.dumps(fields).encode() + b"\n")

    def say_all(self, session):
        """Says what the tests are, and what was not said before."""
        import pytest

        unsaid, self.unsaid = self.unsaid, []
        for fields in unsaid:
            self.say(**fields)
        seen = {}
        for item in session.items:
            nth = seen.get(item.nodeid, 0)
            seen[item.nodeid] = nth + 1
            file, _, name = item.location
            self.say(
                kind="item",
                node=item.nodeid,
                nth=nth,
                file=relative(os.path.join(str(self.root), file)),
                name=name,
                markers=sorted({mark.name for mark in item.own_markers}),
                skip=reason_to_skip(item),
            )
        config = session.config
        self.say(
            kind="session",
            root=str(config.rootpath),
            settings=None if config.inipath is None else str(config.inipath),
            pytest=pytest.__version__,
            deselected=self.deselected,
        )

    def watch(self, times=1):
        """Ends the process, saying where it was, if what follows takes too long.

        A signal without a handler of Python's, since code that doesn't come back to the
        interpreter must be ended, too.
        """
        import faulthandler
        import signal

        if self.seconds:
            faulthandler.register(signal.SIGALRM, file=STDERR, chain=True)
            signal.setitimer(signal.ITIMER_REAL, self.seconds * times)

    def at_rest(self):
        import faulthandler
        import signal

        if self.seconds:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.unregister(signal.SIGALRM)

    def pytest_cmdline_main(self, config):
        is_alone(config)

    def pytest_ignore_collect(self, collection_path):
        return True if str(collection_path) in self.ignored else None

    def pytest_collectstart(self, collector):
        import pytest

        if isinstance(collector, pytest.File):
            self.before = resident.possessions()
            self.say(kind="begin", file=relative(collector.path))
            self.watch()

    def pytest_collectreport(self, report):
        file = self.file_of(report)
        if self.before is not None and file is not None:
            before, self.before = self.before, None
            reason = resident.gained(before, resident.possessions())
            if reason:
                self.unfit[file] = reason
            self.say(kind="begin", file=None)
            self.watch(START_TIMES)
        if report.failed:
            self.say(kind="broken", file=self.place_of(report), text=coloured(report))
        elif report.skipped:
            reason = reason_of_skip(report.longrepr)
            self.say(kind="skipped", file=self.place_of(report), reason=reason)

    def file_of(self, report):
        path = os.path.join(str(self.root), report.nodeid.split("::")[0])
        return relative(path) if os.path.isfile(path) else None

    def place_of(self, report):
        return self.file_of(report) or report.nodeid or "."

    def pytest_sessionstart(self, session):
        self.root = session.config.rootpath

    def pytest_deselected(self, items):
        self.deselected += len(items)


class Lister(Collector):
    """Says what the tests are, and no more."""

    def pytest_runtestloop(self, session):
        self.at_rest()
        capture = session.config.pluginmanager.getplugin("capturemanager")
        reasons = resident.unfitness(capture)
        for file, reason in self.unfit.items():
            self.say(kind="unfit", file=file, reason=reason)
        if reasons and not self.unfit:
            self.say(kind="unfit", file=None, reason=reasons)
        self.say_all(session)
        return True


class Reporter:
    """Says what became of a test: its phases, why it failed and where."""

    def __init__(self, node, nth, output):
        self.node, self.nth, self.output = node, nth, output
        self.phases = []
        self.outcome, self.reason, self.place = None, None, None

    def pytest_cmdline_main(self, config):
        is_alone(config)

    def pytest_collection_modifyitems(self, items):
        items[:] = self.choose(items)

    def choose(self, items):
        same = [item for item in items if item.nodeid == self.node]
        return same[self.nth : self.nth + 1]

    def pytest_collectreport(self, report):
        if report.failed:
            self.fail("could not be collected", report)

    def pytest_runtest_logreport(self, report):
        expected = hasattr(report, "wasxfail")
        outcome = report.outcome
        if outcome == "failed":
            where = {"call": "", "setup": "error in set-up: ", "teardown": "error in tear-down: "}
            self.fail(where.get(report.when, "") + message_of(report), report)
        elif outcome == "skipped" and not expected:
            reason = reason_of_skip(report.longrepr)
            if self.outcome != "failed":
                self.outcome, self.reason = "skipped", reason
        elif report.when == "call" and self.outcome is None:
            self.outcome = "passed"
            if expected:
                self.outcome = "xfailed" if outcome == "skipped" else "xpassed"
                self.reason = str(report.wasxfail)
        phase = {"name": report.when, "outcome": outcome, "seconds": report.duration}
        if expected and outcome != "failed":
            phase["outcome"] = "passed"
        self.phases.append(phase)

    def fail(self, reason, report):
        if self.outcome != "failed":
            self.outcome, self.reason, self.place = "failed", reason, place_of(report)

    def pytest_sessionstart(self, session):
        # They write what nobody will read: the container is thrown away.
        for name in ("lfplugin", "nfplugin", "stepwiseplugin"):
            if session.config.pluginmanager.has_plugin(name):
                session.config.pluginmanager.unregister(name=name)

    def pytest_unconfigure(self):
        record = {
            "outcome": self.outcome,
            "reason": None if self.reason is None else shortened(self.reason),
            "place": self.place,
            "phases": self.phases,
        }
        write(self.output, RECORD_START + json.dumps(record).encode() + RECORD_END)


def message_of(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    message = getattr(crash, "message", None) or report.longreprtext.strip()
    lines = message.strip().splitlines() or [""]
    return lines[0] if crash is not None else lines[-1]


def place_of(report):
    """The innermost place of the project's own on the way to where it failed."""
    crash = getattr(report.longrepr, "reprcrash", None)
    path, line = getattr(crash, "path", None), getattr(crash, "lineno", None)
    traceback = getattr(report.longrepr, "reprtraceback", None)
    for entry in reversed(getattr(traceback, "reprentries", [])):
        place = getattr(entry, "reprfileloc", None)
        if place is not None and is_own(place.path):
            path, line = place.path, place.lineno
            break
    if path is None:
        file, line, _ = getattr(report, "location", None) or (None, None, None)
        if file is None or line is None:
            return None
        path, line = file, line + 1
    return {"path": relative(path), "line": line}


def is_own(path):
    path = relative(path)
    return not os.path.isabs(path) and "site-packages" not in path


def reason_of_skip(longrepr):
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return shortened(reason[len("Skipped: ") :] if reason.startswith("Skipped: ") else reason)


def reason_to_skip(item):
    """Why a test's marks say that it be skipped. What cannot be told now, the test will tell."""
    try:
        from _pytest.skipping import evaluate_skip_marks

        skip = evaluate_skip_marks(item)
    except BaseException:
        return None
    return None if skip is None else shortened(skip.reason)


def coloured(report):
    """pytest's own text, as a terminal would show it."""
    import io

    try:
        from _pytest._io import TerminalWriter

        writer = TerminalWriter(io.StringIO())
        writer.hasmarkup = COLOURED
        report.toterminal(writer)
        return writer._file.getvalue()
    except Exception:
        return report.longreprtext


def neutralised(arguments):
    """Without the measuring of coverage: of a test alone it says nothing, and may make it fail."""
    from importlib.util import find_spec

    if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ and find_spec("pytest_cov"):
        return [*arguments, "--no-cov"]
    return arguments


def server(ignored, seconds):
    class Server(resident.Forks, Collector):
        """Collects, then says what the tests are, or runs one, in a fork."""

    server = Server(ignored, seconds)
    server.begin()
    return server


def main():
    mode, first, second, *arguments = sys.argv[1:]
    # As `python -m pytest` has it.
    if getattr(sys.flags, "safe_path", False):
        del sys.path[:1]
    else:
        sys.path[0] = DIRECTORY
    if mode == "test":
        plugin = Reporter(first, int(second), private(2))
    elif mode == "collect":
        output = private(1)
        os.dup2(2, 1)
        plugin = Lister(json.loads(first), float(second), output)
        plugin.watch(START_TIMES)
    else:
        plugin = server(json.loads(first), float(second))
        plugin.watch(START_TIMES)

    import pytest

    sys.argv[:] = [os.path.join(os.path.dirname(pytest.__file__), "__main__.py"), *arguments]
    code = pytest.main(neutralised(arguments), plugins=[plugin])
    if mode == "collect":
        plugin.at_rest()
        plugin.say(kind="end", code=int(code))
    return int(code)


if __name__ == "__main__":
    if sys.argv[1] == "nothing":
        sys.exit()
    DIRECTORY = os.getcwd()
    COLOURED = "--color=yes" in sys.argv
    STDERR = private(2)
    # Under names that nobody else has, so that the two files need no place on the search path.
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    specification = importlib.util.spec_from_file_location(
        "_maelstrom_resident", os.path.join(here, "resident.py")
    )
    resident = importlib.util.module_from_spec(specification)
    mode = sys.argv[1]
    writes_bytecode = not sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    specification.loader.exec_module(resident)
    resident.runner = sys.modules["__main__"]
    # What a resident writes, its forks would not find.
    sys.dont_write_bytecode = mode == "serve" or not writes_bytecode
    code = main()
    if mode == "serve":
        resident.leave(code)
    sys.stdout.flush()
    sys.exit(code)
