//! Draws a log: the lines in view, with their numbers, and the test's outcome below the last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::log::{BUILD_LOG, StreamFilter};
use crate::model::AttemptRecord;
use maelstrom_model::event::{ExitStatus, OutputStream, TestOutcome};

use super::super::app::{App, PaneKind};
use super::super::log_pane::{LineWrap, LogRow, ScrollPosition, TimestampVisibility};
use super::super::theme::StyleRole;
use super::lists::worker_name;
use super::paint::{frame, put};
use super::text;

pub(super) fn draw(app: &App, buf: &mut Buffer, area: Rect) {
    let model = app.model();
    let Some(key) = app.log.key() else {
        frame(app, buf, area, PaneKind::Log, "Log", "");
        return;
    };
    let title = match key {
        BUILD_LOG => "Build".to_owned(),
        (test, _) => format!("Log {}", model.tests.title(test)),
    };
    let record = model
        .tests
        .attempts(key.0)
        .find(|record| record.attempt == key.1);
    let size = app.log_size();
    let rows = app.log.rows(&app.logs, size, app.theme.color);
    let count = app.log.line_count(&app.logs);
    let ending = record.and_then(|record| ending(app, record));
    let at_end = rows.last().is_none_or(|last| last.line + 1 == count);
    // The ending is a row of its own: when following it takes the last place.
    let rows = match (&ending, at_end, app.log.position) {
        (Some(_), true, ScrollPosition::Following) if rows.len() >= size.rows => {
            rows.get(1..).unwrap_or_default()
        }
        _ => &rows[..],
    };
    let inside = frame(app, buf, area, PaneKind::Log, &title, &facts(app, rows));
    let mut y = inside.y;
    for row in rows {
        if y >= inside.bottom() {
            break;
        }
        log_row(app, buf, inside, y, row);
        y += 1;
    }
    if count == 0 {
        let text = match (key, record.is_some_and(|record| record.finished.is_some())) {
            (BUILD_LOG, _) => "no output so far",
            (_, true) => "it wrote nothing",
            (_, false) => "nothing written yet",
        };
        put(
            buf,
            inside.x + 1,
            y,
            inside.right(),
            text,
            app.theme.style(StyleRole::Dim),
        );
        y += 1;
    }
    if let (Some((text, role)), true) = (ending, at_end)
        && y < inside.bottom()
    {
        let rule = app.glyphs.rule();
        let text = format!("{rule}{rule} {text} {rule}{rule}");
        let x = inside.x + app.log.number_columns(&app.logs) as u16 + 1;
        put(buf, x, y, inside.right(), &text, app.theme.style(role));
    }
}

fn facts(app: &App, rows: &[LogRow]) -> String {
    let mut facts = Vec::new();
    if let Some(position) = app.log.match_position(&app.logs) {
        let pattern = app
            .log
            .search
            .as_ref()
            .map_or("", |search| search.pattern.as_str());
        facts.push(format!("/{pattern} {position}"));
    }
    match app.log.streams {
        StreamFilter::Both => {}
        StreamFilter::Stdout | StreamFilter::Stderr if app.log.is_joined(&app.logs) => {}
        StreamFilter::Stdout => facts.push("stdout".to_owned()),
        StreamFilter::Stderr => facts.push("stderr".to_owned()),
    }
    match app.log.wrap {
        LineWrap::On => {}
        LineWrap::Off => facts.push("NOWRAP".to_owned()),
    }
    match app.log.position {
        ScrollPosition::Following => facts.push("FOLLOW".to_owned()),
        ScrollPosition::At { .. } => {}
    }
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        let count = app.log.line_count(&app.logs) as u64;
        facts.push(format!(
            "L{}-{}/{}",
            first.line + 1,
            last.line + 1,
            text::grouped(count)
        ));
    }
    facts.join(" ")
}

