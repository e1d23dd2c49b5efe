//! A program's description of its run, in terms that all programs share.

use std::num::NonZeroU32;

use maelstrom_engine::log::ProgramLog;
use maelstrom_model::event::{IsolationMode, UserNotice};
use maelstrom_runners::cargo::options::{PassingTestOutput, ReportOptions};
use maelstrom_runners::sandbox::cluster::RunnerClusterOptions;
use maelstrom_ui::style::OutputColor;

/// What a program has before it does anything, for whatever it does.
#[derive(Debug)]
pub struct ProgramContext {
    /// How it was called.
    pub command: Vec<String>,
    /// What the user should know from the start.
    pub notices: Vec<UserNotice>,
    /// Whether what is printed has colors.
    pub color: OutputColor,
    /// What is logged on the way, for whoever knows where to.
    pub log: ProgramLog,
}

/// What a program's settings say of its run, in words that all programs share.
#[derive(Debug)]
pub struct SessionOptions<'a> {
    /// What it is for.
    pub purpose: InvocationPurpose,
    /// What keeps jobs apart, if the program lets choose; else containers do.
    pub isolation: Option<IsolationMode>,
    /// How many run at a time.
    pub slots: u32,
    /// Where they run, if not only here.
    pub cluster: &'a RunnerClusterOptions,
    /// How often each runs.
    pub repeat: NonZeroU32,
    /// The number of failures after which the run stops.
    pub stop_after: Option<NonZeroU32>,
    /// Whether passing tests' output is shown.
    pub passing_output: PassingTestOutput,
    /// What is shown otherwise, and where.
    pub report: &'a ReportOptions,
}

/// What a call is for, as far as it concerns what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationPurpose {
    /// To run what is found.
    Run,
    /// To print a list.
    List,
    /// To do something else, with what is found or without looking.
    Other,
}
