"""Runs pytest in one of five modes, as `python -m pytest` would, with Maelstrom's plugin in it.

    runner.py collect WHAT SECONDS [ARGUMENT ...]       says what the tests are
    runner.py test NODEID WHICH PATH [ARGUMENT ...]     runs one test, which is at PATH
    runner.py together NUMBER TESTS ... [ARGUMENT ...]  runs these tests in one session
    runner.py serve WHAT SECONDS [ARGUMENT ...]         collects, then does any of the first two in
                                                        a fork
    runner.py nothing                                   is there, and ends

WHAT is a JSON object: `ignored` lists files that are not to be collected, and `imports` is the
directory for whose files it is said what they import, or null. SECONDS is how long the import of one
file may take, WHICH what `say_all` says of a test. In `collect` mode standard output is one JSON
object a line, and nothing else: what anybody prints goes to standard error. In `test` mode what
became of the test is a JSON object in an escape sequence at the end of standard error; terminals
show nothing of it. What a plugin or a test prints can thus never be taken for what pytest says. For
`together`, and how its tests are packed into NUMBER words, see together.py.
"""

import json
import os
import sys

# Tests leave things like `json.dumps = None` behind.
from json import dumps
from os import write as write_once

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
        data = data[write_once(descriptor, data) :]


def relative(path):
    """From the working directory, which is the project's."""
    path = os.path.join(DIRECTORY, str(path))
    inside = os.path.relpath(path, DIRECTORY)
    return path if inside.startswith("..") else inside


def is_alone(config):
    """Keeps plugins from spreading one test over processes, and pytest from what is about all tests:
    stopping after a failure, going by earlier runs, telling what was slow. Who runs us does that."""
    for option, value in ALONE.items():
        if hasattr(config.option, option):
            setattr(config.option, option, value)


ALONE = {
    "numprocesses": 0,
    "dist": "no",
    "tx": [],
    "maxfail": 0,
    "durations": None,
    **dict.fromkeys(("lf", "failedfirst", "newfirst"), False),
    **dict.fromkeys(("stepwise", "stepwise_skip", "stepwise_reset"), False),
}


def name_only(config, argument):
    """Makes a test the only thing that pytest was called with. Plugins look for that in one of
    these places."""
    named = set(map(str, config.option.file_or_dir))
    config.args = [argument]
    config.option.file_or_dir = [argument]
    parameters = config.invocation_params
    words = [word for word in parameters.args if str(word) not in named]
    config.invocation_params = type(parameters)(
        args=(*words, argument), plugins=parameters.plugins, dir=parameters.dir
    )
    sys.argv[1:] = [*words, argument]


def base_of(node):
    """A node id without parameters."""
    start = node.find("[", max(node.find("::"), 0)) if "::" in node else -1
    return node if start < 0 else node[:start]


class Which:
    """Tells tests apart whose ids don't: by how many before them have the same id, the same
    function, and how many tests the function makes. The ids of parameters may differ from process
    to process; then the place among the function's tests decides."""

    def __init__(self, items):
        self.named, self.functions = {}, {}
        for item in items:
            self.named.setdefault(item.nodeid, []).append(item)
            self.functions.setdefault(base_of(item.nodeid), []).append(item)

    def words(self):
        """Each test, how many of that id come before it, and the word that finds it again."""
        seen, places = {}, {}
        for items in self.functions.values():
            for place, item in enumerate(items):
                places[item] = "%d/%d" % (place, len(items))
        for items in self.named.values():
            for nth, item in enumerate(items):
                seen[item] = nth
        return {item: (nth, "%d,%s" % (nth, places[item])) for item, nth in seen.items()}

    def find(self, node, which):
        """The test, in a list of one; or an empty list."""
        nth, place, count = (int(word) for word in which.replace("/", ",").split(","))
        same = self.named.get(node)
        if same is not None:
            return same[nth : nth + 1]
        same = self.functions.get(base_of(node), [])
        return same[place : place + 1] if len(same) == count else []


