//! The worker list: a table of all workers, with the utilization of each over time.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Cell, Row, StatefulWidget, Table, TableState};

use crate::model::WorkerModel;
use maelstrom_model::event::WorkerCondition;

use super::super::super::context::ViewContext;
use super::super::super::text;
use super::super::super::theme::StyleRole;
use super::super::super::widgets::bars::sparkline;
use super::super::super::widgets::frame::frame;
use super::super::super::widgets::row::span;
use super::summary::busy_slots;

const NAME_COLUMNS: usize = 16;
/// The widths of all cells but the last, which takes the remaining space.
const CELL_COLUMNS: [u16; 6] = [NAME_COLUMNS as u16 + 1, 9, 7, 5, 13, 7];

/// Draws the list, starting with the worker at index `top`.
pub(super) fn view(
    ctx: &ViewContext<'_>,
    selected: Option<&WorkerModel>,
    top: usize,
    area: Rect,
    buf: &mut Buffer,
) {
    let model = ctx.model();
    let (busy, slots) = busy_slots(model);
    let title = format!("Workers {}", model.workers().count());
    let inside = frame(ctx, &title, &format!("{busy}/{slots} slots"), area, buf);
    let shown = || {
        let height = usize::from(inside.height.saturating_sub(1));
        model.workers().skip(top).take(height)
    };
    // There is a space of one column between cells, and another before the last cell.
    let before: u16 = CELL_COLUMNS.iter().map(|columns| columns + 1).sum();
    let history = Rect {
        x: inside.x + before + 1,
        height: 1,
        width: inside.width.saturating_sub(before + 1),
        ..inside
    };
    // Drawn before the table, which highlights the selected row across its full width.
    for (y, worker) in (inside.y + 1..).zip(shown()) {
        let room = usize::from(history.width);
        let skipped = worker.utilization.len().saturating_sub(room);
        let values = worker.utilization.iter().skip(skipped).copied();
        let style = ctx.style(StyleRole::Running);
        sparkline(ctx.glyphs, values, style, Rect { y, ..history }, buf);
    }
    let heading = [
        " name".to_owned(),
        "state".to_owned(),
        format!("{:>7}", "slots"),
        format!("{:>5}", "cpu"),
        format!("{:>13}", "memory"),
        format!("{:>7}", "tests"),
        " slots in use over time".to_owned(),
    ];
    let heading = Row::new(heading).style(ctx.style(StyleRole::Dim));
    let rows = shown().map(|worker| worker_row(ctx, worker));
    let table = Table::new(rows, cell_widths(inside.width))
        .header(heading)
        .row_highlight_style(ctx.selected());
    let selected = selected.map(|worker| worker.id);
    let selected = shown().position(|worker| Some(worker.id) == selected);
    let mut state = TableState::new().with_selected(selected);
    StatefulWidget::render(table, inside, buf, &mut state);
}

/// Returns the widths of the cells. If space is short, cells at the end are cut or dropped; by
/// default, all cells would become narrower.
fn cell_widths(room: u16) -> Vec<Constraint> {
    let mut left = room;
    let mut widths = Vec::with_capacity(CELL_COLUMNS.len() + 1);
    for columns in CELL_COLUMNS.into_iter().chain([room]) {
        if left == 0 {
            break;
        }
        let columns = columns.min(left);
        widths.push(Constraint::Length(columns));
        left = left.saturating_sub(columns + 1);
    }
    widths
}

fn worker_row<'a>(ctx: &ViewContext<'_>, worker: &'a WorkerModel) -> Row<'a> {
    let state = match (&worker.left, worker.state) {
        (Some(_), _) => "gone",
        (None, WorkerCondition::Online) => "online",
        (None, WorkerCondition::Draining) => "draining",
        (None, WorkerCondition::Degraded) => "degraded",
        (None, WorkerCondition::Lost) => "lost",
    };
    let busy = u64::from(worker.busy).max(worker.running() as u64);
    let memory = format!(
        "{}/{}",
        text::size(worker.memory_used_bytes),
        text::size(worker.memory_total_bytes)
    );
    let style = ctx.style(if worker.is_unwell() || !worker.is_present() {
        StyleRole::Failed
    } else {
        StyleRole::Text
    });
    let name = text::keep_start(&worker.name, NAME_COLUMNS, ctx.glyphs.more());
    let cells = [
        format!(" {name}").into(),
        state.into(),
        format!("{:>7}", format!("{busy}/{}", worker.slots.len())).into(),
        format!("{:>4}%", worker.cpu_permille / 10).into(),
        format!("{memory:>13}").into(),
        format!("{:>7}", text::grouped(worker.finished.into())).into(),
    ];
    let cell = |text: std::borrow::Cow<'a, str>| Cell::from(span(text, style));
    Row::new(cells.map(cell))
}
