//! The tables of `cargo nextest run` and `cargo nextest list`.

use super::{differs, no_effect, refused, same, variable};
use crate::peers::PeerSupport::{Differs, NoEffect, Same};
use crate::peers::{PeerFlag, PeerTool, PeerVariable};

/// Why the options of archives are refused.
const ARCHIVES: &str = "there are no archives; `--no-run` builds, and `--broker HOST:PORT` runs on \
                        other machines what was built here";

const PROGRESS: &str = "`--ui` chooses how the run is shown";

const INDENT: &str = "the output of tests is not indented";

const KEYS: &str = "keys are read by the dashboard only, and `--ui=plain` has none";

/// The flags that both commands have, and those of one of them.
macro_rules! nextest_flags {
    ($($own:expr),* $(,)?) => {
        &[
            same(&["--color"], Some("always")),
            no_effect(&["--no-pager"], None, "output never goes through a pager"),
            no_effect(
                &["--verbose", "-v"],
                None,
                "`--cargo-verbose` makes cargo verbose, `--log-level=debug` this program",
            ),
            differs(&["--help", "-h"], None, "prints the help of `cargo maelstrom`"),
            same(&["--package", "-p"], Some("core")),
            same(&["--workspace"], None),
            differs(
                &["--exclude"],
                Some("test"),
                "also takes patterns: a value that is no package of the workspace is a pattern",
            ),
            same(&["--all"], None),
            same(&["--lib"], None),
            same(&["--bin"], Some("tool")),
            same(&["--bins"], None),
            same(&["--example"], Some("demo")),
            same(&["--examples"], None),
            same(&["--test"], Some("cli")),
            same(&["--tests"], None),
            same(&["--bench"], Some("speed")),
            same(&["--benches"], None),
            same(&["--all-targets"], None),
            same(&["--features", "-F"], Some("a,b")),
            same(&["--all-features"], None),
            same(&["--no-default-features"], None),
            same(&["--build-jobs"], Some("2")),
            same(&["--release", "-r"], None),
            same(&["--cargo-profile"], Some("bench")),
            same(&["--target"], Some("x86_64-unknown-linux-gnu")),
            same(&["--target-dir"], Some("out")),
            refused(
                &["--unit-graph"],
                None,
                "it builds nothing and runs no test; use `cargo test --unit-graph`",
            ),
            same(&["--timings"], None),
            same(&["--manifest-path"], Some("Cargo.toml")),
            same(&["--frozen"], None),
            same(&["--locked"], None),
            same(&["--offline"], None),
            differs(
                &["--cargo-message-format"],
                Some("human"),
                "cargo's JSON formats are refused",
            ),
            same(&["--cargo-quiet"], None),
            same(&["--cargo-verbose"], None),
            same(&["--ignore-rust-version"], None),
            same(&["--future-incompat-report"], None),
            same(&["--config"], Some("build.rustflags=[]")),
            same(&["-Z"], Some("unstable-options")),
            same(&["--run-ignored"], Some("all")),
            differs(
                &["--partition"],
                Some("hash:1/2"),
                "the same, with another hash; `time:M/N` divides by the tests' times",
            ),
            same(&["--platform-filter"], Some("any")),
            differs(
                &["--filterset", "-E"],
                Some("test(parse) & !package(core)"),
                "`group()` is an error; packages without a selected test are not built",
            ),
            same(&["--ignore-default-filter"], None),
            no_effect(&["--show-progress"], Some("bar"), PROGRESS),
            refused(&["--archive-file"], Some("a.tar.zst"), ARCHIVES),
            refused(&["--archive-format"], Some("tar-zst"), ARCHIVES),
            refused(&["--extract-to"], Some("out"), ARCHIVES),
            refused(&["--extract-overwrite"], None, ARCHIVES),
            refused(&["--persist-extract-tempdir"], None, ARCHIVES),
            refused(&["--cargo-metadata"], Some("metadata.json"), ARCHIVES),
            refused(&["--workspace-remap"], Some("w"), ARCHIVES),
            refused(&["--binaries-metadata"], Some("binaries.json"), ARCHIVES),
            refused(&["--target-dir-remap"], Some("t"), ARCHIVES),
            refused(&["--build-dir-remap"], Some("b"), ARCHIVES),
            same(&["--config-file"], Some(".config/nextest.toml")),
            no_effect(
                &["--user-config-file"],
                Some("none"),
                "nextest's settings of a user are about its own screen",
            ),
            same(&["--tool-config-file"], Some("tool:/tool.toml")),
            no_effect(
                &["--override-version-check"],
                None,
                "the version that `nextest.toml` asks for is that of nextest",
            ),
            differs(
                &["--profile", "-P"],
                Some("ci"),
                "also chooses a profile of `cargo-maelstrom.toml`",
            ),
            $($own),*
        ]
    };
}

