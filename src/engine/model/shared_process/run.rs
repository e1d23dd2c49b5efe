//! Runs one group: keeps what each member has written and when it may be shown.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{GroupEnd, GroupProtocol, GroupStep, OutputDivider};
use crate::backend::{BackendEvent, JobId};
use crate::event::OutputStream;
use crate::ids::WorkerId;
use crate::job::{ExitStatus, JobOutcome, JobResult};

/// The number of bytes that are kept of what the process writes before the first member begins.
const PREAMBLE_BYTES_MAX: usize = 64 * 1024;

/// The events of a group, in order.
type GroupEvents = VecDeque<BackendEvent>;

/// A piece of output.
type OutputPiece = (OutputStream, Vec<u8>);

/// A member that has begun and not been reported as ended.
#[derive(Debug)]
struct BegunMember {
    id: JobId,
    name: String,
    since: Instant,
    /// What it wrote while another one occupied the slot.
    held: Vec<OutputPiece>,
    end: Option<(ExitStatus, Duration)>,
}

/// One run of a group; see [`super::backend`].
#[derive(Debug)]
pub(super) struct GroupRun {
    /// The members that have not ended, by name.
    members: BTreeMap<String, JobId>,
    /// The names of all members for messages.
    titles: BTreeMap<String, String>,
    /// Those that have begun. The first one occupies the slot.
    begun: VecDeque<BegunMember>,
    /// The member that was running when the process was restarted.
    restarted: Option<JobId>,
    protocol: Arc<dyn GroupProtocol>,
    divider: Box<dyn OutputDivider>,
    place: Option<(WorkerId, u32)>,
    /// The end of what the process wrote before any test began; `None` once one has.
    preamble: Option<Vec<OutputPiece>>,
    /// Whether the process has ended. Until then, one member remains to take its end.
    is_over: bool,
}

impl GroupRun {
    /// Creates a run of these members, each with its title.
    pub(super) fn new(
        members: BTreeMap<String, (JobId, String)>,
        protocol: Arc<dyn GroupProtocol>,
    ) -> GroupRun {
        let ids = members.iter().map(|(name, (id, _))| (name.clone(), *id));
        GroupRun {
            members: ids.collect(),
            titles: members
                .into_iter()
                .map(|(name, (_, title))| (name, title))
                .collect(),
            begun: VecDeque::new(),
            restarted: None,
            divider: protocol.divider(),
            protocol,
            place: None,
            preamble: Some(Vec::new()),
            is_over: false,
        }
    }

    /// Returns whether a job is a member that has not ended.
    pub(super) fn has(&self, id: JobId) -> bool {
        self.members.values().any(|member| *member == id)
    }

    /// Records that the process was started in a slot.
    pub(super) fn started(&mut self, worker: WorkerId, slot: u32) {
        self.place = Some((worker, slot));
    }

    /// Divides output of the process among the members.
    pub(super) fn wrote(&mut self, stream: OutputStream, bytes: &[u8], events: &mut GroupEvents) {
        for step in self.divider.wrote(stream, bytes) {
            self.take(step, events);
        }
    }

    fn take(&mut self, step: GroupStep, events: &mut GroupEvents) {
        match step {
            GroupStep::Began { test } => {
                self.preamble = None;
                self.begin(test, events);
            }
            GroupStep::Wrote {
                test,
                stream,
                bytes,
            } => self.write(test.as_deref(), (stream, bytes), events),
            GroupStep::Ended { test, status, ran } => {
                if let Some(begun) = self.begun.iter_mut().find(|begun| begun.name == test) {
                    let ran = ran.unwrap_or_else(|| begun.since.elapsed());
                    begun.end.get_or_insert((status, ran));
                    self.report_ended(events);
                }
            }
        }
    }

    fn begin(&mut self, name: String, events: &mut GroupEvents) {
        let is_begun = self.begun.iter().any(|begun| begun.name == name);
        let Some(id) = self.members.get(&name).copied().filter(|_| !is_begun) else {
            return;
        };
        self.begun.push_back(BegunMember {
            id,
            name,
            since: Instant::now(),
            held: Vec::new(),
            end: None,
        });
        if self.begun.len() == 1 {
            self.start(id, events);
        }
    }

    fn write(&mut self, test: Option<&str>, piece: OutputPiece, events: &mut GroupEvents) {
        if let (None, Some(preamble)) = (test, &mut self.preamble) {
            preamble.push(piece);
            let mut size: usize = preamble.iter().map(|(_, bytes)| bytes.len()).sum();
            while size > PREAMBLE_BYTES_MAX && preamble.len() > 1 {
                size -= preamble.remove(0).1.len();
            }
            return;
        }
        let mut begun = self.begun.iter_mut().enumerate();
        match begun.find(|(_, begun)| Some(begun.name.as_str()) == test) {
            Some((0, first)) => events.push_back(output(first.id, piece)),
            Some((_, later)) => later.held.push(piece),
            None => {}
        }
    }

    /// Reports the ends of the first members that have begun, as far as they have ended.
    fn report_ended(&mut self, events: &mut GroupEvents) {
        while let Some((status, ran)) = self.begun.front().and_then(|first| first.end)
            && (self.is_over || self.members.len() > 1)
        {
            let result = JobResult {
                ran,
                ..JobResult::not_run(JobOutcome::Exited(status))
            };
            self.end_first(result, events);
        }
    }

