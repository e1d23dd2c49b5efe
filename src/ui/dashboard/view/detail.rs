//! Draws one test: its phases, attempts, resource usage, and command.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::{AttemptRecord, TestState};
use maelstrom_model::ids::TestId;

use super::super::app::{App, PaneKind};
use super::super::theme::StyleRole;
use super::lists::worker_name;
use super::log::outcome;
use super::paint::{frame, put};
use super::text;

const LABEL_COLUMNS: usize = 11;

/// A labelled line, in several styles.
struct DetailLine {
    label: &'static str,
    parts: Vec<(String, Style)>,
}

pub(super) fn draw(app: &App, buf: &mut Buffer, area: Rect, run_us: u64) {
    let model = app.model();
    let Some(test) = app.detail else {
        let inside = frame(app, buf, area, PaneKind::Facts, "Detail", "");
        let text = "no test is selected: Enter on a test opens it here";
        put(
            buf,
            inside.x + 1,
            inside.y,
            inside.right(),
            text,
            app.theme.style(StyleRole::Dim),
        );
        return;
    };
    let state = model.tests.state(test);
    let title = format!("{} {}", app.glyphs.state(state), model.tests.title(test));
    let inside = frame(app, buf, area, PaneKind::Facts, &title, state.word());
    for (y, fact) in (inside.y..inside.bottom()).zip(facts(app, test, run_us)) {
        let label = format!("{:>LABEL_COLUMNS$} ", fact.label);
        let mut x = put(
            buf,
            inside.x,
            y,
            inside.right(),
            &label,
            app.theme.style(StyleRole::Dim),
        );
        for (text, style) in fact.parts {
            let room = usize::from(inside.right().saturating_sub(x));
            let text = text::keep_start(&text, room, app.glyphs.more());
            x = put(buf, x, y, inside.right(), &text, style);
        }
    }
}

fn facts(app: &App, test: TestId, run_us: u64) -> Vec<DetailLine> {
    let model = app.model();
    let plain = app.theme.style(StyleRole::Text);
    let shown = app.log_key().map(|(_, attempt)| attempt);
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
        .find(|record| Some(record.attempt) == shown);
    let Some(record) = record else {
        fact("state", model.tests.state(test).word().to_owned(), plain);
        add_description(app, test, &mut facts);
        return facts;
    };
    if let Some(finished) = &record.finished {
        let (text, role) = outcome(&finished.outcome);
        let text = if finished.cached {
            format!(
                "{} {text}, taken over from an earlier run",
                app.glyphs.cached()
            )
        } else {
            text
        };
        fact("outcome", text, app.theme.style(role));
    }
    fact("phases", phases(app, record, run_us), plain);
    if model.tests.attempts(test).nth(1).is_some() {
        facts.push(DetailLine {
            label: "attempts",
            parts: attempts(app, test),
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
        let dot = app.glyphs.dot();
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
    add_description(app, test, &mut facts);
    facts
}

fn add_description(app: &App, test: TestId, facts: &mut Vec<DetailLine>) {
    let plain = app.theme.style(StyleRole::Text);
    let Some(description) = app.model().description(test) else {
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
    let dot = app.glyphs.dot();
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

/// `queued 0.012s → prepared 0.001s → ran 1.204s`.
fn phases(app: &App, record: &AttemptRecord, run_us: u64) -> String {
    let arrow = format!(" {} ", app.glyphs.arrow());
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
                    text::coarse(run_us.saturating_sub(started_us))
                ),
            ]
            .join(&arrow)
        }
        (Some(queued_us), None) => {
            format!(
                "queued for {}",
                text::coarse(run_us.saturating_sub(queued_us))
            )
        }
        (None, None) => "not yet queued".to_owned(),
    }
}

fn attempts(app: &App, test: TestId) -> Vec<(String, Style)> {
    let shown = app.log_key().map(|(_, attempt)| attempt);
    let mut records: Vec<&AttemptRecord> = app.model().tests.attempts(test).collect();
    records.reverse();
    let mut parts = Vec::new();
    for record in records {
        let state = match (&record.finished, record.started_us) {
            (Some(finished), _) => TestState::of(&finished.outcome),
            (None, Some(_)) => TestState::Running,
            (None, None) => TestState::Queued,
        };
        let style = app.theme.state(state);
        let text = format!(" {} {} ", record.attempt, app.glyphs.state(state));
        if Some(record.attempt) == shown {
            parts.push((text, style.patch(app.theme.style(StyleRole::Selected))));
        } else {
            parts.push((text, style));
        }
    }
    let keys = app
        .keys
        .key(super::super::keys::DashboardAction::Left)
        .unwrap_or_default();
    let other = app
        .keys
        .key(super::super::keys::DashboardAction::Right)
        .unwrap_or_default();
    parts.push((
        format!("  {keys}/{other} other attempts"),
        app.theme.style(StyleRole::Dim),
    ));
    parts
}
