//! The flags of pytest and of pytest-xdist, and how `maelstrom-pytest` handles them.
//!
//! [`super::words`] reads from these tables which flags take a value and which are refused; the
//! documentation's tables are made from them.

use crate::peers::PeerSupport::{self, Differs, NoEffect, Refused, Same};
use crate::peers::{PeerFlag, PeerTool, PeerVariable};

/// pytest, with the flags of its own plugins.
pub static PYTEST: PeerTool = PeerTool {
    command: "pytest",
    flags: &[
        value(&["-k"], "a or b", Same),
        value(&["-m"], "not slow", Same),
        switch(&["--markers"], Refused(PRINTS)),
        switch(&["--exitfirst", "-x"], Differs(RUNNING)),
        value(&["--maxfail"], "2", Differs(RUNNING)),
        switch(&["--strict-config"], Same),
        switch(&["--strict-markers"], Same),
        switch(&["--strict"], Same),
        switch(&["--fixtures", "--funcargs"], Refused(PRINTS)),
        switch(&["--fixtures-per-test"], Refused(PRINTS)),
        switch(&["--pdb"], Refused(DEBUG)),
        value(&["--pdbcls"], "a:B", NoEffect("there is no `--pdb`")),
        switch(&["--trace"], Refused(DEBUG)),
        value(&["--capture"], "sys", Same),
        switch(&["-s"], Same),
        switch(&["--runxfail"], Same),
        switch(&["--last-failed", "--lf"], Differs(HISTORY)),
        switch(&["--failed-first", "--ff"], NoEffect(ORDER)),
        switch(&["--new-first", "--nf"], NoEffect(ORDER)),
        switch(&["--cache-show"], Refused(PRINTS)),
        switch(
            &["--cache-clear"],
            NoEffect("tests see no cache of earlier runs"),
        ),
        value(
            &["--last-failed-no-failures", "--lfnf"],
            "all",
            Differs("`all` only; with `none`, use `--failed --no-tests pass`"),
        ),
        switch(
            &["--stepwise", "--sw"],
            Differs("stops after the first failure; the next run begins with the failed tests"),
        ),
        switch(
            &["--stepwise-skip", "--sw-skip"],
            Differs("stops after the second failure; the next run begins with the failed tests"),
        ),
        switch(
            &["--stepwise-reset", "--sw-reset"],
            Differs("as `--stepwise`"),
        ),
        value(&["--durations"], "3", Same),
        value(&["--durations-min"], "0.1", Same),
        switch(&["--verbose", "-v"], Differs(PYTESTS_OUTPUT)),
        switch(&["--no-header"], Same),
        switch(&["--no-summary"], Same),
        switch(&["--no-fold-skipped"], NoEffect(SUMMARY)),
        switch(&["--force-short-summary"], NoEffect(SUMMARY)),
        switch(&["--quiet", "-q"], Differs("the same, and `--ui=quiet`")),
        value(&["--verbosity"], "1", Differs(PYTESTS_OUTPUT)),
        value(
            &["--report-chars", "-r"],
            "a",
            Differs(
                "affects pytest's output about each test; `P` and `A` also show it for passing ones",
            ),
        ),
        switch(&["--disable-warnings", "--disable-pytest-warnings"], Same),
        switch(&["--showlocals", "-l"], Same),
        switch(&["--no-showlocals"], Same),
        value(&["--tb"], "short", Same),
        switch(&["--xfail-tb"], Same),
        value(&["--show-capture"], "no", Same),
        switch(&["--full-trace"], Same),
        value(
            &["--color"],
            "yes",
            Differs("the same, also for the report; `always` and `never` mean `yes` and `no`"),
        ),
        value(&["--code-highlight"], "no", Same),
        value(
            &["--pastebin"],
            "all",
            Refused("tests have no network; paste the report yourself"),
        ),
        value(
            &["--junit-xml", "--junitxml"],
            "report.xml",
            Differs("the same; tests that ended without a result are in it as errors"),
        ),
        value(&["--junit-prefix", "--junitprefix"], "x", Same),
        value(&["--pythonwarnings", "-W"], "error", Same),
        value(&["--max-warnings"], "3", Differs("the limit of each test")),
        switch(
            &["--collect-only", "--co"],
            Differs("prints node ids, as with `--co -q`"),
        ),
        switch(&["--pyargs"], Same),
        value(&["--ignore"], "x", Same),
        value(&["--ignore-glob"], "x*", Same),
        value(&["--deselect"], "t.py::x", Same),
        value(&["--confcutdir"], ".", Same),
        switch(&["--noconftest"], Same),
        switch(&["--keep-duplicates"], Same),
        switch(&["--collect-in-virtualenv"], Same),
        switch(
            &["--continue-on-collection-errors"],
            NoEffect("the other files' tests always run"),
        ),
        value(&["--import-mode"], "importlib", Same),
        switch(&["--doctest-modules"], Same),
        value(&["--doctest-report"], "ndiff", Same),
        value(&["--doctest-glob"], "*.rst", Same),
        switch(&["--doctest-ignore-import-errors"], Same),
        switch(&["--doctest-continue-on-failure"], Same),
        value(
            &["--config-file", "-c"],
            "tox.ini",
            Differs("the same; Maelstrom's own is `--maelstrom-config-file`"),
        ),
        value(&["--rootdir"], ".", Same),
        value(
            &["--basetemp"],
            "/tmp/x",
            Differs("a directory of each test's container, discarded with it"),
        ),
        switch(
            &["--version", "-V"],
            Differs("prints the version of maelstrom-pytest"),
        ),
        switch(
            &["--help", "-h"],
            Differs("prints the options of maelstrom-pytest"),
        ),
        value(&["-p"], "no:doctest", Same),
        switch(&["--disable-plugin-autoload"], Same),
        switch(&["--trace-config"], Differs(PYTESTS_OUTPUT)),
        switch(
            &["--debug"],
            Refused("its file would be discarded with the container; use `pytest --debug`"),
        ),
        value(&["--override-ini", "-o"], "a=b", Same),
        value(&["--assert"], "plain", Same),
        switch(&["--setup-only"], Refused(PRINTS)),
        switch(&["--setup-show"], Same),
        switch(&["--setup-plan"], Refused(PRINTS)),
        value(
            &["--log-level"],
            "INFO",
            Differs("the same; Maelstrom's own is `-L`, `--maelstrom-log-level`"),
        ),
        value(&["--log-format"], "x", Same),
        value(&["--log-date-format"], "x", Same),
        value(&["--log-cli-level"], "INFO", Same),
        value(&["--log-cli-format"], "x", Same),
        value(&["--log-cli-date-format"], "x", Same),
        value(&["--log-file"], "x.log", Differs(DISCARDED)),
        value(&["--log-file-mode"], "a", Differs(DISCARDED)),
        value(&["--log-file-level"], "INFO", Differs(DISCARDED)),
        value(&["--log-file-format"], "x", Differs(DISCARDED)),
        value(&["--log-file-date-format"], "x", Differs(DISCARDED)),
        value(&["--log-auto-indent"], "on", Same),
        value(&["--log-disable"], "x", Same),
    ],
    variables: &[
        variable("PYTEST_ADDOPTS", Same),
        variable("PYTEST_PLUGINS", Same),
        variable("PYTEST_DISABLE_PLUGIN_AUTOLOAD", Same),
        variable("PYTEST_DEBUG", Same),
        variable(
            "PYTEST_DEBUG_TEMPROOT",
            Differs("a directory of each test's container, discarded with it"),
        ),
        variable("PYTEST_THEME", Same),
        variable("PYTEST_THEME_MODE", Same),
        variable("CI", Same),
        variable("BUILD_NUMBER", Same),
        variable("PY_COLORS", NoEffect("`--color` decides for pytest, too")),
        variable("NO_COLOR", Same),
        variable("FORCE_COLOR", NoEffect("use `--color=always`")),
    ],
};

