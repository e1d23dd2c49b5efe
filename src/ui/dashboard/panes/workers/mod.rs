//! The worker panes: the summary, the list, and the slots of the selected worker.

mod list;
mod slots;
mod summary;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::{RunModel, WorkerModel};
use maelstrom_model::ids::WorkerId;

use super::super::context::{ComponentEffect, Context, ViewContext};
use super::super::message::{PaneKind, ScreenKind};
use super::super::scroll;
use super::pane::{DashboardPane, PaneClick, moved};

/// The selection and the scroll position of the worker list.
#[derive(Debug, Default)]
pub(in super::super) struct WorkersPane {
    chosen: Option<WorkerId>,
    /// The index of the first visible worker.
    top: usize,
}

impl WorkersPane {
    /// Returns the selected worker, or the first one.
    pub(crate) fn selected<'a>(&self, model: &'a RunModel) -> Option<&'a WorkerModel> {
        let chosen = self.chosen.and_then(|id| model.worker(id));
        chosen.or_else(|| model.workers().next())
    }

    /// Scrolls so that the selection is visible. One of the lines is the heading.
    pub(crate) fn keep_in_view(&mut self, model: &RunModel, lines: usize) {
        let selected = self.selected(model).map(|worker| worker.id);
        let mut ids = model.workers().map(|worker| worker.id);
        let at = ids.position(|id| Some(id) == selected).unwrap_or(0);
        let count = model.workers().count();
        self.top = scroll::top(self.top, at, count, lines.saturating_sub(1));
    }
}

impl DashboardPane for WorkersPane {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let selected = self.selected(ctx.model());
        match ctx.pane {
            PaneKind::WorkerList => list::view(ctx, selected, self.top, area, buf),
            PaneKind::Slots => slots::view(ctx, selected, area, buf),
            _ => summary::view(ctx, area, buf),
        }
    }

    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>) {
        if ctx.pane == PaneKind::Slots {
            return;
        }
        let ids: Vec<WorkerId> = ctx.model().workers().map(|worker| worker.id).collect();
        let here = ids.iter().position(|id| Some(*id) == self.chosen);
        let index = moved(here.unwrap_or(0), by, ids.len());
        self.chosen = ids.get(index).copied();
    }

    fn click(&mut self, click: PaneClick, ctx: &mut Context<'_>) {
        match ctx.pane {
            PaneKind::WorkerList => {
                let model = ctx.model();
                // The first line is the heading.
                let index = click.line.checked_sub(1).map(|line| self.top + line);
                let clicked = index.and_then(|index| model.workers().nth(index));
                self.chosen = clicked.map(|worker| worker.id).or(self.chosen);
            }
            PaneKind::Workers => ctx.ask(ComponentEffect::Go(ScreenKind::Workers)),
            _ => {}
        }
    }
}
