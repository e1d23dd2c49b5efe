//! The rows of the Tests screen: their filter, their order and the selection.
//!
//! The rows are rebuilt when the filter, the sort order or a fold changes, when tests are
//! discovered, and, if the order or filter depends on results, periodically while tests end. The
//! selection is the identity of a row rather than its index, so it stays on its row when rows are
//! inserted above.

use std::cell::Cell;
use std::collections::HashSet;

use crate::model::{GroupId, RunModel, TestTable, TreeRow};
use maelstrom_model::ids::TestId;

use super::finder::{PatternSyntax, TestFinder};
use super::theme::FoldState;

/// How often the rows are rebuilt if they depend on results, in microseconds.
const RESORT_US: u64 = 500_000;

/// The sort order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TestSortOrder {
    /// A tree, sorted by name.
    #[default]
    Name,
    /// A list, sorted by duration, the slowest first.
    Slow,
    /// A list, sorted by state, the worst first.
    State,
}

impl TestSortOrder {
    fn next(self) -> Self {
        match self {
            TestSortOrder::Name => TestSortOrder::Slow,
            TestSortOrder::Slow => TestSortOrder::State,
            TestSortOrder::State => TestSortOrder::Name,
        }
    }

    /// Returns the displayed word for the order.
    pub(super) fn word(self) -> &'static str {
        match self {
            TestSortOrder::Name => "name",
            TestSortOrder::Slow => "slow",
            TestSortOrder::State => "state",
        }
    }
}

/// Which tests are displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RowFilter {
    #[default]
    All,
    Failures,
}

/// A row of the Tests screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VisibleRow {
    pub row: TreeRow,
    pub depth: u16,
}

/// The rows of the Tests screen. See the [module](self) documentation.
#[derive(Debug, Default)]
pub(super) struct TestRows {
    list: Vec<VisibleRow>,
    closed: HashSet<GroupId>,
    /// The groups closed while only failures are displayed. Cleared when the filter changes.
    closed_among_failures: HashSet<GroupId>,
    show: RowFilter,
    sort: TestSortOrder,
    finder: TestFinder,
    selected: Option<TreeRow>,
    top: usize,
    /// The last known index of the selection, which is checked first.
    last_index: Cell<usize>,
    stale: RowStaleness,
    made_us: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RowStaleness {
    /// The rows are up to date.
    No,
    Data,
    /// The rows must be rebuilt before the next frame.
    #[default]
    Yes,
}

impl TestRows {
    /// Returns the rows, as of the last [`TestRows::refresh`].
    pub(super) fn list(&self) -> &[VisibleRow] {
        &self.list
    }

    /// Returns which tests are displayed.
    pub(super) fn filter(&self) -> RowFilter {
        self.show
    }

    /// Returns the sort order of the rows.
    pub(super) fn sort(&self) -> TestSortOrder {
        self.sort
    }

    /// Returns the search for names.
    pub(super) fn finder(&self) -> &TestFinder {
        &self.finder
    }

    /// Returns the index of the first visible row.
    pub(super) fn top(&self) -> usize {
        self.top
    }

    /// Shows only the tests that match, and selects the best fuzzy match. Returns an error message
    /// if the pattern is invalid.
    pub(super) fn find(
        &mut self,
        pattern: &str,
        syntax: PatternSyntax,
        tests: &TestTable,
    ) -> Result<(), String> {
        self.finder.set(pattern, syntax, tests)?;
        // The list of a fuzzy search is ranked, so its first row is the best match.
        if syntax == PatternSyntax::Fuzzy && !pattern.is_empty() {
            self.selected = None;
            self.top = 0;
        }
        self.stale = RowStaleness::Yes;
        Ok(())
    }

    /// Ends the search and shows all tests again.
    pub(super) fn clear_finder(&mut self, tests: &TestTable) {
        let selected = self.selected_row();
        // The empty pattern is always valid, so this can't fail.
        let _ = self.find("", PatternSyntax::Fuzzy, tests);
        // Keep the row that was selected in the ranked list, even if only as its first row.
        self.selected = selected;
    }

    /// Returns whether a group is open or closed.
    pub(super) fn fold(&self, group: GroupId) -> FoldState {
        let closed = match self.show {
            RowFilter::All => &self.closed,
            RowFilter::Failures => &self.closed_among_failures,
        };
        if closed.contains(&group) {
            FoldState::Closed
        } else {
            FoldState::Open
        }
    }

