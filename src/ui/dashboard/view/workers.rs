//! Draws workers and the cluster.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::{RunModel, WorkerModel};
use maelstrom_model::event::{BackendInfo, WorkerCondition};

use super::super::app::{App, PaneKind};
use super::super::theme::StyleRole;
use super::paint::{bar, frame, put, put_right, sparkline};
use super::text;

const SLOT_BAR_COLUMNS: usize = 8;
const NAME_COLUMNS_MAX: usize = 8;

/// The workers in short: a pane, or a line where there is no room.
pub(super) fn summary(app: &App, buf: &mut Buffer, area: Rect) {
    let model = app.model();
    if area.height <= 1 {
        let x = put(
            buf,
            area.x + 1,
            area.y,
            area.right(),
            &one_line(app),
            app.theme.style(StyleRole::Dim),
        );
        transfer_line(
            app,
            buf,
            Rect {
                x: x + 2,
                width: area.right().saturating_sub(x + 2),
                ..area
            },
            area.y,
        );
        return;
    }
    let present = model.workers().filter(|worker| worker.is_present()).count();
    let unwell = model.workers().filter(|worker| worker.is_unwell()).count();
    let title = match unwell {
        0 => format!("Workers {present}"),
        _ => format!("Workers {present} ({unwell} degraded)"),
    };
    let inside = frame(app, buf, area, PaneKind::Workers, &title, "");
    let transfer = model.transfers.progress().is_some();
    let tail = 1 + usize::from(transfer);
    let room = usize::from(inside.height).saturating_sub(tail);
    let count = model.workers().count();
    let shown = if count > room {
        room.saturating_sub(1)
    } else {
        count
    };
    let mut y = inside.y;
    // What is unwell is worth a line before what is well.
    let mut workers: Vec<&WorkerModel> = model.workers().collect();
    workers.sort_by_key(|worker| (!worker.is_unwell(), worker.id));
    let names = workers
        .iter()
        .take(shown)
        .map(|worker| text::columns(&worker.name));
    let name_columns = names.max().unwrap_or(0).min(NAME_COLUMNS_MAX);
    for worker in workers.into_iter().take(shown) {
        worker_line(app, buf, inside, y, (worker, name_columns));
        y += 1;
    }
    if count > shown && y < inside.bottom() {
        let text = format!("{} {} more", app.glyphs.more(), count - shown);
        put(
            buf,
            inside.x,
            y,
            inside.right(),
            &text,
            app.theme.style(StyleRole::Dim),
        );
        y += 1;
    }
    if y < inside.bottom() {
        utilization_line(app, buf, inside, y);
        y += 1;
    }
    if y < inside.bottom() {
        transfer_line(app, buf, inside, y);
    }
}

