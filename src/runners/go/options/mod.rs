//! The command line of `maelstrom-go-test`: [`GoOptions`] as parsed, [`GoSettings`] as resolved.
//!
//! Options are named as in the original Maelstrom and in `go test`, with one dash or two
//! ([`words`]); those in `GOFLAGS` count as well. Where the two conflict:
//!
//! - Letters that `go test` has are its own: `-v`, `-c`, `-o`, `-x`, `-p`, `-n`. Maelstrom's options
//!   have their long names.
//! - Without a package the whole module is tested, `./...`, as in the original; `go test` tests
//!   only the current directory. Where it can only be about one package (`-c`, `-o`, `-fuzz`), it
//!   is the current directory.
//! - `--timeout` with a bare number is in seconds and kills a test from outside; with a unit, as in
//!   `30s`, it is Go's own and ends the test with the stacks of all goroutines.
//! - `-j` is the number of concurrent tests, `-p` that of build steps.
//!
//! Invariant: resolving options touches neither the system nor the environment.

pub mod words;

mod flags;
mod resolve;
#[cfg(test)]
mod tests;
mod timeout;
pub(super) mod variable;

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser};

use crate::options::changed::CHANGED_VALUES;
use crate::options::policy::POLICY_VALUES;
use crate::options::profile::{ProfileRequest, chosen_name, nearest_directory};
use crate::options::report::REPORT_VALUES;
use crate::options::{CommonOptions, REPEAT_VALUES, SLOT_VALUES, help_order, short_help};
use crate::sandbox::project_spec::files;
use maelstrom_spec::config::{
    ConfigDialect, ConfigEnvironment, ConfigError, ConfigOption, ConfigOptionKind, ConfigSchema,
    KnownValues, ProjectValues, ResolvedConfig, resolve_dialect,
};

use crate::sandbox::caches::CACHE_VALUES;
use crate::sandbox::cluster::{BROKER_VALUES, CLUSTER_VALUES};

pub use self::resolve::{GoAction, GoOptionsError, GoSettings};
pub use self::timeout::GoTimeout;

/// The program's name, and the options that can also be set by variables and configuration files.
pub static PROGRAM: ConfigSchema = ConfigSchema {
    name: "maelstrom-go-test",
    prefix: "MAELSTROM_GO_TEST",
    directories: &["maelstrom/maelstrom-go-test", "maelstrom/go-test"],
    help: &short_help::GO,
    values: &[
        &SLOT_VALUES,
        &[ConfigOption::new("strict", ConfigOptionKind::Boolean)],
        &REPEAT_VALUES,
        &CHANGED_VALUES,
        &POLICY_VALUES,
        &CACHE_VALUES,
        &REPORT_VALUES,
        &BROKER_VALUES,
        &CLUSTER_VALUES,
        &[
            ConfigOption::new("vet", ConfigOptionKind::Text),
            ConfigOption::new("short", ConfigOptionKind::Boolean),
            ConfigOption::new("fullpath", ConfigOptionKind::Boolean),
            ConfigOption::new("build-flag", ConfigOptionKind::List),
            ConfigOption::new("test-flag", ConfigOptionKind::List),
            ConfigOption::trailing("extra-test-binary-args", "test_arguments"),
        ],
    ],
};

/// The help text of `--repeat`, which is also an option of Go's.
const REPEAT_HELP: &str = "Run every test this many times, or until you stop the run: `inf`; also \
                           -count";

