//! Draws a log: the visible lines with their numbers, and the outcome of the attempt after the
//! last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::log::{BUILD_LOG, StreamFilter};
use crate::model::AttemptRecord;
use maelstrom_model::event::OutputStream;

use super::super::super::context::ViewContext;
use super::super::super::text;
use super::super::super::theme::StyleRole;
use super::super::super::widgets::frame::frame;
use super::super::super::widgets::row::span;
use super::super::outcome::outcome;
use super::super::test_line::{remark_line, worker_name};
use super::search::LogSearch;
use super::viewport::{
    LineWrap, LogRow, LogViewport, PaneSize, ScrollPosition, TIMESTAMP_COLUMNS, TimestampVisibility,
};

/// What is needed to draw a log.
pub(super) struct LogView<'a> {
    pub ctx: &'a ViewContext<'a>,
    pub viewport: &'a LogViewport,
    pub search: Option<&'a LogSearch>,
}

impl LogView<'_> {
    pub(super) fn view(&self, area: Rect, buf: &mut Buffer) {
        let (ctx, logs) = (self.ctx, self.ctx.run.logs());
        let model = ctx.model();
        let Some(key) = self.viewport.key() else {
            frame(ctx, "Log", "", area, buf);
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
        let size = PaneSize {
            columns: usize::from(area.width.saturating_sub(2)),
            rows: usize::from(area.height.saturating_sub(2)),
        };
        let rows = self.viewport.rows(logs, size, ctx.settings.theme.color);
        let count = self.viewport.line_count(logs);
        let ending = record.and_then(|record| self.ending(record));
        let at_end = rows.last().is_none_or(|last| last.line + 1 == count);
        // The ending is a separate row. While following, it takes the last row of the view.
        let rows = match (&ending, at_end, self.viewport.position()) {
            (Some(_), true, ScrollPosition::Following) if rows.len() >= size.rows => {
                rows.get(1..).unwrap_or_default()
            }
            _ => &rows[..],
        };
        let inside = frame(ctx, &title, &self.facts(rows), area, buf);
        let mut places = inside.rows();
        for (row, place) in rows.iter().zip(places.by_ref()) {
            self.draw_row(row, place, buf);
        }
        if count == 0
            && let Some(place) = places.next()
        {
            let text = match (key, record.is_some_and(|record| record.finished.is_some())) {
                (BUILD_LOG, _) => "no output so far",
                (_, true) => "it wrote nothing",
                (_, false) => "nothing written yet",
            };
            remark_line(ctx, text).render(place, buf);
        }
        if let (Some(ending), true) = (ending, at_end)
            && let Some(place) = places.next()
        {
            ending.render(place, buf);
        }
    }

    fn facts(&self, rows: &[LogRow]) -> String {
        let (viewport, logs) = (self.viewport, self.ctx.run.logs());
        let count = viewport.line_count(logs);
        let mut facts = Vec::new();
        if let Some(search) = self.search {
            facts.push(format!("/{} {}", search.pattern(), search.progress(count)));
        }
        match viewport.streams() {
            StreamFilter::Both => {}
            StreamFilter::Stdout | StreamFilter::Stderr if viewport.is_joined(logs) => {}
            StreamFilter::Stdout => facts.push("stdout".to_owned()),
            StreamFilter::Stderr => facts.push("stderr".to_owned()),
        }
        match viewport.wrap() {
            LineWrap::On => {}
            LineWrap::Off => facts.push("NOWRAP".to_owned()),
        }
        match viewport.position() {
            ScrollPosition::Following => facts.push("FOLLOW".to_owned()),
            ScrollPosition::At { .. } => {}
        }
        if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
            facts.push(format!(
                "L{}-{}/{}",
                first.line + 1,
                last.line + 1,
                text::grouped(count as u64)
            ));
        }
        facts.join(" ")
    }

    fn draw_row(&self, row: &LogRow, area: Rect, buf: &mut Buffer) {
        let numbers = self.viewport.number_columns(self.ctx.run.logs());
        let number_style = self.ctx.style(StyleRole::LineNumber);
        let number = match row.is_first {
            true => Span::styled(format!("{:>numbers$} ", row.line + 1), number_style),
            false => Span::raw(" ".repeat(numbers + 1)),
        };
        let mut begin = numbers + 1;
        let mut spans = vec![number];
        if self.viewport.timestamps() == TimestampVisibility::Shown {
            spans.push(match row.is_first {
                true => {
                    let at = format!("{:>8}", text::duration(row.at_us));
                    Span::styled(format!("{at:<TIMESTAMP_COLUMNS$}"), number_style)
                }
                false => Span::raw(" ".repeat(TIMESTAMP_COLUMNS)),
            });
            begin += TIMESTAMP_COLUMNS;
        }
        let base = self.ctx.style(match row.stream {
            OutputStream::Stdout | OutputStream::Joined => StyleRole::Text,
            OutputStream::Stderr => StyleRole::Stderr,
        });
        let texts = row.spans.iter();
        spans.extend(texts.map(|part| span(part.text.as_str(), base.patch(part.style))));
        Line::from(spans).render(area, buf);
        if let Some(search) = self.search {
            self.mark_matches(search, row, (numbers, begin), area, buf);
        }
    }

    /// Highlights the matches of the search on a line that was already drawn: matches may begin and
    /// end within spans, and keep their styles where the highlight has none.
    fn mark_matches(
        &self,
        search: &LogSearch,
        row: &LogRow,
        (numbers, begin): (usize, usize),
        area: Rect,
        buf: &mut Buffer,
    ) {
        let style = self.ctx.style(StyleRole::SearchMatch);
        let line: String = row.spans.iter().map(|span| span.text.as_str()).collect();
        let begin = area.x + begin as u16;
        // Searches each row: a match across a line wrap is found by the search but not highlighted.
        for found in search
            .regex()
            .find_iter(&line)
            // A pattern such as `x*` also matches the empty string between two characters.
            .filter(|found| !found.is_empty())
        {
            let before = text::columns(line.get(..found.start()).unwrap_or_default()) as u16;
            let columns = text::columns(found.as_str()) as u16;
            let at = Rect::new(begin.saturating_add(before), area.y, columns, 1);
            buf.set_style(at.intersection(area), style);
        }
        if search.current_line() == Some(row.line) && row.is_first {
            let at = Rect::new(area.x, area.y, numbers as u16, 1);
            buf.set_style(at.intersection(area), style);
        }
    }

    /// Returns the line that shows how an attempt ended.
    fn ending(&self, record: &AttemptRecord) -> Option<Line<'static>> {
        let (ctx, finished) = (self.ctx, record.finished.as_ref()?);
        let dot = format!(" {} ", ctx.glyphs.dot());
        let (outcome, role) = outcome(&finished.outcome);
        let mut facts = vec![outcome];
        if let Some((worker, _)) = record.place
            && ctx.model().workers().nth(1).is_some()
        {
            facts.push(worker_name(ctx.model(), worker));
        }
        facts.push(format!("attempt {}", record.attempt));
        facts.push(text::duration(finished.timings.ran_us));
        let rule = ctx.glyphs.rule();
        let text = format!("{rule}{rule} {} {rule}{rule}", facts.join(&dot));
        let numbers = self.viewport.number_columns(ctx.run.logs());
        Some(Line::from(vec![
            Span::raw(" ".repeat(numbers + 1)),
            span(text, ctx.style(role)),
        ]))
    }
}
