//! Navigation between screens and panes, and through lists, logs, failures and matches.

use crate::model::{TreeRow, WorkerModel};
use maelstrom_model::event::UiCommand;
use maelstrom_model::ids::TestId;

use super::app::{App, AppEffect, EventSource, PaneKind, ScreenKind, ScreenOverlay, SearchTarget};
use super::layout;
use super::log_pane::{LineWrap, MoveDirection};
use super::prompt::TextPrompt;
use super::rows::RowFilter;
use super::scroll;
use super::theme::{FoldState, StyleRole};

impl App {
    /// The worker that is chosen, or else the first.
    pub(super) fn selected_worker(&self) -> Option<&WorkerModel> {
        let model = self.model();
        let chosen = self.worker.and_then(|id| model.worker(id));
        chosen.or_else(|| model.workers().next())
    }

    /// The first worker that a list of this many lines shows, its heading being one of them.
    pub(super) fn first_worker_shown(&self, lines: u16) -> usize {
        let selected = self.selected_worker().map(|worker| worker.id);
        let mut ids = self.model().workers().map(|worker| worker.id);
        let at = ids.position(|id| Some(id) == selected).unwrap_or(0);
        let count = self.model().workers().count();
        scroll::top(0, at, count, usize::from(lines.saturating_sub(1)))
    }

