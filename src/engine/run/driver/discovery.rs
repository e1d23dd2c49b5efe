//! Passes on what a discovery reports: tests, helper jobs, files to watch, and its end.

use tokio::sync::mpsc::UnboundedReceiver;

use super::{HELPER_RANK, RunDriver};
use crate::run::history::{DiscoveryCoverage, HistoryStore};
use crate::run::host::DiscoveryEvent;
use crate::run::message::{FoundTest, RunInput};
use crate::run::trace;
use crate::run::watch::FileWatcher;
use maelstrom_model::backend::{Backend, JobId, StopMode};
use maelstrom_model::error::{ProgramError, help_of, with_causes};
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::{DiscoverySummary, Framework};
use maelstrom_model::job::TestCase;

impl<F: Framework, B: Backend> RunDriver<'_, F, B> {
    pub(super) fn on_discovery_event(&mut self, mail: DiscoveryEvent, sentinel: &mut FileWatcher) {
        match mail {
            DiscoveryEvent::Event(event) => self.handle_input(RunInput::Fact(event)),
            DiscoveryEvent::Reminder(notice) => {
                if self.notebook.remind(&notice.text) {
                    self.handle_input(RunInput::Fact(EventKind::Notice(notice)));
                }
            }
            DiscoveryEvent::StateDirectory(directory) => {
                self.log.keep_in(&directory);
                self.shells.keep_jobs_in(directory.join("jobs"));
                if let Some(notice) = self.notebook.open(HistoryStore::new(&directory)) {
                    self.handle_input(RunInput::Fact(EventKind::Notice(notice)));
                }
            }
            DiscoveryEvent::Watch(list) => {
                if let Some(input) = sentinel.watch(list) {
                    self.handle_input(input);
                }
            }
            DiscoveryEvent::Found { tests, priority } => {
                let found = |test: TestCase| {
                    let member = self.framework.together(&test.key);
                    FoundTest {
                        group: member.map(|member| member.group),
                        ..self.notebook.look_up(test, priority)
                    }
                };
                let tests = tests.into_iter().map(found).collect();
                self.handle_input(RunInput::Found(tests));
            }
            DiscoveryEvent::Broken(entry) => self.handle_input(RunInput::Broken(entry)),
            DiscoveryEvent::Run { id, job, reply } => {
                trace::helper_waits(id, &job);
                self.helpers.began(id, reply);
                self.backend.submit(id, job, HELPER_RANK);
            }
            DiscoveryEvent::StopAfter(failures) => self.machine.stop_after(failures),
            DiscoveryEvent::Forget(id) => self.forget(id),
        }
    }

    fn forget(&mut self, helper: JobId) {
        if self.helpers.forget(helper) {
            self.backend.stop(helper, StopMode::Kill);
        }
    }

    pub(super) fn discovered(&mut self, result: Result<DiscoverySummary, F::Error>) {
        let (coverage, input) = match result {
            Ok(summary) => (
                DiscoveryCoverage::of(summary.deselected, self.machine.selects_all()),
                RunInput::DiscoveryFinished(summary),
            ),
            Err(error) => (
                DiscoveryCoverage::Partial,
                RunInput::DiscoveryFailed {
                    exit_code: error.exit_code(),
                    message: with_causes(&error),
                    help: help_of(&error),
                },
            ),
        };
        self.notebook.discovery_is_over(coverage);
        self.handle_input(input);
    }

    /// Drops an abandoned discovery's events about tests. Helper jobs whose result nobody awaits
    /// are not started.
    pub(super) fn read_leftovers(&mut self, mail: &mut UnboundedReceiver<DiscoveryEvent>) {
        while let Ok(mail) = mail.try_recv() {
            match mail {
                DiscoveryEvent::Event(event) => self.handle_input(RunInput::Fact(event)),
                DiscoveryEvent::Forget(id) => self.forget(id),
                DiscoveryEvent::StateDirectory(_)
                | DiscoveryEvent::Reminder(_)
                | DiscoveryEvent::StopAfter(_)
                | DiscoveryEvent::Watch(_)
                | DiscoveryEvent::Found { .. }
                | DiscoveryEvent::Broken(_)
                | DiscoveryEvent::Run { .. } => {}
            }
        }
    }
}
