//! A program's description of its run, in terms that all programs share.

use maelstrom_engine::log::ProgramLog;
use maelstrom_model::event::UserNotice;
use maelstrom_runners::options::RunSettings;
use maelstrom_ui::style::OutputColor;

/// What a program has set up before its own part starts.
#[derive(Debug)]
pub struct ProgramContext {
    /// The command line, for people.
    pub command: Vec<String>,
    /// Warnings to show at the start.
    pub notices: Vec<UserNotice>,
    /// Whether output is colored.
    pub color: OutputColor,
    /// The log, which buffers lines until its destination is set.
    pub log: ProgramLog,
}

/// A program's settings for its run, in terms that all programs share.
#[derive(Debug)]
pub struct SessionOptions<'a> {
    /// The purpose of the invocation.
    pub purpose: InvocationPurpose,
    /// The settings that all programs share.
    pub run: &'a RunSettings,
}

/// The purpose of an invocation, as far as the user interface depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationPurpose {
    /// To run tests or jobs.
    Run,
    /// To print a list.
    List,
    /// To do something else, whether or not that needs discovery.
    Other,
}
