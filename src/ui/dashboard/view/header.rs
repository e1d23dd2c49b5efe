//! Draws the header of every screen: the run, the progress bar, the counts, the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::{BuildPhase, RunModel, RunPhase, StateCounts, TestState};
use maelstrom_model::event::{BackendInfo, IsolationMode};

use super::super::app::{App, EventSource, PlaybackState, ScreenKind};
use super::super::finder::PatternSyntax;
use super::super::keys::DashboardAction;
use super::super::rows::{RowFilter, TestSortOrder};
use super::super::theme::StyleRole;
use super::paint::{put, put_right};
use super::text;

const TABS: [(ScreenKind, DashboardAction, &str); 5] = [
    (ScreenKind::Overview, DashboardAction::Overview, "Overview"),
    (ScreenKind::Tests, DashboardAction::Tests, "Tests"),
    (ScreenKind::Detail, DashboardAction::Detail, "Detail"),
    (ScreenKind::Workers, DashboardAction::Workers, "Workers"),
    (ScreenKind::Cluster, DashboardAction::Cluster, "Cluster"),
];

pub(super) fn draw(app: &App, buf: &mut Buffer, area: Rect, run_us: u64) {
    run_line(app, buf, area, run_us);
    gauge_line(app, buf, area, area.y + 1);
    counts_line(app, buf, area, area.y + 2);
    tabs_line(app, buf, area, area.y + 3);
}

fn run_line(app: &App, buf: &mut Buffer, area: Rect, run_us: u64) {
    let model = app.model();
    let dim = app.theme.style(StyleRole::Dim);
    let mut x = area.x + 1;
    if let Some(run) = &model.run {
        let short = run.run.short();
        x = put(buf, x, area.y, area.right(), &format!("run {short}"), dim) + 2;
        let backend = match &run.backend {
            BackendInfo::Local => "local".to_owned(),
            BackendInfo::Broker { address } => format!("broker {address}"),
        };
        x = put(buf, x, area.y, area.right(), &backend, dim) + 2;
        match run.isolation {
            IsolationMode::Container => {}
            IsolationMode::Process => {
                let warning = app.theme.style(StyleRole::Notice);
                x = put(buf, x, area.y, area.right(), "NOT ISOLATED", warning) + 2;
            }
        }
    }
    let (word, role) = phase(model, run_us);
    let style = app
        .theme
        .style(role)
        .patch(app.theme.style(StyleRole::Title));
    x = put(buf, x, area.y, area.right(), &word, style) + 2;
    if model.awaiting.is_some() {
        x = put(buf, x, area.y, area.right(), "WATCHING", dim) + 2;
    }
    let replay = match (app.source, app.playback) {
        (EventSource::Live, _) => None,
        (EventSource::Recording, PlaybackState::Going) => Some("RECORDING"),
        (EventSource::Recording, PlaybackState::Paused) => Some("RECORDING (paused)"),
    };
    if let Some(text) = replay {
        x = put(
            buf,
            x,
            area.y,
            area.right(),
            text,
            app.theme.style(StyleRole::Notice),
        ) + 2;
    }
    if let Some(events) = app.frozen_events() {
        let text = format!("FROZEN +{} events", text::grouped(events));
        x = put(
            buf,
            x,
            area.y,
            area.right(),
            &text,
            app.theme.style(StyleRole::Notice),
        ) + 2;
    }
    let mut end = area.right() - 1;
    let style = app.theme.style(StyleRole::Text);
    let mut facts = Vec::new();
    if model.is_active() && model.counts.total() > 0 {
        facts.push((
            format!("{} tests/s", text::grouped(model.rate(run_us).into())),
            dim,
        ));
        if let Some(us) = model.remaining_us(run_us).filter(|us| *us > 0) {
            facts.push((format!("ETA ~{}", text::estimate(us)), style));
        }
    }
    facts.push((text::clock(model.round_us(run_us)), style));
    // From the right; what has no room is left out, the clock last.
    let needed = |facts: &[(String, Style)]| -> usize {
        facts.iter().map(|(text, _)| text::columns(text) + 2).sum()
    };
    while facts.len() > 1 && usize::from(x) + needed(&facts) > usize::from(end) + 2 {
        facts.remove(0);
    }
    for (text, style) in facts {
        end = put_right(buf, x, area.y, end, &text, style).saturating_sub(2);
    }
}

