//! The list of all tests, as a tree or as a sorted list, and the marked tests.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::{GroupId, RunModel, TestStability, TestState, TreeRow};
use maelstrom_model::event::PreviousOutcome;
use maelstrom_model::ids::TestId;

use super::super::context::{ComponentEffect, Context, MoveDirection, SyntaxChange, ViewContext};
use super::super::finder::TestFinder;
use super::super::keys::DashboardAction;
use super::super::message::ScreenKind;
use super::super::rows::{RowFilter, TestRows, VisibleRow};
use super::super::text;
use super::super::theme::{FoldState, StyleRole};
use super::super::widgets::frame::frame;
use super::super::widgets::row::{RowLine, list};
use super::pane::{DashboardPane, PaneClick, moved};
use super::test_line::{mark, remark, test_line};

/// The rows of the test list and the marked tests.
#[derive(Debug, Default)]
pub(in super::super) struct TestListPane {
    rows: TestRows,
    marked: BTreeSet<TestId>,
}

impl TestListPane {
    /// Returns the rows, as of the last refresh.
    pub(crate) fn rows(&self) -> &TestRows {
        &self.rows
    }

    /// Returns the selected row, or the first row.
    pub(crate) fn selected_row(&self) -> Option<TreeRow> {
        self.rows.selected_row()
    }

    /// Returns the search for names.
    pub(crate) fn finder(&self) -> &TestFinder {
        self.rows.finder()
    }

    /// Marks the rows to be rebuilt before the next frame.
    pub(crate) fn invalidate(&mut self) {
        self.rows.invalidate();
    }

    /// Records that tests have ended, which may affect the filter or the order.
    pub(crate) fn data_changed(&mut self) {
        self.rows.data_changed();
    }

    /// Rebuilds the rows if they are out of date.
    pub(crate) fn refresh(&mut self, model: &RunModel, run_us: u64) {
        self.rows.refresh(model, run_us);
    }

    /// Scrolls so that the selection is visible.
    pub(crate) fn keep_in_view(&mut self, height: usize) {
        self.rows.keep_in_view(height);
    }

    /// Selects a test, and opens the groups that contain it.
    pub(crate) fn reveal(&mut self, test: TestId, model: &RunModel) {
        self.rows.reveal(test, &model.tests);
    }

    /// Shows only the tests that match, and selects the best fuzzy match. Returns an error message
    /// if the pattern is invalid.
    pub(crate) fn find(
        &mut self,
        pattern: &str,
        syntax: SyntaxChange,
        model: &RunModel,
    ) -> Result<(), String> {
        let before = self.finder().syntax();
        let syntax = match syntax {
            SyntaxChange::Same => before,
            SyntaxChange::Other => before.other(),
        };
        self.rows.find(pattern, syntax, &model.tests)
    }

    /// Ends the search and shows all tests again.
    pub(crate) fn clear_finder(&mut self, model: &RunModel) {
        self.rows.clear_finder(&model.tests);
    }

    /// Ends the search or, if there is none, the filter. Returns whether there was either.
    pub(crate) fn step_back(&mut self, model: &RunModel) -> bool {
        if !self.finder().pattern().is_empty() {
            self.clear_finder(model);
            return true;
        }
        if self.rows.filter() == RowFilter::Failures {
            self.rows.toggle_failures();
            return true;
        }
        false
    }

    /// Opens or closes the selected group. Returns whether a group is selected.
    pub(crate) fn toggle_fold(&mut self) -> bool {
        let Some(TreeRow::Group(group)) = self.rows.selected_row() else {
            return false;
        };
        let fold = match self.rows.fold(group) {
            FoldState::Open => FoldState::Closed,
            FoldState::Closed => FoldState::Open,
        };
        self.rows.set_fold(group, fold);
        true
    }

    fn fold_all(&mut self, fold: FoldState, model: &RunModel) {
        if fold == FoldState::Closed {
            self.rows.select_package(&model.tests);
        }
        self.rows.set_all_folds(fold, &model.tests);
    }

    fn line<'a>(&self, ctx: &ViewContext<'a>, row: VisibleRow, columns: u16) -> Line<'a> {
        // Limit the indentation, so that a test below many modules has space for its name.
        let indent = usize::from((row.depth * 2).min(columns / 3));
        match row.row {
            TreeRow::Group(group) => {
                let fold = self.rows.fold(group);
                group_line(ctx, group, fold, indent, columns)
            }
            TreeRow::Test(test) if self.rows.is_tree() => tree_line(ctx, test, indent, columns),
            TreeRow::Test(test) => {
                let us = ctx.model().tests.duration_us(test, ctx.run_us);
                test_line(ctx, test, us, columns)
            }
        }
    }

    /// Returns the marked tests.
    pub(crate) fn marked(&self) -> &BTreeSet<TestId> {
        &self.marked
    }

    /// Toggles the marks of tests.
    pub(crate) fn toggle_marks(&mut self, tests: Vec<TestId>) {
        for test in tests {
            if !self.marked.remove(&test) {
                self.marked.insert(test);
            }
        }
    }

    /// Removes all marks, and returns the tests that were marked.
    pub(crate) fn take_marked(&mut self) -> Vec<TestId> {
        std::mem::take(&mut self.marked).into_iter().collect()
    }
}

