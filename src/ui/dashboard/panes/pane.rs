//! The interface of all panes: they handle actions and clicks, and draw themselves.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::context::{Context, MoveDirection, ViewContext};
use super::super::keys::DashboardAction;

/// A component that is displayed in an area of a screen.
pub(in super::super) trait DashboardPane {
    /// Draws the pane, including its frame.
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer);

    /// Moves the selection or the view by this many rows, down or, if negative, up.
    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>);

    /// Moves to the beginning or the end.
    fn move_to_end(&mut self, direction: MoveDirection, ctx: &mut Context<'_>) {
        match direction {
            MoveDirection::Previous => self.move_by(isize::MIN / 2, ctx),
            MoveDirection::Next => self.move_by(isize::MAX / 2, ctx),
        }
    }

    /// Folds, unfolds or scrolls sideways.
    fn move_sideways(&mut self, _: MoveDirection, _: &mut Context<'_>) {}

    /// Carries out an action that is not a movement.
    fn act(&mut self, _: DashboardAction, _: &mut Context<'_>) {}

    /// Carries out an action that was dispatched to this pane.
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

    /// Handles a click on the title.
    fn click_title(&mut self, _: &mut Context<'_>) {}

    /// Handles a click on a line.
    fn click(&mut self, _: PaneClick, _: &mut Context<'_>) {}
}

/// A click on a line of a pane, counted from the first visible one.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct PaneClick {
    pub line: usize,
    /// Whether the pane had the focus before. If so, a click on the selected row opens it.
    pub was_focused: bool,
}

/// Returns the index of the selection in a list of `len` rows after a move by `by` rows.
pub(super) fn moved(index: usize, by: isize, len: usize) -> usize {
    let last = len.saturating_sub(1) as isize;
    (index as isize + by).clamp(0, last.max(0)) as usize
}
