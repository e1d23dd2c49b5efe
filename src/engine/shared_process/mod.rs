//! Wraps a backend, so that tests can share one process but count as a job each.
//!
//! Each such test is submitted as a member of a group; all members have the same job. One process
//! runs the group, and its output is split at markers that the process writes to both streams. Each
//! member gets a start, output and an end, like any job. The wrapped backend sees one job, with the
//! id of the group's first member.
//!
//! ```text
//! ESC _maelstrom-part NAME ESC \    the following output belongs to this member
//! ESC _maelstrom-part ESC \         the following output belongs to no member
//! ESC _maelstrom-part =1 ESC \      the same, and the previous member exited with status 1
//! ```
//!
//! Invariants:
//! - A member ends when both streams have reached the next marker. Only then does the next member
//!   start, so that a slot has one member at a time.
//! - The outcome of the process is the outcome of the current member and of all members that did
//!   not start.
//! - A group runs once at a time. Members submitted meanwhile belong to the next run.

mod output;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use maelstrom_model::backend::{
    Backend, BackendEvent, JobId, JobPriority, StopMode, TestGroupMember,
};
use maelstrom_model::job::{Job, JobOutcome, JobResult, OutputPipes};

use self::run::GroupRun;

/// A member that waits for its group to run.
#[derive(Debug)]
struct PendingMember {
    id: JobId,
    name: String,
    job: Job,
    rank: JobPriority,
}

/// A backend that also runs groups.
#[derive(Debug)]
pub struct SharedProcessBackend<B> {
    inner: B,
    waiting: BTreeMap<Arc<str>, Vec<PendingMember>>,
    /// The running groups, by the job id that the wrapped backend knows.
    runs: BTreeMap<JobId, (Arc<str>, GroupRun)>,
    events: VecDeque<BackendEvent>,
}

impl<B: Backend> SharedProcessBackend<B> {
    /// Wraps a backend.
    pub fn new(inner: B) -> SharedProcessBackend<B> {
        SharedProcessBackend {
            inner,
            waiting: BTreeMap::new(),
            runs: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// Submits a member of a group.
    pub fn submit_member(
        &mut self,
        id: JobId,
        member: TestGroupMember,
        job: Job,
        rank: JobPriority,
    ) {
        let TestGroupMember { group, name } = member;
        let waiting = PendingMember {
            id,
            name,
            job,
            rank,
        };
        self.waiting.entry(group).or_default().push(waiting);
    }

    /// Starts all groups that wait and are not running, each with one member per name.
    fn begin(&mut self) {
        let running: Vec<Arc<str>> = self.runs.values().map(|(group, _)| group.clone()).collect();
        for (group, waiting) in &mut self.waiting {
            if running.contains(group) {
                continue;
            }
            let mut members: BTreeMap<String, JobId> = BTreeMap::new();
            let mut first: Option<(JobId, Job)> = None;
            let mut rank: Option<JobPriority> = None;
            let all = std::mem::take(waiting);
            for one in all {
                // Another member has the same name. This one waits for the next run, because the
                // process tells members apart by name only.
                if members.contains_key(&one.name) {
                    waiting.push(one);
                    continue;
                }
                members.insert(one.name, one.id);
                rank = rank.max(Some(one.rank));
                // The markers are written to each of the two streams.
                let output = OutputPipes::Separate;
                first.get_or_insert((one.id, Job { output, ..one.job }));
            }
            if let (Some((id, job)), Some(rank)) = (first, rank) {
                self.inner.submit(id, job, rank);
                self.runs
                    .insert(id, (Arc::clone(group), GroupRun::new(members)));
            }
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
    }

    /// Handles an event of the wrapped backend.
    fn on_backend_event(&mut self, event: BackendEvent) {
        let events = &mut self.events;
        let runs = &mut self.runs;
        match event {
            BackendEvent::Started { job, worker, slot } => match runs.get_mut(&job) {
                Some((_, run)) => run.started(worker, slot),
                None => events.push_back(BackendEvent::Started { job, worker, slot }),
            },
            BackendEvent::Output { job, stream, bytes } => match runs.get_mut(&job) {
                Some((_, run)) => run.wrote(stream, &bytes, events),
                None => events.push_back(BackendEvent::Output { job, stream, bytes }),
            },
            BackendEvent::Restarted { job, reason } => match runs.get_mut(&job) {
                Some((_, run)) => run.restarted(&reason, events),
                None => events.push_back(BackendEvent::Restarted { job, reason }),
            },
            BackendEvent::Finished { job, result } => match runs.remove(&job) {
                Some((_, run)) => run.finished(result, events),
                None => events.push_back(BackendEvent::Finished { job, result }),
            },
            BackendEvent::Lost(lost) => {
                self.waiting.clear();
                runs.clear();
                events.push_back(BackendEvent::Lost(lost));
            }
            // The files discarded by a group are reported for its first member, whose id the group
            // has.
            BackendEvent::Discarded { .. }
            | BackendEvent::Worker(_)
            | BackendEvent::Cluster(_)
            | BackendEvent::Notice(_) => events.push_back(event),
        }
    }

    /// Removes a waiting member. Returns whether there was one.
    fn withdraw(&mut self, id: JobId) -> bool {
        let mut waiting = self.waiting.values_mut();
        let found = waiting.find_map(|waiting| {
            let place = waiting.iter().position(|one| one.id == id)?;
            Some(waiting.remove(place))
        });
        found.is_some()
    }
}

impl<B: Backend> Backend for SharedProcessBackend<B> {
    fn slots(&self) -> u32 {
        self.inner.slots()
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        self.inner.submit(id, job, rank);
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        if self.withdraw(id) {
            let result = JobResult::not_run(JobOutcome::Cancelled);
            let job = id;
            self.events
                .push_back(BackendEvent::Finished { job, result });
            return;
        }
        // The group has the id of its first member, which may have ended already.
        let is_group = self.runs.contains_key(&id);
        let mut runs = self.runs.iter_mut();
        match runs.find(|(_, (_, run))| run.has(id)) {
            Some((first, (_, run))) => {
                if run.stop(id, &mut self.events) {
                    self.inner.stop(*first, how);
                }
            }
            None if is_group => {}
            None => self.inner.stop(id, how),
        }
    }

    fn files_changed(&mut self) {
        self.inner.files_changed();
    }

    fn hold(&mut self) {
        self.inner.hold();
    }

    fn release(&mut self) {
        self.inner.release();
    }

    fn suspend(&mut self) {
        self.inner.suspend();
    }

    fn resume(&mut self) {
        self.inner.resume();
    }

    async fn next(&mut self) -> BackendEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            self.begin();
            let event = self.inner.next().await;
            self.on_backend_event(event);
        }
    }

    async fn close(self) {
        self.inner.close().await;
    }
}