/// The word for where the run stands.
fn phase(model: &RunModel, run_us: u64) -> (String, StyleRole) {
    let failures = match model.build_failed() {
        true => model.counts.failures().saturating_sub(model.places()),
        false => model.counts.failures(),
    };
    let result = |model: &RunModel| match (failures, &model.build) {
        (0, BuildPhase::Failed) => ("BUILD FAILED", StyleRole::Failed),
        (0, _) if model.counts.get(TestState::Cancelled) > 0 => ("CANCELLED", StyleRole::Cancelled),
        (0, _) => ("PASSED", StyleRole::Passed),
        _ => ("FAILED", StyleRole::Failed),
    };
    let (word, role) = match model.phase {
        RunPhase::Starting => ("STARTING", StyleRole::Dim),
        RunPhase::Cancelling { since_us, grace_us } => {
            let left_us = (since_us + grace_us).saturating_sub(run_us);
            let text = match left_us {
                0 => "CANCELLING: killing".to_owned(),
                _ => format!("CANCELLING: kill in {}s", left_us.div_ceil(1_000_000)),
            };
            return (text, StyleRole::Cancelled);
        }
        RunPhase::Running if model.paused => ("PAUSED", StyleRole::Notice),
        RunPhase::Running if model.found == 0 => match model.build {
            BuildPhase::Going { .. } => ("BUILDING", StyleRole::Running),
            BuildPhase::Failed => ("BUILD FAILED", StyleRole::Failed),
            BuildPhase::None | BuildPhase::Succeeded => ("FINDING TESTS", StyleRole::Running),
        },
        RunPhase::Running => ("RUNNING", StyleRole::Running),
        RunPhase::RoundOver => result(model),
        RunPhase::Finished { exit_code: 0 } => result(model),
        RunPhase::Finished { .. } => match result(model) {
            ("PASSED", _) => ("FAILED", StyleRole::Failed),
            other => other,
        },
    };
    (word.to_owned(), role)
}

/// The columns of the gauge's segments (passed and the like, failed, running, still to come).
/// They add up to `room`; what is there at all has a column if there is one to give.
pub(in super::super) fn gauge_segments(counts: &StateCounts, room: usize) -> [usize; 4] {
    let failed = u64::from(counts.failures());
    let running = u64::from(counts.get(TestState::Running));
    let done = u64::from(counts.done()) - failed;
    let total = u64::from(counts.total());
    let open = total - failed - running - done;
    let parts = [done, failed, running, open];
    if total == 0 {
        return [0, 0, 0, room];
    }
    let mut segments = parts.map(|part| (part * room as u64 / total) as usize);
    for (segment, part) in segments.iter_mut().zip(parts) {
        if part > 0 && *segment == 0 {
            *segment = 1;
        }
    }
    // What rounding left over goes to the largest part; what it took too much comes from there.
    let mut sum: usize = segments.iter().sum();
    while sum != room {
        let largest = (0..4).max_by_key(|index| (segments[*index], parts[*index]));
        let Some(largest) = largest else { break };
        if sum < room {
            segments[largest] += room - sum;
        } else {
            // One at a time, since another may be the largest after that.
            segments[largest] -= 1;
        }
        sum = segments.iter().sum();
    }
    segments
}

