//! Dispatches keys and mouse events to the components.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::super::context::{ComponentEffect, OverlayState};
use super::super::panes::pane::PaneClick;
use super::super::tabs;
use super::App;

/// The number of rows that one turn of the mouse wheel scrolls.
const WHEEL_ROWS: isize = 3;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent, effects: &mut Vec<ComponentEffect>) {
        let over = self.with_overlay(effects, |overlay, ctx| overlay.on_key(key, ctx));
        match over {
            Some(OverlayState::Open) => {}
            Some(OverlayState::Closed) => self.overlay = None,
            None => {
                if let Some(action) = self.settings.keys.action(key) {
                    self.act(action, effects);
                }
            }
        }
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent, effects: &mut Vec<ComponentEffect>) {
        let at = Position::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(at, effects),
            MouseEventKind::ScrollDown => self.turn_wheel(at, WHEEL_ROWS, effects),
            MouseEventKind::ScrollUp => self.turn_wheel(at, -WHEEL_ROWS, effects),
            _ => {}
        }
    }

    /// Scrolls the pane under the pointer without moving the focus.
    fn turn_wheel(&mut self, at: Position, by: isize, effects: &mut Vec<ComponentEffect>) {
        if let Some(pane) = self.layout().pane_at(at) {
            self.with_pane(pane, effects, |pane, ctx| pane.move_by(by, ctx));
            self.describe_shown(effects);
        }
    }

    fn click(&mut self, at: Position, effects: &mut Vec<ComponentEffect>) {
        if self.overlay.take().is_some() {
            return;
        }
        let layout = self.layout();
        if at.y + 1 == layout.header.bottom() {
            let (columns, _) = self.screens.size();
            if let Some(action) = tabs::tab_at(&self.settings.keys, columns, at.x) {
                self.act(action, effects);
            }
            return;
        }
        let Some(pane) = layout.pane_at(at) else {
            return;
        };
        let was_focused = self.screens.focus() == pane;
        self.screens.set_focus(pane);
        let (area, inside) = (layout.area(pane), layout.inside(pane));
        // A pane with a single line has no frame and therefore no title.
        if at.y == area.y && area.height > 1 {
            self.with_pane(pane, effects, |pane, ctx| pane.click_title(ctx));
        } else if inside.contains(at) {
            let click = PaneClick {
                line: usize::from(at.y - inside.y),
                was_focused,
            };
            self.with_pane(pane, effects, |pane, ctx| pane.click(click, ctx));
        }
    }
}
