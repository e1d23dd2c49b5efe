//! The facts about one test: its phases, attempts, resource usage and command.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::model::{AttemptRecord, TestState};
use maelstrom_model::event::{RetryNext, RetryPosition};
use maelstrom_model::ids::{Attempt, TestId};

use super::super::super::context::ViewContext;
use super::super::super::keys::DashboardAction;
use super::super::super::text;
use super::super::super::theme::StyleRole;
use super::super::super::widgets::row::{RowLine, list};
use super::super::outcome::outcome;
use super::super::test_line::worker_name;

const LABEL_COLUMNS: usize = 11;

/// A line with a label and several styled parts.
struct DetailLine {
    label: &'static str,
    parts: Vec<(String, Style)>,
}

/// Draws the facts about one attempt of a test.
pub(super) fn view(
    ctx: &ViewContext<'_>,
    test: TestId,
    shown: Attempt,
    area: Rect,
    buf: &mut Buffer,
) {
    let facts = facts(ctx, test, shown).into_iter();
    let lines = facts.map(|fact| fact_line(ctx, fact, area.width));
    list(lines, None, Style::new(), area, buf);
}

fn fact_line<'a>(ctx: &ViewContext<'_>, fact: DetailLine, columns: u16) -> Line<'a> {
    let mut row = RowLine::new(columns);
    let label = format!("{:>LABEL_COLUMNS$} ", fact.label);
    row.left(label, ctx.style(StyleRole::Dim));
    for (text, style) in fact.parts {
        let text = text::keep_start(&text, row.room(), ctx.glyphs.more());
        row.left(text, style);
    }
    row.into_line()
}

fn facts(ctx: &ViewContext<'_>, test: TestId, shown: Attempt) -> Vec<DetailLine> {
    let model = ctx.model();
    let plain = ctx.style(StyleRole::Text);
    let mut facts = Vec::new();
    let mut fact = |label, text: String, style| {
        facts.push(DetailLine {
            label,
            parts: vec![(text, style)],
        });
    };
    let record = model
        .tests
        .attempts(test)
        .find(|record| record.attempt == shown);
    let Some(record) = record else {
        fact("state", model.tests.state(test).word().to_owned(), plain);
        add_description(ctx, test, &mut facts);
        return facts;
    };
    if let Some(finished) = &record.finished {
        let (text, role) = outcome(&finished.outcome);
        let text = match (finished.retry, finished.passed_at_limit_us) {
            (Some(retry), _) => format!("{text}{}", retry_note(retry)),
            (None, Some(limit_us)) => {
                format!(
                    "{text}, stopped at its limit of {}",
                    text::duration(limit_us)
                )
            }
            (None, None) => text,
        };
        let text = if finished.cached {
            format!(
                "{} {text}, taken over from an earlier run",
                ctx.glyphs.cached()
            )
        } else {
            text
        };
        fact("outcome", text, ctx.style(role));
    }
    fact("phases", phases(ctx, record), plain);
    if model.tests.attempts(test).nth(1).is_some() {
        facts.push(DetailLine {
            label: "attempts",
            parts: attempts(ctx, test, shown),
        });
    }
    let mut fact = |label, text: String, style| {
        facts.push(DetailLine {
            label,
            parts: vec![(text, style)],
        });
    };
    if let Some((worker, slot)) = record.place {
        fact(
            "ran on",
            format!("{} slot {slot}", worker_name(model, worker)),
            plain,
        );
    }
    if let Some(finished) = &record.finished {
        let dot = ctx.glyphs.dot();
        let output = match finished.stdout_bytes + finished.stderr_bytes {
            0 => format!("output {}", text::size(finished.joined_bytes)),
            _ => format!(
                "stdout {} {dot} stderr {}",
                text::size(finished.stdout_bytes + finished.joined_bytes),
                text::size(finished.stderr_bytes),
            ),
        };
        let used = format!(
            "cpu {} user, {} system {dot} memory {} {dot} {output}",
            text::duration(finished.user_us),
            text::duration(finished.system_us),
            text::size(finished.memory_peak_bytes),
        );
        fact("used", used, plain);
        if !finished.leaked.is_empty() {
            let style = ctx.style(StyleRole::Flaky);
            fact("left behind", finished.leaked.to_string(), style);
        }
        if let Some(location) = &finished.location {
            fact(
                "failed at",
                format!("{}:{}", location.path, location.line),
                plain,
            );
        }
    }
    let subtests = model.subtests(test);
    if !subtests.is_empty() {
        let failed = subtests
            .iter()
            .filter(|part| part.outcome.is_failure())
            .count();
        let last = subtests.last().map_or("", |part| part.name.as_str());
        fact(
            "parts",
            format!("{} ({failed} failed), the last {last}", subtests.len()),
            plain,
        );
    }
    add_description(ctx, test, &mut facts);
    facts
}