class Collector:
    """Collects, and notes what would make it unsafe to fork afterwards.

    What it says of that goes to `output`, once there is one.
    """

    def __init__(self, what, seconds, output=None):
        self.ignored = {os.path.join(DIRECTORY, path) for path in what["ignored"]}
        self.imports = what["imports"]
        self.early = None
        self.seconds = seconds
        self.output = output
        self.unsaid = []
        self.deselected = 0
        self.unfit = {}
        self.before = None
        self.settled = []
        self.testcases = None

    def say(self, **fields):
        if self.output is None:
            self.unsaid.append(fields)
        else:
            write(self.output, dumps(fields).encode() + b"\n")

    def say_all(self, session):
        """Says what the tests are, and what was not said before."""
        import pytest

        unsaid, self.unsaid = self.unsaid, []
        for fields in unsaid:
            self.say(**fields)
        config = session.config
        report = self.report()
        which = Which(session.items).words()
        groups = together.groups(session)
        for item in session.items:
            nth, word = which[item]
            file, _, name = item.location
            skip = what_became.reason_to_skip(item)
            self.say(
                kind="item",
                node=item.nodeid,
                nth=nth,
                which=word,
                group=groups.get(item),
                file=relative(os.path.join(str(self.root), file)),
                name=name,
                markers=sorted({mark.name for mark in item.own_markers}),
                skip=skip,
                testcases=self.skipped(item, skip),
            )
        if self.imports is not None:
            found = load("imports").of(session, self.imports, self.early or [])
            self.say(kind="imports", **found)
        self.say(
            kind="session",
            root=str(config.rootpath),
            settings=None if config.inipath is None else str(config.inipath),
            pytest=pytest.__version__,
            deselected=self.deselected,
            again=again(config),
            settled=self.settled,
            report=report,
        )

    def report(self):
        """Where the report of all tests is wanted, and what is in it before any test has run."""
        if self.testcases is None:
            return None
        collected = self.testcases.take()
        prefix = self.testcases.log.prefix
        path, frame = self.testcases.path, self.testcases.frame()
        return {"path": path, "frame": frame, "prefix": prefix, "collected": collected}

    def skipped(self, item, reason):
        if self.testcases is None or reason is None:
            return None
        try:
            return self.testcases.skipped(item, reason)
        except Exception:
            self.testcases.forget()
            return None

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
        self.settled = settled(config)
        is_alone(config)

    def pytest_ignore_collect(self, collection_path):
        return True if str(collection_path) in self.ignored else None

    def pytest_collectstart(self, collector):
        import pytest

        if isinstance(collector, pytest.File):
            if self.imports is not None and self.early is None:
                self.early = load("imports").loaded()
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
            text = what_became.colored(report)
            self.say(kind="broken", file=self.place_of(report), text=text)
        elif report.skipped:
            reason = what_became.reason_of_skip(report.longrepr)
            self.say(kind="skipped", file=self.place_of(report), reason=reason)

    def file_of(self, report):
        path = os.path.join(str(self.root), report.nodeid.split("::")[0])
        return relative(path) if os.path.isfile(path) else None

    def place_of(self, report):
        return self.file_of(report) or report.nodeid or "."

    def pytest_sessionstart(self, session):
        self.root = session.config.rootpath
        self.testcases = testcases.of(session.config)

    def pytest_warning_recorded(self, warning_message):
        self.say(kind="warning", text=what_became.warning_of(warning_message))

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


def again(config):
    """What a second process must be told to find the same tests in the same order."""
    seed = getattr(config.option, "randomly_seed", None)
    return ["--randomly-seed=%d" % seed] if isinstance(seed, int) else []


# What concerns a whole session: options by the names that pytest and plugins give them, first the
# usual one. Those that only change the order are not among them.
SETTLED = {
    "maxfail": ("--maxfail", "--exitfirst", "-x"),
    "stepwise": ("--stepwise", "--sw"),
    "lf": ("--last-failed", "--lf"),
    "numprocesses": ("--numprocesses", "-n"),
    "durations": ("--durations",),
    "disable_warnings": ("--disable-warnings", "--disable-pytest-warnings"),
    "cov_source": ("--cov",),
    "collectonly": ("--collect-only", "--co"),
    "htmlpath": ("--html",),
    "json_report": ("--json-report",),
    "report_log": ("--report-log",),
    "usepdb": ("--pdb",),
    "trace": ("--trace",),
    "setuponly": ("--setup-only",),
    "setupplan": ("--setup-plan",),
}


