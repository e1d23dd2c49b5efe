//! Draws the visible part of the dashboard's state.
//!
//! Drawing is a pure function of the state and the time: it uses no clock and no I/O, and keeps
//! nothing between frames.

use ratatui::Frame;

use super::app::App;

/// Draws the dashboard into a frame, at the time `now_us` of the dashboard's clock.
pub fn view(app: &App, frame: &mut Frame<'_>, now_us: u64) {
    app.draw(frame.buffer_mut(), now_us);
}