    /// Returns whether the rows form a tree rather than a list.
    pub(super) fn is_tree(&self) -> bool {
        let ranked =
            !self.finder.pattern().is_empty() && self.finder.syntax() == PatternSyntax::Fuzzy;
        self.sort == TestSortOrder::Name && !ranked
    }

    /// Marks the rows to be rebuilt before the next frame.
    pub(super) fn invalidate(&mut self) {
        self.stale = RowStaleness::Yes;
    }

    /// Records that tests have ended, which may affect the filter or the order.
    pub(super) fn data_changed(&mut self) {
        if self.stale == RowStaleness::No
            && (self.sort != TestSortOrder::Name || self.show == RowFilter::Failures)
        {
            self.stale = RowStaleness::Data;
        }
    }

    /// Rebuilds the rows if they are out of date.
    pub(super) fn refresh(&mut self, model: &RunModel, now_us: u64) {
        if self.finder.is_behind(&model.tests) {
            self.finder.refresh(&model.tests);
            self.stale = RowStaleness::Yes;
        }
        match self.stale {
            RowStaleness::No => return,
            // A run that is not active may have no further events, so rebuild the rows now.
            RowStaleness::Data if now_us < self.made_us + RESORT_US && model.is_active() => return,
            RowStaleness::Data | RowStaleness::Yes => {}
        }
        self.stale = RowStaleness::No;
        self.made_us = now_us;
        self.list = if self.is_tree() {
            self.tree_rows(model)
        } else {
            self.list_rows(model, now_us)
        };
    }

    fn tree_rows(&self, model: &RunModel) -> Vec<VisibleRow> {
        let tests = &model.tests;
        let tree = tests.tree();
        let filter = self.matching(tests);
        let lines = tree.preorder();
        let mut rows = Vec::with_capacity(lines.len().min(4096));
        let mut index = 0;
        while let Some(line) = lines.get(index) {
            let shown = match line.row {
                TreeRow::Test(test) => {
                    (self.show == RowFilter::All || tests.state(test).is_failure())
                        && filter.as_ref().is_none_or(|found| found.contains(line.row))
                }
                TreeRow::Group(group) => {
                    (self.show == RowFilter::All || tree.counts(group).failures() > 0)
                        && filter.as_ref().is_none_or(|found| found.contains(line.row))
                }
            };
            let folded = match line.row {
                TreeRow::Group(group) => self.fold(group) == FoldState::Closed,
                TreeRow::Test(_) => false,
            };
            if shown {
                rows.push(VisibleRow {
                    row: line.row,
                    depth: line.depth,
                });
            }
            // A hidden group contains no visible row, because the counts and matches of a group
            // include those of everything in it.
            index = if folded || !shown {
                line.end as usize
            } else {
                index + 1
            };
        }
        rows
    }

    fn matching(&self, tests: &TestTable) -> Option<MatchingRows> {
        if self.finder.pattern().is_empty() {
            return None;
        }
        let mut matching = MatchingRows {
            tests: vec![false; tests.len()],
            groups: vec![false; tests.tree().group_count()],
        };
        for test in self.finder.found() {
            if let Some(found) = matching.tests.get_mut(test.index()) {
                *found = true;
            }
            let mut above = tests.tree().parent(TreeRow::Test(*test));
            while let Some(group) = above {
                match matching.groups.get_mut(group.0 as usize) {
                    Some(known) if !*known => *known = true,
                    // The ancestors of a marked group are already marked.
                    _ => break,
                }
                above = tests.tree().parent(TreeRow::Group(group));
            }
        }
        Some(matching)
    }

    fn list_rows(&self, model: &RunModel, now_us: u64) -> Vec<VisibleRow> {
        let tests = &model.tests;
        let mut ids: Vec<TestId> = if self.finder.pattern().is_empty() {
            tests.ids().collect()
        } else {
            self.finder.found().to_vec()
        };
        if self.show == RowFilter::Failures {
            ids.retain(|test| tests.state(*test).is_failure());
        }
        match self.sort {
            TestSortOrder::Name => {}
            TestSortOrder::Slow => ids.sort_by_cached_key(|test| {
                std::cmp::Reverse(tests.duration_us(*test, now_us).unwrap_or(0))
            }),
            TestSortOrder::State => {
                ids.sort_by_key(|test| std::cmp::Reverse(tests.state(*test).rank()));
            }
        }
        ids.into_iter()
            .map(|test| VisibleRow {
                row: TreeRow::Test(test),
                depth: 0,
            })
            .collect()
    }

