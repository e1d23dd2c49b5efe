"""The parts of pytest's JUnit report, as pytest itself makes them.

With `--junitxml`, pytest's plugin for reports collects an XML element for each test in the process
of that test. It is taken from there, so that names, texts and properties are pytest's own, and is
handed on beside what became of the test. The file is written where all tests are known.
"""

import os

runner = None  # The module that runs us; it sets this.

TESTCASES_START = b"\x1b_maelstrom-testcases "


class Testcases:
    """pytest's plugin for reports, which from now on writes and prints nothing itself."""

    def __init__(self, config, log):
        self.log, self.kind = log, type(log)
        self.path = log.logfile
        # A plugin without a hook is one whose attribute cannot be called.
        hooks = {"pytest_sessionfinish": None, "pytest_terminal_summary": None}
        log.__class__ = type("Testcases", (self.kind,), hooks)
        config.pluginmanager.unregister(log)
        config.pluginmanager.register(log)

    def forget(self):
        """What was reported so far is no test's of this process."""
        log = self.log
        log.node_reporters.clear()
        del log.node_reporters_ordered[:], log.open_reports[:], log.global_properties[:]
        log.stats.update(dict.fromkeys(log.stats, 0))
        log.cnt_double_fail_tests = 0

    def take(self):
        """What was reported since it was last taken."""
        from xml.etree.ElementTree import tostring

        log = self.log
        elements = [reporter.to_xml() for reporter in log.node_reporters_ordered]
        taken = {
            "cases": [tostring(element, encoding="unicode") for element in elements],
            "counts": {**log.stats, "double": log.cnt_double_fail_tests},
            "properties": [list(property) for property in log.global_properties],
        }
        self.forget()
        return taken

    def write(self, output):
        words = runner.dumps(self.take()).encode()
        runner.write(output, TESTCASES_START + words + runner.RECORD_END)

    def skipped(self, item, reason):
        """What pytest would report of a test whose marks skip it."""
        from _pytest.reports import TestReport

        path, line = item.reportinfo()[:2]
        node = getattr(item, "id", None)
        if type(node).__name__ != "NodeId":
            node = item.nodeid
        why = (str(path), (line or 0) + 1, "Skipped: " + reason)
        for when, outcome, longrepr in (("setup", "skipped", why), ("teardown", "passed", None)):
            report = TestReport(node, item.location, {}, outcome, longrepr, when)
            self.log.pytest_runtest_logreport(report)
        return self.take()

    def frame(self):
        """The whole file, as it is without a test."""
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            self.log.logfile = os.path.join(directory, "report.xml")
            self.kind.pytest_sessionstart(self.log)
            self.kind.pytest_sessionfinish(self.log)
            with open(self.log.logfile, encoding="utf-8") as file:
                return file.read()


def of(config):
    """What reports the tests of this process, if it is wanted."""
    known = getattr(config, "_maelstrom_testcases", None)
    if known is not None:
        return known
    try:
        from _pytest.junitxml import xml_key
    except ImportError:
        return None
    log = config.stash.get(xml_key, None)
    if log is None:
        return None
    config._maelstrom_testcases = Testcases(config, log)
    return config._maelstrom_testcases