fn gauge_line(app: &App, buf: &mut Buffer, area: Rect, y: u16) {
    let model = app.model();
    let (counts, building) = match (&model.build, model.found == 0) {
        (BuildPhase::Going { done, total, .. }, true) => (None, Some((*done, *total))),
        _ => (Some(model.counts), None),
    };
    let border = app.theme.style(StyleRole::Dim);
    let percent = match (counts, building) {
        (_, Some((done, Some(total)))) => format!("{done}/{total} built"),
        (_, Some((done, None))) => format!("{done} built"),
        (Some(counts), None) if counts.total() > 0 => {
            let permille = u64::from(counts.done()) * 1000 / u64::from(counts.total());
            format!("{}.{}%", permille / 10, permille % 10)
        }
        (_, None) => "  0.0%".to_owned(),
    };
    let end = area.right() - 1;
    let bar_end = put_right(
        buf,
        area.x,
        y,
        end,
        &percent,
        app.theme.style(StyleRole::Title),
    ) - 1;
    let mut x = put(buf, area.x + 1, y, end, "[", border);
    put(buf, bar_end - 1, y, end, "]", border);
    let room = usize::from((bar_end - 1).saturating_sub(x));
    let [full, failed, running, open] = app.glyphs.gauge();
    let (segments, done_role) = match (counts, building) {
        (_, Some((done, total))) => {
            let total = total.unwrap_or(0).max(done) as usize;
            let filled = (room * done as usize).checked_div(total).unwrap_or(0);
            ([filled, 0, 0, room - filled], StyleRole::GaugeRunning)
        }
        (Some(counts), None) => {
            // One failure is enough for the whole of it to look so.
            let role = match counts.failures() {
                0 => StyleRole::GaugePassed,
                _ => StyleRole::GaugeFailed,
            };
            (gauge_segments(&counts, room), role)
        }
        (None, None) => ([0, 0, 0, room], StyleRole::GaugePassed),
    };
    let strokes = [
        (full, done_role),
        (failed, StyleRole::GaugeFailed),
        (running, StyleRole::GaugeRunning),
        (open, StyleRole::GaugeQueued),
    ];
    for (columns, (glyph, role)) in segments.into_iter().zip(strokes) {
        x = put(
            buf,
            x,
            y,
            bar_end - 1,
            &glyph.repeat(columns),
            app.theme.style(role),
        );
    }
}

fn counts_line(app: &App, buf: &mut Buffer, area: Rect, y: u16) {
    let (model, glyphs) = (app.model(), app.glyphs);
    let count = |state| u64::from(model.counts.get(state));
    let sign = |state: TestState| glyphs.state(state);
    let open = count(TestState::Queued) + count(TestState::Waiting);
    // Each with its rank: what has the highest gives way first, failures never.
    let mut parts: Vec<(u8, String, Style)> = Vec::new();
    let mut part = |rank, number: u64, sign: &str, word: &str, style| {
        if number > 0 {
            let word = if word.is_empty() {
                String::new()
            } else {
                format!(" {word}")
            };
            parts.push((
                rank,
                format!("{sign} {}{word}", text::grouped(number)),
                style,
            ));
        }
    };
    let style = |role| app.theme.style(role);
    part(
        1,
        count(TestState::Passed),
        sign(TestState::Passed),
        "passed",
        style(StyleRole::Passed),
    );
    part(
        0,
        count(TestState::Failed),
        sign(TestState::Failed),
        "failed",
        style(StyleRole::Failed),
    );
    part(
        0,
        count(TestState::TimedOut),
        sign(TestState::TimedOut),
        "timed out",
        style(StyleRole::TimedOut),
    );
    let errors = count(TestState::Error);
    let word = if errors == 1 { "error" } else { "errors" };
    part(
        0,
        errors,
        sign(TestState::Error),
        word,
        style(StyleRole::Error),
    );
    part(
        3,
        u64::from(model.flaky),
        glyphs.flaky(),
        "flaky",
        style(StyleRole::Flaky),
    );
    part(
        7,
        count(TestState::Ignored),
        sign(TestState::Ignored),
        "ignored",
        style(StyleRole::Ignored),
    );
    part(
        5,
        count(TestState::Cancelled),
        sign(TestState::Cancelled),
        "cancelled",
        style(StyleRole::Cancelled),
    );
    part(
        8,
        u64::from(model.cached),
        glyphs.cached(),
        "cached",
        style(StyleRole::Cached),
    );
    part(
        4,
        count(TestState::Running),
        sign(TestState::Running),
        "running",
        style(StyleRole::Running),
    );
    let word = if model.is_active() {
        "queued"
    } else {
        "not run"
    };
    part(
        6,
        open,
        sign(TestState::Queued),
        word,
        style(StyleRole::Queued),
    );
    let total = format!("{} total", text::grouped(model.counts.total().into()));
    let width = |parts: &[(u8, String, Style)]| -> usize {
        parts
            .iter()
            .map(|(_, text, _)| text::columns(text) + 2)
            .sum()
    };
    let room = usize::from(area.width) - 2;
    while width(&parts) > room + 2 {
        let Some(least) = (0..parts.len()).max_by_key(|index| parts[*index].0) else {
            break;
        };
        if parts[least].0 == 0 {
            break;
        }
        parts.remove(least);
    }
    let mut x = area.x + 1;
    for (_, text, style) in &parts {
        x = put(buf, x, y, area.right(), text, *style) + 2;
    }
    let dim = app.theme.style(StyleRole::Dim);
    if model.counts.total() > 0 {
        put_right(buf, x, y, area.right() - 1, &total, dim);
    } else {
        put(buf, x, y, area.right(), &beginning(model), dim);
    }
}

