//! Draws the header of every screen: the run, the progress bar, the counts and the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Tabs, Widget};

use crate::model::{BuildPhase, RunModel, RunPhase, StateCounts, TestState};
use maelstrom_model::event::{BackendInfo, IsolationMode};

use super::context::ViewContext;
use super::finder::PatternSyntax;
use super::message::{EventSource, PlaybackState, ScreenKind};
use super::rows::{RowFilter, TestRows, TestSortOrder};
use super::tabs::{self, tabs};
use super::text;
use super::theme::StyleRole;
use super::widgets::row::{RowLine, span};

/// The number of columns between two parts of a line.
const GAP_COLUMNS: usize = 2;

/// What the header needs to draw itself.
pub(super) struct HeaderView<'a> {
    pub ctx: &'a ViewContext<'a>,
    pub screen: ScreenKind,
    pub playback: PlaybackState,
    pub tests: &'a TestRows,
}

impl HeaderView<'_> {
    pub(super) fn view(&self, area: Rect, buf: &mut Buffer) {
        let mut rows = area.rows();
        let mut next = || rows.next().unwrap_or_default();
        self.run_line(area.width).render(next(), buf);
        gauge_line(self.ctx, area.width).render(next(), buf);
        counts_line(self.ctx, area.width).render(next(), buf);
        self.draw_tabs(next(), buf);
    }

    fn run_line(&self, columns: u16) -> Line<'_> {
        let ctx = self.ctx;
        let (model, run_us) = (ctx.model(), ctx.run_us);
        let dim = ctx.style(StyleRole::Dim);
        let notice = ctx.style(StyleRole::Notice);
        let (word, role) = phase(model, run_us);
        let word = (word, ctx.style(role).patch(ctx.style(StyleRole::Title)));
        let mut parts: Vec<(String, Style)> = Vec::new();
        if let Some(run) = &model.run {
            parts.push((format!("run {}", run.run.short()), dim));
            let backend = match &run.backend {
                BackendInfo::Local => "local".to_owned(),
                BackendInfo::Broker { address } => format!("broker {address}"),
            };
            parts.push((backend, dim));
            match run.isolation {
                IsolationMode::Container => {}
                IsolationMode::Process => parts.push(("NOT ISOLATED".to_owned(), notice)),
            }
        }
        parts.push(word);
        if model.awaiting.is_some() {
            parts.push(("WATCHING".to_owned(), dim));
        }
        match (ctx.run.source(), self.playback) {
            (EventSource::Live, _) => {}
            (EventSource::Recording, PlaybackState::Going) => {
                parts.push(("RECORDING".to_owned(), notice));
            }
            (EventSource::Recording, PlaybackState::Paused) => {
                parts.push(("RECORDING (paused)".to_owned(), notice));
            }
        }
        if let Some(events) = ctx.run.frozen_events() {
            parts.push((format!("FROZEN +{} events", text::grouped(events)), notice));
        }
        let mut row = RowLine::new(columns);
        row.skip(1);
        for (text, style) in parts {
            row.left(text, style).skip(GAP_COLUMNS);
        }
        let style = ctx.style(StyleRole::Text);
        let mut facts = Vec::new();
        if model.is_active() && model.counts.total() > 0 {
            let rate = text::grouped(model.rate(run_us).into());
            facts.push((format!("{rate} tests/s"), dim));
            if let Some(us) = model.remaining_us(run_us).filter(|us| *us > 0) {
                facts.push((format!("ETA ~{}", text::estimate(us)), style));
            }
        }
        facts.push((text::clock(model.round_us(run_us)), style));
        row.skip_right(1);
        // Added from the right. Parts that don't fit are dropped, and the clock is kept.
        let needed = |facts: &[(String, Style)]| -> usize {
            let columns = facts.iter().map(|(text, _)| text::columns(text));
            columns.map(|columns| columns + GAP_COLUMNS).sum()
        };
        while facts.len() > 1 && needed(&facts) > row.room() + GAP_COLUMNS {
            facts.remove(0);
        }
        for (text, style) in facts {
            row.right(text, style, GAP_COLUMNS);
        }
        row.into_line()
    }

    fn draw_tabs(&self, area: Rect, buf: &mut Buffer) {
        let ctx = self.ctx;
        let tabs = tabs(&ctx.settings.keys, area.width);
        let end = tabs::end(&tabs) as u16;
        let titles = tabs.map(|tab| {
            let role = match tab.screen == self.screen {
                true => StyleRole::TabActive,
                false => StyleRole::Tab,
            };
            Line::from(span(tab.text, ctx.style(role)))
        });
        let divider = Span::styled(ctx.glyphs.bar(), ctx.style(StyleRole::Dim));
        // The styles of the titles show which tab is active.
        let tabs = Tabs::new(titles).divider(divider).select(None);
        tabs.render(area, buf);
        let place = Rect {
            x: area.x + end + 2,
            width: area.width.saturating_sub(end + 3),
            ..area
        };
        let room = usize::from(place.width);
        let facts = text::keep_start(&self.facts(), room, ctx.glyphs.more());
        let facts = Line::from(span(facts, ctx.style(StyleRole::Notice)));
        facts.right_aligned().render(place, buf);
    }

    /// Returns the marks, filters and sort order of the test list.
    fn facts(&self) -> String {
        let (marked, rows) = (self.ctx.marked.len(), self.tests);
        let mut facts = Vec::new();
        if marked > 0 {
            facts.push(format!("{marked} marked"));
        }
        match rows.filter() {
            RowFilter::All => {}
            RowFilter::Failures => facts.push("[FAIL]".to_owned()),
        }
        let pattern = rows.finder().pattern();
        if !pattern.is_empty() {
            facts.push(match rows.finder().syntax() {
                PatternSyntax::Fuzzy => format!("/{pattern}"),
                PatternSyntax::Regex => format!("/{pattern}/"),
            });
        }
        match rows.sort() {
            TestSortOrder::Name => {}
            TestSortOrder::Slow | TestSortOrder::State => {
                facts.push(format!("sort:{}", rows.sort().word()));
            }
        }
        facts.join(" ")
    }
}

