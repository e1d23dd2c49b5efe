//! Wraps a backend, so that tests can share one process but count as a job each.
//!
//! Each such test is submitted as a member of a group; all members have the same job. One process
//! runs the group, and the group's [`OutputDivider`] says which test has begun, written and ended.
//! Each member gets a start, output and an end, like any job. The wrapped backend sees one job, with
//! the id of the group's first member.
//!
//! Invariants:
//! - A slot has one member at a time. What another member does meanwhile is reported when the slot is
//!   its own.
//! - The outcome of the process is the outcome of the member that was running, or that ran last.
//!   Members that have not ended then are errors, unless the process was cancelled or could not run.
//! - The last member ends with the process, so that results that cannot be believed never make a run
//!   pass.
//! - A group runs once at a time. Members submitted meanwhile belong to the next run, which may have
//!   only some of the members: the others run as well, and nothing is reported of them.
//!
//! [`OutputDivider`]: super::OutputDivider

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::run::GroupRun;
use super::{GroupProtocol, TestGroupMember};
use crate::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use crate::job::{Job, JobOutcome, JobResult};

/// A member that waits for its group to run.
#[derive(Debug)]
struct PendingMember {
    id: JobId,
    member: TestGroupMember,
    job: Job,
    rank: JobPriority,
}

/// A backend that also runs groups.
#[derive(Debug)]
pub struct SharedProcessBackend<B> {
    pub(super) inner: B,
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
        let group = Arc::clone(&member.group);
        let waiting = PendingMember {
            id,
            member,
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
            let mut members = BTreeMap::new();
            let mut first: Option<(JobId, Job, Arc<dyn GroupProtocol>)> = None;
            let mut rank: Option<JobPriority> = None;
            let all = std::mem::take(waiting);
            for one in all {
                // Another member has the same name. This one waits for the next run, because the
                // process tells members apart by name only.
                if members.contains_key(&one.member.name) {
                    waiting.push(one);
                    continue;
                }
                rank = rank.max(Some(one.rank));
                let TestGroupMember {
                    name,
                    title,
                    protocol,
                    group: _,
                } = one.member;
                members.insert(name, (one.id, title));
                match &mut first {
                    Some((_, job, _)) => job.needs.include(&one.job.needs),
                    None => first = Some((one.id, one.job, protocol)),
                }
            }
            if let (Some((id, mut job, protocol)), Some(rank)) = (first, rank) {
                job.output = protocol.pipes();
                self.inner.submit(id, job, rank);
                let run = GroupRun::new(members, protocol);
                self.runs.insert(id, (Arc::clone(group), run));
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