    pub(super) fn go(&mut self, screen: ScreenKind) {
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

    pub(super) fn set_focus(&mut self, pane: PaneKind) {
        self.focus = pane;
        if matches!(pane, PaneKind::Failures | PaneKind::Running) {
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

    pub(super) fn move_by(&mut self, by: isize, effects: &mut Vec<AppEffect>) {
        let moved = |index: usize, len: usize| {
            let last = len.saturating_sub(1) as isize;
            (index as isize + by).clamp(0, last.max(0)) as usize
        };
        match self.focus {
            PaneKind::Log => {
                let size = self.log_size();
                self.log.scroll(&self.logs, size, by);
            }
            PaneKind::Failures => {
                let failures = &self.model().failures;
                let index = moved(self.failure_index(), failures.len());
                self.failure = failures.get(index).copied().or(self.failure);
            }
            PaneKind::Running => {
                let running: Vec<TestId> = self.model().running().map(|(_, test)| test).collect();
                let here = self.selected_running();
                let index = running.iter().position(|test| Some(*test) == here);
                let index = moved(index.unwrap_or(0), running.len());
                self.running = running.get(index).copied().or(self.running);
            }
            PaneKind::Tests => {
                let index = moved(self.rows.selected_index(), self.rows.list().len());
                let height = self.layout().height(PaneKind::Tests);
                self.rows.select_index(index, height);
            }
            PaneKind::Workers | PaneKind::WorkerList => {
                let ids: Vec<_> = self.model().workers().map(|worker| worker.id).collect();
                let here = ids.iter().position(|id| Some(*id) == self.worker);
                self.worker = ids.get(moved(here.unwrap_or(0), ids.len())).copied();
            }
            PaneKind::Facts => {
                let direction = if by > 0 {
                    MoveDirection::Next
                } else {
                    MoveDirection::Previous
                };
                self.change_attempt(direction);
            }
            PaneKind::Slots | PaneKind::Cluster => {}
        }
        self.describe_shown(effects);
    }

    pub(super) fn move_to_end(&mut self, direction: MoveDirection) {
        match (self.focus, direction) {
            (PaneKind::Log, MoveDirection::Previous) => self.log.rewind(),
            (PaneKind::Log, MoveDirection::Next) => self.log.follow(),
            (_, MoveDirection::Previous) => self.move_by(isize::MIN / 2, &mut Vec::new()),
            (_, MoveDirection::Next) => self.move_by(isize::MAX / 2, &mut Vec::new()),
        }
    }

    pub(super) fn sideways(&mut self, direction: MoveDirection) {
        match (self.focus, direction) {
            (PaneKind::Log, MoveDirection::Next) if self.log.wrap == LineWrap::Off => {
                self.log.column += 8
            }
            (PaneKind::Log, MoveDirection::Previous) if self.log.wrap == LineWrap::Off => {
                self.log.column = self.log.column.saturating_sub(8);
            }
            (PaneKind::Log | PaneKind::Facts, _) if self.screen == ScreenKind::Detail => {
                self.change_attempt(direction);
            }
            (PaneKind::Tests, _) => self.fold_sideways(direction),
            _ => {}
        }
    }

    pub(super) fn fold_sideways(&mut self, direction: MoveDirection) {
        let Some(row) = self.rows.selected_row() else {
            return;
        };
        match (row, direction) {
            (TreeRow::Group(group), MoveDirection::Next) => {
                self.rows.set_fold(group, FoldState::Open)
            }
            (TreeRow::Group(group), MoveDirection::Previous)
                if self.rows.fold(group) == FoldState::Open =>
            {
                self.rows.set_fold(group, FoldState::Closed);
            }
            (TreeRow::Group(_) | TreeRow::Test(_), MoveDirection::Previous) => {
                if let Some(parent) = self.model().tests.tree().parent(row) {
                    self.rows.selected = Some(TreeRow::Group(parent));
                }
            }
            (TreeRow::Test(_), MoveDirection::Next) => {}
        }
    }

    pub(super) fn fold_all(&mut self, fold: FoldState) {
        if let Some(TreeRow::Test(test)) = self.rows.selected
            && fold == FoldState::Closed
        {
            // What is folded away cannot stay selected: its package is the nearest thing shown.
            let tree = self.model().tests.tree();
            let mut row = TreeRow::Test(test);
            while let Some(parent) = tree.parent(row) {
                row = TreeRow::Group(parent);
            }
            self.rows.selected = Some(row);
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.set_all_folds(fold, &self.model().tests);
        self.rows = rows;
    }

    pub(super) fn change_attempt(&mut self, direction: MoveDirection) {
        let (Some(test), Some((_, shown))) = (self.detail, self.log_key()) else {
            return;
        };
        let attempts = self
            .model()
            .tests
            .attempts(test)
            .map(|record| record.attempt);
        self.detail_attempt = match direction {
            MoveDirection::Next => attempts
                .filter(|other| *other > shown)
                .min()
                .or(Some(shown)),
            MoveDirection::Previous => attempts
                .filter(|other| *other < shown)
                .max()
                .or(Some(shown)),
        };
    }

    pub(super) fn next_failure(
        &mut self,
        direction: MoveDirection,
        now_us: u64,
        effects: &mut Vec<AppEffect>,
    ) {
        let failures = self.model().failures.clone();
        if failures.is_empty() {
            self.set_status_message("nothing has failed", StyleRole::Notice, now_us);
            return;
        }
        let here = match self.screen {
            ScreenKind::Overview => self.failure,
            ScreenKind::Tests | ScreenKind::Detail | ScreenKind::Workers | ScreenKind::Cluster => {
                self.current_test()
            }
        };
        let here = failures.iter().position(|test| Some(*test) == here);
        let last = failures.len() - 1;
        let (next, wrapped) = match (here, direction) {
            (None, MoveDirection::Next) => (0, false),
            (None, MoveDirection::Previous) => (last, false),
            (Some(index), MoveDirection::Next) if index == last => (0, true),
            (Some(index), MoveDirection::Next) => (index + 1, false),
            (Some(0), MoveDirection::Previous) => (last, true),
            (Some(index), MoveDirection::Previous) => (index - 1, false),
        };
        if wrapped {
            let text = match direction {
                MoveDirection::Next => "that was the last failure: back to the first",
                MoveDirection::Previous => "that was the first failure: on to the last",
            };
            self.set_status_message(text, StyleRole::Notice, now_us);
        }
        let Some(test) = failures.get(next).copied() else {
            return;
        };
        self.failure = Some(test);
        match self.screen {
            ScreenKind::Overview => self.set_focus(PaneKind::Failures),
            ScreenKind::Tests => self.reveal(test),
            ScreenKind::Detail => self.open_detail(Some(test), effects),
            ScreenKind::Workers | ScreenKind::Cluster => self.go(ScreenKind::Overview),
        }
    }

    pub(super) fn reveal(&mut self, test: TestId) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.reveal(test, &self.model().tests);
        self.rows = rows;
    }

    pub(super) fn open(&mut self, effects: &mut Vec<AppEffect>) {
        match (self.screen, self.rows.selected_row()) {
            (ScreenKind::Tests, Some(TreeRow::Group(group))) => {
                let fold = match self.rows.fold(group) {
                    FoldState::Open => FoldState::Closed,
                    FoldState::Closed => FoldState::Open,
                };
                self.rows.set_fold(group, fold);
            }
            (ScreenKind::Overview | ScreenKind::Tests, _) => {
                self.open_detail(self.current_test(), effects);
            }
            (ScreenKind::Detail | ScreenKind::Workers | ScreenKind::Cluster, _) => {}
        }
    }

    pub(super) fn open_detail(&mut self, test: Option<TestId>, effects: &mut Vec<AppEffect>) {
        if self.screen != ScreenKind::Detail {
            self.before_detail = self.screen;
        }
        if self.detail != test {
            self.detail_attempt = None;
        }
        self.detail = test;
        self.go(ScreenKind::Detail);
        self.describe_shown(effects);
    }

    /// Asks for what the detail screen shows beyond the events, once.
    pub(super) fn describe_shown(&mut self, effects: &mut Vec<AppEffect>) {
        if let (ScreenKind::Detail, Some(test)) = (self.screen, self.detail)
            && self.model().description(test).is_none()
            && self.source == EventSource::Live
        {
            effects.push(AppEffect::Send(UiCommand::Describe { test }));
        }
    }

    pub(super) fn back(&mut self) {
        if self.zoomed {
            self.zoomed = false;
        } else if self.focus == PaneKind::Log && self.log.search.is_some() {
            self.log.search = None;
        } else if self.screen == ScreenKind::Tests && !self.rows.finder.pattern().is_empty() {
            self.set_finder("");
        } else if self.screen == ScreenKind::Tests && self.rows.show == RowFilter::Failures {
            self.rows.toggle_failures();
        } else {
            self.go(match self.screen {
                ScreenKind::Detail => self.before_detail,
                ScreenKind::Overview
                | ScreenKind::Tests
                | ScreenKind::Workers
                | ScreenKind::Cluster => ScreenKind::Overview,
            });
        }
    }

    pub(super) fn begin_search(&mut self) {
        let target = match (self.screen, self.focus) {
            (ScreenKind::Detail, _) | (_, PaneKind::Log) => SearchTarget::Log,
            _ => SearchTarget::Names,
        };
        let text = match target {
            SearchTarget::Names => {
                self.go(ScreenKind::Tests);
                self.set_focus(PaneKind::Tests);
                self.rows.finder.pattern().to_owned()
            }
            SearchTarget::Log => self
                .log
                .search
                .as_ref()
                .map_or_else(String::new, |s| s.pattern.clone()),
        };
        let prompt = TextPrompt::with(&text);
        self.overlay = ScreenOverlay::Search { prompt, target };
    }

    pub(super) fn next_match(&mut self, direction: MoveDirection, now_us: u64) {
        if self.focus == PaneKind::Tests {
            let by = match direction {
                MoveDirection::Next => 1,
                MoveDirection::Previous => -1,
            };
            self.move_by(by, &mut Vec::new());
            return;
        }
        let size = self.log_size();
        if self.log.search.is_none() {
            self.set_status_message("nothing is searched: / begins", StyleRole::Notice, now_us);
        } else if !self.log.jump(&self.logs, size, direction) {
            self.set_status_message("nothing in this log matches", StyleRole::Notice, now_us);
        }
    }
}
