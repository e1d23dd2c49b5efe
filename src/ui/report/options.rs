//! Options of a report.

use crate::style::OutputColor;

/// What a report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunReportOptions {
    pub verbosity: ReportVerbosity,
    pub color: OutputColor,
    /// Whether with the output of tests that passed.
    pub passing_output: PassingOutputDisplay,
}

/// How much a report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportVerbosity {
    /// A line for each test, and what else happens.
    Plain,
    /// Failures and the summary.
    Quiet,
}

/// Whether the output of tests that passed is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingOutputDisplay {
    Hidden,
    /// It is, after the test's line.
    Shown,
}
