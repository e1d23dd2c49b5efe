//! What goes into the dashboard and what comes out, and the words for its parts.

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
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize {
        /// Its columns.
        columns: u16,
        /// Its rows.
        rows: u16,
    },
    /// The whole program stood still for this long.
    Stopped {
        /// Microseconds.
        for_us: u64,
    },
    /// Time passed.
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
    /// Close the dashboard.
    Close,
    /// Stop the program, as `^Z` does.
    Suspend,
    /// Give the terminal to another program for a while.
    Run(ExternalProgram),
    /// Put a text on the clipboard.
    Copy(String),
    /// Paint everything anew.
    Repaint,
    /// Take the mouse, or give it back.
    Mouse(MouseCapture),
    /// Show a recording's next event.
    Step,
}

/// A program that gets the terminal for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalProgram {
    /// `$EDITOR`.
    Editor {
        /// The file.
        path: String,
        /// Its line.
        line: u32,
    },
    /// `$PAGER`.
    Pager {
        /// The log.
        log: LogKey,
    },
    /// A shell in a test's container.
    Shell {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// Whose the mouse is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseCapture {
    /// The dashboard's.
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
    /// Stay.
    Stay,
    /// Close.
    Exit,
}

/// Where the events come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventSource {
    /// From a run.
    #[default]
    Live,
    /// From a recording: nothing can be run, and no time passes between events.
    Recording,
}

/// Whether a recording moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaybackState {
    /// It does.
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
    /// All tests.
    Tests,
    /// One test.
    Detail,
    /// The workers.
    Workers,
    /// The cluster.
    Cluster,
}

/// A part of a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaneKind {
    /// What failed.
    #[default]
    Failures,
    /// What runs.
    Running,
    /// A log.
    Log,
    /// The workers, in short.
    Workers,
    /// All tests.
    Tests,
    /// Facts of one test.
    Facts,
    /// The workers, at length.
    WorkerList,
    /// The slots of one worker.
    Slots,
    /// The cluster.
    Cluster,
}
