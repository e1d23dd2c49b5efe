//! The dashboard's state, and [`App::update`], the only way to change it.
//!
//! Each component owns its part of the state. The app passes messages to the component concerned,
//! and carries out what a component asks for that concerns another.
//!
//! Pure except for the log store's file: time is an argument, and side effects are returned as
//! [`AppEffect`]s. Everything shown comes from events; keys change only what is displayed.

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

/// See the module's documentation.
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

/// What a dashboard is made with.
#[derive(Clone, Debug)]
pub struct AppOptions {
    pub settings: DashboardSettings,
    /// What the terminal can show.
    pub glyphs: GlyphSet,
    /// Where events come from.
    pub source: EventSource,
    /// Whether a recording begins to move by itself.
    pub playback: PlaybackState,
    /// What to do at the end.
    pub on_finish: OnFinish,
    pub columns: u16,
    pub rows: u16,
}

impl App {
    /// A dashboard of a run of which nothing is known.
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

    /// What is shown: the run as it is, or as it was when the view was frozen.
    pub fn model(&self) -> &RunModel {
        self.run.model()
    }

    /// The run as it is.
    pub fn live(&self) -> &RunModel {
        self.run.live()
    }

    /// The theme's style for a role.
    pub fn style(&self, role: StyleRole) -> Style {
        self.settings.theme.style(role)
    }

    /// All output.
    pub fn logs(&self) -> &LogStore {
        self.run.logs()
    }

    /// The streams of a log that are shown.
    pub(super) fn log_streams(&self) -> StreamFilter {
        self.panes.log.streams()
    }

    /// Where events come from.
    pub(super) fn source(&self) -> EventSource {
        self.run.source()
    }

    /// The terminal's columns and rows.
    pub(super) fn size(&self) -> (u16, u16) {
        self.screens.size()
    }

    /// Gives the run and its output away, when the dashboard has closed.
    pub fn into_parts(self) -> (RunModel, LogStore) {
        self.run.into_parts()
    }

    /// Events that came since the view was frozen; `None` when it is not.
    pub fn frozen_events(&self) -> Option<u64> {
        self.run.frozen_events()
    }

    /// Takes in what happened at `now_us` of the dashboard's own clock.
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
        // What a component asks for may lead another to ask for something in turn.
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

    /// Makes right what a frame is drawn from. To be called before drawing, not for every event:
    /// any number of events between two frames costs this once.
    pub fn prepare(&mut self, now_us: u64) {
        let run_us = self.run.run_us(now_us);
        // The rows are made from the tree's order, which is another one now.
        if self.run.refresh() {
            self.panes.tests.invalidate();
        }
        // A frozen view keeps its panes where they are, so the peak waits until it is thawed.
        if self.run.frozen_events().is_none() {
            self.panes.running.grow(self.run.live());
        }
        // The rows come before the layout: what is selected is looked for among them.
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

    /// When time has to be shown passing next, on the dashboard's own clock.
    pub fn next_wake_us(&self, now_us: u64) -> Option<u64> {
        let second = self.run.next_second_us(now_us);
        second.into_iter().chain(self.status.until_us()).min()
    }

    /// Whether [`AppMessage::Idle`] would do something.
    pub fn has_idle_work(&self) -> bool {
        self.panes.log.is_search_behind(self.run.logs())
    }

    /// The run's clock at `now_us` of the dashboard's own.
    pub fn run_us(&self, now_us: u64) -> u64 {
        self.run.run_us(now_us)
    }

    /// Where everything is.
    fn layout(&self) -> ScreenLayout {
        let peak = self.panes.running.peak();
        self.screens.layout(self.run.model(), peak)
    }

    /// The test that keys act on.
    fn current_test(&self) -> Option<TestId> {
        self.panes.current_test(&self.screens, self.run.model())
    }

    /// Lets the component of a pane take something in.
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

    /// Lets what lies over the screen take something in, if anything does.
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

    /// Lets the controls of the run take something in.
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
