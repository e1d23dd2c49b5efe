//! Runs the dashboard's actions.

use crossterm::event::KeyEvent;

use crate::log::StreamFilter;
use crate::model::{TestState, TreeRow};
use maelstrom_model::event::{SourceLocation, UiCommand};
use maelstrom_model::ids::TestId;

use super::app::{
    App, AppEffect, EventSource, ExternalProgram, MouseCapture, OnFinish, PlaybackState,
    ScreenKind, ScreenOverlay,
};
use super::keys::DashboardAction;
use super::log_pane::{LineWrap, MoveDirection, TimestampVisibility};
use super::prompt::TextPrompt;
use super::theme::{FoldState, StyleRole};

impl App {
    pub(super) fn key(&mut self, key: KeyEvent, now_us: u64, effects: &mut Vec<AppEffect>) {
        if self.overlay_key(key, now_us, effects) {
            return;
        }
        if let Some(action) = self.keys.action(key) {
            self.run_action(action, now_us, effects);
        }
    }

    pub(super) fn run_action(
        &mut self,
        action: DashboardAction,
        now_us: u64,
        effects: &mut Vec<AppEffect>,
    ) {
        match action {
            DashboardAction::Overview => self.go(ScreenKind::Overview),
            DashboardAction::Tests => self.go(ScreenKind::Tests),
            DashboardAction::Detail => {
                let test = self.current_test().or(self.detail);
                let test = test.or_else(|| self.selected_failure());
                self.open_detail(test.or_else(|| self.selected_running()), effects);
            }
            DashboardAction::Workers => self.go(ScreenKind::Workers),
            DashboardAction::Cluster => self.go(ScreenKind::Cluster),
            DashboardAction::NextPane => self.next_pane(1),
            DashboardAction::PreviousPane => self.next_pane(-1),
            DashboardAction::Zoom => self.zoomed = !self.zoomed,
            DashboardAction::Down => self.move_by(1, effects),
            DashboardAction::Up => self.move_by(-1, effects),
            DashboardAction::PageDown => self.move_by(self.half_page(), effects),
            DashboardAction::PageUp => self.move_by(-self.half_page(), effects),
            DashboardAction::Top => self.move_to_end(MoveDirection::Previous),
            DashboardAction::Bottom => self.move_to_end(MoveDirection::Next),
            DashboardAction::Left => self.sideways(MoveDirection::Previous),
            DashboardAction::Right => self.sideways(MoveDirection::Next),
            DashboardAction::FoldAll => self.fold_all(FoldState::Closed),
            DashboardAction::UnfoldAll => self.fold_all(FoldState::Open),
            DashboardAction::NextFailure => self.next_failure(MoveDirection::Next, now_us, effects),
            DashboardAction::PreviousFailure => {
                self.next_failure(MoveDirection::Previous, now_us, effects)
            }
            DashboardAction::Open => self.open(effects),
            DashboardAction::Back => self.back(),
            DashboardAction::Search => self.begin_search(),
            DashboardAction::NextMatch => self.next_match(MoveDirection::Next, now_us),
            DashboardAction::PreviousMatch => self.next_match(MoveDirection::Previous, now_us),
            DashboardAction::FailuresOnly => {
                self.rows.toggle_failures();
                self.go(ScreenKind::Tests);
            }
            DashboardAction::Sort => {
                self.rows.next_sort();
                self.go(ScreenKind::Tests);
            }
            DashboardAction::Palette => {
                self.overlay = ScreenOverlay::Palette {
                    prompt: TextPrompt::default(),
                    selected: 0,
                };
            }
            DashboardAction::Help => self.overlay = ScreenOverlay::Help { top: 0 },
            DashboardAction::Mark => self.mark(effects),
            DashboardAction::Rerun => {
                let tests = if self.marked.is_empty() {
                    self.selected_tests()
                } else {
                    std::mem::take(&mut self.marked).into_iter().collect()
                };
                self.rerun(tests, "there is no test selected", now_us, effects);
            }
            DashboardAction::RerunFailed => {
                let tests = self.live().failures.clone();
                self.rerun(tests, "nothing has failed", now_us, effects);
            }
            DashboardAction::RerunAll => {
                let tests = self.live().tests.ids().collect();
                self.rerun(tests, "there are no tests yet", now_us, effects);
            }
            DashboardAction::CancelTest => self.cancel_tests(now_us, effects),
            DashboardAction::CancelRun => self.cancel_run(now_us, effects),
            DashboardAction::Freeze => self.toggle_freeze(),
            DashboardAction::PauseStarting => self.toggle_pause(effects),
            DashboardAction::Step => match self.source {
                EventSource::Recording => {
                    if self.playback == PlaybackState::Going {
                        self.toggle_pause(effects);
                    }
                    effects.push(AppEffect::Step);
                }
                EventSource::Live => {
                    let text = "only a recording can be stepped through";
                    self.set_status_message(text, StyleRole::Notice, now_us);
                }
            },
            DashboardAction::Shell => self.shell(now_us, effects),
            DashboardAction::Edit => self.edit(now_us, effects),
            DashboardAction::Follow => {
                let size = self.log_size();
                self.log.toggle_follow(&self.logs, size);
            }
            DashboardAction::Wrap => {
                self.log.wrap = match self.log.wrap {
                    LineWrap::On => LineWrap::Off,
                    LineWrap::Off => LineWrap::On,
                };
                self.log.column = 0;
            }
            DashboardAction::Timestamps => {
                self.log.timestamps = match self.log.timestamps {
                    TimestampVisibility::Shown => TimestampVisibility::Hidden,
                    TimestampVisibility::Hidden => TimestampVisibility::Shown,
                };
            }
            DashboardAction::Streams if self.log.is_joined(&self.logs) => {
                let text =
                    "stdout and stderr of this test are one stream, so that their order is kept";
                self.set_status_message(text, StyleRole::Notice, now_us);
            }
            DashboardAction::Streams => self.log.set_streams(match self.log.streams {
                StreamFilter::Both => StreamFilter::Stdout,
                StreamFilter::Stdout => StreamFilter::Stderr,
                StreamFilter::Stderr => StreamFilter::Both,
            }),
            DashboardAction::Pager => match self.log_key() {
                Some(log) => effects.push(AppEffect::Run(ExternalProgram::Pager { log })),
                None => {
                    self.set_status_message("there is no log to show", StyleRole::Notice, now_us)
                }
            },
            DashboardAction::CopyName => match self.current_test() {
                Some(test) => {
                    let name = self.model().tests.title(test).to_owned();
                    self.set_status_message("the name was copied", StyleRole::Notice, now_us);
                    effects.push(AppEffect::Copy(name));
                }
                None => {
                    self.set_status_message("there is no test selected", StyleRole::Notice, now_us)
                }
            },
            DashboardAction::CopyLog => self.copy_log(now_us, effects),
            DashboardAction::Mouse => {
                self.mouse = match self.mouse {
                    MouseCapture::Taken => MouseCapture::Given,
                    MouseCapture::Given => MouseCapture::Taken,
                };
                effects.push(AppEffect::Mouse(self.mouse));
            }
            DashboardAction::Repaint => effects.push(AppEffect::Repaint),
            DashboardAction::Suspend => effects.push(AppEffect::Suspend),
            DashboardAction::Interrupt => self.leave(effects),
            DashboardAction::Quit => {
                if self.live().is_active() && self.source == EventSource::Live {
                    self.overlay = ScreenOverlay::ConfirmQuit;
                } else {
                    self.leave(effects);
                }
            }
        }
    }