def settled(config):
    """The options of a whole session that are set, to what, and whether on the command line."""
    typed = {str(word).split("=")[0] for word in config.invocation_params.args}
    found = []
    for name, spellings in SETTLED.items():
        value = getattr(config.option, name, None)
        if name == "durations" and value is not None:
            value = "%d %f" % (value, shortest(config.option))
        if name == "cov_source" and "--no-cov" in sys.argv:
            continue  # The user's: ours is not there.
        if value:
            fields = {"option": spellings[0], "value": str(value)}
            found.append({**fields, "typed": not typed.isdisjoint(spellings)})
    return found


def shortest(option):
    """How many seconds it takes to be told among the slowest."""
    minimum = getattr(option, "durations_min", None)
    if minimum is None:
        minimum = 0.0 if option.verbose > 1 else 0.005
    return minimum


def neutralized(arguments):
    """Without the measuring of coverage: of a test alone it says nothing, and may make it fail."""
    from importlib.util import find_spec

    explicit = "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in os.environ
    explicit = explicit or "--disable-plugin-autoload" in arguments
    # `-p no:cov`, in one word or in two.
    left_out = any(word.endswith(("no:cov", "no:pytest_cov")) for word in arguments)
    if explicit or left_out or not find_spec("pytest_cov"):
        return arguments
    return [*arguments, "--no-cov"]


def show_stacks_on_signal():
    """Has the stacks of all threads written when whoever runs us sends a signal that no program uses,
    as it does before it stops a test for its timeout. A handler that is not Python's, since a test
    may never come back to the interpreter. Forks inherit it."""
    import faulthandler
    import signal

    number = getattr(signal, "SIGSTKFLT", 16)
    faulthandler.register(number, file=STDERR, all_threads=True, chain=False)


def server(what, seconds):
    class Server(resident.Forks, Collector):
        """Collects, then says what the tests are, or runs one, in a fork."""

    server = Server(what, seconds)
    server.begin()
    return server


def main():
    mode, first, *arguments = sys.argv[1:]
    if mode == "together":
        tests, arguments = arguments[: int(first)], arguments[int(first) :]
    else:
        second, *arguments = arguments
    # As `python -m pytest` has it.
    if getattr(sys.flags, "safe_path", False):
        del sys.path[:1]
    else:
        sys.path[0] = DIRECTORY
    show_stacks_on_signal()
    if mode == "test":
        plugin = what_became.Reporter(first, second, private(2))
    elif mode == "together":
        plugin = together.Together(tests, (private(1), private(2)))
    elif mode == "collect":
        output = private(1)
        os.dup2(2, 1)
        plugin = Lister(json.loads(first), float(second), output)
        plugin.watch(START_TIMES)
    else:
        plugin = server(json.loads(first), float(second))
        plugin.watch(START_TIMES)

    import pytest

    # Before those of plugins and of conftest.py, which would run the tests.
    for first in (Lister.pytest_runtestloop, resident.Forks.pytest_runtestloop):
        pytest.hookimpl(tryfirst=True)(first)
    what_became.adapt(pytest.hookimpl)
    together.adapt(pytest.hookimpl)
    sys.argv[:] = [os.path.join(os.path.dirname(pytest.__file__), "__main__.py"), *arguments]
    code = pytest.main(neutralized(arguments), plugins=[plugin])
    if mode == "collect":
        plugin.at_rest()
        plugin.say(kind="end", code=int(code))
    if mode == "together":
        return plugin.judge(int(code))
    return int(code)


def load(name):
    """Another of our files, under a name that nobody else has, so that it needs no place on the
    search path."""
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    specification = importlib.util.spec_from_file_location(
        "_maelstrom_" + name, os.path.join(here, name + ".py")
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.runner = sys.modules["__main__"]
    return module


if __name__ == "__main__":
    if sys.argv[1] == "nothing":
        sys.exit()
    DIRECTORY = os.getcwd()
    COLORED = "--color=yes" in sys.argv
    STDERR = private(2)
    mode = sys.argv[1]
    writes_bytecode = not sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    names = ("resident", "what_became", "together", "testcases")
    resident, what_became, together, testcases = map(load, names)
    # What a resident writes, its forks would not find.
    sys.dont_write_bytecode = mode == "serve" or not writes_bytecode
    code = main()
    if mode == "serve":
        resident.leave(code)
    sys.stdout.flush()
    sys.exit(code)
