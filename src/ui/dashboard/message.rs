//! The messages and effects of the dashboard, and the types that they use.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::log::LogKey;
use maelstrom_model::event::{Event, UiCommand};

/// An input of [`App::update`](super::app::App::update).
#[derive(Clone, Debug)]
pub enum AppMessage {
    /// An event of the run.
    Event(Box<Event>),
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    /// The terminal was resized.
    Resize {
        columns: u16,
        rows: u16,
    },
    /// The program was stopped, as with `^Z`, and has continued after `for_us` microseconds.
    Stopped {
        for_us: u64,
    },
    Clock,
    /// No other message is waiting, so a search in a long log can continue.
    Idle,
    /// A message to display, such as the result of an effect.
    Remark(String),
}

/// A side effect that the event loop carries out for the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppEffect {
    /// Send a command to the run.
    Send(UiCommand),
    Close,
    /// Suspend the program, as `^Z` does.
    Suspend,
    /// Run another program that takes over the terminal.
    Run(ExternalProgram),
    /// Copy a text to the clipboard.
    Copy(String),
    Repaint,
    /// Enable or disable mouse capture.
    Mouse(MouseCapture),
    /// Show the next event of a recording.
    Step,
}

/// A program that takes over the terminal until it exits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalProgram {
    Editor {
        path: String,
        line: u32,
    },
    Pager {
        log: LogKey,
    },
    /// A shell in the container of a test.
    Shell {
        command: Vec<String>,
    },
}

/// Whether the dashboard or the terminal handles the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseCapture {
    #[default]
    Taken,
    /// The terminal handles the mouse, so that you can select text.
    Given,
}

/// What the dashboard does at the end of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFinish {
    /// Close if nothing is wrong, else stay open.
    #[default]
    Auto,
    Stay,
    Exit,
}

/// The source of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventSource {
    #[default]
    Live,
    /// A recording. No test can be run, and no time passes between events.
    Recording,
}

/// Whether a recording is playing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaybackState {
    #[default]
    Going,
    /// Paused, except for single steps.
    Paused,
}

/// A screen of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScreenKind {
    /// Failures, running tests, a log and the workers.
    #[default]
    Overview,
    Tests,
    Detail,
    Workers,
    Cluster,
}

/// A pane of a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaneKind {
    #[default]
    Failures,
    Running,
    Log,
    /// The summary of the workers.
    Workers,
    Tests,
    /// The properties of one test.
    Facts,
    /// The full list of workers.
    WorkerList,
    /// The slots of one worker.
    Slots,
    Cluster,
}
