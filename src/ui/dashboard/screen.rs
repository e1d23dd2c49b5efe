//! Tracks the content of the terminal, and encodes frames as differences.
//!
//! A frame contains the cells that differ from the previous frame, as a synchronized update; an
//! unchanged screen results in no output. ratatui's own `Terminal` is not used, because it writes
//! to the terminal even if nothing changed, and queries the position of the cursor.

use std::io;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;

const BEGIN: &[u8] = b"\x1b[?2026h";
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";
const END: &[u8] = b"\x1b[?2026l";

/// Encodes the dashboard for the terminal. See the [module](self) documentation.
#[derive(Debug)]
pub struct ScreenRenderer {
    shown: Buffer,
    drawn: Buffer,
    state: TerminalContent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalContent {
    Known,
    /// Unknown content: everything must be painted.
    Unknown,
}

impl ScreenRenderer {
    /// Creates a renderer for a terminal with unknown content.
    pub fn new() -> Self {
        ScreenRenderer {
            shown: Buffer::empty(Rect::ZERO),
            drawn: Buffer::empty(Rect::ZERO),
            state: TerminalContent::Unknown,
        }
    }

    /// Makes the next frame paint everything.
    pub fn forget(&mut self) {
        self.state = TerminalContent::Unknown;
    }

    /// Returns the bytes that update the terminal to the current state of the dashboard; `None` if
    /// the terminal is up to date.
    pub fn frame(&mut self, app: &App, now_us: u64) -> io::Result<Option<Vec<u8>>> {
        let (columns, rows) = app.size();
        let area = Rect::new(0, 0, columns, rows);
        if self.shown.area != area {
            self.forget();
        }
        let mut bytes = BEGIN.to_vec();
        if self.state == TerminalContent::Unknown {
            self.shown = Buffer::empty(area);
            bytes.extend_from_slice(CLEAR);
        }
        self.drawn.resize(area);
        self.drawn.reset();
        app.draw(&mut self.drawn, now_us);
        let difference = self.shown.diff(&self.drawn);
        // If the content is unknown, even an empty screen must be written to clear it.
        if difference.is_empty() && self.state == TerminalContent::Known {
            return Ok(None);
        }
        CrosstermBackend::new(&mut bytes).draw(difference.into_iter())?;
        bytes.extend_from_slice(END);
        std::mem::swap(&mut self.shown, &mut self.drawn);
        self.state = TerminalContent::Known;
        Ok(Some(bytes))
    }
}

impl Default for ScreenRenderer {
    fn default() -> Self {
        ScreenRenderer::new()
    }
}
