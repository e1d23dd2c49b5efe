"""Runs tests in one session that ask for one another, and says of each what became of it.

Plugins and recipes know what a session's other tests did: pytest-dependency skips a test if another
has not passed, syrupy fails the session if no test has used a snapshot. Such tests are a group, and
are run as pytest runs them: after one another, in one process.

The output is divided by an escape sequence in both streams: what follows belongs to the test that
it names, or to none (`=1`: and the test has failed). The end of a test is where both streams go on
to something else. The last one ends with the process, whose exit code is 0 unless this test has
failed, or pytest for another reason than a test: an unused snapshot, say.
"""

import json
import os
import sys

runner = None  # The module that runs us; it sets this.

PART_START = b"\x1b_maelstrom-part "


class Rule:
    """Which tests need one another: those that a plugin's marker or fixture tells.

    Of a class, a file or the whole session; in the last two, all tests of the files in which there
    is such a test, unless it is `alone` with its like.
    """

    def __init__(self, name, plugins=(), markers=(), fixtures=(), scope="file", alone=False):
        self.name, self.plugins, self.alone = name, plugins, alone
        self.markers, self.fixtures, self.scope = set(markers), set(fixtures), scope

    def applies(self, manager):
        return not self.plugins or any(manager.hasplugin(plugin) for plugin in self.plugins)

    def concerns(self, item):
        if not self.fixtures.isdisjoint(getattr(item, "fixturenames", ())):
            return True
        return any(mark.name in self.markers for mark in item.iter_markers())

    def place(self, item, scope):
        if scope == "session":
            return ""
        if scope == "class":
            return item.parent.nodeid
        return str(item.path)


# What is known to ask. pytest-order and pytest-ordering are there because whoever orders tests has
# some that build upon what others have left; `incremental` is a recipe of pytest's documentation.
RULES = (
    Rule("pytest-dependency", ("dependency", "pytest_dependency"), ("dependency",)),
    Rule("pytest-depends", ("depends", "pytest_depends"), ("depends",)),
    Rule("pytest-order", ("pytest_order", "order"), ("order",), scope="session"),
    Rule("pytest-ordering", ("pytest_ordering",), ("run",), scope="session"),
    Rule("the marker incremental", (), ("incremental",), scope="class"),
    Rule("syrupy", ("syrupy",), (), ("snapshot",), "session", alone=True),
    Rule(
        "pytest-harvest",
        ("harvest", "pytest_harvest"),
        (),
        ("module_results_dct", "module_results_df", "session_results_dct", "session_results_df"),
        "session",
    ),
)


def groups(session):
    """The group of each test that has one: its name, what asks for it, and whether it is about the
    whole session."""
    found = []
    for rule in RULES:
        if rule.applies(session.config.pluginmanager):
            found.extend(groups_of(rule, session))
    merged = []
    for members, names, whole in found:
        for other in [other for other in merged if not other[0].isdisjoint(members)]:
            merged.remove(other)
            members, names, whole = members | other[0], names | other[1], whole or other[2]
        merged.append((members, names, whole))
    result = {}
    for number, (members, names, whole) in enumerate(merged):
        for item in members:
            result[item] = {
                "name": str(number),
                "reason": " and ".join(sorted(names)),
                "whole": whole,
            }
    return result


def groups_of(rule, session):
    asking = [item for item in session.items if concerns(rule, item, session.config)]
    if not asking:
        return []
    scope = rule.scope
    if any(reaches_far(rule, item) for item in asking):
        scope = "session"
    files = {item.path for item in asking}
    members = {}
    for item in asking if rule.alone or scope == "class" else session.items:
        if item.path in files:
            members.setdefault(rule.place(item, scope), set()).add(item)
    return [(group, {rule.name}, scope == "session") for group in members.values()]


def concerns(rule, item, config):
    if rule.concerns(item):
        return True
    if rule.name != "pytest-dependency":
        return False
    try:
        return bool(config.getini("automark_dependency"))
    except (KeyError, ValueError):
        return False


def reaches_far(rule, item):
    """Whether a test depends on one of another file."""
    if rule.name != "pytest-dependency":
        return False
    marks = item.iter_markers("dependency")
    return any(mark.kwargs.get("scope") in ("session", "package") for mark in marks)


def unpacked(words):
    import base64
    import zlib

    return json.loads(zlib.decompress(base64.b64decode("".join(words))))


