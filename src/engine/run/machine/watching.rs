//! Restarts rounds when files change.
//!
//! A change supersedes the current round, whose remaining results would be about outdated files:
//! the build is abandoned, waiting tests leave the queue, running ones are stopped. Attempts that
//! have ended by then are reported. When all attempts of the round have ended, the next round
//! begins with a new discovery, since the project and its tests may have changed.
//!
//! A build or a test that writes watched files would repeat this forever. So after
//! [`CUT_SHORT_MAX`] interrupted rounds in a row, the next round runs to its end, and a notice
//! names the files that cause it.
//!
//! A test found again keeps its id, its attempt numbers and its place on the screen. A test that a
//! complete discovery does not find again has vanished.

use std::collections::BTreeSet;

use super::{
    BackendLink, PendingChange, RunCancellation, RunState, RunStateMachine, TestAction, WatchState,
};
use crate::run::message::{AtEnd, ChangedFiles, RunEffect};
use crate::run::tally::AttemptTally;
use maelstrom_model::backend::StopMode;
use maelstrom_model::event::{NoticeSeverity, RoundCause, TestEvent, WatchEvent};
use maelstrom_model::ids::TestId;
use maelstrom_model::job::TestKey;

/// The number of consecutive rounds that changes may cut short: enough for a user who saves one
/// file after another, few enough that a build that writes watched files is noticed soon.
const CUT_SHORT_MAX: u32 = 3;

impl RunStateMachine {
    pub(super) fn watched(&mut self, directories: u32) {
        self.watch = WatchState::On { directories };
    }

    pub(super) fn unwatched(&mut self, message: String, help: Option<String>) {
        self.watch = WatchState::Lost;
        self.notice(NoticeSeverity::Error, message, help);
    }

    pub(super) fn changed(&mut self, now_us: u64, changes: ChangedFiles) {
        match (self.wishes.at_end, self.link) {
            (AtEnd::Stay | AtEnd::Watch, BackendLink::Up) => {}
            (AtEnd::Leave, _) | (_, BackendLink::Lost) => return,
        }
        let ChangedFiles { paths, more } = changes;
        let culprits = paths.join(", ");
        self.emit(WatchEvent::FilesChanged { paths, more });
        let before = std::mem::replace(&mut self.change, PendingChange::Waits);
        match self.state {
            RunState::Open | RunState::Closed if self.cut_short < CUT_SHORT_MAX => {
                self.cut_short += 1;
                self.stop_round(now_us, RunState::Stopping, Some(StopMode::Terminate));
            }
            RunState::Open | RunState::Closed => match before {
                PendingChange::None => self.warn_of_unstable_files(&culprits),
                PendingChange::Waits => {}
            },
            // `next_round` starts the round as soon as it can.
            RunState::Stopping | RunState::Killing | RunState::Idle | RunState::Over => {}
        }
    }

    fn warn_of_unstable_files(&mut self, culprits: &str) {
        let text = format!(
            "files changed in {CUT_SHORT_MAX} rounds in a row: this one runs to its end first"
        );
        let help = format!(
            "if the build or a test writes them, have the version control ignore them: {culprits}"
        );
        self.notice(NoticeSeverity::Warning, text, Some(help));
    }

    /// Begins a round that repeats the build and discovery.
    pub(super) fn begin_watch_round(&mut self, now_us: u64) {
        self.change = PendingChange::None;
        self.rerun.clear();
        self.held_back.clear();
        self.forget_parts();
        self.interruption = RunCancellation::None;
        self.discovery_code = None;
        self.environments.clear();
        self.unclaimed = self
            .tests()
            .map(|(id, key)| (key.clone(), id))
            .collect::<BTreeSet<_>>();
        for test in &mut self.tests {
            test.tally = AttemptTally::default();
            test.failure = None;
        }
        self.state = RunState::Open;
        self.begin_round(now_us, RoundCause::Watch);
        self.effects.push_back(RunEffect::Discover);
    }

    /// Returns the id that a test had in the previous round, and removes it from the unclaimed
    /// tests.
    pub(super) fn claim(&mut self, key: &TestKey) -> Option<TestId> {
        let found = self.unclaimed(key)?.clone();
        self.unclaimed.remove(&found);
        Some(found.1)
    }

    /// Returns the unclaimed test with a key.
    pub(super) fn unclaimed(&self, key: &TestKey) -> Option<&(TestKey, TestId)> {
        if self.unclaimed.is_empty() {
            return None;
        }
        // The id is unknown, so the search starts at the smallest id. If several tests share a key,
        // each of their ids is returned once.
        let least = (key.clone(), TestId(0));
        let first = self.unclaimed.range(least..).next();
        first.filter(|(known, _)| known == key)
    }

    /// Marks the tests that a complete discovery did not find again as gone.
    pub(super) fn forget_unclaimed(&mut self) {
        let unclaimed = std::mem::take(&mut self.unclaimed);
        if unclaimed.is_empty() {
            return;
        }
        let mut tests: Vec<TestId> = unclaimed.into_iter().map(|(_, id)| id).collect();
        tests.sort_unstable();
        for id in &tests {
            if let Some(test) = self.tests.get_mut(id.index()) {
                test.work = TestAction::Gone;
            }
            self.rerun.remove(id);
        }
        self.emit(TestEvent::Vanished { tests });
    }

    pub(super) fn is_watched(&self) -> bool {
        match (self.watch, self.link) {
            (WatchState::On { .. }, BackendLink::Up) => true,
            (WatchState::Off | WatchState::Lost, _) | (_, BackendLink::Lost) => false,
        }
    }
}
