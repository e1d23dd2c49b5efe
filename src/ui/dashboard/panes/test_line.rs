//! The line of a test in a list, and messages in place of an empty list.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::model::{RunModel, TestStability, TestState};
use maelstrom_model::ids::{TestId, WorkerId};

use super::super::context::ViewContext;
use super::super::text;
use super::super::theme::StyleRole;
use super::super::widgets::row::{RowLine, span};

/// A list with fewer columns shows the kind of a failure only by its sign.
const WORD_COLUMNS_MIN: u16 = 50;

/// Returns the line of a test: its sign, name, duration and worker.
pub(super) fn test_line<'a>(
    ctx: &ViewContext<'a>,
    test: TestId,
    us: Option<u64>,
    columns: u16,
) -> Line<'a> {
    let model = ctx.model();
    let dim = ctx.style(StyleRole::Dim);
    let mut row = RowLine::new(columns);
    // If there is only one worker, its name is of no use.
    let workers = model.workers().nth(1).is_some();
    if let Some((worker, _)) = model.tests.latest(test).and_then(|latest| latest.place)
        && workers
    {
        row.right(worker_name(model, worker), dim, 1);
    }
    if let Some(us) = us {
        row.right(format!("{:>8}", text::duration(us)), dim, 1);
    }
    let state = model.tests.state(test);
    if state.is_failure() && state != TestState::Failed && columns >= WORD_COLUMNS_MIN {
        row.right(state.word(), ctx.state(state), 1);
    }
    if model.tests.stability(test) == TestStability::Flaky {
        let text = format!("{} flaky", ctx.glyphs.flaky());
        row.right(text, ctx.style(StyleRole::Flaky), 1);
    }
    name_with_sign(ctx, test, &mut row);
    row.into_line()
}

/// Adds the mark, the sign and the full name of a test to a line.
pub(super) fn name_with_sign<'a>(ctx: &ViewContext<'a>, test: TestId, row: &mut RowLine<'a>) {
    let tests = &ctx.model().tests;
    let state = tests.state(test);
    let marked = ctx.marked.contains(&test);
    let (mark, role) = mark(marked);
    row.left(mark, ctx.style(StyleRole::Marked))
        .left(ctx.glyphs.state(state), ctx.state(state))
        .skip(1)
        .left_end_of(tests.title(test), ctx.glyphs.more(), ctx.style(role));
}

/// Returns the mark of a test and the style of its name.
pub(super) fn mark(marked: bool) -> (&'static str, StyleRole) {
    match marked {
        true => ("*", StyleRole::Marked),
        false => (" ", StyleRole::Text),
    }
}

/// Returns the name of a worker, shortened for a narrow column.
pub(super) fn worker_name(model: &RunModel, id: WorkerId) -> String {
    const COLUMNS: usize = 8;
    match model.worker(id) {
        Some(worker) => text::keep_start(&worker.name, COLUMNS, ""),
        None => text::keep_start(&format!("w{id}"), COLUMNS, ""),
    }
}

/// Returns a line with a message about a list.
pub(super) fn remark_line<'a>(ctx: &ViewContext<'_>, text: impl Into<Cow<'a, str>>) -> Line<'a> {
    Line::from(vec![Span::raw(" "), span(text, ctx.style(StyleRole::Dim))])
}

/// Draws a message in place of an empty list.
pub(super) fn remark(ctx: &ViewContext<'_>, text: &str, inside: Rect, buf: &mut Buffer) {
    remark_line(ctx, text).render(inside, buf);
}