impl DashboardPane for TestListPane {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let rows = &self.rows;
        let (len, selected) = (rows.list().len(), rows.selected_index());
        let position = match len {
            0 => String::new(),
            _ => format!(
                " {}/{}",
                text::grouped(selected as u64 + 1),
                text::grouped(len as u64)
            ),
        };
        let facts = format!("sort:{}", rows.sort().word());
        let inside = frame(ctx, &format!("Tests{position}"), &facts, area, buf);
        if len == 0 {
            let tests = &ctx.model().tests;
            let text = match (rows.filter(), self.finder().pattern(), tests.is_empty()) {
                (_, _, true) => "no tests were found yet",
                (RowFilter::Failures, "", false) => "nothing has failed",
                (_, _, false) => "no test matches",
            };
            remark(ctx, text, inside, buf);
            return;
        }
        let shown = rows.list().iter().skip(rows.top());
        let lines = shown.map(|row| self.line(ctx, *row, inside.width));
        let selected = selected.checked_sub(rows.top());
        list(lines, selected, ctx.selected(), inside, buf);
    }

    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>) {
        let index = moved(self.rows.selected_index(), by, self.rows.list().len());
        let height = usize::from(ctx.inside.height);
        self.rows.select_index(index, height);
    }

    fn move_sideways(&mut self, direction: MoveDirection, ctx: &mut Context<'_>) {
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
                if let Some(parent) = ctx.model().tests.tree().parent(row) {
                    self.rows.select(TreeRow::Group(parent));
                }
            }
            (TreeRow::Test(_), MoveDirection::Next) => {}
        }
    }

    fn act(&mut self, action: DashboardAction, ctx: &mut Context<'_>) {
        match action {
            DashboardAction::FoldAll => self.fold_all(FoldState::Closed, ctx.model()),
            DashboardAction::UnfoldAll => self.fold_all(FoldState::Open, ctx.model()),
            DashboardAction::NextMatch => self.move_by(1, ctx),
            DashboardAction::PreviousMatch => self.move_by(-1, ctx),
            DashboardAction::FailuresOnly => {
                self.rows.toggle_failures();
                ctx.ask(ComponentEffect::Go(ScreenKind::Tests));
            }
            DashboardAction::Sort => {
                self.rows.next_sort();
                ctx.ask(ComponentEffect::Go(ScreenKind::Tests));
            }
            _ => {}
        }
    }

    fn click_title(&mut self, _: &mut Context<'_>) {
        self.rows.next_sort();
    }

    fn click(&mut self, click: PaneClick, ctx: &mut Context<'_>) {
        let index = self.rows.top() + click.line;
        let again = self.rows.selected_index() == index && click.was_focused;
        self.rows
            .select_index(index, usize::from(ctx.inside.height));
        if again {
            ctx.ask(ComponentEffect::Act(DashboardAction::Open));
        }
    }
}

fn group_line<'a>(
    ctx: &ViewContext<'a>,
    group: GroupId,
    fold: FoldState,
    indent: usize,
    columns: u16,
) -> Line<'a> {
    let tests = &ctx.model().tests;
    let counts = tests.tree().counts(group);
    let dim = ctx.style(StyleRole::Dim);
    let mut row = RowLine::new(columns);
    row.skip(indent);
    let done = format!("{:>11}", format!("{}/{}", counts.done(), counts.total()));
    row.right(done, dim, 1);
    let running = counts.get(TestState::Running);
    for (number, state) in [
        (running, TestState::Running),
        (counts.failures(), TestState::Failed),
    ] {
        if number > 0 {
            let text = format!("{} {number}", ctx.glyphs.state(state));
            row.right(text, ctx.state(state), 1);
        }
    }
    let state = match (counts.failures(), counts.open(), running) {
        (0, 0, _) => TestState::Passed,
        (0, _, 0) => TestState::Waiting,
        (0, _, _) => TestState::Running,
        (_, _, _) => TestState::Failed,
    };
    let name = tests.row_name(TreeRow::Group(group));
    row.left(ctx.glyphs.fold(fold), dim)
        .skip(1)
        .left(ctx.glyphs.state(state), ctx.state(state))
        .skip(1)
        .left_end_of(name, ctx.glyphs.more(), ctx.style(StyleRole::Title));
    row.into_line()
}

fn tree_line<'a>(ctx: &ViewContext<'a>, test: TestId, indent: usize, columns: u16) -> Line<'a> {
    let tests = &ctx.model().tests;
    let state = tests.state(test);
    let mut row = RowLine::new(columns);
    row.skip(indent);
    match (tests.duration_us(test, ctx.run_us), state.is_open()) {
        (Some(us), false) => {
            let time = format!("{:>8}", text::duration(us));
            row.right(time, ctx.style(StyleRole::Dim), 1);
        }
        (Some(us), true) if state == TestState::Running => {
            let time = format!("{:>8}", text::coarse(us));
            row.right(time, ctx.state(state), 1);
        }
        _ => {}
    }
    match state {
        TestState::TimedOut | TestState::Error | TestState::Ignored | TestState::Cancelled => {
            row.right(state.word(), ctx.state(state), 1);
        }
        TestState::Waiting
        | TestState::Queued
        | TestState::Running
        | TestState::Passed
        | TestState::Failed => {}
    }
    if tests.stability(test) == TestStability::Flaky {
        let text = format!("{} flaky", ctx.glyphs.flaky());
        row.right(text, ctx.style(StyleRole::Flaky), 1);
    }
    if tests.is_cached(test) {
        let text = format!("{} cached", ctx.glyphs.cached());
        row.right(text, ctx.style(StyleRole::Cached), 1);
    }
    if state.is_open() && tests.history(test) == PreviousOutcome::Failure {
        row.right("failed last time", ctx.style(StyleRole::Dim), 1);
    }
    let (mark, role) = mark(ctx.marked.contains(&test));
    let name = tests.row_name(TreeRow::Test(test));
    row.left(mark, ctx.style(StyleRole::Marked))
        .skip(1)
        .left(ctx.glyphs.state(state), ctx.state(state))
        .skip(1)
        .left_end_of(name, ctx.glyphs.more(), ctx.style(role));
    row.into_line()
}
