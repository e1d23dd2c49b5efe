//! What all panes have in common: they take in keys and clicks, and are drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::context::{Context, MoveDirection, ViewContext};
use super::super::keys::DashboardAction;

/// A component that has a place on a screen.
pub(in super::super) trait DashboardPane {
    /// Draws it into an area, with its frame.
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer);

    /// Moves what is selected, or the view, by so many rows.
    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>);

    /// Moves to the beginning or to the end.
    fn move_to_end(&mut self, direction: MoveDirection, ctx: &mut Context<'_>) {
        match direction {
            MoveDirection::Previous => self.move_by(isize::MIN / 2, ctx),
            MoveDirection::Next => self.move_by(isize::MAX / 2, ctx),
        }
    }

    /// Folds, unfolds or scrolls sideways.
    fn move_sideways(&mut self, _: MoveDirection, _: &mut Context<'_>) {}

    /// Does what an action of its own asks for.
    fn act(&mut self, _: DashboardAction, _: &mut Context<'_>) {}

    /// Takes an action: a movement, or one of its own.
    fn on_action(&mut self, action: DashboardAction, ctx: &mut Context<'_>) {
        let half_page = (usize::from(ctx.inside.height) / 2).max(1) as isize;
        match action {
            DashboardAction::Down => self.move_by(1, ctx),
            DashboardAction::Up => self.move_by(-1, ctx),
            DashboardAction::PageDown => self.move_by(half_page, ctx),
            DashboardAction::PageUp => self.move_by(-half_page, ctx),
            DashboardAction::Top => self.move_to_end(MoveDirection::Previous, ctx),
            DashboardAction::Bottom => self.move_to_end(MoveDirection::Next, ctx),
            DashboardAction::Left => self.move_sideways(MoveDirection::Previous, ctx),
            DashboardAction::Right => self.move_sideways(MoveDirection::Next, ctx),
            own => self.act(own, ctx),
        }
    }

    /// Takes a click on its title.
    fn click_title(&mut self, _: &mut Context<'_>) {}

    /// Takes a click on a line, counted from the first that is visible.
    fn click(&mut self, _: PaneClick, _: &mut Context<'_>) {}
}

/// A click on a line of a pane.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct PaneClick {
    pub line: usize,
    /// Whether the pane had the focus before: a click on what is selected then opens it.
    pub was_focused: bool,
}

/// Where a selection of a list of `len` lines is after a move.
pub(super) fn moved(index: usize, by: isize, len: usize) -> usize {
    let last = len.saturating_sub(1) as isize;
    (index as isize + by).clamp(0, last.max(0)) as usize
}