/// The flags that pytest-xdist adds. They are accepted whether it is installed or not.
pub static XDIST: PeerTool = PeerTool {
    command: "pytest with pytest-xdist",
    flags: &[
        value(
            &["--numprocesses", "-n"],
            "auto",
            Differs(
                "the number of tests that run at a time (`--slots`); `auto` and `logical` mean the \
                 number of CPUs, 0 means 1",
            ),
        ),
        value(&["--maxprocesses"], "4", Differs("limits `-n auto`")),
        value(
            &["--max-worker-restart"],
            "0",
            NoEffect("a test that crashes ends no other test"),
        ),
        value(&["--dist"], "loadfile", NoEffect(DISTRIBUTION)),
        switch(&["--loadscope-reorder"], NoEffect(DISTRIBUTION)),
        switch(&["--no-loadscope-reorder"], NoEffect(DISTRIBUTION)),
        value(&["--tx"], "popen", Refused(CLUSTER)),
        value(&["--px"], "x", Refused(CLUSTER)),
        switch(&["-d"], NoEffect(DISTRIBUTION)),
        switch(&["--looponfail", "-f"], Refused("use `--watch`")),
        value(&["--rsyncdir"], "x", Refused(CLUSTER)),
        value(&["--rsyncignore"], "x", Refused(CLUSTER)),
        value(
            &["--testrunuid"],
            "x",
            NoEffect("each test is a run of its own for pytest-xdist"),
        ),
        value(&["--maxschedchunk"], "1", NoEffect(DISTRIBUTION)),
    ],
    variables: &[variable("PYTEST_XDIST_AUTO_NUM_WORKERS", Same)],
};

const PRINTS: &str = "it runs no test; use `python -m pytest` for that";
const DEBUG: &str = "tests have no terminal; use `--tty NODEID -- --pdb` (or `-- --trace`), which \
                     runs one test on yours";
const RUNNING: &str = "the same; tests that are running still finish";
const HISTORY: &str = "the same as `--failed`, by Maelstrom's own history of runs";
const ORDER: &str = "new and failed tests run first anyway";
const SUMMARY: &str = "the summary is Maelstrom's";
const PYTESTS_OUTPUT: &str = "affects pytest's output about each test";
const DISCARDED: &str = "about a file in each test's container, which is discarded with it";
const DISTRIBUTION: &str = "each test has its own container, in any order";
const CLUSTER: &str = "use `--broker` for tests on other machines";

const fn switch(spellings: &'static [&'static str], support: PeerSupport) -> PeerFlag {
    PeerFlag {
        spellings,
        value: None,
        support,
    }
}

const fn value(
    spellings: &'static [&'static str],
    value: &'static str,
    support: PeerSupport,
) -> PeerFlag {
    PeerFlag {
        spellings,
        value: Some(value),
        support,
    }
}

const fn variable(name: &'static str, support: PeerSupport) -> PeerVariable {
    PeerVariable { name, support }
}

/// Returns the flag of pytest or of pytest-xdist with a spelling.
pub fn flag(spelling: &str) -> Option<&'static PeerFlag> {
    PYTEST.flag(spelling).or_else(|| XDIST.flag(spelling))
}
