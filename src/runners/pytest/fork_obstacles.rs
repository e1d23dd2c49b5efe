//! The files whose tests cannot be forked, and the warnings about them.

use std::collections::BTreeSet;

use maelstrom_model::event::{IsolationMode, NoticeSeverity, UserNotice};

use super::collection::ForkObstacle;
use super::options::{PytestAction, PytestSettings, TestProcessMode};

/// Returns the files with tests that cannot be forked.
pub(super) fn files(unfit: &[ForkObstacle]) -> BTreeSet<String> {
    unfit
        .iter()
        .filter_map(|unfit| unfit.file.clone())
        .collect()
}

/// Returns warnings for tests that start a Python process each although forks are selected.
pub(super) fn notices(settings: &PytestSettings, unfit: &[ForkObstacle]) -> Vec<UserNotice> {
    match (settings.goal, settings.common.isolation()) {
        (PytestAction::Run, IsolationMode::Container) => {}
        (PytestAction::Run, IsolationMode::Process)
        | (PytestAction::List | PytestAction::Init | PytestAction::Explain, _) => {
            return Vec::new();
        }
    }
    match settings.processes {
        TestProcessMode::Fresh => return Vec::new(),
        TestProcessMode::Forked => {}
    }
    let notice = |ForkObstacle { file, reason }: &ForkObstacle| {
        let which = match file {
            Some(file) => format!("the tests in {file}"),
            None => "all tests".to_owned(),
        };
        UserNotice {
            severity: NoticeSeverity::Warning,
            text: format!("{which} start a Python each instead of a fork: {reason}"),
            help: None,
            in_summary: true,
        }
    };
    unfit.iter().map(notice).collect()
}
