//! The state of the dashboard, and [`App::update`], the only way to change it.
//!
//! Each component owns its part of the state. The app dispatches messages to the components, and
//! carries out the requests of a component that involve others.
//!
//! Pure except for the log store's file: time is an argument, and side effects are returned as
//! [`AppEffect`]s. All displayed data comes from events; keys only change what is displayed.

mod actions;
mod draw;
mod events;
mod input;

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::log::{LogStore, StreamFilter};
use crate::model::RunModel;
use maelstrom_model::ids::TestId;

use super::context::{ComponentEffect, Context};
use super::controls::RunControls;
use super::layout::ScreenLayout;
pub use super::message::{
    AppEffect, AppMessage, EventSource, ExternalProgram, MouseCapture, OnFinish, PaneKind,
    PlaybackState, ScreenKind,
};
use super::overlay::ScreenOverlay;
use super::panes::pane::DashboardPane;
use super::panes::set::PaneSet;
use super::screens::ScreenRouter;
use super::settings::DashboardSettings;
use super::shown_run::ShownRun;
use super::status_line::StatusLine;
use super::theme::{GlyphSet, StyleRole};

/// The state of the dashboard. See the [module](self) documentation.
#[derive(Debug)]
pub struct App {
    settings: DashboardSettings,
    glyphs: GlyphSet,
    run: ShownRun,
    screens: ScreenRouter,
    panes: PaneSet,
    overlay: Option<ScreenOverlay>,
    status: StatusLine,
    controls: RunControls,
    mouse: MouseCapture,
}

/// The options and initial state of an [`App`].
#[derive(Clone, Debug)]
pub struct AppOptions {
    pub settings: DashboardSettings,
    /// The characters that the terminal can display.
    pub glyphs: GlyphSet,
    pub source: EventSource,
    /// Whether a recording starts to play immediately.
    pub playback: PlaybackState,
    /// What to do at the end of the run.
    pub on_finish: OnFinish,
    pub columns: u16,
    pub rows: u16,
}

impl App {
    /// Creates a dashboard for a run without any events.
    pub fn new(options: AppOptions) -> Self {
        App {
            settings: options.settings,
            glyphs: options.glyphs,
            run: ShownRun::new(options.source),
            screens: ScreenRouter::new(options.columns, options.rows),
            panes: PaneSet::default(),
            overlay: None,
            status: StatusLine::default(),
            controls: RunControls::new(options.on_finish, options.playback),
            mouse: MouseCapture::Taken,
        }
    }

    /// Returns the displayed model: the current one, or the one at the time when the view was
    /// frozen.
    pub fn model(&self) -> &RunModel {
        self.run.model()
    }

    /// Returns the current model, even if the view is frozen.
    pub fn live(&self) -> &RunModel {
        self.run.live()
    }

    /// Returns the theme's style for a role.
    pub fn style(&self, role: StyleRole) -> Style {
        self.settings.theme.style(role)
    }

    /// Returns the captured output of all tests and of the build.
    pub fn logs(&self) -> &LogStore {
        self.run.logs()
    }

    /// Returns which streams the log pane displays.
    pub(super) fn log_streams(&self) -> StreamFilter {
        self.panes.log.streams()
    }

    /// Returns the source of the events.
    pub(super) fn source(&self) -> EventSource {
        self.run.source()
    }

    /// Returns the number of columns and rows of the terminal.
    pub(super) fn size(&self) -> (u16, u16) {
        self.screens.size()
    }

    /// Consumes the dashboard and returns the model and logs of the run.
    pub fn into_parts(self) -> (RunModel, LogStore) {
        self.run.into_parts()
    }

    /// Returns the number of events since the view was frozen; `None` if it is not frozen.
    pub fn frozen_events(&self) -> Option<u64> {
        self.run.frozen_events()
    }

    /// Handles a message at `now_us` on the dashboard's clock, and returns the side effects to
    /// carry out.
    pub fn update(&mut self, msg: AppMessage, now_us: u64) -> Vec<AppEffect> {
        let mut asked = Vec::new();
        let mut outside = Vec::new();
        match msg {
            AppMessage::Event(event) => self.event(*event, now_us, &mut asked),
            AppMessage::Key(key) => {
                self.controls.touch();
                self.status.clear();
                self.key(key, &mut asked);
            }
            AppMessage::Mouse(mouse) => {
                self.controls.touch();
                self.mouse(mouse, &mut asked);
            }
            AppMessage::Paste(text) => {
                self.controls.touch();
                self.with_overlay(&mut asked, |overlay, ctx| {
                    overlay.on_paste(&text, ctx);
                });
            }
            AppMessage::Resize { columns, rows } => {
                self.screens.resize(columns, rows);
                outside.push(AppEffect::Repaint);
            }
            AppMessage::Stopped { for_us } => self.run.stood_still(for_us),
            AppMessage::Clock => {}
            AppMessage::Idle => self.panes.log.search_on(self.run.logs()),
            AppMessage::Remark(text) => self.status.show(text, now_us),
        }
        // Carrying out a request of one component may result in requests of others.
        while !asked.is_empty() {
            for effect in std::mem::take(&mut asked) {
                match effect {
                    ComponentEffect::Outside(effect) => outside.push(effect),
                    effect => self.carry_out(effect, now_us, &mut asked),
                }
            }
        }
        self.status.expire(now_us);
        outside
    }