class Together:
    """Runs a group. `tests` holds the node id of each, which of that id it is, and how its part of
    the output is called; there is none for a test that is not wanted."""

    def __init__(self, tests, outputs):
        self.tests, self.outputs = unpacked(tests), outputs
        self.parts = {}
        self.left = 0
        self.current = None
        self.account = None
        self.failures = []
        self.terminal = None
        self.has_failed = False
        self.expected = 0
        self.testcases = None

    def pytest_cmdline_main(self, config):
        runner.is_alone(config)

    def pytest_sessionstart(self, session):
        runner.what_became.forget_earlier_runs(session.config)
        self.terminal = session.config.pluginmanager.getplugin("terminalreporter")
        self.testcases = runner.testcases.of(session.config)

    def pytest_collection_modifyitems(self, config, items):
        """Plugins see the group as if there were no other tests."""
        which = runner.Which(items)
        members = set()
        for node, word, part in self.tests:
            for item in which.find(node, word):
                members.add(item)
                if part is not None:
                    self.parts[item] = part
        items[:] = [item for item in items if item in members]

    def keep_wanted(self, session):
        """What a pattern has left out is deselected, as if by pytest's own `-k`."""
        unwanted = [item for item in session.items if item not in self.parts]
        if unwanted:
            session.config.hook.pytest_deselected(items=unwanted)
            session.items[:] = [item for item in session.items if item in self.parts]
        self.left = len(session.items)

    def pytest_collection_finish(self, session):
        self.keep_wanted(session)
        session.testscollected = len(session.items)

    def pytest_runtest_protocol(self, item):
        part = self.parts.get(item)
        if part is None:
            yield
            return
        self.begin(part, item)
        yield
        self.end(part)

    def begin(self, part, item):
        self.current = part
        if self.testcases is not None:
            self.testcases.forget()
        self.account = runner.what_became.Account()
        self.failures = []
        self.go_on(part)

    def end(self, part):
        for report in self.failures:
            self.show(report)
        self.flush()
        if self.testcases is not None:
            self.testcases.write(self.outputs[1])
        self.account.write(self.outputs[1])
        self.left -= 1
        self.has_failed = self.account.outcome == "failed"
        if self.left > 0:
            self.go_on("=1" if self.has_failed else "")
        else:
            # What is printed now, at the end of the session, tells of all tests.
            self.go_on("", self.outputs[:1])
        self.account = None

    def go_on(self, part, outputs=None):
        """Says to whom belongs what is written from here on."""
        self.flush()
        for output in outputs or self.outputs:
            runner.write(output, PART_START + part.encode() + runner.RECORD_END)

    def flush(self):
        streams = [getattr(self.terminal, "_tw", None), sys.stdout, sys.stderr]
        for stream in streams:
            if hasattr(stream, "flush"):
                stream.flush()

    def pytest_runtest_logreport(self, report):
        if self.account is not None:
            self.account.take(report)
            if report.failed:
                self.failures.append(report)

    def pytest_warning_recorded(self, warning_message):
        if self.account is not None:
            self.account.warn(warning_message)

    def show(self, report):
        """What pytest would have said at the end."""
        try:
            self.terminal.write_sep("_", self.terminal._getfailureheadline(report), red=True)
            self.terminal._outrep_summary(report)
        except Exception:
            sys.stdout.write(runner.what_became.colored(report) + "\n")

    def pytest_sessionfinish(self, session):
        yield
        self.expected = 1 if session.testsfailed else 0
        if self.current is not None and session.exitstatus != self.expected:
            # pytest will say why.
            self.go_on(self.current, self.outputs[:1])

    def judge(self, code):
        """The exit code, which is that of the last test."""
        if code == self.expected:
            return int(self.has_failed)
        return code or 1


def adapt(hookimpl):
    """Says when our hooks are called: pytest is not there when we are loaded."""
    hookimpl(tryfirst=True)(Together.pytest_collection_modifyitems)
    hookimpl(tryfirst=True)(Together.pytest_collection_finish)
    hookimpl(hookwrapper=True, tryfirst=True)(Together.pytest_runtest_protocol)
    # Within the terminal's, which says at its end what plugins have to say.
    hookimpl(hookwrapper=True, trylast=True)(Together.pytest_sessionfinish)
