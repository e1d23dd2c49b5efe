//! The interface between the dashboard's components and the app.
//!
//! A component owns its state and knows no other component. It reads the run from a [`Context`], to
//! which it adds [`ComponentEffect`]s: requests that involve other components, which the app
//! carries out. For drawing, it gets a [`ViewContext`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::{RunModel, TestState};
use maelstrom_model::ids::TestId;

use super::keys::DashboardAction;
use super::message::{AppEffect, PaneKind, ScreenKind};
use super::settings::DashboardSettings;
use super::shown_run::ShownRun;
use super::theme::{GlyphSet, StyleRole};

/// A request of a component to the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ComponentEffect {
    /// A side effect for the event loop.
    Outside(AppEffect),
    /// Show a message in the last line of the screen.
    Notice(Cow<'static, str>),
    /// Switch to another screen.
    Go(ScreenKind),
    /// Show a test on the detail screen.
    OpenDetail(Option<TestId>),
    /// Carry out the action of a key.
    Act(DashboardAction),
    /// Show another attempt of the test on the detail screen.
    OtherAttempt(MoveDirection),
    /// Show only the tests that match a pattern.
    FindTests {
        pattern: String,
        syntax: SyntaxChange,
    },
    /// Show all tests again.
    ClearFinder,
    /// Move the selection among the matching tests.
    MoveFound(isize),
    /// Search the log, and close the prompt if the pattern is valid.
    SearchLog(String),
    /// Leave the run.
    Leave,
}

/// A direction of movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveDirection {
    Next,
    Previous,
}

/// Whether to keep the syntax of a pattern or to switch to the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyntaxChange {
    Same,
    Other,
}

/// Whether an overlay stays open after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverlayState {
    Open,
    Closed,
}

/// What a component needs to handle input.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub run: &'a ShownRun,
    pub settings: &'a DashboardSettings,
    /// The pane that is meant, for a component with several panes.
    pub pane: PaneKind,
    /// The area of the pane without its frame, or the whole screen for an overlay.
    pub inside: Rect,
    pub effects: &'a mut Vec<ComponentEffect>,
}

impl<'a> Context<'a> {
    /// Returns the displayed model of the run.
    pub(super) fn model(&self) -> &'a RunModel {
        self.run.model()
    }

    /// Returns the action that a key is bound to, if any.
    pub(super) fn action(&self, key: KeyEvent) -> Option<DashboardAction> {
        self.settings.keys.action(key)
    }

    /// Requests something from the app.
    pub(super) fn ask(&mut self, effect: ComponentEffect) {
        self.effects.push(effect);
    }

    /// Requests a side effect from the event loop.
    pub(super) fn outside(&mut self, effect: AppEffect) {
        self.ask(ComponentEffect::Outside(effect));
    }

    /// Shows a message in the last line of the screen.
    pub(super) fn notice(&mut self, text: impl Into<Cow<'static, str>>) {
        self.ask(ComponentEffect::Notice(text.into()));
    }
}

/// What a component needs to draw itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewContext<'a> {
    pub run: &'a ShownRun,
    /// The time of the run.
    pub run_us: u64,
    pub settings: &'a DashboardSettings,
    pub glyphs: GlyphSet,
    /// The pane that is meant, for a component with several panes.
    pub pane: PaneKind,
    /// The pane that has the focus.
    pub focus: PaneKind,
    pub marked: &'a BTreeSet<TestId>,
}

impl<'a> ViewContext<'a> {
    /// Returns the displayed model of the run.
    pub(super) fn model(&self) -> &'a RunModel {
        self.run.model()
    }

    /// Returns the theme's style for a role.
    pub(super) fn style(&self, role: StyleRole) -> Style {
        self.settings.theme.style(role)
    }

    /// Returns the theme's style for the state of a test.
    pub(super) fn state(&self, state: TestState) -> Style {
        self.settings.theme.state(state)
    }

    /// Returns the style of the selected row, which depends on whether the pane has the focus.
    pub(super) fn selected(&self) -> Style {
        self.style(if self.focus == self.pane {
            StyleRole::Selected
        } else {
            StyleRole::SelectedUnfocused
        })
    }
}
