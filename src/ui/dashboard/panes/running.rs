//! The list of running tests.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::RunModel;
use maelstrom_model::ids::TestId;

use super::super::context::{Context, ViewContext};
use super::super::text;
use super::super::theme::StyleRole;
use super::super::widgets::frame::frame;
use super::super::widgets::row::{RowLine, list};
use super::pane::{DashboardPane, PaneClick, moved};
use super::test_line::{name_with_sign, remark, remark_line, worker_name};

/// A running test is labeled as slow if it was reported as such, or if it exceeds this multiple of
/// its expected duration, and [`SLOW_US`].
const SLOW_FACTOR: u64 = 3;
/// The minimum elapsed time of a running test that is labeled as slow, in microseconds.
const SLOW_US: u64 = 5_000_000;

/// The selection and the peak size of the list of running tests.
#[derive(Debug, Default)]
pub(in super::super) struct RunningList {
    chosen: Option<TestId>,
    /// The highest number of tests running at the same time. The pane never shrinks below it.
    peak: usize,
}

impl RunningList {
    /// Returns the highest number of tests that were running at the same time.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// Updates the peak with the current number of running tests.
    pub(crate) fn grow(&mut self, model: &RunModel) {
        self.peak = self.peak.max(model.running().len());
    }

    /// Returns the selected test, or the longest-running one.
    pub(crate) fn selected(&self, model: &RunModel) -> Option<TestId> {
        let known = self
            .chosen
            .filter(|test| model.tests.latest(*test).is_some());
        known.or_else(|| model.running().next().map(|(_, test)| test))
    }
}

impl DashboardPane for RunningList {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let model = ctx.model();
        let count = model.running().len();
        let facts = if count > 1 { "longest first" } else { "" };
        let inside = frame(ctx, &format!("Running {count}"), facts, area, buf);
        if count == 0 {
            let text = match (model.is_active(), model.counts.open()) {
                (true, 0) => "nothing yet",
                (true, _) => "nothing at present",
                (false, _) => "nothing",
            };
            remark(ctx, text, inside, buf);
            return;
        }
        let height = usize::from(inside.height);
        let shown = match count > height {
            true => height.saturating_sub(1),
            false => count,
        };
        let tests = || model.running().take(shown);
        let lines = tests().map(|(started_us, test)| {
            let us = ctx.run_us.saturating_sub(started_us);
            running_line(ctx, test, us, inside.width)
        });
        let hidden = (count > shown).then(|| {
            let text = format!("{} and {} more", ctx.glyphs.more(), count - shown);
            remark_line(ctx, text)
        });
        // The selection only affects keys, so it is highlighted only if the pane has the focus.
        let selected = self.selected(model).filter(|_| ctx.focus == ctx.pane);
        let selected = tests().position(|(_, test)| Some(test) == selected);
        let lines = lines.chain(hidden);
        list(lines, selected, ctx.selected(), inside, buf);
    }

    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>) {
        let running: Vec<TestId> = ctx.model().running().map(|(_, test)| test).collect();
        let here = self.selected(ctx.model());
        let index = running.iter().position(|test| Some(*test) == here);
        let index = moved(index.unwrap_or(0), by, running.len());
        self.chosen = running.get(index).copied().or(self.chosen);
    }

    fn click(&mut self, click: PaneClick, ctx: &mut Context<'_>) {
        let clicked = ctx.model().running().nth(click.line).map(|(_, test)| test);
        self.chosen = clicked.or(self.chosen);
    }
}

fn running_line<'a>(ctx: &ViewContext<'a>, test: TestId, us: u64, columns: u16) -> Line<'a> {
    let tests = &ctx.model().tests;
    let mut row = RowLine::new(columns);
    if let Some((worker, _)) = tests.latest(test).and_then(|latest| latest.place) {
        let name = worker_name(ctx.model(), worker);
        row.right(name, ctx.style(StyleRole::Dim), 1);
    }
    let expected_us = tests.expected_us(test);
    let slow = expected_us.is_some_and(|expected| us > SLOW_US && us > expected * SLOW_FACTOR);
    let latest = tests.latest(test);
    if slow || latest.is_some_and(|latest| latest.is_slow) {
        row.right("SLOW", ctx.style(StyleRole::Flaky), 1);
    }
    if let Some((number, attempts_max)) = latest.and_then(|latest| latest.retry) {
        let text = format!("try {number}/{attempts_max}");
        row.right(text, ctx.style(StyleRole::Flaky), 1);
    }
    let time = format!("{:>7}", text::coarse(us));
    row.right(time, ctx.style(StyleRole::Text), 1);
    name_with_sign(ctx, test, &mut row);
    row.into_line()
}