    /// Ends the member that occupies the slot, and gives the slot to the next one.
    fn end_first(&mut self, result: JobResult, events: &mut GroupEvents) {
        if let Some(BegunMember { id: job, name, .. }) = self.begun.pop_front() {
            self.members.remove(&name);
            events.push_back(BackendEvent::Finished { job, result });
        }
        if let Some(next) = self.begun.front_mut() {
            let (job, held) = (next.id, std::mem::take(&mut next.held));
            self.start(job, events);
            events.extend(held.into_iter().map(|piece| output(job, piece)));
        }
    }

    fn start(&self, job: JobId, events: &mut GroupEvents) {
        // The start was reported before the process was restarted, and no job starts twice.
        if self.restarted == Some(job) {
            return;
        }
        if let Some((worker, slot)) = self.place {
            events.push_back(BackendEvent::Started { job, worker, slot });
        }
    }

    /// Records that the process was restarted. Members that have ended stay ended.
    pub(super) fn restarted(&mut self, reason: &str, events: &mut GroupEvents) {
        self.divider = self.protocol.divider();
        self.preamble = Some(Vec::new());
        if let Some(first) = self.begun.pop_front() {
            self.restarted = Some(first.id);
            events.push_back(BackendEvent::Restarted {
                job: first.id,
                reason: reason.to_owned(),
            });
        }
        self.begun.clear();
    }

    /// Stops a member. Returns whether the process has to be stopped, because the member is running
    /// or no other is left.
    pub(super) fn stop(&mut self, id: JobId, events: &mut GroupEvents) -> bool {
        let is_running = self.begun.iter().any(|begun| begun.id == id);
        if is_running || self.restarted == Some(id) {
            return true;
        }
        self.members.retain(|_, member| *member != id);
        let result = JobResult::not_run(JobOutcome::Cancelled);
        let job = id;
        events.push_back(BackendEvent::Finished { job, result });
        self.members.is_empty()
    }

    /// Ends all remaining members because the process has ended.
    pub(super) fn finished(mut self, result: JobResult, events: &mut GroupEvents) {
        let status = match result.end {
            JobOutcome::Exited(status) => Some(status),
            JobOutcome::TimedOut | JobOutcome::Cancelled | JobOutcome::Error(_) => None,
        };
        let GroupEnd { steps, last, doubt } = self.divider.ended(status);
        for step in steps {
            self.take(step, events);
        }
        let has_run = match result.end {
            JobOutcome::Exited(_) | JobOutcome::TimedOut => true,
            JobOutcome::Cancelled | JobOutcome::Error(_) => false,
        };
        self.is_over = true;
        let mut last = match self.preamble.take() {
            Some(preamble) if has_run => self.begin_with_preamble(preamble, events),
            Some(_) | None => last,
        };
        if doubt.is_some() && status.is_some() {
            // No result counts any more.
            self.begun.iter_mut().for_each(|begun| begun.end = None);
            let is_begun = |last: &String| self.begun.iter().any(|begun| begun.name == *last);
            let first = self.begun.front().map(|first| first.name.clone());
            last = last.filter(is_begun).or(first);
        }
        let how = match &result.end {
            JobOutcome::Exited(ExitStatus::Code(code)) => format!("exit code {code}"),
            JobOutcome::Exited(ExitStatus::Signal { number, .. }) => format!("signal {number}"),
            JobOutcome::TimedOut => "the time limit of all tests".to_owned(),
            JobOutcome::Cancelled | JobOutcome::Error(_) => String::new(),
        };
        let title = last.as_ref().map(|last| self.titles.get(last));
        let place = match title {
            Some(Some(title)) => format!("during `{title}`"),
            Some(None) => "during another test".to_owned(),
            None => "outside of its tests".to_owned(),
        };
        // The others, which did not end: what ended the process is not their doing.
        let end_of_others = |what: &str| match &result.end {
            JobOutcome::Exited(_) | JobOutcome::TimedOut => JobOutcome::Error(format!(
                "{what}: the process that it shares with other tests ended {place} ({how})"
            )),
            JobOutcome::Cancelled => JobOutcome::Cancelled,
            JobOutcome::Error(message) => JobOutcome::Error(message.clone()),
        };
        self.report_ended(events);
        while let Some(first) = self.begun.front() {
            let ran = first.since.elapsed();
            let end = match (&doubt, Some(&first.name) == last.as_ref()) {
                (_, false) => JobResult::not_run(end_of_others("did not end")),
                (Some(doubt), true) if status.is_some() => {
                    JobResult::not_run(JobOutcome::Error(doubt.clone()))
                }
                (_, true) => result.clone(),
            };
            self.end_first(JobResult { ran, ..end }, events);
            self.report_ended(events);
        }
        for (_, job) in std::mem::take(&mut self.members) {
            let result = JobResult::not_run(end_of_others("did not run"));
            events.push_back(BackendEvent::Finished { job, result });
        }
    }

    /// Begins the first member of a process that ended before any test began, so that its output is
    /// shown and its end is a test's. Returns the member's name.
    fn begin_with_preamble(
        &mut self,
        preamble: Vec<OutputPiece>,
        events: &mut GroupEvents,
    ) -> Option<String> {
        let first = self.members.iter().min_by_key(|(_, id)| **id);
        let name = first.map(|(name, _)| name.clone())?;
        self.begin(name.clone(), events);
        for piece in preamble {
            self.write(Some(&name), piece, events);
        }
        Some(name)
    }
}

fn output(job: JobId, (stream, bytes): OutputPiece) -> BackendEvent {
    BackendEvent::Output { job, stream, bytes }
}
