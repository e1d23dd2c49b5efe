//! The command line of `cargo maelstrom`: [`CargoOptions`] as parsed, [`CargoSettings`] as
//! resolved.
//!
//! Options are named as in `cargo test` and in the original Maelstrom; after `run` or `list`, as in
//! `cargo nextest` ([`grammar`], [`nextest`], [`variables`]). Both `cargo maelstrom …` and
//! `cargo-maelstrom …` end up here. Where the vocabularies conflict, those of the replaced tools
//! win; see also [`super::selection`] for `--exclude` and [`harness`] for the arguments after `--`.
//!
//! - `-j N` sets both the number of build jobs and of slots for tests; `--slots` and
//!   `--test-threads` (after `--`) apply to tests only and take precedence.
//! - The packages are those that `cargo test` would test: the one in the current directory, or the
//!   workspace's default members. An include pattern searches the whole workspace.
//! - Failures stop a run only with `--stop-after` and its like, except after `run`, where the first
//!   one does, as in `cargo nextest`.
//!
//! Invariant: resolving options touches neither the system nor the environment.

pub mod grammar;
pub mod harness;
pub mod nextest;
pub mod peer;

#[cfg(test)]
mod project_tests;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod values;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};

use self::nextest::{MessageFormatOption, NextestOptions};
use self::peer::{CargoGrammar, RefusedFlags};
use crate::options::{CommonOptions, help_order};
pub use crate::sandbox::container::Toolbox;

pub(super) use self::resolve::VOCABULARY;
pub use self::values::PROGRAM;

pub use self::resolve::CargoOptionsError;
pub use self::settings::{
    CargoAction, CargoSettings, DoctestChoice, IgnoredTests, NameFilter, NameMatch, NothingToRun,
    PackageChoice,
};

/// The command line of `cargo maelstrom`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo-maelstrom",
    bin_name = "cargo maelstrom",
    version,
    disable_version_flag = true,
    // `-r` is `--release`, as in `cargo test`.
    mut_arg("repeat", |arg| arg.short(None)),
    about = "Builds the tests of a Cargo workspace and runs each in its own container",
    after_help = "Arguments after `--` are those of `cargo test`. Those that select tests (NAME, \
                  --skip, --exact, --ignored, --include-ignored, --list) and those that say how to \
                  run them (--test-threads, --nocapture) mean the same here; all others are passed \
                  to every test binary."
)]
pub struct CargoOptions {
    /// Run only tests whose names contain this text, or any of them if you give several
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Arguments for the test binaries
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub test_arguments: Vec<OsString>,

    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// The packages to test.
    #[command(flatten)]
    pub packages: PackageOptions,

    /// The targets of the packages to test.
    #[command(flatten)]
    pub targets: TargetOptions,

    /// The selection of tests.
    #[command(flatten)]
    pub tests: CargoTestOptions,

    /// The options for the build.
    #[command(flatten)]
    pub build: CargoBuildOptions,

    /// How the tests run.
    #[command(flatten)]
    pub run: CargoRunOptions,

    /// The options that all test programs share.
    #[command(flatten)]
    pub common: CommonOptions,

    /// The options of `cargo nextest`.
    #[command(flatten)]
    pub nextest: NextestOptions,

    /// Flags of the replaced tool that are refused.
    #[command(flatten)]
    pub refused: RefusedFlags,

    /// The tool in whose words the command line is written.
    #[arg(skip)]
    pub grammar: CargoGrammar,

    /// The number right after `-r`.
    #[arg(skip)]
    pub number_after_release: Option<String>,
}

/// The packages to test.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Packages")]
pub struct PackageOptions {
    /// Test only this package; may be repeated
    #[arg(short, long, value_name = "SPEC")]
    pub package: Vec<String>,

    /// Test all packages of the workspace, not only those that `cargo test` does
    #[arg(long, visible_alias = "all", conflicts_with = "package")]
    pub workspace: bool,
}

/// The targets of the packages to test.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Targets")]
pub struct TargetOptions {
    /// Test only the packages' libraries
    #[arg(long)]
    pub lib: bool,

    /// Test all binaries
    #[arg(long)]
    pub bins: bool,

    /// Test only this binary; may be repeated
    #[arg(long, value_name = "NAME")]
    pub bin: Vec<String>,

    /// Test all targets that have tests on by default
    #[arg(long)]
    pub tests: bool,

    /// Test only this integration test; may be repeated
    #[arg(long, value_name = "NAME")]
    pub test: Vec<String>,

    /// Test all examples
    #[arg(long)]
    pub examples: bool,

    /// Test only this example; may be repeated
    #[arg(long, value_name = "NAME")]
    pub example: Vec<String>,

    /// Test all targets that have benchmarks on by default
    #[arg(long)]
    pub benches: bool,

    /// Test only this benchmark; may be repeated
    #[arg(long, value_name = "NAME")]
    pub bench: Vec<String>,