/// Says which attempt of a test that is retried this is, and what follows from it.
fn retry_note(retry: RetryPosition) -> String {
    let follows = match retry.next {
        RetryNext::Again => ", retried",
        RetryNext::Done => "",
        RetryNext::FlakyPassed => ", flaky",
        RetryNext::FlakyFailed => ", flaky, which counts as failed",
    };
    format!(
        " (attempt {} of {}{follows})",
        retry.number, retry.attempts_max
    )
}

fn add_description(ctx: &ViewContext<'_>, test: TestId, facts: &mut Vec<DetailLine>) {
    let plain = ctx.style(StyleRole::Text);
    let Some(description) = ctx.model().description(test) else {
        return;
    };
    let mut fact = |label, text: String| {
        facts.push(DetailLine {
            label,
            parts: vec![(text, plain)],
        });
    };
    if let Some(shell) = &description.shell {
        fact("shell", shell.join(" "));
    }
    fact("command", description.command.join(" "));
    let limit = description
        .timeout_us
        .map_or("no time limit".to_owned(), |us| {
            format!("at most {}", text::coarse(us))
        });
    let dot = ctx.glyphs.dot();
    let network = &description.network;
    fact(
        "limits",
        format!(
            "{limit} {dot} network {network} {dot} in {}",
            description.directory
        ),
    );
    for (index, mount) in description.mounts.iter().enumerate() {
        fact(if index == 0 { "mounts" } else { "" }, mount.clone());
    }
}

/// Formats the phases of an attempt, such as `queued 0.012s → prepared 0.001s → ran 1.204s`.
fn phases(ctx: &ViewContext<'_>, record: &AttemptRecord) -> String {
    let arrow = format!(" {} ", ctx.glyphs.arrow());
    if let Some(finished) = &record.finished {
        let timings = finished.timings;
        return [
            format!("queued {}", text::duration(timings.queued_us)),
            format!("prepared {}", text::duration(timings.prepared_us)),
            format!("ran {}", text::duration(timings.ran_us)),
        ]
        .join(&arrow);
    }
    match (record.queued_us, record.started_us) {
        (queued, Some(started_us)) => {
            let waited_us = started_us.saturating_sub(queued.unwrap_or(started_us));
            [
                format!("queued {}", text::duration(waited_us)),
                format!(
                    "running for {}",
                    text::coarse(ctx.run_us.saturating_sub(started_us))
                ),
            ]
            .join(&arrow)
        }
        (Some(queued_us), None) => {
            format!(
                "queued for {}",
                text::coarse(ctx.run_us.saturating_sub(queued_us))
            )
        }
        (None, None) => "not yet queued".to_owned(),
    }
}

fn attempts(ctx: &ViewContext<'_>, test: TestId, shown: Attempt) -> Vec<(String, Style)> {
    let mut records: Vec<&AttemptRecord> = ctx.model().tests.attempts(test).collect();
    records.reverse();
    let mut parts = Vec::new();
    for record in records {
        let state = match (&record.finished, record.started_us) {
            (Some(finished), _) => TestState::of(&finished.outcome),
            (None, Some(_)) => TestState::Running,
            (None, None) => TestState::Queued,
        };
        let style = ctx.state(state);
        let text = format!(" {} {} ", record.attempt, ctx.glyphs.state(state));
        if record.attempt == shown {
            parts.push((text, style.patch(ctx.style(StyleRole::Selected))));
        } else {
            parts.push((text, style));
        }
    }
    let keys = &ctx.settings.keys;
    let previous = keys.key(DashboardAction::Left).unwrap_or_default();
    let next = keys.key(DashboardAction::Right).unwrap_or_default();
    parts.push((
        format!("  {previous}/{next} other attempts"),
        ctx.style(StyleRole::Dim),
    ));
    parts
}
