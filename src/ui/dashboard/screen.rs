//! Tracks what the terminal shows, and encodes the bytes that change it.
//!
//! A frame is the difference to the previous one, within a synchronized update, and nothing at all
//! if there is none. ratatui's own `Terminal` is not used: it writes to the terminal even if
//! nothing changed, and queries its cursor.

use std::io;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;

const BEGIN: &[u8] = b"\x1b[?2026h";
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";
const END: &[u8] = b"\x1b[?2026l";

/// See the module's documentation.
#[derive(Debug)]
pub struct ScreenRenderer {
    shown: Buffer,
    drawn: Buffer,
    state: TerminalContent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalContent {
    Known,
    /// Anything: everything must be painted.
    Unknown,
}

impl ScreenRenderer {
    /// A screen of which nothing is known.
    pub fn new() -> Self {
        ScreenRenderer {
            shown: Buffer::empty(Rect::ZERO),
            drawn: Buffer::empty(Rect::ZERO),
            state: TerminalContent::Unknown,
        }
    }

    /// Paints everything with the next frame.
    pub fn forget(&mut self) {
        self.state = TerminalContent::Unknown;
    }

    /// The bytes that make the terminal show the dashboard's present state; `None` if it already
    /// does.
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
        // Even an empty screen is written once, over what stood there before.
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
