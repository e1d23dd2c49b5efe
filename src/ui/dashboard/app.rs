//! The dashboard's entire state, and [`App::update`], the only way to change it.
//!
//! Pure except for the log store's file: time is an argument, and side effects are returned as
//! [`AppEffect`]s. Everything shown comes from events; keys change only what is displayed.

use std::collections::BTreeSet;

use crate::log::{BUILD_LOG, LogStore};
use crate::model::{RunModel, RunPhase, TreeRow};
use crate::report::changed;
use maelstrom_model::event::{
    AttemptEvent, BuildEvent, Event, EventKind, OutputStream, RoundCause, RoundEvent, RunEvent,
    TestEvent, UiCommand, WatchEvent,
};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use super::keys::KeyMap;
use super::layout::{self, LayoutInput, ScreenLayout};
use super::log_pane::{LogPane, PaneSize};
pub use super::message::{
    AppEffect, AppMessage, EventSource, ExternalProgram, MouseCapture, OnFinish, PaneKind,
    PlaybackState, ScreenKind,
};
use super::prompt::TextPrompt;
use super::rows::TestRows;
use super::settings::DashboardSettings;
use super::theme::{GlyphSet, StyleRole, Theme};

/// How long a status message is shown.
const REMARK_US: u64 = 4_000_000;

/// What lies over the screen.
#[derive(Debug, Default)]
pub(super) enum ScreenOverlay {
    #[default]
    None,
    Help {
        top: usize,
    },
    Palette {
        prompt: TextPrompt,
        selected: usize,
    },
    Search {
        prompt: TextPrompt,
        target: SearchTarget,
    },
    /// Whether to quit although the run goes on.
    ConfirmQuit,
}

/// What a search looks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SearchTarget {
    Names,
    Log,
}

/// A message in the last line.
#[derive(Clone, Debug)]
pub(super) struct StatusMessage {
    pub text: String,
    pub role: StyleRole,
    until_us: u64,
}

