//! Runs one group: tracks the current member and assigns output to members.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::output::{OutputToken, OutputTokenizer};
use maelstrom_model::backend::{BackendEvent, JobId};
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{ExitStatus, JobOutcome, JobResult};

/// Precedes the exit status in a marker that ends a member.
const STATUS: char = '=';

/// The events of a group, in order.
type GroupEvents = VecDeque<BackendEvent>;

/// The state of both output streams.
#[derive(Debug, Default)]
struct GroupStreams {
    stdout: GroupStream,
    stderr: GroupStream,
}

/// One output stream, up to the next marker.
#[derive(Debug, Default)]
struct GroupStream {
    uncut: OutputTokenizer,
    /// The marker that was reached. The stream is not read past it until the other stream reaches
    /// it.
    mark: Option<String>,
}

impl GroupStreams {
    fn of(&mut self, stream: OutputStream) -> &mut GroupStream {
        match stream {
            // A group has two pipes, each with its own markers.
            OutputStream::Stdout | OutputStream::Joined => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }
}

/// The member that is currently running.
#[derive(Debug)]
struct CurrentMember {
    id: JobId,
    name: String,
    since: Instant,
}

/// One run of a group; see the module documentation.
#[derive(Debug)]
pub(super) struct GroupRun {
    /// The members that have not ended, by name.
    members: BTreeMap<String, JobId>,
    current: Option<CurrentMember>,
    /// The member that was running when the process was restarted.
    begun: Option<JobId>,
    streams: GroupStreams,
    place: Option<(WorkerId, u32)>,
}

impl GroupRun {
    /// Creates a run of these members.
    pub(super) fn new(members: BTreeMap<String, JobId>) -> GroupRun {
        GroupRun {
            members,
            current: None,
            begun: None,
            streams: GroupStreams::default(),
            place: None,
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

    /// Splits output of the process and assigns it to the members.
    pub(super) fn wrote(&mut self, stream: OutputStream, bytes: &[u8], events: &mut GroupEvents) {
        self.streams.of(stream).uncut.push(bytes);
        loop {
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                self.read_to_mark(stream, events);
            }
            // A stream without a marker may still contain output of this member.
            let GroupStreams { stdout, stderr } = &mut self.streams;
            if stdout.mark.is_none() || stderr.mark.is_none() {
                return;
            }
            stdout.mark = None;
            if let Some(name) = stderr.mark.take() {
                self.go_on(name, events);
            }
        }
    }

    fn read_to_mark(&mut self, stream: OutputStream, events: &mut GroupEvents) {
        loop {
            let reel = self.streams.of(stream);
            if reel.mark.is_some() {
                return;
            }
            match reel.uncut.next() {
                Some(OutputToken::Bytes(bytes)) => self.emit_output(stream, bytes, events),
                Some(OutputToken::Mark(name)) => reel.mark = Some(name),
                None => return,
            }
        }
    }

    fn emit_output(&self, stream: OutputStream, bytes: Vec<u8>, events: &mut GroupEvents) {
        if let Some(CurrentMember { id: job, .. }) = &self.current
            && !bytes.is_empty()
        {
            let job = *job;
            events.push_back(BackendEvent::Output { job, stream, bytes });
        }
    }

    /// Ends the current member and starts the next one, when both streams have reached a marker.
    fn go_on(&mut self, name: String, events: &mut GroupEvents) {
        let status = name.strip_prefix(STATUS).and_then(|code| code.parse().ok());
        // A marker without a status means that the previous member passed.
        self.end_current(ExitStatus::Code(status.unwrap_or(0)), events);
        if let Some(id) = self.members.get(&name).copied() {
            self.start(id, events);
            let since = Instant::now();
            self.current = Some(CurrentMember { id, name, since });
        }
    }

    fn start(&self, job: JobId, events: &mut GroupEvents) {
        // The start was reported before the process was restarted, and no job starts twice.
        if self.begun == Some(job) {
            return;
        }
        if let Some((worker, slot)) = self.place {
            events.push_back(BackendEvent::Started { job, worker, slot });
        }
    }

    fn end_current(&mut self, status: ExitStatus, events: &mut GroupEvents) {
        if let Some(CurrentMember { id, name, since }) = self.current.take() {
            self.members.remove(&name);
            events.push_back(BackendEvent::Finished {
                job: id,
                result: JobResult {
                    ran: since.elapsed(),
                    ..JobResult::not_run(JobOutcome::Exited(status))
                },
            });
        }
    }

    /// Records that the process was restarted. Members that have ended stay ended.
    pub(super) fn restarted(&mut self, reason: &str, events: &mut GroupEvents) {
        self.streams = GroupStreams::default();
        if let Some(current) = self.current.take() {
            self.begun = Some(current.id);
            events.push_back(BackendEvent::Restarted {
                job: current.id,
                reason: reason.to_owned(),
            });
        }
    }

    /// Stops a member. Returns whether the process has to be stopped, because the member is running
    /// or no other is left.
    pub(super) fn stop(&mut self, id: JobId, events: &mut GroupEvents) -> bool {
        let current = self.current.as_ref().map(|current| current.id);
        if current.or(self.begun) == Some(id) {
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
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            self.read_rest(stream, events);
        }
        let ran = self.current.as_ref().map(|current| current.since.elapsed());
        if let Some(CurrentMember { id, name, .. }) = self.current.take() {
            self.members.remove(&name);
            events.push_back(BackendEvent::Finished {
                job: id,
                result: JobResult {
                    ran: ran.unwrap_or_default(),
                    ..result.clone()
                },
            });
        }
        for (_, job) in std::mem::take(&mut self.members) {
            match result.end {
                JobOutcome::Exited(_) | JobOutcome::TimedOut => self.start(job, events),
                JobOutcome::Cancelled | JobOutcome::Error(_) => {}
            }
            let ran = Duration::ZERO;
            let result = JobResult {
                ran,
                ..JobResult::not_run(result.end.clone())
            };
            events.push_back(BackendEvent::Finished { job, result });
        }
    }

    /// Assigns the rest of a stream to the current member, unless a marker says otherwise.
    fn read_rest(&mut self, stream: OutputStream, events: &mut GroupEvents) {
        let current = self.current.as_ref().map(|current| current.name.clone());
        let reel = self.streams.of(stream);
        let mut owner = reel.mark.take().or_else(|| current.clone());
        loop {
            let reel = self.streams.of(stream);
            let bytes = match reel.uncut.next() {
                Some(OutputToken::Mark(name)) => {
                    owner = Some(name);
                    continue;
                }
                Some(OutputToken::Bytes(bytes)) => bytes,
                None => reel.uncut.rest(),
            };
            if bytes.is_empty() {
                return;
            }
            if owner == current {
                self.emit_output(stream, bytes, events);
            }
        }
    }
}
