//! Options of a report.

use crate::style::OutputColor;
use crate::terminal_features::TerminalFeatureSet;

/// The number of tests in the list of the slowest, unless the user sets it.
const SLOWEST_DEFAULT: u32 = 5;
/// The shortest duration in the list of the slowest tests, in microseconds, unless the user asks for
/// the list: shorter tests are rarely worth a look.
const SLOW_US: u64 = 1_000_000;

/// The options of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunReportOptions {
    pub style: ReportStyle,
    pub color: OutputColor,
    /// Whether and when the output of passed tests is shown.
    pub passing_output: PassingOutputDisplay,
    pub slowest: SlowestTests,
    /// What the report may do with a terminal besides writing lines.
    pub terminal: TerminalFeatureSet,
}

/// What a report writes for each test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportStyle {
    /// A line for each test, the output of failed tests, the build's output, notices, and events of
    /// watching, rounds and workers.
    #[default]
    Lines,
    /// One character for each test. The output of failed tests is in the ending.
    Dots,
    /// Only failed tests, the output of a failed build, warnings, watch events and the summary.
    Failures,
    /// Like `Failures`, and the name of each test. The output of failed tests is in the ending.
    Names,
}

impl ReportStyle {
    /// Returns whether the report tells about the run's progress, besides single tests.
    pub(super) fn tells_progress(self) -> bool {
        match self {
            ReportStyle::Lines | ReportStyle::Dots => true,
            ReportStyle::Failures | ReportStyle::Names => false,
        }
    }

    /// Returns whether the output of a failed test is shown when the test ends.
    pub(super) fn tells_failures_at_once(self) -> bool {
        match self {
            ReportStyle::Lines | ReportStyle::Failures => true,
            ReportStyle::Dots | ReportStyle::Names => false,
        }
    }
}

/// Whether and when the output of passed tests is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingOutputDisplay {
    Hidden,
    /// The output follows the line of the test.
    AtEnd,
    /// The output of every test is shown while it is written.
    Live,
}

/// The list of the slowest tests in the ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowestTests {
    /// The maximum number of tests in the list.
    pub count: u32,
    /// The shortest duration in the list, in microseconds.
    pub least_us: u64,
}

impl SlowestTests {
    /// No list.
    pub const NONE: SlowestTests = SlowestTests {
        count: 0,
        least_us: 0,
    };

    /// Returns the list for a number of tests, if the user sets one. By default, the list has five
    /// tests at most, of those that take a second or longer; a quiet report has none.
    pub fn wanted(count: Option<u32>, style: ReportStyle) -> SlowestTests {
        match (count, style.tells_progress()) {
            (Some(count), _) => SlowestTests { count, least_us: 0 },
            (None, true) => SlowestTests {
                count: SLOWEST_DEFAULT,
                least_us: SLOW_US,
            },
            (None, false) => SlowestTests::NONE,
        }
    }
}
