//! Tests groups on a scripted backend. The groups' process writes lines: `+t1` begins a test, `-t1 0`
//! ends it with a status, `t1 text` is its output, and anything else nobody's.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use crate::ids::WorkerId;
use crate::job::{Job, JobOutcome, JobResult, ResourceUsage};
use crate::policy::JobNeeds;
use crate::testing;

/// Returns scripted events and records the calls.
#[derive(Debug, Default)]
struct Puppet {
    events: VecDeque<BackendEvent>,
    asked: Vec<String>,
    needs: Vec<JobNeeds>,
}

impl Backend for Puppet {
    fn slots(&self) -> u32 {
        2
    }

    fn submit(&mut self, id: JobId, job: Job, _: JobPriority) {
        self.asked.push(format!("submit {id}"));
        self.needs.push(job.needs);
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        self.asked.push(format!("{how:?} {id}"));
    }

    fn hold(&mut self) {}

    fn release(&mut self) {}

    fn suspend(&mut self) {}

    fn resume(&mut self) {}

    async fn next(&mut self) -> BackendEvent {
        match self.events.pop_front() {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    async fn close(self) {}
}

#[derive(Debug)]
struct LineProtocol;

impl GroupProtocol for LineProtocol {
    fn pipes(&self) -> OutputPipes {
        OutputPipes::Joined
    }

    fn divider(&self) -> Box<dyn OutputDivider> {
        Box::new(LineDivider::default())
    }
}

#[derive(Debug, Default)]
struct LineDivider {
    last: Option<String>,
    doubt: Option<String>,
}

impl LineDivider {
    fn step(&mut self, stream: OutputStream, line: &str) -> GroupStep {
        let name = |word: &str| word.to_owned();
        if let Some(test) = line.strip_prefix('+') {
            self.last = Some(name(test));
            return GroupStep::Began { test: name(test) };
        }
        if let Some((test, code)) = line.strip_prefix('-').and_then(|rest| rest.split_once(' ')) {
            return GroupStep::Ended {
                test: name(test),
                status: ExitStatus::Code(code.parse().unwrap()),
                ran: None,
            };
        }
        if line == "?" {
            self.doubt = Some("no".to_owned());
        }
        let (test, text) = match line.split_once(' ') {
            Some((test, text)) if test.starts_with('t') => (Some(name(test)), text),
            Some(_) | None => (None, line),
        };
        GroupStep::Wrote {
            test,
            stream,
            bytes: text.into(),
        }
    }
}

impl OutputDivider for LineDivider {
    fn wrote(&mut self, stream: OutputStream, bytes: &[u8]) -> Vec<GroupStep> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().map(|line| self.step(stream, line)).collect()
    }

    fn ended(&mut self, _: Option<ExitStatus>) -> GroupEnd {
        GroupEnd {
            steps: Vec::new(),
            last: self.last.take(),
            doubt: self.doubt.take(),
        }
    }
}

/// Submits a group of three tests.
fn group(ids: std::ops::Range<u64>) -> SharedProcessBackend<Puppet> {
    let mut together = SharedProcessBackend::new(Puppet::default());
    for id in ids {
        submit(&mut together, id, &format!("t{id}"));
    }
    together
}

fn submit(together: &mut SharedProcessBackend<Puppet>, id: u64, name: &str) {
    submit_job(together, id, name, testing::job());
}

fn submit_job(together: &mut SharedProcessBackend<Puppet>, id: u64, name: &str, job: Job) {
    let member = TestGroupMember {
        group: "g".into(),
        name: name.to_owned(),
        title: format!("test {name}"),
        protocol: Arc::new(LineProtocol),
    };
    together.submit_member(JobId(id), member, job, JobPriority::default());
}

/// Returns all events until no more come, as one line each.
fn told(together: &mut SharedProcessBackend<Puppet>) -> Vec<String> {
    std::iter::from_fn(|| {
        let event = together.next().now_or_never()?;
        Some(match event {
            BackendEvent::Started { job, slot, .. } => format!("{job} starts in {slot}"),
            BackendEvent::Output { job, bytes, .. } => {
                format!("{job} {}", String::from_utf8_lossy(&bytes))
            }
            BackendEvent::Restarted { job, .. } => format!("{job} begins again"),
            BackendEvent::Finished { job, result } => format!("{job} {:?}", result.end),
            other => format!("{other:?}"),
        })
    })
    .collect()
}

fn starts(id: u64) -> BackendEvent {
    BackendEvent::Started {
        job: JobId(id),
        worker: WorkerId(0),
        slot: 1,
    }
}

fn ends(id: u64, end: JobOutcome) -> BackendEvent {
    let result = JobResult {
        end,
        usage: ResourceUsage::default(),
        prepared: Duration::ZERO,
        ran: Duration::ZERO,
        leaked: Default::default(),
    };
    let job = JobId(id);
    BackendEvent::Finished { job, result }
}

fn exits(id: u64, code: i32) -> BackendEvent {
    ends(id, JobOutcome::Exited(ExitStatus::Code(code)))
}

fn writes(id: u64, text: &str) -> BackendEvent {
    BackendEvent::Output {
        job: JobId(id),
        stream: OutputStream::Joined,
        bytes: text.into(),
    }
}

/// The events of a group whose process writes `text` and ends like this.
fn all_events(text: &str, end: JobOutcome) -> Vec<String> {
    let mut together = group(1..4);
    assert_eq!(told(&mut together), [""; 0]);
    assert_eq!(together.inner.asked, ["submit 1"]);
    let events = [starts(1), writes(1, text), ends(1, end)];
    together.inner.events.extend(events);
    told(&mut together)
}

const EXITED: JobOutcome = JobOutcome::Exited(ExitStatus::Code(0));

#[test]
fn each_test_has_a_start_its_output_and_an_end() {
    let text = "head\n+t1\nt1 a\n-t1 0\nbetween\n+t2\nt2 b\n-t2 1\n+t3\nt3 c\nsummary\n";
    assert_eq!(
        all_events(text, EXITED),
        [
            "1 starts in 1",
            "1 a",
            "1 Exited(Code(0))",
            "2 starts in 1",
            "2 b",
            "2 Exited(Code(1))",
            "3 starts in 1",
            "3 c",
            "3 Exited(Code(0))",
        ]
    );
}

#[test]
fn a_test_that_runs_while_another_has_the_slot_is_shown_after_it() {
    let text = "+t1\nt1 a\n+t2\nt2 b\n-t2 0\n+t3\nt3 c\nt1 d\n-t1 1\nt3 e\n-t3 0\n";
    assert_eq!(
        all_events(text, EXITED),
        [
            "1 starts in 1",
            "1 a",
            "1 d",
            "1 Exited(Code(1))",
            "2 starts in 1",
            "2 b",
            "2 Exited(Code(0))",
            "3 starts in 1",
            "3 c",
            "3 e",
            "3 Exited(Code(0))",
        ]
    );
}

#[test]
fn what_the_process_ends_with_is_the_end_of_the_test_that_ran() {
    let why = "the process that it shares with other tests ended during `test t2`";
    let error = |text: String| format!("Error({text:?})");
    for (end, other) in [
        (
            JobOutcome::Exited(ExitStatus::Code(3)),
            error(format!("did not run: {why} (exit code 3)")),
        ),
        (EXITED, error(format!("did not run: {why} (exit code 0)"))),
        (
            JobOutcome::TimedOut,
            error(format!("did not run: {why} (the time limit of all tests)")),
        ),
        (JobOutcome::Cancelled, "Cancelled".to_owned()),
        (
            JobOutcome::Error("gone".to_owned()),
            error("gone".to_owned()),
        ),
    ] {
        let told = all_events("+t1\n-t1 0\n+t2\nt2 x\n", end.clone());
        let expected = [
            "1 starts in 1".to_owned(),
            "1 Exited(Code(0))".to_owned(),
            "2 starts in 1".to_owned(),
            "2 x".to_owned(),
            format!("2 {end:?}"),
            format!("3 {other}"),
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn a_test_that_has_begun_and_not_ended_is_no_pass() {
    let told = all_events(
        "+t1\n+t3\n-t3 0\n+t2\n",
        JobOutcome::Exited(ExitStatus::Code(2)),
    );
    let why = "the process that it shares with other tests ended during `test t2` (exit code 2)";
    assert_eq!(
        told,
        [
            "1 starts in 1".to_owned(),
            format!("1 Error(\"did not end: {why}\")"),
            "3 starts in 1".to_owned(),
            "3 Exited(Code(0))".to_owned(),
            "2 starts in 1".to_owned(),
            "2 Exited(Code(2))".to_owned(),
        ]
    );
}

#[test]
fn results_that_cannot_be_believed_are_an_error() {
    let told = all_events("+t1\n-t1 0\n+t2\n-t2 0\n+t3\n?\n", EXITED);
    assert_eq!(told.last().unwrap(), "3 Error(\"no\")");
    // The last result is not told before the process confirms it.
    let told = all_events("+t1\n-t1 0\n+t3\n-t3 0\n+t2\n-t2 0\n?\n", EXITED);
    assert_eq!(told.last().unwrap(), "2 Error(\"no\")");
}

#[test]
fn what_ends_before_any_test_begins_is_the_end_of_the_first() {
    let told = all_events("no such module\n", JobOutcome::Exited(ExitStatus::Code(4)));
    let [start, output, end, second, third] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(start, "1 starts in 1");
    assert_eq!(output, "1 no such module");
    assert_eq!(end, "1 Exited(Code(4))");
    for (id, other) in [(2, second), (3, third)] {
        let expected = format!("{id} Error(\"did not run: ");
        assert!(other.starts_with(&expected), "{other}");
    }
}

#[test]
fn what_is_repeated_waits_for_the_next_run() {
    let mut together = group(1..3);
    submit(&mut together, 11, "t1");
    submit(&mut together, 12, "t2");
    assert_eq!(told(&mut together), [""; 0]);
    together.inner.events.extend([starts(1), exits(1, 1)]);
    told(&mut together);
    assert_eq!(together.inner.asked, ["submit 1", "submit b"]);
}

#[test]
fn a_run_of_some_members_reports_only_them() {
    let mut together = SharedProcessBackend::new(Puppet::default());
    submit(&mut together, 2, "t2");
    assert_eq!(told(&mut together), [""; 0]);
    let text = "+t1\nt1 a\n-t1 1\n+t2\nt2 b\n-t2 0\n+t3\nt3 c\n";
    let events = [starts(2), writes(2, text), exits(2, 1)];
    together.inner.events.extend(events);
    assert_eq!(
        told(&mut together),
        ["2 starts in 1", "2 b", "2 Exited(Code(0))"]
    );
}

#[test]
fn a_group_needs_what_any_of_its_members_needs() {
    let mut together = SharedProcessBackend::new(Puppet::default());
    let job = |set: &dyn Fn(&mut JobNeeds)| {
        let mut job = testing::job();
        set(&mut job.needs);
        job
    };
    let jobs = [
        job(&|needs| needs.memory_bytes = Some(5)),
        job(&|needs| needs.weight = 3.try_into().unwrap()),
        job(&|needs| (needs.exclusive, needs.memory_bytes) = (true, Some(9))),
    ];
    for (id, job) in (1..).zip(jobs) {
        submit_job(&mut together, id, &format!("t{id}"), job);
    }
    told(&mut together);
    let needs = JobNeeds {
        weight: 3.try_into().unwrap(),
        exclusive: true,
        memory_bytes: Some(9),
        ..JobNeeds::default()
    };
    assert_eq!(together.inner.needs, [needs]);
}

#[test]
fn stopping_what_runs_stops_all_and_stopping_what_waits_does_not() {
    let mut together = group(1..4);
    together.stop(JobId(3), StopMode::Kill);
    assert_eq!(told(&mut together), ["3 Cancelled"]);
    together
        .inner
        .events
        .extend([starts(1), writes(1, "+t1\n")]);
    assert_eq!(told(&mut together), ["1 starts in 1"]);
    together.stop(JobId(2), StopMode::Terminate);
    assert_eq!(told(&mut together), ["2 Cancelled"]);
    together.stop(JobId(1), StopMode::Terminate);
    assert_eq!(together.inner.asked, ["submit 1", "Terminate 1"]);
    together
        .inner
        .events
        .push_back(ends(1, JobOutcome::Cancelled));
    assert_eq!(told(&mut together), ["1 Cancelled"]);
}

#[test]
fn what_is_over_stays_so_when_the_process_begins_again() {
    let mut together = group(1..4);
    assert_eq!(told(&mut together), [""; 0]);
    let reason = "the worker is gone".to_owned();
    let job = JobId(1);
    together.inner.events.extend([
        starts(1),
        writes(1, "+t1\n-t1 0\n+t2\nt2 lost\n"),
        BackendEvent::Restarted { job, reason },
        writes(1, "+t1\n-t1 0\n+t2\n-t2 1\n+t3\n"),
        exits(1, 0),
    ]);
    assert_eq!(
        told(&mut together),
        [
            "1 starts in 1",
            "1 Exited(Code(0))",
            "2 starts in 1",
            "2 lost",
            "2 begins again",
            "2 Exited(Code(1))",
            "3 starts in 1",
            "3 Exited(Code(0))",
        ]
    );
}

proptest! {
    /// For any output of the process, each test has one start and one end after it, and no test
    /// starts in a slot that another one has.
    #[test]
    fn every_test_ends_once(
        lines in prop::collection::vec(prop_oneof![
            "[+]t[1-4]", "-t[1-4] [01]", "t[1-4] x", Just("x".to_owned()),
        ], 0..30),
        stopped in prop::collection::vec(1u64..4, 0..3),
        code in 0i32..2,
    ) {
        let mut together = group(1..4);
        prop_assert!(told(&mut together).is_empty());
        together.inner.events.push_back(starts(1));
        for line in lines {
            together.inner.events.push_back(writes(1, &line));
        }
        let mut told_all = told(&mut together);
        for id in stopped {
            together.stop(JobId(id), StopMode::Terminate);
        }
        together.inner.events.push_back(exits(1, code));
        told_all.extend(told(&mut together));
        let mut running = None;
        let mut ended = Vec::new();
        for line in &told_all {
            let (id, what) = line.split_once(' ').unwrap();
            if what.starts_with("starts") {
                prop_assert_eq!(running.replace(id), None, "{:?}", &told_all);
            } else if ["Exited", "Error", "Cancelled"].iter().any(|end| what.starts_with(end)) {
                if running == Some(id) {
                    running = None;
                }
                ended.push(id);
            } else {
                prop_assert_eq!(running, Some(id));
            }
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, ["1", "2", "3"]);
    }
}
