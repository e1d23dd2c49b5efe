//! Draws the dashboard's state, limited to what is in view.
//!
//! A function of the state and the time: no clock, no I/O, nothing kept between frames.

mod detail;
mod footer;
mod header;
mod lists;
mod log;
mod overlay;
mod paint;
mod text;
mod workers;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, PaneKind};
use super::layout;
use super::theme::StyleRole;

pub(super) use header::tab_at;
pub(super) use overlay::help_top_max;

/// Draws into a frame.
pub fn view(app: &App, frame: &mut Frame<'_>, now_us: u64) {
    draw(app, frame.buffer_mut(), now_us);
}

/// Draws into a buffer, which is expected to be empty.
pub(super) fn draw(app: &App, buf: &mut Buffer, now_us: u64) {
    let area = buf.area;
    if layout::is_too_small(area.width, area.height) {
        too_small(app, buf);
        return;
    }
    let run_us = app.run_us(now_us);
    let layout = app.layout();
    header::draw(app, buf, layout.header, run_us);
    for (pane, area) in &layout.panes {
        draw_pane(app, buf, *pane, area.intersection(buf.area), run_us);
    }
    footer::draw(app, buf, layout.footer);
    overlay::draw(app, buf, area);
}

fn draw_pane(app: &App, buf: &mut Buffer, pane: PaneKind, area: Rect, run_us: u64) {
    match pane {
        PaneKind::Failures => lists::failures(app, buf, area),
        PaneKind::Running => lists::running(app, buf, area, run_us),
        PaneKind::Tests => lists::tests(app, buf, area, run_us),
        PaneKind::Log => log::draw(app, buf, area),
        PaneKind::Facts => detail::draw(app, buf, area, run_us),
        PaneKind::Workers => workers::summary(app, buf, area),
        PaneKind::WorkerList => workers::list(app, buf, area),
        PaneKind::Slots => workers::slots(app, buf, area, run_us),
        PaneKind::Cluster => workers::cluster(app, buf, area),
    }
}

fn too_small(app: &App, buf: &mut Buffer) {
    let area = buf.area;
    if area.is_empty() {
        return;
    }
    let style = app.theme.style(StyleRole::Notice);
    let counts = app.model().counts;
    let lines = [
        "too small".to_owned(),
        format!("needs {}x{}", layout::COLUMNS_MIN, layout::ROWS_MIN),
        format!("{}/{} done", counts.done(), counts.total()),
        format!("{} failed", counts.failures()),
    ];
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        paint::put(buf, area.x, y, area.right(), &line, style);
    }
}