    /// Returns the index of the selected row, or 0 if nothing is selected or the selected row is
    /// not displayed.
    pub(super) fn selected_index(&self) -> usize {
        let is_selected = |row: &VisibleRow| Some(row.row) == self.selected;
        let last = self.last_index.get();
        if self.list.get(last).is_some_and(is_selected) {
            return last;
        }
        let index = self.list.iter().position(is_selected).unwrap_or(0);
        self.last_index.set(index);
        index
    }

    /// Returns the selected row, or the first row.
    pub(super) fn selected_row(&self) -> Option<TreeRow> {
        Some(self.list.get(self.selected_index())?.row)
    }

    /// Selects a row.
    pub(super) fn select(&mut self, row: TreeRow) {
        self.selected = Some(row);
    }

    /// Selects the package of the selected test. Used when all groups are folded: the test is
    /// hidden, and its package is the nearest visible row.
    pub(super) fn select_package(&mut self, tests: &TestTable) {
        if let Some(TreeRow::Test(test)) = self.selected {
            let mut row = TreeRow::Test(test);
            while let Some(parent) = tests.tree().parent(row) {
                row = TreeRow::Group(parent);
            }
            self.selected = Some(row);
        }
    }

    /// Selects the row at an index.
    pub(super) fn select_index(&mut self, index: usize, height: usize) {
        let index = index.min(self.list.len().saturating_sub(1));
        self.selected = self.list.get(index).map(|row| row.row);
        self.keep_in_view(height);
    }

    /// Scrolls so that the selection is visible.
    pub(super) fn keep_in_view(&mut self, height: usize) {
        self.top = super::scroll::top(self.top, self.selected_index(), self.list.len(), height);
    }

    /// Selects a test, and opens the groups that contain it.
    pub(super) fn reveal(&mut self, test: TestId, tests: &TestTable) {
        let closed = match self.show {
            RowFilter::All => &mut self.closed,
            RowFilter::Failures => &mut self.closed_among_failures,
        };
        let mut above = tests.tree().parent(TreeRow::Test(test));
        while let Some(group) = above {
            closed.remove(&group);
            above = tests.tree().parent(TreeRow::Group(group));
        }
        self.selected = Some(TreeRow::Test(test));
        self.stale = RowStaleness::Yes;
    }

    /// Opens or closes a group.
    pub(super) fn set_fold(&mut self, group: GroupId, fold: FoldState) {
        let closed = match self.show {
            RowFilter::All => &mut self.closed,
            RowFilter::Failures => &mut self.closed_among_failures,
        };
        match fold {
            FoldState::Open => closed.remove(&group),
            FoldState::Closed => closed.insert(group),
        };
        self.stale = RowStaleness::Yes;
    }

    /// Opens or closes all groups below the packages.
    pub(super) fn set_all_folds(&mut self, fold: FoldState, tests: &TestTable) {
        let groups = (0..tests.tree().group_count() as u32).map(GroupId);
        let inner = groups.filter(|group| tests.tree().depth(*group) > 0);
        let closed = match fold {
            FoldState::Open => HashSet::new(),
            FoldState::Closed => inner.collect(),
        };
        match self.show {
            RowFilter::All => self.closed = closed,
            RowFilter::Failures => self.closed_among_failures = closed,
        }
        self.stale = RowStaleness::Yes;
    }

    /// Shows only failures, or everything with the previous folds.
    pub(super) fn toggle_failures(&mut self) {
        self.show = match self.show {
            RowFilter::All => RowFilter::Failures,
            RowFilter::Failures => RowFilter::All,
        };
        self.closed_among_failures.clear();
        self.stale = RowStaleness::Yes;
    }

    /// Switches to the next sort order.
    pub(super) fn next_sort(&mut self) {
        self.sort = self.sort.next();
        self.stale = RowStaleness::Yes;
    }
}

struct MatchingRows {
    tests: Vec<bool>,
    groups: Vec<bool>,
}

impl MatchingRows {
    fn contains(&self, row: TreeRow) -> bool {
        let found = match row {
            TreeRow::Test(test) => self.tests.get(test.index()),
            TreeRow::Group(group) => self.groups.get(group.0 as usize),
        };
        found.copied().unwrap_or_default()
    }
}