/// The command line, after [`words::rewrite`].
#[derive(Clone, Debug, Parser)]
#[command(
    name = "maelstrom-go-test",
    version,
    disable_version_flag = true,
    args_override_self = true,
    mut_arg("slots", |slots| slots.short('j')),
    mut_arg("repeat", |repeat| repeat.visible_alias("count").help(REPEAT_HELP)),
    about = "Builds the tests of Go packages and runs each in its own container",
    after_help = "You can write the flags of `go test` with one dash or two. Build flags (-tags, -race, \
                  -mod, -ldflags, ...) go to the build, test flags (-run, -skip, -short, -count, -v, \
                  -failfast, -cpu, ...) mean the same here, and unknown flags go to the test \
                  binaries, like everything after -args. Flags in GOFLAGS apply as well. For \
                  coverage and profiles, use `go test`."
)]
pub struct GoOptions {
    /// Packages, as for `go test` [default: ./...]
    #[arg(value_name = "PACKAGE")]
    pub packages: Vec<String>,

    /// Arguments for the test binaries
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub test_arguments: Vec<OsString>,

    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// The selection of tests.
    #[command(flatten)]
    pub tests: GoTestOptions,

    /// The options for the build.
    #[command(flatten)]
    pub build: GoBuildOptions,

    /// How the tests run.
    #[command(flatten)]
    pub run: GoRunOptions,

    /// The options that all test programs share.
    #[command(flatten)]
    pub common: CommonOptions,
}

/// The selection of tests.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Tests")]
pub struct GoTestOptions {
    /// Run only tests that match this pattern; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,

    /// Skip tests that match this pattern; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// Run only tests and subtests that match this regular expression, as with `go test -run`
    #[arg(long, value_name = "REGEXP", allow_hyphen_values = true)]
    pub run: Option<String>,

    /// Skip tests and subtests that match this regular expression, as with `go test -skip`
    #[arg(long, value_name = "REGEXP", allow_hyphen_values = true)]
    pub skip: Option<String>,

    /// Also run the benchmarks that match this regular expression, as with `go test -bench`
    #[arg(long, value_name = "REGEXP", allow_hyphen_values = true)]
    pub bench: Option<String>,

    /// Fuzz the one fuzz test that matches this regular expression, as with `go test -fuzz`
    #[arg(long, value_name = "REGEXP", allow_hyphen_values = true)]
    pub fuzz: Option<String>,

    /// Build, print the names of the tests, and exit
    #[arg(short, long, visible_alias = "list", group = "goal")]
    pub list_tests: bool,

    /// Build, print the names of the tests that match this regular expression, and exit; also -list
    /// REGEXP
    #[arg(long, value_name = "REGEXP", group = "goal", conflicts_with = "run")]
    pub list_matching: Option<String>,

    /// Print the packages, and exit
    #[arg(long, group = "goal")]
    pub list_packages: bool,

    /// Build the tests, but do not run them
    #[arg(long, group = "goal")]
    pub no_run: bool,

    /// `-count=0`
    #[arg(long, hide = true)]
    no_runs: bool,
}

/// The options for the build.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Building")]
pub struct GoBuildOptions {
    /// Change to this directory first
    #[arg(short = 'C', long, value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,

    /// Number of build steps to run at a time [default: the number of CPUs]
    #[arg(short, value_name = "N")]
    pub parallel_steps: Option<NonZeroU32>,

    /// Write the test binary to PACKAGE.test in the current directory, but do not run it
    #[arg(short)]
    pub compile: bool,

    /// Write the test binary to this file or directory
    #[arg(short, value_name = "FILE")]
    pub output: Option<String>,

    /// Checks that `go vet` runs, or `off`
    #[arg(long, value_name = "LIST")]
    pub vet: Option<String>,

    /// A flag for the build, such as -tags=x; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub build_flag: Vec<String>,

    /// What nobody can do here
    #[arg(long, hide = true, allow_hyphen_values = true)]
    refused_flag: Vec<String>,

    /// What nobody can do here, and GOFLAGS asks for
    #[arg(long, hide = true, allow_hyphen_values = true)]
    refused_go_flag: Vec<String>,

    /// A letter of `go test` with the value of the option that it was here
    #[arg(long, hide = true, allow_hyphen_values = true)]
    reused_letter: Vec<String>,

