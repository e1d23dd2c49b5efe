//! Which screen is shown, which of its panes has the focus, and how large the terminal is.

use crate::model::RunModel;

use super::layout::{self, LayoutInput, ScreenLayout};
use super::message::{PaneKind, ScreenKind};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct ScreenRouter {
    screen: ScreenKind,
    before_detail: ScreenKind,
    focus: PaneKind,
    zoomed: bool,
    /// The list of the overview that was in focus last: its selection's log is shown.
    list: PaneKind,
    columns: u16,
    rows: u16,
}

impl ScreenRouter {
    /// The overview, on a terminal of this size.
    pub fn new(columns: u16, rows: u16) -> Self {
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

    /// The screen that is shown.
    pub fn screen(&self) -> ScreenKind {
        self.screen
    }

    /// The pane that keys go to.
    pub fn focus(&self) -> PaneKind {
        self.focus
    }

    /// The list of the overview that was in focus last.
    pub fn list(&self) -> PaneKind {
        self.list
    }

    /// The terminal's columns and rows.
    pub fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }

    /// The terminal has another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        (self.columns, self.rows) = (columns, rows);
    }

    /// Where everything is.
    pub fn layout(&self, model: &RunModel, running_peak: usize) -> ScreenLayout {
        layout::layout(&LayoutInput {
            columns: self.columns,
            rows: self.rows,
            screen: self.screen,
            zoomed: self.zoomed.then_some(self.focus),
            running_peak,
            model,
        })
    }

    /// Shows another screen.
    pub fn go(&mut self, screen: ScreenKind) {
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

    /// Shows the detail screen; [`ScreenRouter::back`] leads to the present one.
    pub fn go_to_detail(&mut self) {
        if self.screen != ScreenKind::Detail {
            self.before_detail = self.screen;
        }
        self.go(ScreenKind::Detail);
    }

    /// Goes back to the screen that led to this one.
    pub fn back(&mut self) {
        self.go(match self.screen {
            ScreenKind::Detail => self.before_detail,
            ScreenKind::Overview
            | ScreenKind::Tests
            | ScreenKind::Workers
            | ScreenKind::Cluster => ScreenKind::Overview,
        });
    }

    /// Gives a pane of the screen the focus.
    pub fn set_focus(&mut self, pane: PaneKind) {
        self.focus = pane;
        if matches!(pane, PaneKind::Failures | PaneKind::Running) {
            self.list = pane;
        }
    }

    /// Gives the next pane the focus, or the one before.
    pub fn next_pane(&mut self, by: isize) {
        let panes = layout::panes(self.screen);
        let here = panes.iter().position(|pane| *pane == self.focus);
        let next = here.unwrap_or(0) as isize + by;
        let next = next.rem_euclid(panes.len() as isize) as usize;
        if let Some(pane) = panes.get(next) {
            self.set_focus(*pane);
        }
    }

    /// Lets the pane with the focus fill the screen, or shrink again.
    pub fn toggle_zoom(&mut self) {
        self.zoomed = !self.zoomed;
    }

    /// Lets the pane that fills the screen shrink again. Says whether one did.
    pub fn unzoom(&mut self) -> bool {
        std::mem::take(&mut self.zoomed)
    }
}
