//! The options of `cargo nextest` that `cargo test` does not have. Their names in nextest's commands
//! are in [`super::grammar`].

use std::num::{NonZeroI32, NonZeroU32};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::cargo::nextest_config::NextestSettings;
use crate::options::{EventStreamFormat, ListFormatOption};

/// The options of `cargo nextest` that `cargo test` does not have.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of cargo nextest")]
pub struct NextestOptions {
    /// Number of tests to run at a time, or `num-cpus`; a negative number is added to the number of
    /// CPUs
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "slots",
        hide = true
    )]
    pub test_threads: Option<TestThreads>,

    /// Configuration file of nextest to read in place of `.config/nextest.toml`
    #[arg(long, value_name = "FILE", hide = true)]
    pub nextest_config_file: Option<PathBuf>,

    /// Configuration file of a tool, which comes after the workspace's; may be repeated
    #[arg(long, value_name = "TOOL:FILE", hide = true)]
    pub tool_config_file: Vec<String>,

    /// What nextest's configuration says about tests.
    #[arg(skip)]
    pub config: NextestSettings,

    /// Which tests run, of those marked as ignored and the others
    #[arg(long, value_name = "WHICH", value_enum, hide = true, conflicts_with_all = ["ignored", "include_ignored"])]
    pub run_ignored: Option<RunIgnoredOption>,

    /// Run only the tests of binaries that are built for this platform
    #[arg(long, value_name = "PLATFORM", value_enum, hide = true)]
    pub platform_filter: Option<PlatformFilterOption>,

    /// Stop the run after the first failure
    #[arg(long, hide = true, conflicts_with_all = ["no_fail_fast", "max_fail"])]
    pub fail_fast: bool,

    /// Stop the run after this many failures; `all` means never
    #[arg(long, value_name = "N[:MODE]", hide = true, conflicts_with_all = ["no_fail_fast", "stop_after"])]
    pub max_fail: Option<MaximumFailures>,

    /// Also show the output of passing tests
    #[arg(long, alias = "nocapture", hide = true)]
    pub no_capture: bool,

    /// When to show the output of passing tests
    #[arg(long, value_name = "WHEN", value_enum, hide = true)]
    pub success_output: Option<OutputTimeOption>,

    /// When to show the output of failed tests
    #[arg(long, value_name = "WHEN", value_enum, hide = true)]
    pub failure_output: Option<OutputTimeOption>,

    /// Which tests get a line
    #[arg(long, value_name = "LEVEL", value_enum, hide = true)]
    pub status_level: Option<StatusLevelOption>,

    /// How a list is printed
    #[arg(long = "list-format", value_name = "FORMAT", value_enum, hide = true)]
    pub list_format: Option<NextestListFormat>,

    /// What is listed
    #[arg(long, value_name = "TYPE", value_enum, hide = true)]
    pub list_type: Option<ListTypeOption>,
}

/// A number of tests to run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestThreads {
    /// As many as there are CPUs.
    NumCpus,
    /// The number of tests; a negative number is added to the number of CPUs.
    Count(NonZeroI32),
}

/// The number of failures after which a run stops; `None` if it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaximumFailures(pub Option<NonZeroU32>);

/// Which tests run, by whether they are marked as ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunIgnoredOption {
    /// Those that are not marked as ignored
    Default,
    /// Those that are marked as ignored
    #[value(alias = "ignored-only")]
    Only,
    /// All
    All,
}

/// For which platform a test binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlatformFilterOption {
    /// That of `--target`
    Target,
    /// This machine
    Host,
    /// Either
    Any,
}

/// When the output of tests is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputTimeOption {
    /// When a test ends
    Immediate,
    /// When a test ends, and at the end of the run
    ImmediateFinal,
    /// At the end of the run
    Final,
    /// Never
    Never,
}

/// Which tests get a line; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusLevelOption {
    /// None
    None,
    /// Those that fail
    Fail,
    /// Those that are tried again
    Retry,
    /// Slow ones
    Slow,
    /// Those that leave something running
    Leak,
    /// Those that pass
    Pass,
    /// Those that are skipped
    Skip,
    /// All
    All,
}

/// How a list of tests is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NextestListFormat {
    /// One test per line
    #[default]
    Auto,
    /// For people
    Human,
    /// One test per line
    Oneline,
    /// JSON without whitespace
    Json,
    /// JSON for people
    JsonPretty,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListTypeOption {
    /// Test binaries with their tests
    Full,
    /// Test binaries
    BinariesOnly,
}

/// The format of a run's results, or of the compiler's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFormatOption {
    /// Text for people.
    Human,
    /// The same, with the compiler's messages in short form.
    Short,
    /// A stream of the tests' results.
    Stream(EventStreamFormat),
}

