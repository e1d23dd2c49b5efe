//! The dashboard's messages and effects, and the types that they use.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::log::LogKey;
use maelstrom_model::event::{Event, UiCommand};

/// What happened to the dashboard.
#[derive(Clone, Debug)]
pub enum AppMessage {
    /// The run went on.
    Event(Box<Event>),
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    Paste(String),
    /// The terminal has another size.
    Resize {
        columns: u16,
        rows: u16,
    },
    /// The whole program stood still for this long.
    Stopped {
        for_us: u64,
    },
    Clock,
    /// There is time to search on in a long log.
    Idle,
    /// Something done outside came to this.
    Remark(String),
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppEffect {
    /// Ask something of the run.
    Send(UiCommand),
    Close,
    /// Stop the program, as `^Z` does.
    Suspend,
    /// Give the terminal to another program for a while.
    Run(ExternalProgram),
    /// Put a text on the clipboard.
    Copy(String),
    Repaint,
    /// Take the mouse, or give it back.
    Mouse(MouseCapture),
    /// Show a recording's next event.
    Step,
}

/// A program that gets the terminal for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalProgram {
    Editor {
        path: String,
        line: u32,
    },
    Pager {
        log: LogKey,
    },
    /// A shell in a test's container.
    Shell {
        command: Vec<String>,
    },
}

/// Whose the mouse is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseCapture {
    #[default]
    Taken,
    /// The terminal's, for selecting text.
    Given,
}

/// What to do when the run has come to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFinish {
    /// Close if everything passed, else stay.
    #[default]
    Auto,
    Stay,
    Exit,
}

/// Where the events come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventSource {
    #[default]
    Live,
    /// From a recording: nothing can be run, and no time passes between events.
    Recording,
}

/// Whether a recording moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaybackState {
    #[default]
    Going,
    /// It waits for a step.
    Paused,
}

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScreenKind {
    /// Failures, what runs, a log, the workers.
    #[default]
    Overview,
    Tests,
    Detail,
    Workers,
    Cluster,
}

/// A part of a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaneKind {
    #[default]
    Failures,
    Running,
    Log,
    /// The workers, in short.
    Workers,
    Tests,
    /// Facts of one test.
    Facts,
    /// The workers, at length.
    WorkerList,
    /// The slots of one worker.
    Slots,
    Cluster,
}
