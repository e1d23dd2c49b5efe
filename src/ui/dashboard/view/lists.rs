//! Draws lists of tests: failures, running tests, and all tests.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::{RunModel, StateCounts, TestStability, TestState, TreeRow};
use maelstrom_model::event::PreviousOutcome;
use maelstrom_model::ids::{TestId, WorkerId};

use super::super::app::{App, PaneKind};
use super::super::rows::RowFilter;
use super::super::theme::{FoldState, StyleRole};
use super::paint::{frame, put, put_right, select};
use super::text;

/// A test that takes this many times what is expected is called slow.
const SLOW_FACTOR: u64 = 3;
/// And this long at least.
const SLOW_US: u64 = 5_000_000;

pub(super) fn failures(app: &App, buf: &mut Buffer, area: Rect) {
    let model = app.model();
    let count = model.failures.len();
    let title = match count {
        0 => "Failures".to_owned(),
        _ => format!("Failures {}/{count}", app.failure_index() + 1),
    };
    let key = app
        .keys
        .key(super::super::keys::DashboardAction::NextFailure);
    let facts = match (count, key) {
        (2.., Some(key)) => format!("{key}:next"),
        _ => String::new(),
    };
    let inside = frame(app, buf, area, PaneKind::Failures, &title, &facts);
    if count == 0 {
        let text = if model.is_active() {
            "none so far"
        } else {
            "none"
        };
        put(
            buf,
            inside.x + 1,
            inside.y,
            inside.right(),
            text,
            app.theme.style(StyleRole::Dim),
        );
        return;
    }
    let shown = model.failures.iter().skip(app.failures_top);
    for (y, test) in (inside.y..inside.bottom()).zip(shown) {
        test_line(
            app,
            buf,
            inside,
            y,
            *test,
            model.tests.duration_us(*test, model.now_us),
        );
        if app.selected_failure() == Some(*test) {
            select(app, buf, inside, y, PaneKind::Failures);
        }
    }
}

pub(super) fn running(app: &App, buf: &mut Buffer, area: Rect, run_us: u64) {
    let model = app.model();
    let count = model.running().len();
    let facts = if count > 1 { "longest first" } else { "" };
    let inside = frame(
        app,
        buf,
        area,
        PaneKind::Running,
        &format!("Running {count}"),
        facts,
    );
    if count == 0 {
        let text = match (model.is_active(), model.counts.open()) {
            (true, 0) => "nothing yet",
            (true, _) => "nothing at present",
            (false, _) => "nothing",
        };
        put(
            buf,
            inside.x + 1,
            inside.y,
            inside.right(),
            text,
            app.theme.style(StyleRole::Dim),
        );
        return;
    }
    let height = usize::from(inside.height);
    let (lines, hidden) = match count > height {
        true => {
            let lines = height.saturating_sub(1);
            (lines, count - lines)
        }
        false => (count, 0),
    };
    let selected = app.selected_running();
    for (y, (started_us, test)) in (inside.y..).zip(model.running().take(lines)) {
        running_line(app, buf, inside, y, test, run_us.saturating_sub(started_us));
        if selected == Some(test) && app.focus == PaneKind::Running {
            select(app, buf, inside, y, PaneKind::Running);
        }
    }
    if hidden > 0 {
        let text = format!("{} and {hidden} more", app.glyphs.more());
        let y = inside.bottom() - 1;
        put(
            buf,
            inside.x + 1,
            y,
            inside.right(),
            &text,
            app.theme.style(StyleRole::Dim),
        );
    }
}

fn running_line(app: &App, buf: &mut Buffer, area: Rect, y: u16, test: TestId, us: u64) {
    let model = app.model();
    let dim = app.theme.style(StyleRole::Dim);
    let mut end = area.right();
    if let Some((worker, _)) = model.tests.latest(test).and_then(|latest| latest.place) {
        end = put_right(buf, area.x, y, end, &worker_name(model, worker), dim).saturating_sub(1);
    }
    let expected_us = model.tests.expected_us(test);
    let slow = expected_us.is_some_and(|expected| us > SLOW_US && us > expected * SLOW_FACTOR);
    if slow {
        end = put_right(
            buf,
            area.x,
            y,
            end,
            "SLOW",
            app.theme.style(StyleRole::Flaky),
        ) - 1;
    }
    let time = format!("{:>7}", text::coarse(us));
    end = put_right(buf, area.x, y, end, &time, app.theme.style(StyleRole::Text)).saturating_sub(1);
    name_with_sign(app, buf, area, y, end, test);
}

