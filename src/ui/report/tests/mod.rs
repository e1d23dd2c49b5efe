//! Reports of recorded runs. Times are those of the events.

mod building;
mod endings;
mod hostile;
mod live;
mod retries;
mod runaway;
mod styles;
mod watching;

use std::fmt::Write as _;

use super::*;
use crate::style::OutputColor;
use crate::terminal_features::TerminalFeatureSet;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, AttemptTimings, BackendInfo, BuildEvent, ExitStatus,
    IsolationMode, NoticeSeverity, OutputStream, OutputText, PreviousOutcome, RoundCause,
    RoundEvent, RoundSummary, RunEvent, RunStarted, SourceLocation, TestEvent, TestInfo,
    TestOutcome, UserNotice,
};
use maelstrom_model::ids::{Attempt, RunId, TestId, WorkerId};

const PLAIN: RunReportOptions = RunReportOptions {
    style: ReportStyle::Lines,
    color: OutputColor::Never,
    passing_output: PassingOutputDisplay::Hidden,
    slowest: SlowestTests::NONE,
    terminal: TerminalFeatureSet::NONE,
};
const QUIET: RunReportOptions = RunReportOptions {
    style: ReportStyle::Failures,
    ..PLAIN
};

/// A report under test, fed event by event.
struct Story {
    report: RunReport,
    now_us: u64,
    written: Vec<u8>,
}

impl Story {
    fn new(options: RunReportOptions) -> Story {
        Story {
            report: RunReport::new(options),
            now_us: 0,
            written: Vec::new(),
        }
    }

    fn emit(&mut self, kind: impl Into<EventKind>) {
        let event = Event {
            at_us: self.now_us,
            kind: kind.into(),
        };
        self.report.apply(&event, &mut self.written).unwrap();
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now_us += ms * 1_000;
        self.report.tick(self.now_us, &mut self.written).unwrap();
    }

    fn begins(&mut self, isolation: IsolationMode) {
        let command = [
            "cargo",
            "maelstrom",
            "--include",
            "all",
            "--",
            "--color=always",
        ];
        self.emit(RunEvent::Started(RunStarted {
            schema: 1,
            run: RunId(0x7f3a_0000_0000_0001),
            program: "cargo-maelstrom".to_owned(),
            version: "1.2.3".to_owned(),
            command: command.map(str::to_owned).to_vec(),
            directory: "/home/somebody/net".to_owned(),
            started_unix_ms: 0,
            backend: BackendInfo::Local,
            isolation,
        }));
    }

    fn finds(&mut self, names: &[&str]) {
        let tests = names.iter().zip(0..).map(|(name, id)| TestInfo {
            test: TestId(id),
            package: "net".to_owned(),
            artifact: "tcp(test)".to_owned(),
            name: (*name).to_owned(),
            title: format!("net tcp {name}"),
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        });
        let tests: Vec<TestInfo> = tests.collect();
        let selected = tests.len() as u32;
        self.emit(TestEvent::Discovered { tests });
        self.emit(TestEvent::DiscoveryFinished {
            selected,
            deselected: 3,
        });
    }

    fn round(&mut self, round: u32, cause: RoundCause) {
        self.emit(RoundEvent::Started { round, cause });
    }

    fn starts(&mut self, test: u32, attempt: u32) {
        self.emit(AttemptEvent::Started {
            test: TestId(test),
            attempt: Attempt(attempt),
            worker: WorkerId(0),
            slot: 0,
        });
    }

    fn writes(&mut self, test: u32, attempt: u32, text: &[u8]) {
        self.emit(AttemptEvent::Output {
            test: TestId(test),
            attempt: Attempt(attempt),
            stream: OutputStream::Stderr,
            text: OutputText(text.to_vec()),
        });
    }

    fn ends(&mut self, test: u32, attempt: u32, ran_ms: u64, outcome: TestOutcome) {
        let location = outcome.is_failure().then(|| SourceLocation {
            path: "src/tcp.rs".to_owned(),
            line: 412,
            column: Some(9),
        });
        self.emit(AttemptEvent::Finished(Box::new(AttemptFinished {
            cached: ran_ms == 0 && outcome == TestOutcome::Passed,
            timings: AttemptTimings {
                ran_us: ran_ms * 1_000,
                ..AttemptTimings::default()
            },
            location,
            ..AttemptFinished::new(TestId(test), Attempt(attempt), outcome)
        })));
    }

