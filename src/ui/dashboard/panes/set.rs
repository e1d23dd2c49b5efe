//! All panes, and the state that depends on several of them.

use crate::log::{BUILD_LOG, LogKey};
use crate::model::{RunModel, TreeRow};
use maelstrom_model::ids::TestId;

use super::super::message::{PaneKind, ScreenKind};
use super::super::screens::ScreenRouter;
use super::cluster::ClusterPane;
use super::detail::{DetailPane, log_of};
use super::failures::FailureList;
use super::log::LogPane;
use super::pane::DashboardPane;
use super::running::RunningList;
use super::test_list::TestListPane;
use super::workers::WorkersPane;

/// All panes of the dashboard.
#[derive(Debug, Default)]
pub(in super::super) struct PaneSet {
    pub failures: FailureList,
    pub running: RunningList,
    pub tests: TestListPane,
    pub workers: WorkersPane,
    pub cluster: ClusterPane,
    pub detail: DetailPane,
    pub log: LogPane,
}

impl PaneSet {
    /// Returns the component of a pane, to handle input.
    pub(crate) fn get_mut(&mut self, pane: PaneKind) -> &mut dyn DashboardPane {
        match pane {
            PaneKind::Failures => &mut self.failures,
            PaneKind::Running => &mut self.running,
            PaneKind::Tests => &mut self.tests,
            PaneKind::Workers | PaneKind::WorkerList | PaneKind::Slots => &mut self.workers,
            PaneKind::Cluster => &mut self.cluster,
            PaneKind::Facts => &mut self.detail,
            PaneKind::Log => &mut self.log,
        }
    }

    /// Returns the component of a pane, to draw it.
    pub(crate) fn get(&self, pane: PaneKind) -> &dyn DashboardPane {
        match pane {
            PaneKind::Failures => &self.failures,
            PaneKind::Running => &self.running,
            PaneKind::Tests => &self.tests,
            PaneKind::Workers | PaneKind::WorkerList | PaneKind::Slots => &self.workers,
            PaneKind::Cluster => &self.cluster,
            PaneKind::Facts => &self.detail,
            PaneKind::Log => &self.log,
        }
    }

    /// Returns the test that keys act on.
    pub(crate) fn current_test(&self, screens: &ScreenRouter, model: &RunModel) -> Option<TestId> {
        let running = || self.running.selected(model);
        match screens.screen() {
            ScreenKind::Overview => match screens.list() {
                PaneKind::Running => running(),
                _ => self.failures.selected(model).or_else(running),
            },
            ScreenKind::Tests => match self.tests.selected_row()? {
                TreeRow::Test(test) => Some(test),
                TreeRow::Group(_) => None,
            },
            ScreenKind::Detail => self.detail.test(),
            ScreenKind::Workers | ScreenKind::Cluster => None,
        }
    }

    /// Returns the selected test, or all tests of the selected group.
    pub(crate) fn selected_tests(&self, screens: &ScreenRouter, model: &RunModel) -> Vec<TestId> {
        match (screens.screen(), self.tests.selected_row()) {
            (ScreenKind::Tests, Some(TreeRow::Group(group))) => {
                let lines = model.tests.tree().preorder();
                let at = lines
                    .iter()
                    .position(|line| line.row == TreeRow::Group(group));
                let inside = at.and_then(|at| lines.get(at..lines.get(at)?.end as usize));
                let tests = inside.unwrap_or_default().iter();
                tests
                    .filter_map(|line| match line.row {
                        TreeRow::Test(test) => Some(test),
                        TreeRow::Group(_) => None,
                    })
                    .collect()
            }
            _ => self.current_test(screens, model).into_iter().collect(),
        }
    }

    /// Returns the key of the log that the screen shows.
    pub(crate) fn log_key(&self, screens: &ScreenRouter, model: &RunModel) -> Option<LogKey> {
        if screens.screen() == ScreenKind::Detail {
            return self.detail.log_key(model);
        }
        match (self.current_test(screens, model), screens.screen()) {
            (Some(test), _) => Some(log_of(test, None, model)),
            (None, ScreenKind::Overview) => Some(BUILD_LOG),
            (None, _) => None,
        }
    }
}