fn one_line(app: &App) -> String {
    let model = app.model();
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

fn busy_slots(model: &RunModel) -> (u64, u64) {
    let present = model.workers().filter(|worker| worker.is_present());
    present.fold((0, 0), |(busy, slots), worker| {
        let own = worker.slots.len() as u64;
        // A sample may be older than what this run knows of its own tests.
        let taken = u64::from(worker.busy).max(worker.running() as u64);
        (busy + taken.min(own), slots + own)
    })
}

fn worker_line(
    app: &App,
    buf: &mut Buffer,
    area: Rect,
    y: u16,
    (worker, columns): (&WorkerModel, usize),
) {
    let name = format!("{:<columns$} ", text::keep_start(&worker.name, columns, ""));
    let role = if worker.is_unwell() {
        StyleRole::Failed
    } else {
        StyleRole::Text
    };
    let x = put(buf, area.x, y, area.right(), &name, app.theme.style(role));
    if let Some(reason) = &worker.left {
        put(
            buf,
            x,
            y,
            area.right(),
            &format!("gone: {reason}"),
            app.theme.style(StyleRole::Dim),
        );
        return;
    }
    let slots = worker.slots.len() as u64;
    let busy = u64::from(worker.busy)
        .max(worker.running() as u64)
        .min(slots);
    let filled = bar(app, busy, slots, SLOT_BAR_COLUMNS);
    let x = put(
        buf,
        x,
        y,
        area.right(),
        &filled,
        app.theme.style(StyleRole::GaugeRunning),
    ) + 1;
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
    put(buf, x, y, area.right(), &text, app.theme.style(role));
}

/// The use of all slots over time.
fn utilization_line(app: &App, buf: &mut Buffer, area: Rect, y: u16) {
    let model = app.model();
    let (busy, slots) = busy_slots(model);
    if slots == 0 {
        let dim = app.theme.style(StyleRole::Dim);
        put(buf, area.x, y, area.right(), "no worker yet", dim);
        return;
    }
    let dim = app.theme.style(StyleRole::Dim);
    let x = put(buf, area.x, y, area.right(), "util ", dim);
    let percent = format!(" {}%", busy * 100 / slots);
    let end = put_right(buf, x, y, area.right(), &percent, dim);
    let room = usize::from(end.saturating_sub(x));
    let history = cluster_utilization(model, room);
    put(
        buf,
        x,
        y,
        end,
        &sparkline(app, history.into_iter()),
        app.theme.style(StyleRole::Running),
    );
}

/// The mean use of all workers' slots over their last `room` samples.
fn cluster_utilization(model: &RunModel, room: usize) -> Vec<u16> {
    let mut sums = vec![(0_u64, 0_u64); room];
    for worker in model.workers() {
        let weight = worker.slots.len() as u64;
        let newest_first = worker.utilization.iter().rev();
        // Who joined later has fewer samples, so they are lined up by the newest.
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

fn transfer_line(app: &App, buf: &mut Buffer, area: Rect, y: u16) {
    let Some((done, total)) = app.model().transfers.progress() else {
        return;
    };
    let percent = (u128::from(done) * 100)
        .checked_div(u128::from(total))
        .unwrap_or(0);
    let text = format!(
        "{} layers {percent}% {}/{}",
        app.glyphs.transfer(),
        text::size(done),
        text::size(total)
    );
    put(
        buf,
        area.x,
        y,
        area.right(),
        &text,
        app.theme.style(StyleRole::Running),
    );
}

/// The workers at length.
pub(super) fn list(app: &App, buf: &mut Buffer, area: Rect) {
    let model = app.model();
    let count = model.workers().count();
    let (busy, slots) = busy_slots(model);
    let facts = format!("{busy}/{slots} slots");
    let inside = frame(
        app,
        buf,
        area,
        PaneKind::WorkerList,
        &format!("Workers {count}"),
        &facts,
    );
    let dim = app.theme.style(StyleRole::Dim);
    let heading = format!(
        " {:<16} {:<9} {:>7} {:>5} {:>13} {:>7}  slots in use over time",
        "name", "state", "slots", "cpu", "memory", "tests"
    );
    put(buf, inside.x, inside.y, inside.right(), &heading, dim);
    let selected = app.selected_worker().map(|worker| worker.id);
    let top = app.first_worker_shown(inside.height);
    for (y, worker) in (inside.y + 1..inside.bottom()).zip(model.workers().skip(top)) {
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
        let line = format!(
            " {:<16} {state:<9} {:>7} {:>4}% {memory:>13} {:>7}  ",
            text::keep_start(&worker.name, 16, app.glyphs.more()),
            format!("{busy}/{}", worker.slots.len()),
            worker.cpu_permille / 10,
            text::grouped(worker.finished.into()),
        );
        let role = if worker.is_unwell() || !worker.is_present() {
            StyleRole::Failed
        } else {
            StyleRole::Text
        };
        let x = put(
            buf,
            inside.x,
            y,
            inside.right(),
            &line,
            app.theme.style(role),
        );
        let room = usize::from(inside.right().saturating_sub(x));
        let skipped = worker.utilization.len().saturating_sub(room);
        let history = worker.utilization.iter().skip(skipped).copied();
        put(
            buf,
            x,
            y,
            inside.right(),
            &sparkline(app, history),
            app.theme.style(StyleRole::Running),
        );
        if Some(worker.id) == selected {
            super::paint::select(app, buf, inside, y, PaneKind::WorkerList);
        }
    }
}

/// What each slot of a worker runs.
pub(super) fn slots(app: &App, buf: &mut Buffer, area: Rect, run_us: u64) {
    let model = app.model();
    let Some(worker) = app.selected_worker() else {
        frame(app, buf, area, PaneKind::Slots, "Slots", "");
        return;
    };
    let title = format!("Slots of {}", worker.name);
    let inside = frame(
        app,
        buf,
        area,
        PaneKind::Slots,
        &title,
        &worker.architecture,
    );
    let dim = app.theme.style(StyleRole::Dim);
    if let Some(reason) = &worker.left {
        put(
            buf,
            inside.x + 1,
            inside.y,
            inside.right(),
            &format!("gone: {reason}"),
            dim,
        );
        return;
    }
    for (y, (slot, test)) in (inside.y..inside.bottom()).zip(worker.slots.iter().enumerate()) {
        let mut x = put(
            buf,
            inside.x,
            y,
            inside.right(),
            &format!("{slot:>4}  "),
            dim,
        );
        let Some(test) = *test else {
            put(buf, x, y, inside.right(), "idle", dim);
            continue;
        };
        let us = model.tests.duration_us(test, run_us).unwrap_or(0);
        let end = put_right(buf, x, y, inside.right(), &text::coarse(us), dim).saturating_sub(1);
        let state = model.tests.state(test);
        x = put(
            buf,
            x,
            y,
            end,
            app.glyphs.state(state),
            app.theme.state(state),
        ) + 1;
        let room = usize::from(end.saturating_sub(x));
        let name = text::keep_end(model.tests.title(test), room, app.glyphs.more());
        put(buf, x, y, end, &name, app.theme.style(StyleRole::Text));
    }
}

/// Broker, queue, transfers, cache, and whose runs there are.
pub(super) fn cluster(app: &App, buf: &mut Buffer, area: Rect) {
    let model = app.model();
    let inside = frame(app, buf, area, PaneKind::Cluster, "Cluster", "");
    let mut y = inside.y;
    let dim = app.theme.style(StyleRole::Dim);
    let mut line = |text: &str, role: StyleRole| {
        if y < inside.bottom() {
            put(
                buf,
                inside.x + 1,
                y,
                inside.right(),
                text,
                app.theme.style(role),
            );
            y += 1;
        }
    };
    match model.run.as_ref().map(|run| &run.backend) {
        None => line("the run has not begun", StyleRole::Dim),
        Some(BackendInfo::Local) => {
            line(
                "There is no broker: the tests run on this machine.",
                StyleRole::Text,
            );
        }
        Some(BackendInfo::Broker { address }) => {
            line(&format!("broker {address}"), StyleRole::Title)
        }
    }
    if let Some(sample) = &model.cluster {
        line("", StyleRole::Text);
        line(
            &format!(
                "all runs    {} queued, {} running on {} slots",
                text::grouped(sample.queued),
                text::grouped(sample.running),
                text::grouped(sample.slots)
            ),
            StyleRole::Text,
        );
        let asked = sample.cache_hits.saturating_add(sample.cache_misses);
        let percent = (sample.cache_hits * 100).checked_div(asked).unwrap_or(0);
        line(
            &format!(
                "cache       {} hits, {} misses ({percent}%)",
                text::grouped(sample.cache_hits),
                text::grouped(sample.cache_misses)
            ),
            StyleRole::Text,
        );
        line(
            &format!("store       {}", text::size(sample.store_bytes)),
            StyleRole::Text,
        );
        line("", StyleRole::Text);
        line(
            &format!(
                "{:<30} {:>6} {:>9} {:>9}",
                "runs", "run", "queued", "running"
            ),
            StyleRole::Dim,
        );
        let own = model.run.as_ref().map(|run| run.run);
        for client in &sample.clients {
            let mine = if Some(client.run) == own {
                " (this one)"
            } else {
                ""
            };
            let text = format!(
                "{:<30} {:>6} {:>9} {:>9}{mine}",
                text::keep_start(&client.name, 30, app.glyphs.more()),
                client.run.short(),
                text::grouped(client.queued),
                text::grouped(client.running)
            );
            line(&text, StyleRole::Text);
        }
    }
    let transfers: Vec<_> = model.transfers.iter().collect();
    if !transfers.is_empty() {
        line("", StyleRole::Text);
        line("transfers", StyleRole::Dim);
    }
    for transfer in transfers.into_iter().rev() {
        if y >= inside.bottom() {
            break;
        }
        let to = match transfer.worker {
            Some(worker) => super::lists::worker_name(model, worker),
            None => "store".to_owned(),
        };
        let text = format!(
            "{} {:<8} {} {}/{} ",
            app.glyphs.transfer(),
            to,
            bar(app, transfer.done_bytes, transfer.total_bytes, 16),
            text::size(transfer.done_bytes),
            text::size(transfer.total_bytes),
        );
        let x = put(
            buf,
            inside.x + 1,
            y,
            inside.right(),
            &text,
            app.theme.style(StyleRole::Running),
        );
        put(buf, x, y, inside.right(), &transfer.name, dim);
        y += 1;
    }
}