/// What was shown when the view was frozen.
#[derive(Debug)]
struct FrozenView {
    model: Box<RunModel>,
    events: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct App {
    pub(super) theme: Theme,
    pub(super) keys: KeyMap,
    pub(super) glyphs: GlyphSet,
    pub(super) source: EventSource,
    pub(super) playback: PlaybackState,
    pub(super) on_finish: OnFinish,
    pub(super) live: RunModel,
    frozen: Option<FrozenView>,
    pub(super) logs: LogStore,
    pub(super) screen: ScreenKind,
    pub(super) before_detail: ScreenKind,
    pub(super) focus: PaneKind,
    pub(super) zoomed: bool,
    pub(super) rows: TestRows,
    pub(super) failure: Option<TestId>,
    pub(super) failures_top: usize,
    /// What the log on the screen is shown for: several places that do not compile share one.
    pub(super) log_of: Option<TestId>,
    pub(super) running: Option<TestId>,
    /// The list of the overview that was in focus last: its selection's log is shown.
    pub(super) list: PaneKind,
    pub(super) worker: Option<WorkerId>,
    pub(super) detail: Option<TestId>,
    pub(super) detail_attempt: Option<Attempt>,
    pub(super) log: LogPane,
    pub(super) marked: BTreeSet<TestId>,
    pub(super) overlay: ScreenOverlay,
    pub(super) remark: Option<StatusMessage>,
    pub(super) columns: u16,
    pub(super) terminal_rows: u16,
    /// The most rows that running tests have taken: their list never shrinks.
    pub(super) running_peak: usize,
    pub(super) shell_wanted: Option<TestId>,
    pub(super) mouse: MouseCapture,
    leaving: bool,
    /// Whether the person has done anything: then only they close the dashboard.
    pub(super) touched: bool,
    anchor: ClockAnchor,
}

/// Ties the run's clock to the dashboard's.
#[derive(Clone, Copy, Debug, Default)]
struct ClockAnchor {
    run_us: u64,
    own_us: u64,
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
            theme: options.settings.theme,
            keys: options.settings.keys,
            glyphs: options.glyphs,
            source: options.source,
            playback: options.playback,
            on_finish: options.on_finish,
            live: RunModel::new(),
            frozen: None,
            logs: LogStore::new(),
            screen: ScreenKind::Overview,
            before_detail: ScreenKind::Overview,
            focus: PaneKind::Failures,
            zoomed: false,
            rows: TestRows::default(),
            failure: None,
            failures_top: 0,
            log_of: None,
            running: None,
            list: PaneKind::Failures,
            worker: None,
            detail: None,
            detail_attempt: None,
            log: LogPane::default(),
            marked: BTreeSet::new(),
            overlay: ScreenOverlay::None,
            remark: None,
            columns: options.columns,
            terminal_rows: options.rows,
            running_peak: 0,
            shell_wanted: None,
            mouse: MouseCapture::Taken,
            leaving: false,
            touched: false,
            anchor: ClockAnchor::default(),
        }
    }

    /// What is shown: the run as it is, or as it was when the view was frozen.
    pub fn model(&self) -> &RunModel {
        match &self.frozen {
            Some(frozen) => &frozen.model,
            None => &self.live,
        }
    }

    /// The run as it is.
    pub fn live(&self) -> &RunModel {
        &self.live
    }

    /// The theme's style for a role.
    pub fn style(&self, role: StyleRole) -> ratatui::style::Style {
        self.theme.style(role)
    }

    /// All output.
    pub fn logs(&self) -> &LogStore {
        &self.logs
    }

    /// Gives the run and its output away, when the dashboard has closed.
    pub fn into_parts(self) -> (RunModel, LogStore) {
        (self.live, self.logs)
    }

    /// Events that came since the view was frozen; `None` when it is not.
    pub fn frozen_events(&self) -> Option<u64> {
        self.frozen.as_ref().map(|frozen| frozen.events)
    }

    /// Takes in what happened at `now_us` of the dashboard's own clock.
    pub fn update(&mut self, msg: AppMessage, now_us: u64) -> Vec<AppEffect> {
        let mut effects = Vec::new();
        match msg {
            AppMessage::Event(event) => self.event(*event, now_us, &mut effects),
            AppMessage::Key(key) => {
                self.touched = true;
                self.remark = None;
                self.key(key, now_us, &mut effects);
            }
            AppMessage::Mouse(mouse) => {
                self.touched = true;
                self.mouse(mouse, now_us, &mut effects);
            }
            AppMessage::Paste(text) => {
                self.touched = true;
                self.paste(&text);
            }
            AppMessage::Resize { columns, rows } => {
                (self.columns, self.terminal_rows) = (columns, rows);
                effects.push(AppEffect::Repaint);
            }
            AppMessage::Stopped { for_us } => self.anchor.own_us += for_us,
            AppMessage::Clock => {}
            AppMessage::Idle => self.log.search_on(&self.logs),
            AppMessage::Remark(text) => self.set_status_message(text, StyleRole::Notice, now_us),
        }
        if self
            .remark
            .as_ref()
            .is_some_and(|remark| remark.until_us <= now_us)
        {
            self.remark = None;
        }
        effects
    }

    /// Makes right what a frame is drawn from. To be called before drawing, not for every event:
    /// any number of events between two frames costs this once.
    pub fn prepare(&mut self, now_us: u64) {
        let run_us = self.run_us(now_us);
        let (model, frozen) = match &mut self.frozen {
            Some(frozen) => (&mut *frozen.model, true),
            None => (&mut self.live, false),
        };
        // The rows are made from the tree's order, which is another one now.
        if model.refresh() {
            self.rows.invalidate();
        }
        // A frozen view keeps its panes where they are, so the peak waits until it is thawed.
        if !frozen {
            self.running_peak = self.running_peak.max(model.running().len());
        }
        // The rows come before the layout: what is selected is looked for among them.
        self.rows.refresh(model, run_us);
        let layout = self.layout();
        self.rows.keep_in_view(layout.height(PaneKind::Tests));
        let (failures, selected) = (self.model().failures.len(), self.failure_index());
        let height = layout.height(PaneKind::Failures);
        self.failures_top = super::scroll::top(self.failures_top, selected, failures, height);
        self.open_log();
    }

    /// When time has to be shown passing next, on the dashboard's own clock.
    pub fn next_wake_us(&self, now_us: u64) -> Option<u64> {
        let clock = (self.source == EventSource::Live && self.live.is_active()).then(|| {
            // The clock shows whole seconds of the run, not of the dashboard.
            let into_second = self.run_us(now_us) % 1_000_000;
            now_us + 1_000_000 - into_second
        });
        let remark = self.remark.as_ref().map(|remark| remark.until_us);
        clock.into_iter().chain(remark).min()
    }

    /// Whether [`AppMessage::Idle`] would do something.
    pub fn has_idle_work(&self) -> bool {
        self.log.is_search_behind(&self.logs)
    }

    /// The run's clock at `now_us` of the dashboard's own.
    pub fn run_us(&self, now_us: u64) -> u64 {
        if let Some(frozen) = &self.frozen {
            return frozen.model.over_us.unwrap_or(frozen.model.now_us);
        }
        match (self.source, self.live.is_active()) {
            (EventSource::Live, true) => {
                let passed_us = now_us.saturating_sub(self.anchor.own_us);
                self.anchor.run_us + passed_us
            }
            // What is told between rounds (a description, say) moves no clock.
            (EventSource::Live, false) | (EventSource::Recording, _) => {
                self.live.over_us.unwrap_or(self.live.now_us)
            }
        }
    }

    /// Where everything is.
    pub(super) fn layout(&self) -> ScreenLayout {
        layout::layout(&LayoutInput {
            columns: self.columns,
            rows: self.terminal_rows,
            screen: self.screen,
            zoomed: self.zoomed.then_some(self.focus),
            running_peak: self.running_peak,
            model: self.model(),
        })
    }

    pub(super) fn log_size(&self) -> PaneSize {
        let area = self.layout().inside(PaneKind::Log);
        PaneSize {
            columns: area.width as usize,
            rows: area.height as usize,
        }
    }

    fn event(&mut self, event: Event, now_us: u64, effects: &mut Vec<AppEffect>) {
        // The clock shown never runs backwards when an event arrives late.
        let run_us = self.run_us(now_us).max(event.at_us);
        let queued_before = self.live.rerun_queued;
        self.live.apply(&event);
        self.anchor = ClockAnchor {
            run_us,
            own_us: now_us,
        };
        if let Some(frozen) = &mut self.frozen {
            frozen.events += 1;
        }
        let (logs, at_us) = (&mut self.logs, event.at_us);
        match &event.kind {
            EventKind::Build(BuildEvent::Output { text }) => {
                logs.append(BUILD_LOG, OutputStream::Stderr, &text.0, at_us);
            }
            EventKind::Attempt(AttemptEvent::Output {
                test,
                attempt,
                stream,
                text,
            }) => logs.append((*test, *attempt), *stream, &text.0, at_us),
            EventKind::Round(RoundEvent::Started { cause, .. }) if *cause == RoundCause::Watch => {
                self.begin_anew();
            }
            EventKind::Watch(WatchEvent::FilesChanged { paths, more }) => {
                let text = format!("{} changed: running again", changed(paths, *more));
                self.set_status_message(text, StyleRole::Notice, now_us);
            }
            EventKind::Attempt(AttemptEvent::Finished(_)) => self.rows.data_changed(),
            EventKind::Round(RoundEvent::RerunQueued { tests }) => {
                let text = format!("{tests} tests will run again when this round is over");
                self.set_status_message(text, StyleRole::Notice, now_us);
            }
            EventKind::Notice(notice) => {
                self.set_status_message(notice.text.clone(), StyleRole::Notice, now_us);
            }
            EventKind::Test(TestEvent::Described(of)) if self.shell_wanted == Some(of.test) => {
                self.shell_wanted = None;
                self.open_shell(of.test, now_us, effects);
            }
            EventKind::Round(RoundEvent::Finished { .. }) => {
                // The model has forgotten the count by now. Tests that waited to run again begin
                // another round, so the dashboard stays for it.
                if queued_before == 0 && !self.leaving && self.closes_by_itself() {
                    self.leaving = true;
                    effects.push(AppEffect::Send(UiCommand::Leave));
                }
                self.rows.invalidate();
                self.answer_quit(effects);
            }
            EventKind::Run(RunEvent::Finished { exit_code }) => {
                self.rows.invalidate();
                if self.leaving || (*exit_code == 0 && self.closes_by_itself()) {
                    effects.push(AppEffect::Close);
                }
            }
            _ => {}
        }
    }

    /// The rows' states are others now; of the logs those of the latest attempts stay.
    fn begin_anew(&mut self) {
        let tests = &self.live.tests;
        self.logs.retain(|(test, attempt)| {
            let latest = tests.latest(test).map(|record| record.attempt);
            latest == Some(attempt)
        });
        self.rows.invalidate();
    }

    /// Who was asked whether to quit although tests run wants to quit, now that none does.
    fn answer_quit(&mut self, effects: &mut Vec<AppEffect>) {
        if matches!(self.overlay, ScreenOverlay::ConfirmQuit) {
            self.overlay = ScreenOverlay::None;
            self.leave(effects);
        }
    }

    pub(super) fn set_status_message(
        &mut self,
        text: impl Into<String>,
        role: StyleRole,
        now_us: u64,
    ) {
        self.remark = Some(StatusMessage {
            text: text.into(),
            role,
            until_us: now_us + REMARK_US,
        });
    }

    /// Freezes what is shown, or shows the run as it is again.
    pub(super) fn toggle_freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(FrozenView {
                model: Box::new(self.live.clone()),
                events: 0,
            }),
        };
        self.rows.invalidate();
    }

    /// Leaves the run: cancels what still runs, and closes when that has ended.
    pub(super) fn leave(&mut self, effects: &mut Vec<AppEffect>) {
        // No event would come that closes the dashboard: the run is over already, or the recording
        // only stops being shown.
        if self.source == EventSource::Recording
            || matches!(self.live.phase, RunPhase::Finished { .. })
        {
            effects.push(AppEffect::Send(UiCommand::Leave));
            effects.push(AppEffect::Close);
            return;
        }
        if self.live.is_active() {
            // Who asks again does not want to wait for the grace that a cancellation gives.
            let command = if self.leaving {
                UiCommand::Kill
            } else {
                UiCommand::Cancel
            };
            effects.push(AppEffect::Send(command));
        }
        // The run does not forget it, so once is enough.
        if !self.leaving {
            effects.push(AppEffect::Send(UiCommand::Leave));
        }
        self.leaving = true;
    }

    /// The number of the selected failure, or of the first.
    pub(super) fn failure_index(&self) -> usize {
        let selected = self.failure;
        let failures = &self.model().failures;
        let index = failures.iter().position(|test| Some(*test) == selected);
        index.unwrap_or(0)
    }

    /// The selected running test, or the one that runs longest.
    pub(super) fn selected_running(&self) -> Option<TestId> {
        let model = self.model();
        let known = self
            .running
            .filter(|test| model.tests.latest(*test).is_some());
        known.or_else(|| model.running().next().map(|(_, test)| test))
    }

    /// The selected failure, or the first.
    pub(super) fn selected_failure(&self) -> Option<TestId> {
        self.model().failures.get(self.failure_index()).copied()
    }

    /// The test that keys act on.
    pub(super) fn current_test(&self) -> Option<TestId> {
        match self.screen {
            ScreenKind::Overview => match self.list {
                PaneKind::Running => self.selected_running(),
                _ => self.selected_failure().or_else(|| self.selected_running()),
            },
            ScreenKind::Tests => match self.rows.selected_row()? {
                TreeRow::Test(test) => Some(test),
                TreeRow::Group(_) => None,
            },
            ScreenKind::Detail => self.detail,
            ScreenKind::Workers | ScreenKind::Cluster => None,
        }
    }
}
