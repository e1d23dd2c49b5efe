//! The summary of the workers: a pane, or a single line if space is short.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use crate::model::{RunModel, WorkerModel};
use maelstrom_model::event::WorkerCondition;

use super::super::super::context::ViewContext;
use super::super::super::text;
use super::super::super::theme::StyleRole;
use super::super::super::widgets::bars::{bar_text, sparkline};
use super::super::super::widgets::frame::frame;
use super::super::super::widgets::row::{RowLine, list, span};

const SLOT_BAR_COLUMNS: usize = 8;
const NAME_COLUMNS_MAX: usize = 8;

pub(super) fn view(ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
    let model = ctx.model();
    if area.height <= 1 {
        let mut row = RowLine::new(area.width);
        row.skip(1)
            .left(one_line(model), ctx.style(StyleRole::Dim))
            .skip(2);
        if let Some(text) = transfer_text(ctx) {
            row.left(text, ctx.style(StyleRole::Running));
        }
        row.into_line().render(area, buf);
        return;
    }
    let present = model.workers().filter(|worker| worker.is_present()).count();
    let unwell = model.workers().filter(|worker| worker.is_unwell()).count();
    let title = match unwell {
        0 => format!("Workers {present}"),
        _ => format!("Workers {present} ({unwell} degraded)"),
    };
    let inside = frame(ctx, &title, "", area, buf);
    let transfer = transfer_text(ctx);
    let tail = 1 + usize::from(transfer.is_some());
    let room = usize::from(inside.height).saturating_sub(tail);
    let count = model.workers().count();
    let shown = if count > room {
        room.saturating_sub(1)
    } else {
        count
    };
    // Degraded and lost workers come first, since the space may not suffice for all.
    let mut workers: Vec<&WorkerModel> = model.workers().collect();
    workers.sort_by_key(|worker| (!worker.is_unwell(), worker.id));
    workers.truncate(shown);
    let names = workers.iter().map(|worker| text::columns(&worker.name));
    let name_columns = names.max().unwrap_or(0).min(NAME_COLUMNS_MAX);
    let lines = workers
        .iter()
        .map(|worker| worker_line(ctx, worker, name_columns, inside.width));
    let more = (count > shown).then(|| {
        let text = format!("{} {} more", ctx.glyphs.more(), count - shown);
        Line::from(span(text, ctx.style(StyleRole::Dim)))
    });
    list(lines.chain(more), None, Style::new(), inside, buf);
    let used = (shown + usize::from(count > shown)) as u16;
    let mut rows = inside.rows().skip(usize::from(used));
    if let Some(row) = rows.next() {
        utilization(ctx, row, buf);
    }
    if let (Some(row), Some(text)) = (rows.next(), transfer) {
        let line = Line::from(span(text, ctx.style(StyleRole::Running)));
        line.render(row, buf);
    }
}

fn one_line(model: &RunModel) -> String {
    let (busy, slots) = busy_slots(model);
    let mut workers = model.workers();
    match (workers.next(), workers.next()) {
        (None, _) => "no worker yet".to_owned(),
        (Some(only), None) => format!(
            "{} {busy}/{slots} slots  cpu {}%  mem {}",
            only.name,
            only.cpu_permille / 10,
            text::size(only.memory_used_bytes)
        ),
        (Some(_), Some(_)) => {
            let count = model.workers().filter(|worker| worker.is_present()).count();
            let unwell = model.workers().filter(|worker| worker.is_unwell()).count();
            match unwell {
                0 => format!("{count} workers {busy}/{slots} slots"),
                _ => format!("{count} workers ({unwell} degraded) {busy}/{slots} slots"),
            }
        }
    }
}

/// Returns the number of busy slots and the number of all slots of the present workers.
pub(super) fn busy_slots(model: &RunModel) -> (u64, u64) {
    let present = model.workers().filter(|worker| worker.is_present());
    present.fold((0, 0), |(busy, slots), worker| {
        let own = worker.slots.len() as u64;
        // A sample may be older than the state of this run's tests.
        let taken = u64::from(worker.busy).max(worker.running() as u64);
        (busy + taken.min(own), slots + own)
    })
}

fn worker_line<'a>(
    ctx: &ViewContext<'_>,
    worker: &WorkerModel,
    name_columns: usize,
    columns: u16,
) -> Line<'a> {
    let mut row = RowLine::new(columns);
    let name = text::keep_start(&worker.name, name_columns, "");
    let style = ctx.style(match worker.is_unwell() {
        true => StyleRole::Failed,
        false => StyleRole::Text,
    });
    row.left(format!("{name:<name_columns$} "), style);
    if let Some(reason) = &worker.left {
        row.left(format!("gone: {reason}"), ctx.style(StyleRole::Dim));
        return row.into_line();
    }
    let slots = worker.slots.len() as u64;
    let busy = u64::from(worker.busy)
        .max(worker.running() as u64)
        .min(slots);
    let state = match worker.state {
        WorkerCondition::Online => "",
        WorkerCondition::Draining => " draining",
        WorkerCondition::Degraded => " !",
        WorkerCondition::Lost => " lost",
    };
    let text = format!(
        "{busy}/{slots} cpu {}% mem {}{state}",
        worker.cpu_permille / 10,
        text::size(worker.memory_used_bytes)
    );
    let bar = bar_text(ctx.glyphs, busy, slots, SLOT_BAR_COLUMNS);
    row.left(bar, ctx.style(StyleRole::GaugeRunning))
        .skip(1)
        .left(text, style);
    row.into_line()
}

/// Draws the utilization of all slots over time.
fn utilization(ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
    let model = ctx.model();
    let (busy, slots) = busy_slots(model);
    let dim = ctx.style(StyleRole::Dim);
    let mut row = RowLine::new(area.width);
    if slots == 0 {
        row.left("no worker yet", dim);
        row.into_line().render(area, buf);
        return;
    }
    row.left("util ", dim)
        .right(format!(" {}%", busy * 100 / slots), dim, 0);
    let history = Rect {
        x: area.x + 5,
        width: row.room() as u16,
        ..area
    };
    row.into_line().render(area, buf);
    let values = cluster_utilization(model, usize::from(history.width));
    let style = ctx.style(StyleRole::Running);
    sparkline(ctx.glyphs, values.into_iter(), style, history, buf);
}

/// Returns the mean utilization of all slots for the last `room` samples.
fn cluster_utilization(model: &RunModel, room: usize) -> Vec<u16> {
    let mut sums = vec![(0_u64, 0_u64); room];
    for worker in model.workers() {
        let weight = worker.slots.len() as u64;
        let newest_first = worker.utilization.iter().rev();
        // A worker that joined later has fewer samples, so align the samples by the newest.
        for (sum, permille) in sums.iter_mut().rev().zip(newest_first) {
            sum.0 += u64::from(*permille) * weight;
            sum.1 += weight;
        }
    }
    let known = sums.iter().skip_while(|(_, weight)| *weight == 0);
    known
        .map(|(sum, weight)| sum.checked_div(*weight).unwrap_or(0) as u16)
        .collect()
}

fn transfer_text(ctx: &ViewContext<'_>) -> Option<String> {
    let (done, total) = ctx.model().transfers.progress()?;
    let percent = (u128::from(done) * 100)
        .checked_div(u128::from(total))
        .unwrap_or(0);
    Some(format!(
        "{} layers {percent}% {}/{}",
        ctx.glyphs.transfer(),
        text::size(done),
        text::size(total)
    ))
}
