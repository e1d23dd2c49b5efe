//! What each action does to the dashboard.

use crossterm::event::KeyEvent;

use crate::log::Streams;
use crate::model::{Row, TestState};
use maelstrom_model::event::{Command, SourceLocation};
use maelstrom_model::ids::TestId;

use super::app::{App, Effect, External, Mouse, OnFinish, Overlay, Playback, Screen, Source};
use super::keys::Action;
use super::log_pane::{Direction, Timestamps, Wrap};
use super::prompt::Prompt;
use super::theme::{Fold, Role};

impl App {
    pub(super) fn key(&mut self, key: KeyEvent, now_us: u64, effects: &mut Vec<Effect>) {
        if self.overlay_key(key, now_us, effects) {
            return;
        }
        if let Some(action) = self.keys.action(key) {
            self.act(action, now_us, effects);
        }
    }

    pub(super) fn act(&mut self, action: Action, now_us: u64, effects: &mut Vec<Effect>) {
        match action {
            Action::Overview => self.go(Screen::Overview),
            Action::Tests => self.go(Screen::Tests),
            Action::Detail => {
                let test = self.current_test().or(self.detail);
                let test = test.or_else(|| self.selected_failure());
                self.open_detail(test.or_else(|| self.selected_running()), effects);
            }
            Action::Workers => self.go(Screen::Workers),
            Action::Cluster => self.go(Screen::Cluster),
            Action::NextPane => self.next_pane(1),
            Action::PreviousPane => self.next_pane(-1),
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::Down => self.move_by(1, effects),
            Action::Up => self.move_by(-1, effects),
            Action::PageDown => self.move_by(self.half_page(), effects),
            Action::PageUp => self.move_by(-self.half_page(), effects),
            Action::Top => self.move_to_end(Direction::Previous),
            Action::Bottom => self.move_to_end(Direction::Next),
            Action::Left => self.sideways(Direction::Previous),
            Action::Right => self.sideways(Direction::Next),
            Action::FoldAll => self.fold_all(Fold::Closed),
            Action::UnfoldAll => self.fold_all(Fold::Open),
            Action::NextFailure => self.next_failure(Direction::Next, now_us, effects),
            Action::PreviousFailure => self.next_failure(Direction::Previous, now_us, effects),
            Action::Open => self.open(effects),
            Action::Back => self.back(),
            Action::Search => self.begin_search(),
            Action::NextMatch => self.next_match(Direction::Next, now_us),
            Action::PreviousMatch => self.next_match(Direction::Previous, now_us),
            Action::FailuresOnly => {
                self.rows.toggle_failures();
                self.go(Screen::Tests);
            }
            Action::Sort => {
                self.rows.next_sort();
                self.go(Screen::Tests);
            }
            Action::Palette => {
                self.overlay = Overlay::Palette {
                    prompt: Prompt::default(),
                    selected: 0,
                };
            }
            Action::Help => self.overlay = Overlay::Help { top: 0 },
            Action::Mark => self.mark(effects),
            Action::Rerun => {
                let tests = if self.marked.is_empty() {
                    self.selected_tests()
                } else {
                    std::mem::take(&mut self.marked).into_iter().collect()
                };
                self.rerun(tests, "there is no test selected", now_us, effects);
            }
            Action::RerunFailed => {
                let tests = self.live().failures.clone();
                self.rerun(tests, "nothing has failed", now_us, effects);
            }
            Action::RerunAll => {
                let tests = self.live().tests.ids().collect();
                self.rerun(tests, "there are no tests yet", now_us, effects);
            }
            Action::CancelTest => self.cancel_tests(now_us, effects),
            Action::CancelRun => self.cancel_run(now_us, effects),
            Action::Freeze => self.toggle_freeze(),
            Action::PauseStarting => self.toggle_pause(effects),
            Action::Step => match self.source {
                Source::Recording => {
                    if self.playback == Playback::Going {
                        self.toggle_pause(effects);
                    }
                    effects.push(Effect::Step);
                }
                Source::Live => {
                    let text = "only a recording can be stepped through";
                    self.remark(text, Role::Notice, now_us);
                }
            },
            Action::Shell => self.shell(now_us, effects),
            Action::Edit => self.edit(now_us, effects),
            Action::Follow => {
                let size = self.log_size();
                self.log.toggle_follow(&self.logs, size);
            }
            Action::Wrap => {
                self.log.wrap = match self.log.wrap {
                    Wrap::On => Wrap::Off,
                    Wrap::Off => Wrap::On,
                };
                self.log.column = 0;
            }
            Action::Timestamps => {
                self.log.timestamps = match self.log.timestamps {
                    Timestamps::Shown => Timestamps::Hidden,
                    Timestamps::Hidden => Timestamps::Shown,
                };
            }
            Action::Streams if self.log.is_joined(&self.logs) => {
                let text =
                    "stdout and stderr of this test are one stream, so that their order is kept";
                self.remark(text, Role::Notice, now_us);
            }
            Action::Streams => self.log.set_streams(match self.log.streams {
                Streams::Both => Streams::Stdout,
                Streams::Stdout => Streams::Stderr,
                Streams::Stderr => Streams::Both,
            }),
            Action::Pager => match self.log_key() {
                Some(log) => effects.push(Effect::Run(External::Pager { log })),
                None => self.remark("there is no log to show", Role::Notice, now_us),
            },
            Action::CopyName => match self.current_test() {
                Some(test) => {
                    let name = self.model().tests.title(test).to_owned();
                    self.remark("the name was copied", Role::Notice, now_us);
                    effects.push(Effect::Copy(name));
                }
                None => self.remark("there is no test selected", Role::Notice, now_us),
            },
            Action::CopyLog => self.copy_log(now_us, effects),
            Action::Mouse => {
                self.mouse = match self.mouse {
                    Mouse::Taken => Mouse::Given,
                    Mouse::Given => Mouse::Taken,
                };
                effects.push(Effect::Mouse(self.mouse));
            }
            Action::Repaint => effects.push(Effect::Repaint),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Interrupt => self.leave(effects),
            Action::Quit => {
                if self.live().is_active() && self.source == Source::Live {
                    self.overlay = Overlay::ConfirmQuit;
                } else {
                    self.leave(effects);
                }
            }
        }
    }