    /// Test all targets: libraries, binaries, tests, examples and benchmarks
    #[arg(long)]
    pub all_targets: bool,

    /// Test only the examples in the documentation of the packages' libraries (doctests)
    #[arg(long, conflicts_with_all = [
        "lib", "bins", "bin", "tests", "test", "examples", "example", "benches", "bench",
        "all_targets", "no_run",
    ])]
    pub doc: bool,
}

/// The selection of tests.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Tests")]
pub struct CargoTestOptions {
    /// Run only tests that match this pattern; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,

    /// Skip tests that match this pattern; with --workspace, also the name of a package to skip
    #[arg(short = 'x', long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// Run only tests in this filterset of `cargo nextest`; may be repeated
    #[arg(short = 'E', long, alias = "filter-expr", value_name = "EXPR")]
    pub filterset: Vec<String>,

    /// Match each NAME exactly instead of as a part of a name
    #[arg(long)]
    pub exact: bool,

    /// Skip tests whose names contain this text; may be repeated
    #[arg(long, value_name = "NAME")]
    pub skip: Vec<String>,

    /// Run only the tests marked as ignored
    #[arg(long, conflicts_with = "include_ignored")]
    pub ignored: bool,

    /// Also run the tests marked as ignored
    #[arg(long)]
    pub include_ignored: bool,

    /// Run each test binary that matches this pattern as a single test called `main`, instead of
    /// its tests one by one; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub whole: Vec<String>,

    /// Build, print the names of the tests, and exit
    #[arg(short, long, visible_alias = "list", group = "goal")]
    pub list_tests: bool,

    /// Print the targets that have tests, and exit
    #[arg(long, group = "goal")]
    pub list_binaries: bool,

    /// Print the packages, and exit
    #[arg(long, group = "goal")]
    pub list_packages: bool,

    /// Build the tests, but do not run them
    #[arg(long, group = "goal")]
    pub no_run: bool,
}

/// The options for the build.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Building")]
pub struct CargoBuildOptions {
    /// Build with optimizations; the same as --profile=release
    #[arg(short, long, conflicts_with = "profile")]
    pub release: bool,

    /// Build with this profile
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,

    /// Features to enable, separated by commas or spaces; may be repeated
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,

    /// Enable all features
    #[arg(long)]
    pub all_features: bool,

    /// Do not enable the `default` feature
    #[arg(long)]
    pub no_default_features: bool,

    /// Build for this target triple
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,

    /// Directory for all build output
    #[arg(long, value_name = "DIRECTORY")]
    pub target_dir: Option<PathBuf>,

    /// Path of the Cargo.toml of the package or workspace
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,

    /// The same as --locked and --offline together
    #[arg(long)]
    pub frozen: bool,

    /// Fail if Cargo.lock would have to change
    #[arg(long)]
    pub locked: bool,

    /// Build without the network
    #[arg(long)]
    pub offline: bool,

    /// Build although a package's `rust-version` is newer than the toolchain
    #[arg(long)]
    pub ignore_rust_version: bool,

    /// Override a value of cargo's configuration, or read another configuration file
    #[arg(long, value_name = "KEY=VALUE|PATH")]
    pub config: Vec<String>,

    /// Unstable flags for cargo
    #[arg(short = 'Z', value_name = "FLAG")]
    pub unstable: Vec<String>,

    /// Write cargo's report about the times of the build
    #[arg(long, value_name = "FORMATS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub timings: Option<String>,

    /// Print cargo's report about code that future compilers reject
    #[arg(long)]
    pub future_incompat_report: bool,

    /// Print nothing about the build; twice for not even its errors
    #[arg(long, action = clap::ArgAction::Count, hide = true)]
    pub cargo_quiet: u8,

    /// The form of the compiler's messages
    #[arg(long, value_name = "FORMAT", value_parser = nextest::cargo_message_format, hide = true)]
    pub cargo_message_format: Option<String>,

    /// Whether the compiler's messages are in short form.
    #[arg(skip)]
    pub short_messages: bool,

    /// Make cargo's output verbose; twice for very verbose
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Number of build jobs, and of tests to run at a time; a negative number is added to the
    /// number of CPUs
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub jobs: Option<i32>,
}

/// How the tests run, besides [`CommonOptions`].
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Running", next_display_order = help_order::LAST)]
pub struct CargoRunOptions {
    /// Show tests nothing of this machine except the sources, the build output, and the shared
    /// libraries that it needs
    #[arg(long, display_order = help_order::AFTER_ISOLATION)]
    pub strict: bool,

    /// Stop a test that runs longer than this many seconds; 0 means no limit
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u32>,

    /// Run all tests even if some fail: the default here, accepted because `cargo test` has the
    /// option
    #[arg(long)]
    pub no_fail_fast: bool,

    /// The results as text (`human`, or `short` with short messages of the compiler), or as JSON
    /// (`libtest-json`, `libtest-json-plus`)
    #[arg(long, value_name = "FORMAT")]
    pub message_format: Option<MessageFormatOption>,
}
