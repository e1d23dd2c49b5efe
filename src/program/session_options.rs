//! A program's description of its run, in terms that all programs share.

use maelstrom_engine::log::ProgramLog;
use maelstrom_model::event::UserNotice;
use maelstrom_runners::options::RunSettings;
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
    /// How it runs, and what it shows.
    pub run: &'a RunSettings,
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
