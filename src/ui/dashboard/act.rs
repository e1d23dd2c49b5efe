//! What each action does to the dashboard.

use crossterm::event::KeyEvent;

use crate::engine::event::Command;
use crate::engine::ids::TestId;
use crate::ui::log::Streams;
use crate::ui::model::{Model, Row, TestState};

use super::app::{
    App, Effect, External, Mouse, Overlay, Pane, Playback, Screen, SearchTarget, Source,
};
use super::keys::Action;
use super::layout;
use super::log_pane::{Direction, Timestamps, Wrap};
use super::prompt::Prompt;
use super::rows::Show;
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

    pub(super) fn go(&mut self, screen: Screen) {
        if self.screen == screen {
            return;
        }
        self.screen = screen;
        self.zoomed = false;
        self.focus = match screen {
            Screen::Overview => self.list,
            Screen::Tests | Screen::Detail | Screen::Workers | Screen::Cluster => {
                layout::panes(screen).first().copied().unwrap_or_default()
            }
        };
    }

    pub(super) fn set_focus(&mut self, pane: Pane) {
        self.focus = pane;
        if matches!(pane, Pane::Failures | Pane::Running) {
            self.list = pane;
        }
    }

    fn next_pane(&mut self, by: isize) {
        let panes = layout::panes(self.screen);
        let here = panes.iter().position(|pane| *pane == self.focus);
        let next = here.unwrap_or(0) as isize + by;
        let next = next.rem_euclid(panes.len() as isize) as usize;
        if let Some(pane) = panes.get(next) {
            self.set_focus(*pane);
        }
    }

    fn half_page(&self) -> isize {
        let height = self.layout().height(self.focus);
        (height / 2).max(1) as isize
    }

    pub(super) fn move_by(&mut self, by: isize, effects: &mut Vec<Effect>) {
        let moved = |index: usize, len: usize| {
            let last = len.saturating_sub(1) as isize;
            (index as isize + by).clamp(0, last.max(0)) as usize
        };
        match self.focus {
            Pane::Log => {
                let size = self.log_size();
                self.log.scroll(&self.logs, size, by);
            }
            Pane::Failures => {
                let failures = &self.model().failures;
                let index = moved(self.failure_index(), failures.len());
                self.failure = failures.get(index).copied().or(self.failure);
            }
            Pane::Running => {
                let running: Vec<TestId> = self.model().running().map(|(_, test)| test).collect();
                let here = self.selected_running();
                let index = running.iter().position(|test| Some(*test) == here);
                let index = moved(index.unwrap_or(0), running.len());
                self.running = running.get(index).copied().or(self.running);
            }
            Pane::Tests => {
                let index = moved(self.rows.selected_index(), self.rows.list().len());
                let height = self.layout().height(Pane::Tests);
                self.rows.select_index(index, height);
            }
            Pane::Workers | Pane::WorkerList => {
                let ids: Vec<_> = self.model().workers().map(|worker| worker.id).collect();
                let here = ids.iter().position(|id| Some(*id) == self.worker);
                self.worker = ids.get(moved(here.unwrap_or(0), ids.len())).copied();
            }
            Pane::Facts => {
                let direction = if by > 0 {
                    Direction::Next
                } else {
                    Direction::Previous
                };
                self.change_attempt(direction);
            }
            Pane::Slots | Pane::Cluster => {}
        }
        self.describe_shown(effects);
    }

    fn move_to_end(&mut self, direction: Direction) {
        match (self.focus, direction) {
            (Pane::Log, Direction::Previous) => self.log.rewind(),
            (Pane::Log, Direction::Next) => self.log.follow(),
            (_, Direction::Previous) => self.move_by(isize::MIN / 2, &mut Vec::new()),
            (_, Direction::Next) => self.move_by(isize::MAX / 2, &mut Vec::new()),
        }
    }

    fn sideways(&mut self, direction: Direction) {
        match (self.focus, direction) {
            (Pane::Log, Direction::Next) if self.log.wrap == Wrap::Off => self.log.column += 8,
            (Pane::Log, Direction::Previous) if self.log.wrap == Wrap::Off => {
                self.log.column = self.log.column.saturating_sub(8);
            }
            (Pane::Log | Pane::Facts, _) if self.screen == Screen::Detail => {
                self.change_attempt(direction);
            }
            (Pane::Tests, _) => self.fold_sideways(direction),
            _ => {}
        }
    }

    fn fold_sideways(&mut self, direction: Direction) {
        let Some(row) = self.rows.selected_row() else {
            return;
        };
        match (row, direction) {
            (Row::Group(group), Direction::Next) => self.rows.set_fold(group, Fold::Open),
            (Row::Group(group), Direction::Previous) if self.rows.fold(group) == Fold::Open => {
                self.rows.set_fold(group, Fold::Closed);
            }
            (Row::Group(_) | Row::Test(_), Direction::Previous) => {
                if let Some(parent) = self.model().tests.tree().parent(row) {
                    self.rows.selected = Some(Row::Group(parent));
                }
            }
            (Row::Test(_), Direction::Next) => {}
        }
    }

    fn fold_all(&mut self, fold: Fold) {
        if let Some(Row::Test(test)) = self.rows.selected
            && fold == Fold::Closed
        {
            // What is folded away cannot stay selected: its package is the nearest thing shown.
            let tree = self.model().tests.tree();
            let mut row = Row::Test(test);
            while let Some(parent) = tree.parent(row) {
                row = Row::Group(parent);
            }
            self.rows.selected = Some(row);
        }
        let model: &Model = self.model();
        let tests = model.tests.tree().group_count();
        if tests > 0 {
            let tests = std::mem::take(&mut self.rows);
            let mut rows = tests;
            rows.set_all_folds(fold, &self.model().tests);
            self.rows = rows;
        }
    }

    fn change_attempt(&mut self, direction: Direction) {
        let (Some(test), Some((_, shown))) = (self.detail, self.log_key()) else {
            return;
        };
        let attempts = self
            .model()
            .tests
            .attempts(test)
            .map(|record| record.attempt);
        self.detail_attempt = match direction {
            Direction::Next => attempts
                .filter(|other| *other > shown)
                .min()
                .or(Some(shown)),
            Direction::Previous => attempts
                .filter(|other| *other < shown)
                .max()
                .or(Some(shown)),
        };
    }

    fn next_failure(&mut self, direction: Direction, now_us: u64, effects: &mut Vec<Effect>) {
        let failures = self.model().failures.clone();
        if failures.is_empty() {
            self.remark("nothing has failed", Role::Notice, now_us);
            return;
        }
        let here = match self.screen {
            Screen::Overview => self.failure,
            Screen::Tests | Screen::Detail | Screen::Workers | Screen::Cluster => {
                self.current_test()
            }
        };
        let here = failures.iter().position(|test| Some(*test) == here);
        let last = failures.len() - 1;
        let (next, wrapped) = match (here, direction) {
            (None, Direction::Next) => (0, false),
            (None, Direction::Previous) => (last, false),
            (Some(index), Direction::Next) if index == last => (0, true),
            (Some(index), Direction::Next) => (index + 1, false),
            (Some(0), Direction::Previous) => (last, true),
            (Some(index), Direction::Previous) => (index - 1, false),
        };
        if wrapped {
            let text = match direction {
                Direction::Next => "that was the last failure: back to the first",
                Direction::Previous => "that was the first failure: on to the last",
            };
            self.remark(text, Role::Notice, now_us);
        }
        let Some(test) = failures.get(next).copied() else {
            return;
        };
        self.failure = Some(test);
        match self.screen {
            Screen::Overview => self.set_focus(Pane::Failures),
            Screen::Tests => self.reveal(test),
            Screen::Detail => self.open_detail(Some(test), effects),
            Screen::Workers | Screen::Cluster => self.go(Screen::Overview),
        }
    }

    fn reveal(&mut self, test: TestId) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.reveal(test, &self.model().tests);
        self.rows = rows;
    }

    fn open(&mut self, effects: &mut Vec<Effect>) {
        match (self.screen, self.rows.selected_row()) {
            (Screen::Tests, Some(Row::Group(group))) => {
                let fold = match self.rows.fold(group) {
                    Fold::Open => Fold::Closed,
                    Fold::Closed => Fold::Open,
                };
                self.rows.set_fold(group, fold);
            }
            (Screen::Overview | Screen::Tests, _) => {
                self.open_detail(self.current_test(), effects);
            }
            (Screen::Detail | Screen::Workers | Screen::Cluster, _) => {}
        }
    }

    pub(super) fn open_detail(&mut self, test: Option<TestId>, effects: &mut Vec<Effect>) {
        if self.screen != Screen::Detail {
            self.before_detail = self.screen;
        }
        if self.detail != test {
            self.detail_attempt = None;
        }
        self.detail = test;
        self.go(Screen::Detail);
        self.describe_shown(effects);
    }

    /// Asks for what the detail screen shows beyond the events, once.
    fn describe_shown(&mut self, effects: &mut Vec<Effect>) {
        if let (Screen::Detail, Some(test)) = (self.screen, self.detail)
            && self.model().description(test).is_none()
            && self.source == Source::Live
        {
            effects.push(Effect::Send(Command::Describe { test }));
        }
    }

    fn back(&mut self) {
        if self.zoomed {
            self.zoomed = false;
        } else if self.focus == Pane::Log && self.log.search.is_some() {
            self.log.search = None;
        } else if self.screen == Screen::Tests && !self.rows.finder.pattern().is_empty() {
            self.set_finder("");
        } else if self.screen == Screen::Tests && self.rows.show == Show::Failures {
            self.rows.toggle_failures();
        } else {
            self.go(match self.screen {
                Screen::Detail => self.before_detail,
                Screen::Overview | Screen::Tests | Screen::Workers | Screen::Cluster => {
                    Screen::Overview
                }
            });
        }
    }

    fn begin_search(&mut self) {
        let target = match (self.screen, self.focus) {
            (Screen::Detail, _) | (_, Pane::Log) => SearchTarget::Log,
            _ => SearchTarget::Names,
        };
        let text = match target {
            SearchTarget::Names => {
                self.go(Screen::Tests);
                self.set_focus(Pane::Tests);
                self.rows.finder.pattern().to_owned()
            }
            SearchTarget::Log => self
                .log
                .search
                .as_ref()
                .map_or_else(String::new, |s| s.pattern.clone()),
        };
        let prompt = Prompt::with(&text);
        self.overlay = Overlay::Search { prompt, target };
    }

    pub(super) fn next_match(&mut self, direction: Direction, now_us: u64) {
        if self.focus == Pane::Tests {
            let by = match direction {
                Direction::Next => 1,
                Direction::Previous => -1,
            };
            self.move_by(by, &mut Vec::new());
            return;
        }
        let size = self.log_size();
        if self.log.search.is_none() {
            self.remark("nothing is searched: / begins", Role::Notice, now_us);
        } else if !self.log.jump(&self.logs, size, direction) {
            self.remark("nothing in this log matches", Role::Notice, now_us);
        }
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
        let attempts = model.tests.attempts(self.current_test()?);
        let location = attempts
            .filter_map(|record| record.finished.as_ref()?.location.as_ref())
            .next()?;
        let directory = model.run.as_ref().map_or("", |run| run.directory.as_str());
        let path = std::path::Path::new(directory).join(&location.path);
        Some((path.to_string_lossy().into_owned(), location.line))
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