/// Returns the displayed word for the phase of the run.
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

/// Returns the widths of the segments of the progress bar: done without failure, failed, running,
/// and open.
///
/// The widths add up to `room`. A segment that is not empty gets at least one column, if there are
/// enough columns.
fn gauge_segments(counts: &StateCounts, room: usize) -> [usize; 4] {
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
    // Give the columns lost by rounding to the largest segment, or take excess columns from there.
    let mut sum: usize = segments.iter().sum();
    while sum != room {
        let largest = (0..4).max_by_key(|index| (segments[*index], parts[*index]));
        let Some(largest) = largest else { break };
        if sum < room {
            segments[largest] += room - sum;
        } else {
            // One at a time, since another segment may be the largest after that.
            segments[largest] -= 1;
        }
        sum = segments.iter().sum();
    }
    segments
}

/// Returns the progress bar. ratatui's gauges show one ratio; this one shows four states in a line.
fn gauge_line<'a>(ctx: &ViewContext<'_>, columns: u16) -> Line<'a> {
    let model = ctx.model();
    let (counts, building) = match (&model.build, model.found == 0) {
        (BuildPhase::Going { done, total, .. }, true) => (None, Some((*done, *total))),
        _ => (Some(model.counts), None),
    };
    let percent = match (counts, building) {
        (_, Some((done, Some(total)))) => format!("{done}/{total} built"),
        (_, Some((done, None))) => format!("{done} built"),
        (Some(counts), None) if counts.total() > 0 => {
            let permille = u64::from(counts.done()) * 1000 / u64::from(counts.total());
            format!("{}.{}%", permille / 10, permille % 10)
        }
        (_, None) => "  0.0%".to_owned(),
    };
    let border = ctx.style(StyleRole::Dim);
    let mut row = RowLine::with_margins(columns);
    row.right(percent, ctx.style(StyleRole::Title), 1)
        .left("[", border)
        .right("]", border, 0);
    let room = row.room();
    let [full, failed, running, open] = ctx.glyphs.gauge();
    let (segments, done_role) = match (counts, building) {
        (_, Some((done, total))) => {
            let total = total.unwrap_or(0).max(done) as usize;
            let filled = (room * done as usize).checked_div(total).unwrap_or(0);
            ([filled, 0, 0, room - filled], StyleRole::GaugeRunning)
        }
        (Some(counts), None) => {
            // A single failure colors the whole finished part as failed.
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
        row.left(glyph.repeat(columns), ctx.style(role));
    }
    row.into_line()
}