    /// Pauses (or resumes) the starting of tests, or a recording.
    fn toggle_pause(&mut self, effects: &mut Vec<Effect>) {
        let paused = match self.source {
            Source::Live => self.live().paused,
            Source::Recording => self.playback == Playback::Paused,
        };
        let (command, playback) = match paused {
            true => (Command::Resume, Playback::Going),
            false => (Command::Pause, Playback::Paused),
        };
        self.playback = playback;
        effects.push(Effect::Send(command));
    }

    fn mark(&mut self, effects: &mut Vec<Effect>) {
        for test in self.selected_tests() {
            if !self.marked.remove(&test) {
                self.marked.insert(test);
            }
        }
        self.move_by(1, effects);
    }

    /// The selected test, or all tests of the selected group.
    fn selected_tests(&self) -> Vec<TestId> {
        if let (Screen::Tests, Some(Row::Group(group))) = (self.screen, self.rows.selected_row()) {
            let lines = self.model().tests.tree().preorder();
            let at = lines.iter().position(|line| line.row == Row::Group(group));
            let inside = at.and_then(|at| lines.get(at..lines.get(at)?.end as usize));
            return inside
                .unwrap_or_default()
                .iter()
                .filter_map(|line| match line.row {
                    Row::Test(test) => Some(test),
                    Row::Group(_) => None,
                })
                .collect();
        }
        self.current_test().into_iter().collect()
    }

    fn rerun(&mut self, tests: Vec<TestId>, none: &str, now_us: u64, effects: &mut Vec<Effect>) {
        if self.source == Source::Recording {
            self.remark("a recording cannot run tests", Role::Notice, now_us);
        } else if tests.is_empty() {
            self.remark(none, Role::Notice, now_us);
        } else {
            effects.push(Effect::Send(Command::Rerun { tests }));
        }
    }

    fn cancel_tests(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
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
            self.remark("what is selected does not run", Role::Notice, now_us);
        }
        let cancel = open
            .into_iter()
            .map(|test| Effect::Send(Command::CancelTest { test }));
        effects.extend(cancel);
    }

    fn cancel_run(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if self.live().is_active() {
            effects.push(Effect::Send(Command::Cancel));
        } else {
            self.remark("nothing runs", Role::Notice, now_us);
        }
    }

    fn shell(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let Some(test) = self.current_test() else {
            self.remark("there is no test selected", Role::Notice, now_us);
            return;
        };
        if self.model().description(test).is_some() || self.source == Source::Recording {
            self.open_shell(test, now_us, effects);
        } else {
            self.shell_wanted = Some(test);
            effects.push(Effect::Send(Command::Describe { test }));
        }
    }

    pub(super) fn open_shell(&mut self, test: TestId, now_us: u64, effects: &mut Vec<Effect>) {
        let description = self.live().description(test);
        match description.and_then(|description| description.shell.clone()) {
            Some(command) => effects.push(Effect::Run(External::Shell { command })),
            None => self.remark("no shell can be opened for this test", Role::Notice, now_us),
        }
    }

    fn edit(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        match self.location() {
            Some((path, line)) => effects.push(Effect::Run(External::Editor { path, line })),
            None => self.remark(
                "it is not known where in the source this test failed",
                Role::Notice,
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
            (OnFinish::Auto, Source::Live) => self.live().is_green() && !self.touched,
            // Who shows a recording wants to see it, whatever became of the run.
            (OnFinish::Auto, Source::Recording) | (OnFinish::Stay, _) => false,
            (OnFinish::Exit, _) => true,
        }
    }

    pub(super) fn source_location(&self) -> Option<&SourceLocation> {
        let mut attempts = self.model().tests.attempts(self.current_test()?);
        attempts.find_map(|record| record.finished.as_ref()?.location.as_ref())
    }

    fn copy_log(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        /// Terminals refuse longer texts; some hang.
        const COPY_BYTES_MAX: usize = 1 << 20;
        let Some(key) = self.log_key() else {
            self.remark("there is no log to copy", Role::Notice, now_us);
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
        self.remark("the log was copied", Role::Notice, now_us);
        effects.push(Effect::Copy(text));
    }
}