    /// Pauses (or resumes) the starting of tests, or a recording.
    fn toggle_pause(&mut self, effects: &mut Vec<AppEffect>) {
        let paused = match self.source {
            EventSource::Live => self.live().paused,
            EventSource::Recording => self.playback == PlaybackState::Paused,
        };
        let (command, playback) = match paused {
            true => (UiCommand::Resume, PlaybackState::Going),
            false => (UiCommand::Pause, PlaybackState::Paused),
        };
        self.playback = playback;
        effects.push(AppEffect::Send(command));
    }

    fn mark(&mut self, effects: &mut Vec<AppEffect>) {
        for test in self.selected_tests() {
            if !self.marked.remove(&test) {
                self.marked.insert(test);
            }
        }
        self.move_by(1, effects);
    }

    /// The selected test, or all tests of the selected group.
    fn selected_tests(&self) -> Vec<TestId> {
        if let (ScreenKind::Tests, Some(TreeRow::Group(group))) =
            (self.screen, self.rows.selected_row())
        {
            let lines = self.model().tests.tree().preorder();
            let at = lines
                .iter()
                .position(|line| line.row == TreeRow::Group(group));
            let inside = at.and_then(|at| lines.get(at..lines.get(at)?.end as usize));
            return inside
                .unwrap_or_default()
                .iter()
                .filter_map(|line| match line.row {
                    TreeRow::Test(test) => Some(test),
                    TreeRow::Group(_) => None,
                })
                .collect();
        }
        self.current_test().into_iter().collect()
    }

