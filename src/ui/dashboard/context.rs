//! What the dashboard's components are given, and what they ask for.
//!
//! A component owns its state and knows no other component. It reads the run from a [`Context`] and
//! puts there, as a [`ComponentEffect`], whatever concerns more than itself; the app carries it out.
//! To be drawn it gets a [`ViewContext`].

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

/// What a component asks of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ComponentEffect {
    /// To be done outside.
    Outside(AppEffect),
    /// Show a message in the last line.
    Notice(Cow<'static, str>),
    /// Show another screen.
    Go(ScreenKind),
    /// Show a test in detail.
    OpenDetail(Option<TestId>),
    /// Do what a key does.
    Act(DashboardAction),
    /// Show another attempt of the test in detail.
    OtherAttempt(MoveDirection),
    /// Show the tests that match.
    FindTests {
        pattern: String,
        syntax: SyntaxChange,
    },
    /// Show all tests again.
    ClearFinder,
    /// Move through the tests found.
    MoveFound(isize),
    /// Search the log, and close the prompt if the pattern is valid.
    SearchLog(String),
    /// Leave the run.
    Leave,
}

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveDirection {
    Next,
    Previous,
}

/// Whether a pattern is read as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyntaxChange {
    Same,
    Other,
}

/// Whether what lies over the screen stays after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverlayState {
    Open,
    Closed,
}

/// What a component needs to take something in.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub run: &'a ShownRun,
    pub settings: &'a DashboardSettings,
    /// Which of its panes is meant, if it has several.
    pub pane: PaneKind,
    /// The pane's area within its frame, or the whole screen.
    pub inside: Rect,
    pub effects: &'a mut Vec<ComponentEffect>,
}

impl<'a> Context<'a> {
    /// What is shown of the run.
    pub fn model(&self) -> &'a RunModel {
        self.run.model()
    }

    /// What a key does.
    pub fn action(&self, key: KeyEvent) -> Option<DashboardAction> {
        self.settings.keys.action(key)
    }

    /// Asks the app for something.
    pub fn ask(&mut self, effect: ComponentEffect) {
        self.effects.push(effect);
    }

    /// Asks for something outside.
    pub fn outside(&mut self, effect: AppEffect) {
        self.ask(ComponentEffect::Outside(effect));
    }

    /// Shows a message in the last line.
    pub fn notice(&mut self, text: impl Into<Cow<'static, str>>) {
        self.ask(ComponentEffect::Notice(text.into()));
    }
}

/// What a component needs to be drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewContext<'a> {
    pub run: &'a ShownRun,
    /// The run's clock.
    pub run_us: u64,
    pub settings: &'a DashboardSettings,
    pub glyphs: GlyphSet,
    /// Which of its panes is meant, if it has several.
    pub pane: PaneKind,
    /// The pane that keys go to.
    pub focus: PaneKind,
    pub marked: &'a BTreeSet<TestId>,
}

impl<'a> ViewContext<'a> {
    /// What is shown of the run.
    pub fn model(&self) -> &'a RunModel {
        self.run.model()
    }

    /// The theme's style for a role.
    pub fn style(&self, role: StyleRole) -> Style {
        self.settings.theme.style(role)
    }

    /// The theme's style for a test's state.
    pub fn state(&self, state: TestState) -> Style {
        self.settings.theme.state(state)
    }

    /// The style of the row that is selected.
    pub fn selected(&self) -> Style {
        self.style(if self.focus == self.pane {
            StyleRole::Selected
        } else {
            StyleRole::SelectedUnfocused
        })
    }
}