/// A finished (or open) test: sign, name, time, worker.
fn test_line(app: &App, buf: &mut Buffer, area: Rect, y: u16, test: TestId, us: Option<u64>) {
    let model = app.model();
    let dim = app.theme.style(StyleRole::Dim);
    let mut end = area.right();
    // Where there is one worker, its name says nothing.
    let workers = model.workers().nth(1).is_some();
    if let Some((worker, _)) = model.tests.latest(test).and_then(|latest| latest.place)
        && workers
    {
        end = put_right(buf, area.x, y, end, &worker_name(model, worker), dim).saturating_sub(1);
    }
    if let Some(us) = us {
        let time = format!("{:>8}", text::duration(us));
        end = put_right(buf, area.x, y, end, &time, dim).saturating_sub(1);
    }
    let state = model.tests.state(test);
    if state.is_failure() && state != TestState::Failed && area.width >= 50 {
        end = put_right(buf, area.x, y, end, state.word(), app.theme.state(state)) - 1;
    }
    if model.tests.stability(test) == TestStability::Flaky {
        let text = format!("{} flaky", app.glyphs.flaky());
        end = put_right(
            buf,
            area.x,
            y,
            end,
            &text,
            app.theme.style(StyleRole::Flaky),
        ) - 1;
    }
    name_with_sign(app, buf, area, y, end, test);
}

fn name_with_sign(app: &App, buf: &mut Buffer, area: Rect, y: u16, end: u16, test: TestId) {
    let model = app.model();
    let state = model.tests.state(test);
    let marked = app.marked.contains(&test);
    let mark = if marked { "*" } else { " " };
    let x = put(
        buf,
        area.x,
        y,
        end,
        mark,
        app.theme.style(StyleRole::Marked),
    );
    let x = put(
        buf,
        x,
        y,
        end,
        app.glyphs.state(state),
        app.theme.state(state),
    ) + 1;
    let room = usize::from(end.saturating_sub(x));
    let name = text::keep_end(model.tests.title(test), room, app.glyphs.more());
    let role = if marked {
        StyleRole::Marked
    } else {
        StyleRole::Text
    };
    put(buf, x, y, end, &name, app.theme.style(role));
}

pub(super) fn tests(app: &App, buf: &mut Buffer, area: Rect, run_us: u64) {
    let model = app.model();
    let rows = &app.rows;
    let len = rows.list().len();
    let position = match len {
        0 => String::new(),
        _ => format!(
            " {}/{}",
            text::grouped(rows.selected_index() as u64 + 1),
            text::grouped(len as u64)
        ),
    };
    let facts = format!("sort:{}", rows.sort.word());
    let inside = frame(
        app,
        buf,
        area,
        PaneKind::Tests,
        &format!("Tests{position}"),
        &facts,
    );
    if len == 0 {
        let text = match (rows.show, rows.finder.pattern(), model.tests.is_empty()) {
            (_, _, true) => "no tests were found yet",
            (RowFilter::Failures, "", false) => "nothing has failed",
            (_, _, false) => "no test matches",
        };
        put(
            buf,
            inside.x + 1,
            inside.y,
            inside.right(),
            text,
            app.theme.style(StyleRole::Dim),
        );
        return;
    }
    let selected = rows.selected_index();
    let shown = rows.list().iter().enumerate().skip(rows.top);
    for (y, (index, line)) in (inside.y..inside.bottom()).zip(shown) {
        // A test below many modules still needs room for its name.
        let indent = (line.depth * 2).min(inside.width / 3);
        let at = Rect {
            x: inside.x + indent,
            width: inside.width - indent,
            ..inside
        };
        match line.row {
            TreeRow::Group(group) => {
                let counts = model.tests.tree().counts(group);
                let fold = rows.fold(group);
                group_line(app, buf, at, y, line.row, (counts, fold));
            }
            TreeRow::Test(test) => tree_test_line(app, buf, at, y, test, run_us),
        }
        if index == selected {
            select(app, buf, inside, y, PaneKind::Tests);
        }
    }
}

