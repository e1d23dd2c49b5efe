//! Applies events to the model, with one function per kind of event.
//!
//! The larger ones have modules of their own: [`super::rounds`] and [`super::attempts`].

use maelstrom_model::event::{
    BuildEvent, ClusterEvent, Event, EventKind, RunEvent, TestEvent, UserNotice, WatchEvent,
    WorkerStatusEvent,
};

use super::{BuildPhase, InputTransfer, RunModel, RunPhase, TestState, WorkerModel};

/// The maximum number of notices kept.
const NOTICES_MAX: usize = 1_000;
/// The maximum number of workers in a run.
const WORKERS_MAX: u32 = 65_536;

impl RunModel {
    /// Updates the model with an event.
    pub fn apply(&mut self, event: &Event) {
        self.now_us = self.now_us.max(event.at_us);
        match &event.kind {
            EventKind::Run(change) => self.apply_run(event.at_us, change),
            EventKind::Build(change) => self.apply_build(change),
            EventKind::Test(change) => self.apply_test(change),
            EventKind::Watch(change) => self.apply_watch(change),
            EventKind::Round(change) => self.apply_round(event.at_us, change),
            EventKind::Attempt(change) => self.apply_attempt(change),
            EventKind::Worker(change) => self.apply_worker(change),
            EventKind::Cluster(change) => self.apply_cluster(change),
            EventKind::Notice(notice) => self.apply_notice(notice),
        }
    }

    fn apply_run(&mut self, at_us: u64, event: &RunEvent) {
        match event {
            RunEvent::Started(run) => {
                self.run = Some(run.clone());
                self.phase = RunPhase::Running;
            }
            RunEvent::Paused => self.paused = true,
            RunEvent::Resumed => self.paused = false,
            RunEvent::Cancelling { grace_us } => {
                self.phase = RunPhase::Cancelling {
                    since_us: at_us,
                    grace_us: *grace_us,
                }
            }
            RunEvent::Suspended => {}
            RunEvent::Continued { suspended_us } => self.continued(*suspended_us),
            RunEvent::Finished { exit_code } => {
                self.phase = RunPhase::Finished {
                    exit_code: *exit_code,
                }
            }
        }
    }

    /// Excludes suspended time from the durations of running tests and of the round.
    fn continued(&mut self, suspended_us: u64) {
        if self.is_active() {
            self.suspended_us = self.suspended_us.saturating_add(suspended_us);
        }
        // The set is sorted by start time, so it must be rebuilt.
        let shifted = std::mem::take(&mut self.running);
        for (started_us, test) in shifted {
            self.tests.shift_started(test, suspended_us);
            self.running
                .insert((started_us.saturating_add(suspended_us), test));
        }
    }

    fn apply_build(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::Started { command } => {
                self.build_command = command.clone();
                self.build = BuildPhase::Going {
                    done: 0,
                    total: None,
                    current: String::new(),
                };
            }
            BuildEvent::Output { .. }
            | BuildEvent::UnitOutput { .. }
            | BuildEvent::Package { .. } => {}
            BuildEvent::Progress {
                done,
                total,
                current,
            } => {
                self.build = BuildPhase::Going {
                    done: *done,
                    total: *total,
                    current: current.clone(),
                };
            }
            BuildEvent::Finished { succeeded: true } => self.build = BuildPhase::Succeeded,
            BuildEvent::Finished { succeeded: false } => self.build = BuildPhase::Failed,
        }
    }

    fn apply_test(&mut self, event: &TestEvent) {
        match event {
            TestEvent::Discovered { tests } => {
                for info in tests {
                    self.found = self.found.saturating_add(1);
                    if self.tests.add(info).is_some() {
                        self.counts.add(TestState::Waiting);
                        self.estimate.opened(info.expected_us);
                    }
                }
            }
            TestEvent::DiscoveryFinished { deselected, .. } => {
                self.discovered = true;
                self.deselected = *deselected;
            }
            TestEvent::Vanished { tests } => {
                for test in tests {
                    self.vanished(*test);
                }
            }
            TestEvent::Described(description) => {
                self.descriptions
                    .insert(description.test, description.as_ref().clone());
            }
        }
    }

    fn apply_watch(&mut self, event: &WatchEvent) {
        self.awaiting = match event {
            WatchEvent::FilesChanged { .. } => None,
            WatchEvent::AwaitingChange { directories } => Some(*directories),
        };
    }

    fn apply_worker(&mut self, event: &WorkerStatusEvent) {
        match event {
            WorkerStatusEvent::Joined {
                worker,
                name,
                slots,
                architecture,
            } => {
                let joined = WorkerModel::new(*worker, name.clone(), *slots, architecture.clone());
                self.joined(joined);
            }
            WorkerStatusEvent::Left { worker, reason } => {
                if let Some(worker) = self.worker_mut(*worker) {
                    worker.left = Some(reason.clone());
                    // No further sample will report that the worker is idle.
                    worker.sampled(0);
                }
            }
            WorkerStatusEvent::Sample(sample) => {
                if let Some(worker) = self.worker_mut(sample.worker) {
                    worker.state = sample.state;
                    worker.cpu_permille = sample.cpu_permille;
                    worker.memory_used_bytes = sample.memory_used_bytes;
                    worker.memory_total_bytes = sample.memory_total_bytes;
                    worker.sampled(sample.busy);
                }
            }
        }
    }

    fn joined(&mut self, worker: WorkerModel) {
        // An id is an index, so a huge id in an edited recording must not allocate memory.
        if worker.id.0 >= WORKERS_MAX {
            return;
        }
        let index = worker.id.index();
        if self.workers.len() <= index {
            self.workers.resize_with(index + 1, || None);
        }
        self.workers[index] = Some(worker);
    }

    fn apply_cluster(&mut self, event: &ClusterEvent) {
        match event {
            ClusterEvent::Transfer {
                transfer,
                worker,
                name,
                done_bytes,
                total_bytes,
            } => self.transfers.update(InputTransfer {
                id: *transfer,
                worker: *worker,
                name: name.clone(),
                done_bytes: *done_bytes,
                total_bytes: *total_bytes,
            }),
            ClusterEvent::Sample(sample) => self.cluster = Some(sample.clone()),
        }
    }

    fn apply_notice(&mut self, notice: &UserNotice) {
        // Watch rounds repeat the notices of the rounds before them.
        if self.notices.len() < NOTICES_MAX && !self.notices.contains(notice) {
            self.notices.push(notice.clone());
        }
    }
}