const RUN_FLAGS: &[PeerFlag] = nextest_flags![
    refused(
        &["--rerun", "-R"],
        Some("latest"),
        "use `--failed`, which runs the tests that failed in the last run",
    ),
    same(&["--no-run"], None),
    same(&["--test-threads", "--jobs", "-j"], Some("num-cpus")),
    same(&["--retries"], Some("2")),
    same(&["--flaky-result"], Some("pass")),
    differs(
        &["--fail-fast", "--ff"],
        None,
        "the default of this command; tests that run are stopped, as with `--max-fail=1:immediate`",
    ),
    same(&["--no-fail-fast", "--nff"], None),
    differs(
        &["--max-fail"],
        Some("3:immediate"),
        "tests that run are always stopped, as with `:immediate`",
    ),
    differs(
        &["--debugger"],
        Some("rust-gdb --args"),
        "needs a terminal; the test runs in its container",
    ),
    differs(
        &["--tracer"],
        Some("strace -f"),
        "the test runs in its container",
    ),
    same(&["--no-tests"], Some("auto")),
    differs(
        &["--no-capture"],
        None,
        "the output of every test is shown while it is written, in whole lines; tests \
         still run at the same time",
    ),
    refused(
        &["--stress-count"],
        Some("5"),
        "use `--repeat N`, which runs each test N times, or `--repeat inf`",
    ),
    refused(
        &["--stress-duration"],
        Some("1h"),
        "use `--repeat-for TIME`, which repeats the tests for that time",
    ),
    differs(
        &["--failure-output"],
        Some("immediate-final"),
        "always `immediate` and, if much follows, `final`; `never` is refused",
    ),
    differs(
        &["--success-output"],
        Some("final"),
        "`final` is `immediate`",
    ),
    differs(
        &["--status-level"],
        Some("fail"),
        "`none`, `fail`, `retry`, `slow` and `leak` are `--ui=quiet`, others the lines of \
         `--ui=plain`",
    ),
    no_effect(
        &["--final-status-level"],
        Some("fail"),
        "the summary always names what failed",
    ),
    no_effect(&["--no-output-indent"], None, INDENT),
    no_effect(
        &["--hide-progress-bar"],
        None,
        "`--ui` chooses how the run is shown",
    ),
    no_effect(&["--no-input-handler"], None, KEYS),
    no_effect(
        &["--max-progress-running"],
        Some("8"),
        "`--ui` chooses how the run is shown",
    ),
    same(&["--message-format"], Some("libtest-json-plus")),
    no_effect(
        &["--message-format-version"],
        Some("0.1"),
        "there is one version",
    ),
];

const LIST_FLAGS: &[PeerFlag] = nextest_flags![
    differs(
        &["--message-format", "-T"],
        Some("oneline"),
        "`auto` is `oneline`, `human` the titles of the tests, and `json-pretty` is `json`",
    ),
    differs(
        &["--list-type"],
        Some("binaries-only"),
        "`binaries-only` prints the targets that have tests, and builds nothing",
    ),
];

const PROFILE_VARIABLE: PeerVariable = variable("NEXTEST_PROFILE", Same);

const VERBOSE_VARIABLE: PeerVariable = variable(
    "NEXTEST_VERBOSE",
    NoEffect("`--log-level=debug` makes this program verbose"),
);

const PROGRESS_VARIABLE: PeerVariable = variable("NEXTEST_SHOW_PROGRESS", NoEffect(PROGRESS));

const USER_FILE_VARIABLE: PeerVariable = variable(
    "NEXTEST_USER_CONFIG_FILE",
    NoEffect("nextest's settings of a user are about its own screen"),
);

const RUN_VARIABLES: &[PeerVariable] = &[
    variable("CARGO_TERM_COLOR", Same),
    variable("NEXTEST_TEST_THREADS", Same),
    variable("NEXTEST_NO_TESTS", Same),
    variable("NEXTEST_STATUS_LEVEL", Differs("as `--status-level` does")),
    variable(
        "NEXTEST_FAILURE_OUTPUT",
        Differs("as `--failure-output` does"),
    ),
    variable(
        "NEXTEST_SUCCESS_OUTPUT",
        Differs("as `--success-output` does"),
    ),
    variable("NEXTEST_MESSAGE_FORMAT", Same),
    variable(
        "NEXTEST_MESSAGE_FORMAT_VERSION",
        NoEffect("there is one version"),
    ),
    PROFILE_VARIABLE,
    variable("NEXTEST_RETRIES", Same),
    variable("NEXTEST_FLAKY_RESULT", Same),
    variable(
        "NEXTEST_FINAL_STATUS_LEVEL",
        NoEffect("the summary always names what failed"),
    ),
    variable("NEXTEST_NO_OUTPUT_INDENT", NoEffect(INDENT)),
    VERBOSE_VARIABLE,
    PROGRESS_VARIABLE,
    variable("NEXTEST_HIDE_PROGRESS_BAR", NoEffect(PROGRESS)),
    variable("NEXTEST_MAX_PROGRESS_RUNNING", NoEffect(PROGRESS)),
    variable("NEXTEST_NO_INPUT_HANDLER", NoEffect(KEYS)),
    USER_FILE_VARIABLE,
    variable(
        "NEXTEST_EXPERIMENTAL_LIBTEST_JSON",
        NoEffect("`--message-format` needs no permission"),
    ),
];

const LIST_VARIABLES: &[PeerVariable] = &[
    variable("CARGO_TERM_COLOR", Same),
    PROFILE_VARIABLE,
    VERBOSE_VARIABLE,
    PROGRESS_VARIABLE,
    USER_FILE_VARIABLE,
];

/// `cargo nextest run`.
pub static NEXTEST_RUN: PeerTool = PeerTool {
    command: "cargo nextest run",
    flags: RUN_FLAGS,
    variables: RUN_VARIABLES,
};

/// `cargo nextest list`.
pub static NEXTEST_LIST: PeerTool = PeerTool {
    command: "cargo nextest list",
    flags: LIST_FLAGS,
    variables: LIST_VARIABLES,
};