fn log_row(app: &App, buf: &mut Buffer, area: Rect, y: u16, row: &LogRow) {
    let numbers = app.log.number_columns(&app.logs);
    let number_style = app.theme.style(StyleRole::LineNumber);
    let mut x = area.x;
    if row.is_first {
        let number = format!("{:>numbers$}", row.line + 1);
        put(buf, x, y, area.right(), &number, number_style);
    }
    x += numbers as u16 + 1;
    match (app.log.timestamps, row.is_first) {
        (TimestampVisibility::Shown, true) => {
            let at = format!("{:>8}", text::duration(row.at_us));
            put(buf, x, y, area.right(), &at, number_style);
            // The room that `LogPane::text_columns` keeps for it.
            x += 10;
        }
        (TimestampVisibility::Shown, false) => x += 10,
        (TimestampVisibility::Hidden, _) => {}
    }
    let base = match row.stream {
        OutputStream::Stdout | OutputStream::Joined => app.theme.style(StyleRole::Text),
        OutputStream::Stderr => app.theme.style(StyleRole::Stderr),
    };
    let begin = x;
    for span in &row.spans {
        x = put(buf, x, y, area.right(), &span.text, base.patch(span.style));
    }
    if let Some(search) = &app.log.search {
        let line: String = row.spans.iter().map(|span| span.text.as_str()).collect();
        // Row by row: a match that wrapping breaks is found by the search, but not marked here.
        for found in search
            .regex
            .find_iter(&line)
            // A pattern such as `x*` also matches the empty text between two letters.
            .filter(|found| !found.is_empty())
        {
            let before = text::columns(line.get(..found.start()).unwrap_or_default()) as u16;
            let columns = text::columns(found.as_str()) as u16;
            let at = Rect::new(begin.saturating_add(before), y, columns, 1);
            let at = at.intersection(area);
            buf.set_style(at, app.theme.style(StyleRole::SearchMatch));
        }
        if app.log.current_match() == Some(row.line) && row.is_first {
            let at = Rect::new(area.x, y, numbers as u16, 1);
            buf.set_style(at, app.theme.style(StyleRole::SearchMatch));
        }
    }
}

/// How an attempt ended, in a line.
fn ending(app: &App, record: &AttemptRecord) -> Option<(String, StyleRole)> {
    let finished = record.finished.as_ref()?;
    let dot = format!(" {} ", app.glyphs.dot());
    let (outcome, role) = outcome(&finished.outcome);
    let mut facts = vec![outcome];
    if let Some((worker, _)) = record.place
        && app.model().workers().nth(1).is_some()
    {
        facts.push(worker_name(app.model(), worker));
    }
    facts.push(format!("attempt {}", record.attempt));
    facts.push(text::duration(finished.timings.ran_us));
    Some((facts.join(&dot), role))
}

/// An outcome in words.
pub(super) fn outcome(outcome: &TestOutcome) -> (String, StyleRole) {
    match outcome {
        TestOutcome::Passed => ("passed".to_owned(), StyleRole::Passed),
        TestOutcome::Failed { exit, reason } => {
            let mut text = match exit {
                Some(exit) => format!("failed: {}", exit_status(*exit)),
                None => "failed".to_owned(),
            };
            if let Some(reason) = reason {
                text.push_str(": ");
                text.push_str(reason);
            }
            (text, StyleRole::Failed)
        }
        TestOutcome::TimedOut { limit_us } => {
            let text = format!("timed out after {}", text::duration(*limit_us));
            (text, StyleRole::TimedOut)
        }
        TestOutcome::Ignored { reason: None } => ("ignored".to_owned(), StyleRole::Ignored),
        TestOutcome::Ignored { reason: Some(why) } => {
            (format!("ignored: {why}"), StyleRole::Ignored)
        }
        TestOutcome::Cancelled => ("cancelled".to_owned(), StyleRole::Cancelled),
        TestOutcome::Error { message } => (format!("error: {message}"), StyleRole::Error),
    }
}

fn exit_status(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exit {code}"),
        ExitStatus::Signal {
            number,
            core_dumped,
        } => {
            let core = if core_dumped { ", core dumped" } else { "" };
            format!("signal {number}{core}")
        }
    }
}