    /// What is left of GOFLAGS where some of it is among these options
    #[arg(long, hide = true, allow_hyphen_values = true)]
    go_flags: Option<String>,
}

/// How the tests run, besides [`CommonOptions`].
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Running", next_display_order = help_order::LAST)]
pub struct GoRunOptions {
    /// Show tests nothing of this machine except the sources, the build output, and the shared
    /// libraries that it needs
    #[arg(long, display_order = help_order::AFTER_ISOLATION)]
    pub strict: bool,

    /// Stop after the first failure
    #[arg(long, overrides_with = "stop_after")]
    pub failfast: bool,

    /// Stop a test that runs longer than this: seconds, or a duration such as 90s or 2m; 0 means no
    /// limit [default: 10m]
    #[arg(short, long, value_name = "TIME")]
    pub timeout: Option<GoTimeout>,

    /// Ask long tests to run a shorter version
    #[arg(long)]
    pub short: bool,

    /// Have tests report full file paths
    #[arg(long)]
    pub fullpath: bool,

    /// Also show the output of passing tests
    #[arg(short, long)]
    pub verbose: bool,

    /// Print the events of the run as lines of JSON, as `go test -json` does
    #[arg(long)]
    pub json: bool,

    /// A flag for the test binaries; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub test_flag: Vec<String>,
}

impl GoOptions {
    /// Resolves the options from a command line (program name first), variables and files.
    pub fn resolved<I>(
        arguments: I,
        system: &impl ConfigEnvironment,
    ) -> Result<ResolvedConfig<GoOptions>, ConfigError>
    where
        I: IntoIterator<Item = OsString>,
    {
        let go_flags = variable::go_flags(system);
        let words = own_words(arguments, &go_flags);
        let dialect = ConfigDialect {
            command: GoOptions::command(),
            variables: &[],
            project: Some(Box::new(|known| profile(known, system))),
        };
        let mut resolved: ResolvedConfig<GoOptions> =
            resolve_dialect(&PROGRAM, dialect, &words, system)?;
        resolved.options.common.policy.origins = resolved.origins.clone();
        Ok(resolved)
    }

    /// Parses only a command line, program name first.
    pub fn read<I>(arguments: I) -> Result<GoOptions, clap::Error>
    where
        I: IntoIterator<Item = OsString>,
    {
        GoOptions::try_parse_from(own_words(arguments, ""))
    }
}

/// Returns what the module's own file says about the run.
fn profile(
    known: &dyn KnownValues,
    system: &impl ConfigEnvironment,
) -> Result<ProjectValues, ConfigError> {
    let typed = known.typed("directory").pop().unwrap_or_default();
    let here = system.directory().map(|here| here.join(typed));
    let has_module = |directory: &Path| system.read(&directory.join("go.mod")).is_ok();
    let module = here.and_then(|here| nearest_directory(&here, has_module));
    let request = ProfileRequest {
        schema: &PROGRAM,
        system,
        file: module.map(|module| module.join(files::GO.name)),
        name: &chosen_name(known),
    };
    request.alone()
}

fn own_words(arguments: impl IntoIterator<Item = OsString>, go_flags: &str) -> Vec<OsString> {
    // clap adds these options only when it parses; it lists the others.
    let mut options: Vec<String> = ["help", "config-file", "print-config", "log-level"]
        .map(str::to_owned)
        .to_vec();
    for argument in GoOptions::command().get_arguments() {
        let names = argument.get_long_and_visible_aliases();
        for name in names.unwrap_or_default() {
            options.extend([name.to_owned(), format!("no-{name}")]);
        }
    }
    let booleans = PROGRAM
        .values()
        .filter(|value| value.kind == ConfigOptionKind::Boolean);
    let negatable: Vec<&str> = booleans.map(|value| value.name).collect();
    let known = words::KnownOptions {
        options: &options,
        negatable: &negatable,
    };
    words::rewrite(arguments, known, go_flags)
}