    fn round_ends(&mut self, round: u32, summary: RoundSummary) {
        self.emit(RoundEvent::Finished { round, summary });
        self.emit(RunEvent::Finished { exit_code: 0 });
    }

    fn text(self) -> String {
        String::from_utf8(self.written).unwrap()
    }
}

fn failed(exit: ExitStatus) -> TestOutcome {
    TestOutcome::Failed {
        exit: Some(exit),
        reason: None,
    }
}

fn eventful(options: RunReportOptions) -> String {
    let mut story = Story::new(options);
    story.begins(IsolationMode::Process);
    story.emit(EventKind::Notice(UserNotice {
        severity: NoticeSeverity::Info,
        text: "using 2 slots".to_owned(),
        help: None,
        in_summary: false,
    }));
    story.emit(EventKind::Notice(UserNotice {
        severity: NoticeSeverity::Warning,
        text: "doctests of 1 crate were not run".to_owned(),
        help: Some("cargo test --doc".to_owned()),
        in_summary: true,
    }));
    story.finds(&[
        "quick",
        "half_close",
        "reset",
        "idle",
        "broken",
        "later",
        "slow",
        "left",
    ]);
    story.round(1, RoundCause::Start);
    story.starts(0, 1);
    story.writes(0, 1, b"nobody asks\n");
    story.ends(0, 1, 12, TestOutcome::Passed);
    story.starts(1, 1);
    story.ends(1, 1, 0, TestOutcome::Passed);
    story.starts(2, 1);
    story.writes(
        2,
        1,
        b"\x1b[31mthread 'reset' panicked\x1b[0m at src/tcp.rs:412:9:\nleft: 1\r\n",
    );
    story.writes(2, 1, b"right: 2");
    story.ends(2, 1, 1_204, failed(ExitStatus::Code(101)));
    story.starts(3, 1);
    story.ends(
        3,
        1,
        60_000,
        TestOutcome::TimedOut {
            limit_us: 60_000_000,
        },
    );
    let message = "the container could not be started:\nmount proc on /proc: EPERM".to_owned();
    story.ends(4, 1, 0, TestOutcome::Error { message });
    let reason = Some("needs a network".to_owned());
    story.ends(5, 1, 0, TestOutcome::Ignored { reason });
    let grace_us = 10_000_000;
    story.emit(RunEvent::Cancelling { grace_us });
    story.ends(6, 1, 5, TestOutcome::Cancelled);
    story.round_ends(
        1,
        RoundSummary {
            passed: 2,
            failed: 1,
            timed_out: 1,
            errors: 1,
            ignored: 1,
            cancelled: 1,
            not_run: 1,
            cached: 1,
            flaky: 0,
            flaky_passed: 0,
            duration_us: 61_300_000,
        },
    );
    story.text()
}

#[test]
fn a_plain_report_of_every_outcome() {
    insta::assert_snapshot!(eventful(PLAIN));
}

#[test]
fn a_quiet_report_of_every_outcome() {
    insta::assert_snapshot!(eventful(QUIET));
}

#[test]
fn without_color_no_escape_is_written_and_with_it_only_colors() {
    assert!(!eventful(PLAIN).contains('\u{1b}'));
    let colored = eventful(RunReportOptions {
        color: OutputColor::Always,
        ..PLAIN
    });
    assert!(colored.contains("\u{1b}[32mPASS"));
    assert!(colored.contains("\u{1b}[31mthread 'reset' panicked"));
    let mut plain = Vec::new();
    for line in colored.lines() {
        plain.extend_from_slice(
            text::OutputSanitizer::new(OutputColor::Never)
                .line(line.as_bytes())
                .as_bytes(),
        );
        plain.push(b'\n');
    }
    assert_eq!(String::from_utf8(plain).unwrap(), eventful(PLAIN));
}

