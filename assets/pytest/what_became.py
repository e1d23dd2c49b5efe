"""What becomes of a test: the reports that pytest makes of it, as one record, and what they say."""

import os.path
import sys

runner = None  # The module that runs us; it sets this.

# Of one test; whoever has more to say is heard in the next ones.
WARNINGS_MAX = 20

# Of one test, which may have thousands of subtests: a record must fit into what is kept of the end
# of an output.
PHASES_MAX = 200


class Account:
    """What became of one test: its phases, why it failed and where."""

    def __init__(self):
        self.phases = []
        self.warnings = []
        self.outcome, self.reason, self.place = None, None, None

    def take(self, report):
        expected = hasattr(report, "wasxfail")
        outcome = report.outcome
        if outcome == "failed":
            where = {"call": "", "setup": "error in set-up: ", "teardown": "error in tear-down: "}
            self.fail(where.get(report.when, "") + message_of(report), report)
        elif is_of_subtest(report):
            pass  # The test itself goes on.
        elif outcome == "skipped" and self.outcome is None:
            # Also in set-up: `xfail(run=False)`.
            self.outcome = "xfailed" if expected else "skipped"
            self.reason = str(report.wasxfail) if expected else reason_of_skip(report.longrepr)
        elif outcome == "passed" and report.when == "call" and self.outcome is None:
            self.outcome = "xpassed" if expected else "passed"
            self.reason = str(report.wasxfail) if expected else None
        phase = {"name": report.when, "outcome": outcome, "seconds": report.duration}
        if expected and outcome != "failed":
            phase["outcome"] = "passed"
        if len(self.phases) < PHASES_MAX or not is_of_subtest(report):
            self.phases.append(phase)

    def fail(self, reason, report):
        if self.outcome != "failed":
            self.outcome, self.reason, self.place = "failed", reason, place_of(report)

    def warn(self, warning_message):
        text = warning_of(warning_message)
        if len(self.warnings) < WARNINGS_MAX and text not in self.warnings:
            self.warnings.append(text)

    def write(self, output):
        record = {
            "outcome": self.outcome,
            "reason": None if self.reason is None else runner.shortened(self.reason),
            "place": self.place,
            "phases": self.phases,
            "warnings": self.warnings,
        }
        runner.write(output, runner.RECORD_START + runner.dumps(record).encode() + runner.RECORD_END)


class Reporter:
    """Runs one test, and says what became of it."""

    def __init__(self, node, which, output):
        self.node, self.which, self.output = node, which, output
        self.account = Account()
        self.item, self.running = None, None
        self.testcases = None

    def choose(self, items):
        self.item = items[0] if items else None

    def pytest_cmdline_main(self, config):
        runner.is_alone(config)
        # Whatever else was named is what all tests were collected by.
        runner.name_only(config, sys.argv[1])

    def pytest_collection(self, session):
        """As pytest does, but for the ids of parameters that only another process had."""
        import pytest

        try:
            session.perform_collect()
        except pytest.UsageError:
            if runner.base_of(self.node) == self.node:
                raise
            session.config.args = [runner.base_of(argument) for argument in session.config.args]
            session.perform_collect()
        return True

    def pytest_collection_modifyitems(self, items):
        items[:] = runner.Which(items).find(self.node, self.which)
        self.choose(items)

    def pytest_collectreport(self, report):
        if report.failed:
            self.account.fail("could not be collected", report)

    def pytest_runtest_protocol(self, item):
        self.running = item
        yield
        self.running = None

    def pytest_runtest_logreport(self, report):
        """A loop of the project's own may run other tests, or run ours in its own way."""
        if self.item is None:
            return
        ours = report.nodeid == self.item.nodeid if self.running is None else None
        if ours or self.running is self.item:
            self.account.take(report)

    def pytest_warning_recorded(self, warning_message):
        self.account.warn(warning_message)

    def pytest_sessionstart(self, session):
        forget_earlier_runs(session.config)
        self.testcases = runner.testcases.of(session.config)

    def pytest_unconfigure(self):
        if self.testcases is not None:
            self.testcases.write(self.output)
        self.account.write(self.output)


def adapt(hookimpl):
    """Says when our hooks are called: pytest is not there when we are loaded."""
    hookimpl(hookwrapper=True, tryfirst=True)(Reporter.pytest_runtest_protocol)


def forget_earlier_runs(config):
    """They write what nobody will read: the container is thrown away."""
    for name in ("lfplugin", "nfplugin", "stepwiseplugin"):
        if config.pluginmanager.has_plugin(name):
            config.pluginmanager.unregister(name=name)


def is_of_subtest(report):
    """Whether it tells of a part of a test that the test survives."""
    return type(report).__name__ in ("SubtestReport", "SubTestReport")


def warning_of(message):
    """Where, of which class, and what."""
    lines = str(message.message).strip().splitlines() or [""]
    place = "%s:%s" % (runner.relative(message.filename), message.lineno)
    return runner.shortened("%s: %s: %s" % (place, message.category.__name__, lines[0]))


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
    return {"path": runner.relative(path), "line": line}


def is_own(path):
    path = runner.relative(path)
    return not os.path.isabs(path) and "site-packages" not in path


def reason_of_skip(longrepr):
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return runner.shortened(reason[len("Skipped: ") :] if reason.startswith("Skipped: ") else reason)


def reason_to_skip(item):
    """Why a test's marks say that it be skipped. What cannot be told now, the test will tell."""
    try:
        from _pytest.skipping import evaluate_skip_marks

        skip = evaluate_skip_marks(item)
    except BaseException:
        return None
    return None if skip is None else runner.shortened(skip.reason)


def colored(report):
    """pytest's own text, as a terminal would show it."""
    import io

    try:
        from _pytest._io import TerminalWriter

        writer = TerminalWriter(io.StringIO())
        writer.hasmarkup = runner.COLORED
        report.toterminal(writer)
        return writer._file.getvalue()
    except Exception:
        return report.longreprtext