/// What is going on while there are no tests.
fn beginning(model: &RunModel) -> String {
    match (&model.build, model.phase) {
        (BuildPhase::Going { current, .. }, _) if !current.is_empty() => current.clone(),
        (BuildPhase::Going { .. }, _) => model.build_command.join(" "),
        (BuildPhase::Failed, _) => "the build failed: its output is in the log".to_owned(),
        (BuildPhase::None, RunPhase::Starting) => "starting".to_owned(),
        (BuildPhase::None | BuildPhase::Succeeded, _) if model.discovered => {
            "no tests to run".to_owned()
        }
        (BuildPhase::None | BuildPhase::Succeeded, _) => "looking for tests".to_owned(),
    }
}

fn tab_texts(app: &App) -> Vec<(ScreenKind, DashboardAction, String)> {
    let short = app.columns < 60;
    let text = |(screen, action, name): (ScreenKind, DashboardAction, &str)| {
        let key = app.keys.key(action).unwrap_or_default();
        let name = match short {
            true => name.get(..4).unwrap_or(name),
            false => name,
        };
        (screen, action, format!("{key} {name}"))
    };
    TABS.into_iter().map(text).collect()
}

/// The action of the tab at a column.
pub(in super::super) fn tab_at(app: &App, column: u16) -> Option<DashboardAction> {
    // As `tabs_line` has them: a column to their left, three between two of them.
    let mut x = 1_usize;
    for (_, action, text) in tab_texts(app) {
        let end = x + text::columns(&text);
        if (x..end).contains(&usize::from(column)) {
            return Some(action);
        }
        x = end + 3;
    }
    None
}

fn tabs_line(app: &App, buf: &mut Buffer, area: Rect, y: u16) {
    let dim = app.theme.style(StyleRole::Dim);
    let mut x = area.x + 1;
    for (index, (screen, _, text)) in tab_texts(app).into_iter().enumerate() {
        if index > 0 {
            x = put(buf, x + 1, y, area.right(), app.glyphs.bar(), dim) + 1;
        }
        let role = if screen == app.screen {
            StyleRole::TabActive
        } else {
            StyleRole::Tab
        };
        x = put(buf, x, y, area.right(), &text, app.theme.style(role));
    }
    let mut facts = Vec::new();
    if !app.marked.is_empty() {
        facts.push(format!("{} marked", app.marked.len()));
    }
    match app.rows.show {
        RowFilter::All => {}
        RowFilter::Failures => facts.push("[FAIL]".to_owned()),
    }
    let pattern = app.rows.finder.pattern();
    if !pattern.is_empty() {
        facts.push(match app.rows.finder.syntax() {
            PatternSyntax::Fuzzy => format!("/{pattern}"),
            PatternSyntax::Regex => format!("/{pattern}/"),
        });
    }
    match app.rows.sort {
        TestSortOrder::Name => {}
        TestSortOrder::Slow | TestSortOrder::State => {
            facts.push(format!("sort:{}", app.rows.sort.word()))
        }
    }
    let room = usize::from(area.right().saturating_sub(x + 3));
    let facts = text::keep_start(&facts.join(" "), room, app.glyphs.more());
    put_right(
        buf,
        x,
        y,
        area.right() - 1,
        &facts,
        app.theme.style(StyleRole::Notice),
    );
}
