//! The tables of `cargo test` and of the arguments after its `--`.

use super::{differs, no_effect, refused, same, variable};
use crate::peers::PeerSupport::{Differs, NoEffect, Same};
use crate::peers::PeerTool;

/// `cargo test`.
pub static CARGO_TEST: PeerTool = PeerTool {
    command: "cargo test",
    flags: &[
        same(&["--no-run"], None),
        differs(
            &["--no-fail-fast"],
            None,
            "the default: a failure ends the run only with `--fail-fast` or `--stop-after`",
        ),
        same(&["--future-incompat-report"], None),
        differs(
            &["--message-format"],
            Some("short"),
            "`human` and `short` are those of cargo, its JSON formats are refused; \
             `libtest-json` and `libtest-json-plus` print the tests' results as JSON",
        ),
        differs(
            &["--quiet", "-q"],
            None,
            "prints failures and the summary; the same as `--ui=quiet`",
        ),
        same(&["--verbose", "-v"], None),
        same(&["--color"], Some("always")),
        same(&["--config"], Some("build.rustflags=[]")),
        same(&["-Z"], Some("unstable-options")),
        differs(
            &["--help", "-h"],
            None,
            "prints the help of `cargo maelstrom`",
        ),
        same(&["--package", "-p"], Some("core")),
        same(&["--workspace"], None),
        differs(
            &["--exclude"],
            Some("test"),
            "also takes patterns: a value that is no package of the workspace is a pattern",
        ),
        same(&["--all"], None),
        same(&["--lib"], None),
        same(&["--bins"], None),
        same(&["--bin"], Some("tool")),
        same(&["--examples"], None),
        same(&["--example"], Some("demo")),
        same(&["--tests"], None),
        same(&["--test"], Some("cli")),
        same(&["--benches"], None),
        same(&["--bench"], Some("speed")),
        same(&["--all-targets"], None),
        same(&["--doc"], None),
        same(&["--features", "-F"], Some("a,b")),
        same(&["--all-features"], None),
        same(&["--no-default-features"], None),
        differs(
            &["--jobs", "-j"],
            Some("2"),
            "also the number of tests that run at a time, unless `--slots` or `--test-threads` \
             (after `--`) sets that",
        ),
        same(&["--release", "-r"], None),
        same(&["--profile"], Some("bench")),
        same(&["--target"], Some("x86_64-unknown-linux-gnu")),
        same(&["--target-dir"], Some("out")),
        refused(
            &["--unit-graph"],
            None,
            "it builds nothing and runs no test; use `cargo test --unit-graph`",
        ),
        same(&["--timings"], None),
        same(&["--manifest-path"], Some("Cargo.toml")),
        same(&["--ignore-rust-version"], None),
        same(&["--locked"], None),
        same(&["--offline"], None),
        same(&["--frozen"], None),
    ],
    variables: &[
        variable("CARGO_TERM_COLOR", Same),
        variable("CARGO_TERM_QUIET", Differs("about the build's output only")),
        variable(
            "CARGO_TERM_VERBOSE",
            Differs("about the build's output only"),
        ),
        variable(
            "CARGO_TERM_PROGRESS_WHEN",
            NoEffect("the build's progress is always read, and shown by the user interface"),
        ),
        variable(
            "CARGO_TERM_PROGRESS_WIDTH",
            NoEffect("the build's progress is always read, and shown by the user interface"),
        ),
        variable(
            "CARGO_BUILD_JOBS",
            Differs("about the build only; `--slots` limits the tests"),
        ),
        variable("CARGO_BUILD_TARGET", Same),
        variable(
            "CARGO_BUILD_*, CARGO_PROFILE_*, CARGO_HTTP_*, CARGO_NET_*",
            Same,
        ),
        variable("CARGO_TARGET_DIR", Same),
        variable("CARGO_TARGET_*_RUNNER", Same),
        variable("CARGO_HOME", Same),
        variable("RUSTC, RUSTC_WRAPPER, RUSTFLAGS, RUSTUP_TOOLCHAIN", Same),
        variable("RUST_BACKTRACE", Same),
        variable(
            "RUST_TEST_THREADS",
            Differs("the number of tests that run at a time, each in a process of its own"),
        ),
        variable(
            "RUST_TEST_NOCAPTURE",
            Differs("the output of every test is shown while it is written, in whole lines"),
        ),
        variable(
            "RUST_TEST_SHUFFLE, RUST_TEST_SHUFFLE_SEED",
            NoEffect("no test sees another one, so their order changes nothing"),
        ),
        variable(
            "RUST_TEST_TIME_UNIT, RUST_TEST_TIME_INTEGRATION, RUST_TEST_TIME_DOCTEST",
            NoEffect("`--timeout` limits the time of a test"),
        ),
    ],
};

/// The arguments after `--`, which libtest reads.
pub static LIBTEST: PeerTool = PeerTool {
    command: "cargo test --",
    flags: &[
        same(&["--include-ignored"], None),
        same(&["--ignored"], None),
        differs(
            &["--force-run-in-process"],
            None,
            "passed to every test binary",
        ),
        refused(
            &["--exclude-should-panic"],
            None,
            "use `--skip NAME`, or `--exclude PATTERN` before `--`",
        ),
        differs(&["--test"], None, "passed to every test binary"),
        differs(&["--bench"], None, "passed to every test binary"),
        same(&["--list"], None),
        differs(
            &["--fail-fast"],
            None,
            "ends the whole run after the first failure, and stops the tests that run",
        ),
        refused(
            &["--help", "-h"],
            None,
            "run the test binary itself to see its help",
        ),
        refused(
            &["--logfile"],
            Some("log"),
            "the file would be thrown away with the container; use `--junit FILE` or \
             `--record FILE` before `--`",
        ),
        differs(
            &["--no-capture"],
            None,
            "the output of every test is shown while it is written, in whole lines",
        ),
        differs(
            &["--test-threads"],
            Some("2"),
            "the number of tests that run at a time, each in a process of its own",
        ),
        same(&["--skip"], Some("slow")),
        no_effect(
            &["--quiet", "-q"],
            None,
            "libtest's own text is not shown; use `--quiet` before `--`",
        ),
        same(&["--exact"], None),
        differs(
            &["--color"],
            Some("always"),
            "passed to every test binary; `--color` before `--` is about the report",
        ),
        differs(
            &["--format"],
            Some("json"),
            "`json` is the same as `--message-format=libtest-json`; others are passed to every \
             test binary, and libtest's own text is not shown",
        ),
        same(&["--show-output"], None),
        differs(
            &["-Z"],
            Some("unstable-options"),
            "passed to every test binary; no option of this program needs it",
        ),
        no_effect(&["--report-time"], None, "the report always has the times"),
        no_effect(
            &["--ensure-time"],
            None,
            "`--timeout` limits the time of a test",
        ),
        no_effect(
            &["--shuffle"],
            None,
            "no test sees another one, so their order changes nothing",
        ),
        no_effect(
            &["--shuffle-seed"],
            Some("1"),
            "no test sees another one, so their order changes nothing",
        ),
    ],
    variables: &[],
};