/// A count in the header, such as `✓ 12 passed`.
struct CountPart<'a> {
    /// The order in which counts are dropped if there is too little space: the highest rank first,
    /// rank 0 never.
    rank: u8,
    number: u64,
    sign: &'a str,
    word: &'a str,
    role: StyleRole,
}

fn counts_line<'a>(ctx: &ViewContext<'_>, columns: u16) -> Line<'a> {
    let (model, glyphs) = (ctx.model(), ctx.glyphs);
    let count = |state| u64::from(model.counts.get(state));
    let of_state = |rank, state, word, role| CountPart {
        rank,
        number: count(state),
        sign: glyphs.state(state),
        word,
        role,
    };
    let errors = match count(TestState::Error) {
        1 => "error",
        _ => "errors",
    };
    let open = match model.is_active() {
        true => "queued",
        false => "not run",
    };
    let parts = [
        of_state(1, TestState::Passed, "passed", StyleRole::Passed),
        of_state(0, TestState::Failed, "failed", StyleRole::Failed),
        of_state(0, TestState::TimedOut, "timed out", StyleRole::TimedOut),
        of_state(0, TestState::Error, errors, StyleRole::Error),
        CountPart {
            rank: 3,
            number: u64::from(model.flaky),
            sign: glyphs.flaky(),
            word: "flaky",
            role: StyleRole::Flaky,
        },
        of_state(7, TestState::Ignored, "ignored", StyleRole::Ignored),
        of_state(5, TestState::Cancelled, "cancelled", StyleRole::Cancelled),
        CountPart {
            rank: 8,
            number: u64::from(model.cached),
            sign: glyphs.cached(),
            word: "cached",
            role: StyleRole::Cached,
        },
        of_state(4, TestState::Running, "running", StyleRole::Running),
        CountPart {
            number: count(TestState::Queued) + count(TestState::Waiting),
            ..of_state(6, TestState::Queued, open, StyleRole::Queued)
        },
    ];
    let mut parts: Vec<(u8, String, Style)> = parts
        .into_iter()
        .filter(|part| part.number > 0)
        .map(|part| {
            let text = format!("{} {} {}", part.sign, text::grouped(part.number), part.word);
            (part.rank, text, ctx.style(part.role))
        })
        .collect();
    let width = |parts: &[(u8, String, Style)]| -> usize {
        let columns = parts.iter().map(|(_, text, _)| text::columns(text));
        columns.map(|columns| columns + GAP_COLUMNS).sum()
    };
    let room = usize::from(columns);
    while width(&parts) > room {
        let Some(least) = (0..parts.len()).max_by_key(|index| parts[*index].0) else {
            break;
        };
        if parts[least].0 == 0 {
            break;
        }
        parts.remove(least);
    }
    let mut row = RowLine::new(columns);
    row.skip(1);
    for (_, text, style) in parts {
        row.left(text, style).skip(GAP_COLUMNS);
    }
    let dim = ctx.style(StyleRole::Dim);
    if model.counts.total() > 0 {
        let total = format!("{} total", text::grouped(model.counts.total().into()));
        row.skip_right(1).right(total, dim, 0);
    } else {
        row.left(beginning(model), dim);
    }
    row.into_line()
}

/// Returns the current activity, for as long as there are no tests.
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