    fn rerun(&mut self, tests: Vec<TestId>, none: &str, now_us: u64, effects: &mut Vec<AppEffect>) {
        if self.source == EventSource::Recording {
            self.set_status_message("a recording cannot run tests", StyleRole::Notice, now_us);
        } else if tests.is_empty() {
            self.set_status_message(none, StyleRole::Notice, now_us);
        } else {
            effects.push(AppEffect::Send(UiCommand::Rerun { tests }));
        }
    }

    fn cancel_tests(&mut self, now_us: u64, effects: &mut Vec<AppEffect>) {
        let live = self.live();
        let open: Vec<TestId> = self
            .selected_tests()
            .into_iter()
            .filter(|test| {
                let state = live.tests.state(*test);
                matches!(state, TestState::Running | TestState::Queued)
            })
            .collect();
        if open.is_empty() {
            self.set_status_message("what is selected does not run", StyleRole::Notice, now_us);
        }
        let cancel = open
            .into_iter()
            .map(|test| AppEffect::Send(UiCommand::CancelTest { test }));
        effects.extend(cancel);
    }

    fn cancel_run(&mut self, now_us: u64, effects: &mut Vec<AppEffect>) {
        if self.live().is_active() {
            effects.push(AppEffect::Send(UiCommand::Cancel));
        } else {
            self.set_status_message("nothing runs", StyleRole::Notice, now_us);
        }
    }

    fn shell(&mut self, now_us: u64, effects: &mut Vec<AppEffect>) {
        let Some(test) = self.current_test() else {
            self.set_status_message("there is no test selected", StyleRole::Notice, now_us);
            return;
        };
        if self.model().description(test).is_some() || self.source == EventSource::Recording {
            self.open_shell(test, now_us, effects);
        } else {
            self.shell_wanted = Some(test);
            effects.push(AppEffect::Send(UiCommand::Describe { test }));
        }
    }

    pub(super) fn open_shell(&mut self, test: TestId, now_us: u64, effects: &mut Vec<AppEffect>) {
        let description = self.live().description(test);
        match description.and_then(|description| description.shell.clone()) {
            Some(command) => effects.push(AppEffect::Run(ExternalProgram::Shell { command })),
            None => self.set_status_message(
                "no shell can be opened for this test",
                StyleRole::Notice,
                now_us,
            ),
        }
    }

    fn edit(&mut self, now_us: u64, effects: &mut Vec<AppEffect>) {
        match self.location() {
            Some((path, line)) => {
                effects.push(AppEffect::Run(ExternalProgram::Editor { path, line }))
            }
            None => self.set_status_message(
                "it is not known where in the source this test failed",
                StyleRole::Notice,
                now_us,
            ),
        }
    }

    /// Where the current test failed: an absolute path, and a line.
    pub(super) fn location(&self) -> Option<(String, u32)> {
        let model = self.model();
        let location = self.source_location()?;
        let directory = model.run.as_ref().map_or("", |run| run.directory.as_str());
        let path = std::path::Path::new(directory).join(&location.path);
        Some((path.to_string_lossy().into_owned(), location.line))
    }

    /// Whether a run that is over leaves nothing for the person to see: then the dashboard closes
    /// unless they have pressed a key, which may be the first of several.
    pub(super) fn closes_by_itself(&self) -> bool {
        match (self.on_finish, self.source) {
            (OnFinish::Auto, EventSource::Live) => self.live().is_green() && !self.touched,
            // Who shows a recording wants to see it, whatever became of the run.
            (OnFinish::Auto, EventSource::Recording) | (OnFinish::Stay, _) => false,
            (OnFinish::Exit, _) => true,
        }
    }

    pub(super) fn source_location(&self) -> Option<&SourceLocation> {
        let mut attempts = self.model().tests.attempts(self.current_test()?);
        attempts.find_map(|record| record.finished.as_ref()?.location.as_ref())
    }

    fn copy_log(&mut self, now_us: u64, effects: &mut Vec<AppEffect>) {
        /// Terminals refuse longer texts; some hang.
        const COPY_BYTES_MAX: usize = 1 << 20;
        let Some(key) = self.log_key() else {
            self.set_status_message("there is no log to copy", StyleRole::Notice, now_us);
            return;
        };
        let mut text = String::new();
        self.logs
            .for_each_line(key, self.log.streams, 0..usize::MAX, |line| {
                if text.len() < COPY_BYTES_MAX {
                    text.push_str(&super::ansi::plain(line.bytes));
                    text.push('\n');
                }
            });
        self.set_status_message("the log was copied", StyleRole::Notice, now_us);
        effects.push(AppEffect::Copy(text));
    }
}
