//! The list of failures.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::RunModel;
use maelstrom_model::ids::TestId;

use super::super::context::{ComponentEffect, Context, MoveDirection, ViewContext};
use super::super::keys::DashboardAction;
use super::super::scroll;
use super::super::widgets::frame::frame;
use super::super::widgets::row::list;
use super::pane::{DashboardPane, PaneClick, moved};
use super::test_line::{remark, test_line};

/// The selection and the scroll position of the list of failures.
#[derive(Debug, Default)]
pub(in super::super) struct FailureList {
    chosen: Option<TestId>,
    top: usize,
}

impl FailureList {
    /// Returns the index of the selected failure, or 0.
    pub(crate) fn index(&self, model: &RunModel) -> usize {
        let failures = &model.failures;
        let index = failures.iter().position(|test| Some(*test) == self.chosen);
        index.unwrap_or(0)
    }

    /// Returns the selected failure, or the first one.
    pub(crate) fn selected(&self, model: &RunModel) -> Option<TestId> {
        model.failures.get(self.index(model)).copied()
    }

    /// Returns the failure that the user has selected, if any.
    pub(crate) fn chosen(&self) -> Option<TestId> {
        self.chosen
    }

    /// Scrolls so that the selection is visible.
    pub(crate) fn keep_in_view(&mut self, model: &RunModel, height: usize) {
        let (selected, count) = (self.index(model), model.failures.len());
        self.top = scroll::top(self.top, selected, count, height);
    }

    /// Selects the failure after or before `here`, wrapping around at the ends. Returns it, and a
    /// message if there are no failures or the selection wrapped around.
    pub(crate) fn select_next(
        &mut self,
        here: Option<TestId>,
        direction: MoveDirection,
        model: &RunModel,
    ) -> (Option<TestId>, Option<&'static str>) {
        let failures = &model.failures;
        let Some(last) = failures.len().checked_sub(1) else {
            return (None, Some("nothing has failed"));
        };
        let here = failures.iter().position(|test| Some(*test) == here);
        let (next, passed) = match (here, direction) {
            (None, MoveDirection::Next) => (0, None),
            (None, MoveDirection::Previous) => (last, None),
            (Some(index), MoveDirection::Next) if index == last => {
                (0, Some("that was the last failure: back to the first"))
            }
            (Some(index), MoveDirection::Next) => (index + 1, None),
            (Some(0), MoveDirection::Previous) => {
                (last, Some("that was the first failure: on to the last"))
            }
            (Some(index), MoveDirection::Previous) => (index - 1, None),
        };
        self.chosen = failures.get(next).copied().or(self.chosen);
        (self.chosen, passed)
    }
}

impl DashboardPane for FailureList {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let model = ctx.model();
        let count = model.failures.len();
        let selected = self.index(model);
        let title = match count {
            0 => "Failures".to_owned(),
            _ => format!("Failures {}/{count}", selected + 1),
        };
        let key = ctx.settings.keys.key(DashboardAction::NextFailure);
        let facts = match (count, key) {
            (2.., Some(key)) => format!("{key}:next"),
            _ => String::new(),
        };
        let inside = frame(ctx, &title, &facts, area, buf);
        if count == 0 {
            let text = match model.is_active() {
                true => "none so far",
                false => "none",
            };
            remark(ctx, text, inside, buf);
            return;
        }
        let shown = model.failures.iter().skip(self.top);
        let lines = shown.map(|test| {
            let us = model.tests.duration_us(*test, model.now_us);
            test_line(ctx, *test, us, inside.width)
        });
        let selected = selected.checked_sub(self.top);
        list(lines, selected, ctx.selected(), inside, buf);
    }

    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>) {
        let failures = &ctx.model().failures;
        let index = moved(self.index(ctx.model()), by, failures.len());
        self.chosen = failures.get(index).copied().or(self.chosen);
    }

    fn click(&mut self, click: PaneClick, ctx: &mut Context<'_>) {
        let model = ctx.model();
        let clicked = model.failures.get(self.top + click.line).copied();
        let again = clicked.is_some() && self.selected(model) == clicked && click.was_focused;
        self.chosen = clicked.or(self.chosen);
        if again {
            ctx.ask(ComponentEffect::OpenDetail(clicked));
        }
    }
}
