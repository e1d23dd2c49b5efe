//! Tracks the current screen, the focused pane and the size of the terminal.

use crate::model::RunModel;

use super::layout::{self, LayoutInput, ScreenLayout};
use super::message::{PaneKind, ScreenKind};

/// The current screen and focus. See the [module](self) documentation.
#[derive(Debug)]
pub(super) struct ScreenRouter {
    screen: ScreenKind,
    before_detail: ScreenKind,
    focus: PaneKind,
    zoomed: bool,
    /// The list of the overview that last had the focus; the log pane shows its selected test.
    list: PaneKind,
    columns: u16,
    rows: u16,
}

impl ScreenRouter {
    /// Creates a router that shows the overview, on a terminal of this size.
    pub(super) fn new(columns: u16, rows: u16) -> Self {
        ScreenRouter {
            screen: ScreenKind::Overview,
            before_detail: ScreenKind::Overview,
            focus: PaneKind::Failures,
            zoomed: false,
            list: PaneKind::Failures,
            columns,
            rows,
        }
    }

    /// Returns the current screen.
    pub(super) fn screen(&self) -> ScreenKind {
        self.screen
    }

    /// Returns the pane that has the focus.
    pub(super) fn focus(&self) -> PaneKind {
        self.focus
    }

    /// Returns the list of the overview that last had the focus.
    pub(super) fn list(&self) -> PaneKind {
        self.list
    }

    /// Returns the number of columns and rows of the terminal.
    pub(super) fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }

    /// Sets the size of the terminal.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        (self.columns, self.rows) = (columns, rows);
    }

    /// Returns the layout of the current screen.
    pub(super) fn layout(&self, model: &RunModel, running_peak: usize) -> ScreenLayout {
        layout::layout(&LayoutInput {
            columns: self.columns,
            rows: self.rows,
            screen: self.screen,
            zoomed: self.zoomed.then_some(self.focus),
            running_peak,
            model,
        })
    }

    /// Switches to another screen.
    pub(super) fn go(&mut self, screen: ScreenKind) {
        if self.screen == screen {
            return;
        }
        self.screen = screen;
        self.zoomed = false;
        self.focus = match screen {
            ScreenKind::Overview => self.list,
            ScreenKind::Tests | ScreenKind::Detail | ScreenKind::Workers | ScreenKind::Cluster => {
                layout::panes(screen).first().copied().unwrap_or_default()
            }
        };
    }

    /// Switches to the detail screen, from which [`ScreenRouter::back`] returns to the current one.
    pub(super) fn go_to_detail(&mut self) {
        if self.screen != ScreenKind::Detail {
            self.before_detail = self.screen;
        }
        self.go(ScreenKind::Detail);
    }

    /// Returns to the screen from which this one was opened.
    pub(super) fn back(&mut self) {
        self.go(match self.screen {
            ScreenKind::Detail => self.before_detail,
            ScreenKind::Overview
            | ScreenKind::Tests
            | ScreenKind::Workers
            | ScreenKind::Cluster => ScreenKind::Overview,
        });
    }

    /// Moves the focus to a pane of the current screen.
    pub(super) fn set_focus(&mut self, pane: PaneKind) {
        self.focus = pane;
        if matches!(pane, PaneKind::Failures | PaneKind::Running) {
            self.list = pane;
        }
    }

    /// Moves the focus by `by` panes, forward or, if negative, backward.
    pub(super) fn next_pane(&mut self, by: isize) {
        let panes = layout::panes(self.screen);
        let here = panes.iter().position(|pane| *pane == self.focus);
        let next = here.unwrap_or(0) as isize + by;
        let next = next.rem_euclid(panes.len() as isize) as usize;
        if let Some(pane) = panes.get(next) {
            self.set_focus(*pane);
        }
    }

    /// Maximizes the focused pane, or restores its size.
    pub(super) fn toggle_zoom(&mut self) {
        self.zoomed = !self.zoomed;
    }

    /// Restores the size of a maximized pane. Returns whether one was maximized.
    pub(super) fn unzoom(&mut self) -> bool {
        std::mem::take(&mut self.zoomed)
    }
}
