//! The detail pane, which shows one test and one of its attempts.

mod facts;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::log::{BUILD_LOG, LogKey};
use crate::model::RunModel;
use maelstrom_model::event::{SourceLocation, UiCommand};
use maelstrom_model::ids::{Attempt, TestId};

use super::super::context::{ComponentEffect, Context, MoveDirection, ViewContext};
use super::super::message::EventSource;
use super::super::shown_run::ShownRun;
use super::super::widgets::frame::frame;
use super::pane::DashboardPane;
use super::test_line::remark;

/// The displayed test and attempt. `attempt` is `None` for the latest one.
#[derive(Debug, Default)]
pub(in super::super) struct DetailPane {
    test: Option<TestId>,
    attempt: Option<Attempt>,
}

impl DetailPane {
    /// Returns the displayed test.
    pub(crate) fn test(&self) -> Option<TestId> {
        self.test
    }

    /// Shows a test, starting with its latest attempt.
    pub(crate) fn show(&mut self, test: Option<TestId>) {
        if self.test != test {
            self.attempt = None;
        }
        self.test = test;
    }

    /// Returns the key of the displayed attempt's log.
    pub(crate) fn log_key(&self, model: &RunModel) -> Option<LogKey> {
        Some(log_of(self.test?, self.attempt, model))
    }

    /// Shows the next or previous attempt, if there is one.
    pub(crate) fn change_attempt(&mut self, direction: MoveDirection, model: &RunModel) {
        let (Some(test), Some((_, shown))) = (self.test, self.log_key(model)) else {
            return;
        };
        let attempts = model.tests.attempts(test).map(|record| record.attempt);
        self.attempt = match direction {
            MoveDirection::Next => attempts.filter(|other| *other > shown).min(),
            MoveDirection::Previous => attempts.filter(|other| *other < shown).max(),
        }
        .or(Some(shown));
    }

    /// Returns the command that requests the description of the test; `None` if it is known, and
    /// for a recording.
    pub(crate) fn missing(&self, run: &ShownRun) -> Option<UiCommand> {
        let test = self.test?;
        let is_known = run.model().description(test).is_some();
        (!is_known && run.source() == EventSource::Live).then_some(UiCommand::Describe { test })
    }
}

impl DashboardPane for DetailPane {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let model = ctx.model();
        let (Some(test), Some((_, shown))) = (self.test, self.log_key(model)) else {
            let inside = frame(ctx, "Detail", "", area, buf);
            let text = "no test is selected: Enter on a test opens it here";
            remark(ctx, text, inside, buf);
            return;
        };
        let state = model.tests.state(test);
        let title = format!("{} {}", ctx.glyphs.state(state), model.tests.title(test));
        let inside = frame(ctx, &title, state.word(), area, buf);
        facts::view(ctx, test, shown, inside, buf);
    }

    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>) {
        let direction = if by > 0 {
            MoveDirection::Next
        } else {
            MoveDirection::Previous
        };
        self.change_attempt(direction, ctx.model());
    }

    fn move_sideways(&mut self, direction: MoveDirection, ctx: &mut Context<'_>) {
        ctx.ask(ComponentEffect::OtherAttempt(direction));
    }
}

/// Returns the key of the log of an attempt, or of the latest attempt. For a place that doesn't
/// compile, this is the log of the build.
pub(in super::super) fn log_of(test: TestId, attempt: Option<Attempt>, model: &RunModel) -> LogKey {
    let tests = &model.tests;
    // The output of the compiler is in the log of the build.
    if tests.is_place(test) {
        return BUILD_LOG;
    }
    let attempt = attempt.or_else(|| tests.latest(test).map(|latest| latest.attempt));
    (test, attempt.unwrap_or(Attempt(1)))
}

/// Returns where a test failed, from its latest attempt that reports a location.
pub(in super::super) fn failure_location(
    test: TestId,
    model: &RunModel,
) -> Option<&SourceLocation> {
    let mut attempts = model.tests.attempts(test);
    attempts.find_map(|record| record.finished.as_ref()?.location.as_ref())
}