fn group_line(
    app: &App,
    buf: &mut Buffer,
    area: Rect,
    y: u16,
    row: TreeRow,
    (counts, fold): (StateCounts, FoldState),
) {
    let model = app.model();
    let dim = app.theme.style(StyleRole::Dim);
    let mut end = area.right();
    let done = format!("{:>11}", format!("{}/{}", counts.done(), counts.total()));
    end = put_right(buf, area.x, y, end, &done, dim).saturating_sub(1);
    let running = counts.get(TestState::Running);
    for (number, state) in [
        (running, TestState::Running),
        (counts.failures(), TestState::Failed),
    ] {
        if number > 0 {
            let text = format!("{} {number}", app.glyphs.state(state));
            end = put_right(buf, area.x, y, end, &text, app.theme.state(state)).saturating_sub(1);
        }
    }
    let state = match (counts.failures(), counts.open(), running) {
        (0, 0, _) => TestState::Passed,
        (0, _, 0) => TestState::Waiting,
        (0, _, _) => TestState::Running,
        (_, _, _) => TestState::Failed,
    };
    let x = put(buf, area.x, y, end, app.glyphs.fold(fold), dim) + 1;
    let x = put(
        buf,
        x,
        y,
        end,
        app.glyphs.state(state),
        app.theme.state(state),
    ) + 1;
    let room = usize::from(end.saturating_sub(x));
    let name = text::keep_end(model.tests.row_name(row), room, app.glyphs.more());
    put(buf, x, y, end, &name, app.theme.style(StyleRole::Title));
}

fn tree_test_line(app: &App, buf: &mut Buffer, area: Rect, y: u16, test: TestId, run_us: u64) {
    let model = app.model();
    let us = model.tests.duration_us(test, run_us);
    if !app.rows.is_tree() {
        test_line(app, buf, area, y, test, us);
        return;
    }
    let dim = app.theme.style(StyleRole::Dim);
    let state = model.tests.state(test);
    let mut end = area.right();
    match (us, state.is_open()) {
        (Some(us), false) => {
            let time = format!("{:>8}", text::duration(us));
            end = put_right(buf, area.x, y, end, &time, dim) - 1;
        }
        (Some(us), true) if state == TestState::Running => {
            let time = format!("{:>8}", text::coarse(us));
            end = put_right(buf, area.x, y, end, &time, app.theme.state(state)) - 1;
        }
        _ => {}
    }
    let mut tag = |text: &str, role| {
        end = put_right(buf, area.x, y, end, text, app.theme.style(role)).saturating_sub(1);
    };
    match state {
        TestState::TimedOut => tag(state.word(), StyleRole::TimedOut),
        TestState::Error => tag(state.word(), StyleRole::Error),
        TestState::Ignored => tag(state.word(), StyleRole::Ignored),
        TestState::Cancelled => tag(state.word(), StyleRole::Cancelled),
        TestState::Waiting
        | TestState::Queued
        | TestState::Running
        | TestState::Passed
        | TestState::Failed => {}
    }
    if model.tests.stability(test) == TestStability::Flaky {
        tag(&format!("{} flaky", app.glyphs.flaky()), StyleRole::Flaky);
    }
    if model.tests.is_cached(test) {
        tag(
            &format!("{} cached", app.glyphs.cached()),
            StyleRole::Cached,
        );
    }
    if state.is_open() && model.tests.history(test) == PreviousOutcome::Failure {
        tag("failed last time", StyleRole::Dim);
    }
    let marked = app.marked.contains(&test);
    let mark = if marked { "*" } else { " " };
    let x = put(
        buf,
        area.x,
        y,
        end,
        mark,
        app.theme.style(StyleRole::Marked),
    ) + 1;
    let x = put(
        buf,
        x,
        y,
        end,
        app.glyphs.state(state),
        app.theme.state(state),
    ) + 1;
    let room = usize::from(end.saturating_sub(x));
    let name = model.tests.row_name(TreeRow::Test(test));
    let name = text::keep_end(name, room, app.glyphs.more());
    let role = if marked {
        StyleRole::Marked
    } else {
        StyleRole::Text
    };
    put(buf, x, y, end, &name, app.theme.style(role));
}

/// What a worker is called in a narrow column.
pub(super) fn worker_name(model: &RunModel, id: WorkerId) -> String {
    const COLUMNS: usize = 8;
    let name = model
        .worker(id)
        .map_or_else(|| format!("w{id}"), |worker| worker.name.clone());
    text::keep_start(&name, COLUMNS, "")
}