#[test]
fn silence_is_broken_ever_less_often() {
    let mut story = Story::new(PLAIN);
    story.begins(IsolationMode::Container);
    story.finds(&["one", "two", "three", "four", "five"]);
    story.round(1, RoundCause::Start);
    for test in 0..5 {
        story.starts(test, 1);
        story.pass_ms(1_000);
    }
    for _ in 0..200 {
        story.pass_ms(1_000);
    }
    story.ends(1, 1, 204_000, TestOutcome::Passed);
    for _ in 0..12 {
        story.pass_ms(1_000);
    }
    insta::assert_snapshot!(story.text());
}

#[test]
fn nothing_running_means_no_heartbeat() {
    let mut story = Story::new(PLAIN);
    story.begins(IsolationMode::Container);
    story.finds(&["one"]);
    story.round(1, RoundCause::Start);
    assert_eq!(story.report.wake_us(), None);
    story.starts(0, 1);
    assert_eq!(story.report.wake_us(), Some(10_000_000));
    story.ends(0, 1, 1, TestOutcome::Passed);
    assert_eq!(story.report.wake_us(), None);
}

#[test]
fn a_repeated_test_shows_its_first_failure_and_passing_logs_are_forgotten() {
    let mut story = Story::new(PLAIN);
    story.begins(IsolationMode::Container);
    story.finds(&["flaky"]);
    story.round(1, RoundCause::Start);
    for (attempt, passes) in [(1, true), (2, false), (3, false), (4, true)] {
        story.starts(0, attempt);
        story.writes(0, attempt, format!("attempt {attempt} speaks\n").as_bytes());
        let outcome = if passes {
            TestOutcome::Passed
        } else {
            failed(ExitStatus::Signal {
                number: 11,
                core_dumped: false,
            })
        };
        story.ends(0, attempt, 7, outcome);
    }
    story.round_ends(
        1,
        RoundSummary {
            failed: 1,
            flaky: 1,
            duration_us: 28_000,
            ..RoundSummary::default()
        },
    );
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_rerun_counts_all_tests() {
    let mut story = Story::new(PLAIN);
    story.begins(IsolationMode::Container);
    story.finds(&["good", "bad"]);
    story.round(1, RoundCause::Start);
    for (test, outcome) in [(0, TestOutcome::Passed), (1, failed(ExitStatus::Code(1)))] {
        story.starts(test, 1);
        story.ends(test, 1, 7, outcome);
    }
    let summary = RoundSummary {
        passed: 1,
        failed: 1,
        duration_us: 14_000,
        ..RoundSummary::default()
    };
    story.emit(RoundEvent::Finished { round: 1, summary });
    story.written.clear();
    story.pass_ms(1_000);
    story.round(2, RoundCause::Rerun);
    story.starts(1, 2);
    story.ends(1, 2, 7, TestOutcome::Passed);
    story.round_ends(
        2,
        RoundSummary {
            passed: 1,
            duration_us: 7_000,
            ..RoundSummary::default()
        },
    );
    insta::assert_snapshot!(story.text());
}

#[test]
fn passing_output_is_shown_on_demand() {
    let mut story = Story::new(RunReportOptions {
        passing_output: PassingOutputDisplay::AtEnd,
        ..PLAIN
    });
    story.finds(&["one"]);
    story.round(1, RoundCause::Start);
    story.starts(0, 1);
    story.writes(0, 1, b"hello\n");
    story.ends(0, 1, 7, TestOutcome::Passed);
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_run_is_reported_from_its_first_event_to_its_last() {
    let (sender, events) = maelstrom_model::event::channel::channel();
    let mut expected = Vec::new();
    let mut report = RunReport::new(PLAIN);
    for number in 0..5_000 {
        let event = Event {
            at_us: number,
            kind: EventKind::Build(BuildEvent::Output {
                text: OutputText(format!("line {number}\n").into_bytes()),
            }),
        };
        report.apply(&event, &mut expected).unwrap();
        sender.send(event);
    }
    let last = Event {
        at_us: 5_000,
        kind: EventKind::Run(RunEvent::Finished { exit_code: 0 }),
    };
    sender.send(last);
    let file = tempfile::NamedTempFile::new().unwrap();
    run(
        events,
        PLAIN,
        BackgroundWriter::start(file.reopen().unwrap()).unwrap(),
    )
    .unwrap();
    assert!(std::fs::read(file.path()).unwrap() == expected);
}
