//! The short help (`-h`) of the programs that run tests and jobs: which options it shows, and its
//! examples. `--help` shows all options.

use maelstrom_spec::config::{ShortHelp, ShortHelpRow};

const fn row(options: &'static [&'static str], text: &'static str) -> ShortHelpRow {
    ShortHelpRow { options, text }
}

const PATTERNS: ShortHelpRow = row(&["include"], "Tests to run (topic `patterns`)");
const PACE: ShortHelpRow = row(&["stop_after", "failed"], "Stop early; rerun the failures");
const DISPLAY: ShortHelpRow = row(&["watch", "ui", "quiet"], "Rerun on changes; what to show");
const REPORTS: ShortHelpRow = row(&["junit", "record"], "Write reports");
const CLUSTER: ShortHelpRow = row(&["broker"], "Run the tests on a cluster");

/// The short help of `cargo maelstrom`.
pub static CARGO: ShortHelp = ShortHelp {
    rows: &[
        row(&["names"], "Run tests with this in their names"),
        row(&["package", "workspace"], "Packages to test"),
        row(&["lib", "test", "bin"], "Targets to test"),
        PATTERNS,
        row(&["exclude", "skip"], "Tests to leave out"),
        row(&["features", "release"], "How to build"),
        row(&["list_tests", "no_run"], "List tests, or only build"),
        row(&["slots", "timeout"], "Tests at a time; their limit"),
        PACE,
        DISPLAY,
        REPORTS,
        row(&["isolation", "strict"], "What separates tests"),
        CLUSTER,
    ],
    examples: &[
        ("cargo maelstrom", "all tests of this package or workspace"),
        (
            "cargo maelstrom -p core parse",
            "those of `core` with `parse` in their names",
        ),
        (
            "cargo maelstrom --failed",
            "those that failed in the last run",
        ),
    ],
};

/// The short help of `maelstrom-go-test`.
pub static GO: ShortHelp = ShortHelp {
    rows: &[
        row(&["packages"], "Packages to test, such as ./..."),
        row(&["run", "skip"], "Tests to run, or to skip"),
        PATTERNS,
        row(&["short", "verbose"], "Short versions; passing output"),
        row(&["build_flag", "vet"], "How to build; also -tags, -race"),
        row(&["list_tests", "no_run"], "List tests, or only build"),
        row(&["slots", "timeout"], "Tests at a time; their limit"),
        row(&["repeat", "failfast"], "Run often; stop at a failure"),
        PACE,
        DISPLAY,
        REPORTS,
        row(&["isolation", "strict"], "What separates tests"),
        CLUSTER,
    ],
    examples: &[
        ("maelstrom-go-test", "all tests of the module"),
        (
            "maelstrom-go-test -run TestParse ./ast",
            "one test of a package",
        ),
        (
            "maelstrom-go-test --failed",
            "those that failed in the last run",
        ),
    ],
};

/// The short help of `maelstrom-pytest`.
pub static PYTEST: ShortHelp = ShortHelp {
    rows: &[
        row(&["paths"], "Files, directories or node ids"),
        row(&["keyword", "markers"], "Tests by name or marker"),
        PATTERNS,
        row(&["exclude"], "Tests to leave out"),
        row(&["list", "python"], "List tests; the interpreter"),
        row(&["slots", "timeout"], "Tests at a time; their limit"),
        row(&["fresh", "together"], "How tests share a process"),
        PACE,
        row(&["repeat", "verbose"], "Run often; show details"),
        DISPLAY,
        REPORTS,
        CLUSTER,
    ],
    examples: &[
        ("maelstrom-pytest", "all tests of the project"),
        (
            "maelstrom-pytest tests/unit -k parse",
            "some of a directory",
        ),
        (
            "maelstrom-pytest --failed",
            "those that failed in the last run",
        ),
    ],
};

/// The short help of `maelstrom-run`.
pub static RUN: ShortHelp = ShortHelp {
    rows: &[
        row(&["command"], "The program to run, with arguments"),
        row(&["image"], "Its container's image"),
        row(&["mount"], "A file or directory to show it"),
        row(&["env", "writable"], "Its variables; let it write"),
        row(&["network", "privileges"], "What it may reach and do"),
        row(&["working_directory"], "Where it starts"),
        row(&["user", "group", "timeout"], "Its ids, and its time limit"),
        row(&["tty"], "Give it this terminal"),
        row(&["job"], "Run a test's saved job again"),
        row(&["file", "one"], "Jobs from a file"),
        row(&["slots", "ui", "quiet"], "Jobs at a time; what to show"),
        row(&["broker", "local_slots"], "Run on a cluster"),
        row(&["config-file", "print-config"], "Configuration"),
    ],
    examples: &[
        ("maelstrom-run -- ls -l /", "a program of this machine"),
        (
            "maelstrom-run --tty --image docker://debian -- bash",
            "a shell in an image",
        ),
        ("maelstrom-run --file jobs.json", "a stream of jobs"),
    ],
};
