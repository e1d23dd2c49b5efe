//! Draws the dashboard's state, limited to what is in view.
//!
//! A function of the state and the time: no clock, no I/O, nothing kept between frames.

use ratatui::Frame;

use super::app::App;

/// Draws into a frame.
pub fn view(app: &App, frame: &mut Frame<'_>, now_us: u64) {
    app.draw(frame.buffer_mut(), now_us);
}