    /// Updates the state that a frame is drawn from. Call this before drawing rather than for every
    /// event, so that any number of events between two frames costs only one update.
    pub fn prepare(&mut self, now_us: u64) {
        let run_us = self.run.run_us(now_us);
        // The rows of the test list follow the tree, which has changed.
        if self.run.refresh() {
            self.panes.tests.invalidate();
        }
        // The panes of a frozen view keep their size, so the peak is updated only after the thaw.
        if self.run.frozen_events().is_none() {
            self.panes.running.grow(self.run.live());
        }
        // The rows come before the layout, because the selection is looked up among them.
        self.panes.tests.refresh(self.run.model(), run_us);
        let layout = self.layout();
        let model = self.run.model();
        let panes = &mut self.panes;
        panes.tests.keep_in_view(layout.height(PaneKind::Tests));
        let height = layout.height(PaneKind::Failures);
        panes.failures.keep_in_view(model, height);
        let lines = layout.height(PaneKind::WorkerList);
        panes.workers.keep_in_view(model, lines);
        let (key, test) = (
            panes.log_key(&self.screens, model),
            panes.current_test(&self.screens, model),
        );
        let ctx = Context {
            run: &self.run,
            settings: &self.settings,
            pane: PaneKind::Log,
            inside: layout.inside(PaneKind::Log),
            effects: &mut Vec::new(),
        };
        panes.log.show(key, test, &ctx);
    }

    /// Returns when a frame is next due for the passage of time, on the dashboard's clock.
    pub fn next_wake_us(&self, now_us: u64) -> Option<u64> {
        let second = self.run.next_second_us(now_us);
        second.into_iter().chain(self.status.until_us()).min()
    }

    /// Returns whether [`AppMessage::Idle`] has work to do.
    pub fn has_idle_work(&self) -> bool {
        self.panes.log.is_search_behind(self.run.logs())
    }

    /// Returns the time of the run at `now_us` on the dashboard's clock.
    pub fn run_us(&self, now_us: u64) -> u64 {
        self.run.run_us(now_us)
    }

    /// Returns the layout of the current screen.
    fn layout(&self) -> ScreenLayout {
        let peak = self.panes.running.peak();
        self.screens.layout(self.run.model(), peak)
    }

    /// Returns the test that keys act on.
    fn current_test(&self) -> Option<TestId> {
        self.panes.current_test(&self.screens, self.run.model())
    }

    /// Calls `take` with the component of a pane.
    fn with_pane(
        &mut self,
        pane: PaneKind,
        effects: &mut Vec<ComponentEffect>,
        take: impl FnOnce(&mut dyn DashboardPane, &mut Context<'_>),
    ) {
        let inside = self.layout().inside(pane);
        let mut ctx = Context {
            run: &self.run,
            settings: &self.settings,
            pane,
            inside,
            effects,
        };
        take(self.panes.get_mut(pane), &mut ctx);
    }

    /// Calls `take` with the open overlay, if any.
    fn with_overlay<R>(
        &mut self,
        effects: &mut Vec<ComponentEffect>,
        take: impl FnOnce(&mut ScreenOverlay, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let (columns, rows) = self.screens.size();
        let mut ctx = Context {
            run: &self.run,
            settings: &self.settings,
            pane: self.screens.focus(),
            inside: Rect::new(0, 0, columns, rows),
            effects,
        };
        let overlay = self.overlay.as_mut()?;
        Some(take(overlay, &mut ctx))
    }

    /// Calls `take` with the controls of the run.
    fn with_controls(
        &mut self,
        effects: &mut Vec<ComponentEffect>,
        take: impl FnOnce(&mut RunControls, &mut Context<'_>),
    ) {
        let mut ctx = Context {
            run: &self.run,
            settings: &self.settings,
            pane: self.screens.focus(),
            inside: Rect::ZERO,
            effects,
        };
        take(&mut self.controls, &mut ctx);
    }
}