impl NextestListFormat {
    /// Returns the form here that is the same, or nearest.
    pub(super) fn form(self) -> ListFormatOption {
        match self {
            NextestListFormat::Human => ListFormatOption::Plain,
            NextestListFormat::Auto | NextestListFormat::Oneline => ListFormatOption::Oneline,
            NextestListFormat::Json | NextestListFormat::JsonPretty => ListFormatOption::Json,
        }
    }
}

impl FromStr for TestThreads {
    type Err = String;

    fn from_str(text: &str) -> Result<TestThreads, String> {
        match (text, text.parse()) {
            ("num-cpus", _) => Ok(TestThreads::NumCpus),
            (_, Ok(count)) => Ok(TestThreads::Count(count)),
            (_, Err(_)) => Err("a number other than 0 is expected, or `num-cpus`".to_owned()),
        }
    }
}

impl TestThreads {
    /// Returns the number for a machine with `cpus` CPUs.
    pub(super) fn of(self, cpus: NonZeroU32) -> u32 {
        match self {
            TestThreads::NumCpus => cpus.get(),
            TestThreads::Count(count) => match u32::try_from(count.get()) {
                Ok(count) => count,
                Err(_) => cpus.get().saturating_sub(count.get().unsigned_abs()),
            },
        }
    }
}

impl FromStr for MaximumFailures {
    type Err = String;

    fn from_str(text: &str) -> Result<MaximumFailures, String> {
        let count = text.strip_suffix(":immediate");
        let count = count.or_else(|| text.strip_suffix(":wait")).unwrap_or(text);
        match (text, count.parse()) {
            ("all", _) => Ok(MaximumFailures(None)),
            (_, Ok(count)) => Ok(MaximumFailures(Some(count))),
            (_, Err(_)) => Err(
                "`all` or a number greater than 0 is expected, such as 5 or 5:immediate".to_owned(),
            ),
        }
    }
}

impl FromStr for MessageFormatOption {
    type Err = String;

    fn from_str(text: &str) -> Result<MessageFormatOption, String> {
        match text {
            "human" => Ok(MessageFormatOption::Human),
            "short" => Ok(MessageFormatOption::Short),
            "libtest-json" => Ok(MessageFormatOption::Stream(EventStreamFormat::LibtestJson)),
            "libtest-json-plus" => Ok(MessageFormatOption::Stream(
                EventStreamFormat::LibtestJsonPlus,
            )),
            _ if text.starts_with("json") => Err(format!(
                "cargo's messages are not printed here; `cargo test --no-run \
                 --message-format={text}` prints them, and `libtest-json` the tests' results"
            )),
            _ => Err(
                "`human`, `short`, `libtest-json` or `libtest-json-plus` is expected".to_owned(),
            ),
        }
    }
}

/// Parses the value of nextest's `--cargo-message-format`.
pub(super) fn cargo_message_format(text: &str) -> Result<String, String> {
    match text.parse::<MessageFormatOption>()? {
        MessageFormatOption::Human | MessageFormatOption::Short => Ok(text.to_owned()),
        MessageFormatOption::Stream(_) => {
            Err("`human` is expected; `--message-format` is about the tests' results".to_owned())
        }
    }
}

impl MessageFormatOption {
    /// Returns the stream, if the format is one.
    pub fn stream(self) -> Option<EventStreamFormat> {
        match self {
            MessageFormatOption::Human | MessageFormatOption::Short => None,
            MessageFormatOption::Stream(format) => Some(format),
        }
    }
}

impl StatusLevelOption {
    /// Returns whether passing tests get no line.
    pub(super) fn hides_passing(self) -> bool {
        match self {
            StatusLevelOption::None
            | StatusLevelOption::Fail
            | StatusLevelOption::Retry
            | StatusLevelOption::Slow
            | StatusLevelOption::Leak => true,
            StatusLevelOption::Pass | StatusLevelOption::Skip | StatusLevelOption::All => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_nextest_reads_them() {
        let cpus = NonZeroU32::new(8).unwrap();
        let threads = |text: &str| text.parse().map(|threads: TestThreads| threads.of(cpus));
        assert_eq!(
            ["num-cpus", "3", "-2", "-9"].map(|text| threads(text).unwrap()),
            [8, 3, 6, 0]
        );
        assert!(threads("0").is_err() && threads("all").is_err());
        let failures = |text: &str| text.parse().map(|MaximumFailures(count)| count);
        assert_eq!(failures("all"), Ok(None));
        for text in ["2", "2:wait", "2:immediate"] {
            assert_eq!(failures(text), Ok(NonZeroU32::new(2)), "{text}");
        }
        for text in ["0", "2:", "2:now", ":wait", "-1", "all:wait"] {
            assert!(failures(text).is_err(), "{text}");
        }
        let error = MessageFormatOption::from_str("json,json-diagnostic-short").unwrap_err();
        assert!(error.contains("cargo test --no-run"), "{error}");
    }
}
