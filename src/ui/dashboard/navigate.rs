//! Moving: between screens and panes, through lists, logs, failures and matches.

use crate::model::Row;
use maelstrom_model::event::Command;
use maelstrom_model::ids::TestId;

use super::app::{App, Effect, Overlay, Pane, Screen, SearchTarget, Source};
use super::layout;
use super::log_pane::{Direction, Wrap};
use super::prompt::Prompt;
use super::rows::Show;
use super::theme::{Fold, Role};

impl App {
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

    pub(super) fn next_pane(&mut self, by: isize) {
        let panes = layout::panes(self.screen);
        let here = panes.iter().position(|pane| *pane == self.focus);
        let next = here.unwrap_or(0) as isize + by;
        let next = next.rem_euclid(panes.len() as isize) as usize;
        if let Some(pane) = panes.get(next) {
            self.set_focus(*pane);
        }
    }

    pub(super) fn half_page(&self) -> isize {
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

    pub(super) fn move_to_end(&mut self, direction: Direction) {
        match (self.focus, direction) {
            (Pane::Log, Direction::Previous) => self.log.rewind(),
            (Pane::Log, Direction::Next) => self.log.follow(),
            (_, Direction::Previous) => self.move_by(isize::MIN / 2, &mut Vec::new()),
            (_, Direction::Next) => self.move_by(isize::MAX / 2, &mut Vec::new()),
        }
    }

    pub(super) fn sideways(&mut self, direction: Direction) {
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

    pub(super) fn fold_sideways(&mut self, direction: Direction) {
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

    pub(super) fn fold_all(&mut self, fold: Fold) {
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
        let mut rows = std::mem::take(&mut self.rows);
        rows.set_all_folds(fold, &self.model().tests);
        self.rows = rows;
    }

    pub(super) fn change_attempt(&mut self, direction: Direction) {
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

    pub(super) fn next_failure(
        &mut self,
        direction: Direction,
        now_us: u64,
        effects: &mut Vec<Effect>,
    ) {
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

    pub(super) fn reveal(&mut self, test: TestId) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.reveal(test, &self.model().tests);
        self.rows = rows;
    }

    pub(super) fn open(&mut self, effects: &mut Vec<Effect>) {
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
    pub(super) fn describe_shown(&mut self, effects: &mut Vec<Effect>) {
        if let (Screen::Detail, Some(test)) = (self.screen, self.detail)
            && self.model().description(test).is_none()
            && self.source == Source::Live
        {
            effects.push(Effect::Send(Command::Describe { test }));
        }
    }

    pub(super) fn back(&mut self) {
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

    pub(super) fn begin_search(&mut self) {
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
}
