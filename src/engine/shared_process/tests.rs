//! Tests groups on a scripted backend.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use maelstrom_model::event::OutputStream;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{ExitStatus, ResourceUsage};
use maelstrom_model::testing;

/// Returns scripted events and records the calls.
#[derive(Debug, Default)]
struct Puppet {
    events: VecDeque<BackendEvent>,
    asked: Vec<String>,
}

impl Backend for Puppet {
    fn slots(&self) -> u32 {
        2
    }

    fn submit(&mut self, id: JobId, _: Job, _: JobPriority) {
        self.asked.push(format!("submit {id}"));
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

/// Submits a group of three tests.
fn group(ids: std::ops::Range<u64>) -> SharedProcessBackend<Puppet> {
    let mut together = SharedProcessBackend::new(Puppet::default());
    for id in ids {
        submit(&mut together, id, &format!("t{id}"));
    }
    together
}

fn submit(together: &mut SharedProcessBackend<Puppet>, id: u64, name: &str) {
    let member = TestGroupMember {
        group: "g".into(),
        name: name.to_owned(),
    };
    together.submit_member(JobId(id), member, testing::job(), JobPriority::default());
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

fn mark(name: &str) -> String {
    format!("\x1b_maelstrom-part {name}\x1b\\")
}

fn writes(id: u64, stream: OutputStream, text: &str) -> BackendEvent {
    BackendEvent::Output {
        job: JobId(id),
        stream,
        bytes: text.into(),
    }
}

/// The output of a group, with one stream complete before the other.
fn whole(id: u64) -> [BackendEvent; 2] {
    let none = mark("");
    let stream = |what: &str| {
        let part = |name: &str, end: &str| format!("{}{what} {name}{end}", mark(name));
        format!(
            "head{}between{}",
            part("t1", &none),
            part("t2", &mark("=1"))
        )
    };
    [
        writes(
            id,
            OutputStream::Stdout,
            &(stream("out") + &mark("t3") + "out t3" + &none + "summary"),
        ),
        writes(
            id,
            OutputStream::Stderr,
            &(stream("err") + &mark("t3") + "err t3"),
        ),
    ]
}

#[test]
fn each_test_has_a_start_its_output_and_an_end() {
    let mut together = group(1..4);
    assert_eq!(told(&mut together), [""; 0]);
    assert_eq!(together.inner.asked, ["submit 1"]);
    together.inner.events.push_back(starts(1));
    together.inner.events.extend(whole(1));
    together.inner.events.push_back(exits(1, 0));
    assert_eq!(
        told(&mut together),
        [
            "1 starts in 1",
            "1 out t1",
            "1 err t1",
            "1 Exited(Code(0))",
            "2 starts in 1",
            "2 out t2",
            "2 err t2",
            "2 Exited(Code(1))",
            "3 starts in 1",
            "3 out t3",
            "3 err t3",
            "3 Exited(Code(0))",
        ]
    );
}

#[test]
fn what_the_process_ends_with_is_the_end_of_what_it_has_not_finished() {
    for (end, others) in [
        (JobOutcome::Exited(ExitStatus::Code(3)), "starts in 1"),
        (JobOutcome::TimedOut, "starts in 1"),
        (JobOutcome::Cancelled, "Cancelled"),
        (JobOutcome::Error("gone".to_owned()), "Error"),
    ] {
        let mut together = group(1..4);
        assert_eq!(told(&mut together), [""; 0]);
        let begin = mark("t1") + "x";
        let events = &mut together.inner.events;
        events.push_back(starts(1));
        events.push_back(writes(1, OutputStream::Stdout, &begin));
        events.push_back(writes(1, OutputStream::Stderr, &begin));
        events.push_back(ends(1, end.clone()));
        let told = told(&mut together);
        let of = |id: u32| {
            let id = format!("{id} ");
            told.iter().filter(move |line| line.starts_with(&id))
        };
        assert_eq!(of(1).next_back(), Some(&format!("1 {end:?}")));
        for id in [2, 3] {
            assert!(of(id).next().unwrap().contains(others), "{told:?}");
            assert_eq!(of(id).next_back(), Some(&format!("{id} {end:?}")));
        }
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
fn stopping_what_runs_stops_all_and_stopping_what_waits_does_not() {
    let mut together = group(1..4);
    together.stop(JobId(3), StopMode::Kill);
    assert_eq!(told(&mut together), ["3 Cancelled"]);
    let begin = mark("t1");
    let events = &mut together.inner.events;
    events.push_back(starts(1));
    events.push_back(writes(1, OutputStream::Stdout, &begin));
    events.push_back(writes(1, OutputStream::Stderr, &begin));
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
    let [out, err] = whole(1);
    let until_second = mark("t1") + "x" + &mark("") + &mark("t2") + "lost";
    let reason = "the worker is gone".to_owned();
    let job = JobId(1);
    together.inner.events.extend([
        starts(1),
        writes(1, OutputStream::Stdout, &until_second),
        writes(1, OutputStream::Stderr, &until_second),
        BackendEvent::Restarted { job, reason },
        out,
        err,
        exits(1, 0),
    ]);
    let told = told(&mut together);
    let count = |line: &str| told.iter().filter(|told| *told == line).count();
    assert_eq!(count("2 begins again"), 1);
    for id in 1..4 {
        assert_eq!(count(&format!("{id} starts in 1")), 1, "{told:?}");
        let code = u32::from(id == 2);
        assert_eq!(count(&format!("{id} Exited(Code({code}))")), 1, "{told:?}");
    }
}

proptest! {
    /// For any output of the process, each test has one start and one end after it.
    #[test]
    fn every_test_ends_once(
        writings in prop::collection::vec((any::<bool>(), prop_oneof![
            Just(mark("t1")), Just(mark("t2")), Just(mark("t3")), Just(mark("")), Just(mark("x")),
            Just("text".to_owned()), Just("\x1b_maelstrom".to_owned()),
        ]), 0..30),
        stopped in prop::collection::vec(1u64..4, 0..3),
        code in 0i32..2,
    ) {
        let mut together = group(1..4);
        prop_assert!(told(&mut together).is_empty());
        together.inner.events.push_back(starts(1));
        for (out, text) in writings {
            let stream = if out { OutputStream::Stdout } else { OutputStream::Stderr };
            together.inner.events.push_back(writes(1, stream, &text));
        }
        let mut told_all = told(&mut together);
        for id in stopped {
            together.stop(JobId(id), StopMode::Terminate);
        }
        together.inner.events.push_back(exits(1, code));
        told_all.extend(told(&mut together));
        for id in 1..4 {
            let starts = told_all.iter().filter(|line| **line == format!("{id} starts in 1"));
            prop_assert!(starts.count() <= 1);
            let ends = |line: &&String| {
                let line = line.strip_prefix(&format!("{id} "));
                line.is_some_and(|end| end == "Cancelled" || end.starts_with("Exited"))
            };
            prop_assert_eq!(told_all.iter().filter(ends).count(), 1, "{:?}", told_all);
        }
    }
}
