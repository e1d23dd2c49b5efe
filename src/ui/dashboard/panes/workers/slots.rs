//! The slots of one worker, with the test that each is running.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::model::WorkerModel;
use maelstrom_model::ids::TestId;

use super::super::super::context::ViewContext;
use super::super::super::text;
use super::super::super::theme::StyleRole;
use super::super::super::widgets::frame::frame;
use super::super::super::widgets::row::{RowLine, list};
use super::super::test_line::remark;

pub(super) fn view(
    ctx: &ViewContext<'_>,
    worker: Option<&WorkerModel>,
    area: Rect,
    buf: &mut Buffer,
) {
    let Some(worker) = worker else {
        frame(ctx, "Slots", "", area, buf);
        return;
    };
    let title = format!("Slots of {}", worker.name);
    let inside = frame(ctx, &title, &worker.architecture, area, buf);
    if let Some(reason) = &worker.left {
        remark(ctx, &format!("gone: {reason}"), inside, buf);
        return;
    }
    let slots = worker.slots.iter().enumerate();
    let lines = slots.map(|(slot, test)| slot_line(ctx, slot, *test, inside.width));
    list(lines, None, Style::new(), inside, buf);
}

fn slot_line<'a>(
    ctx: &ViewContext<'a>,
    slot: usize,
    test: Option<TestId>,
    columns: u16,
) -> Line<'a> {
    let tests = &ctx.model().tests;
    let dim = ctx.style(StyleRole::Dim);
    let mut row = RowLine::new(columns);
    row.left(format!("{slot:>4}  "), dim);
    let Some(test) = test else {
        row.left("idle", dim);
        return row.into_line();
    };
    let us = tests.duration_us(test, ctx.run_us).unwrap_or(0);
    let state = tests.state(test);
    row.right(text::coarse(us), dim, 1)
        .left(ctx.glyphs.state(state), ctx.state(state))
        .skip(1);
    let style = ctx.style(StyleRole::Text);
    row.left_end_of(tests.title(test), ctx.glyphs.more(), style);
    row.into_line()
}
