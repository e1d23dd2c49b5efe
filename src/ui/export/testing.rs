//! Made-up runs for the tests of reports.

use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, AttemptTimings, BackendInfo, BuildEvent, Event, EventKind,
    ExitStatus, IsolationMode, OutputStream, OutputText, PreviousOutcome, RetryNext, RetryPosition,
    RetryStart, RoundCause, RoundEvent, RoundSummary, RunEvent, RunStarted, SCHEMA_VERSION,
    SourceLocation, TestEvent, TestInfo, TestOutcome,
};
use maelstrom_model::ids::{Attempt, RunId, TestId, WorkerId};

/// A run that is made up event by event; each takes a millisecond.
pub(super) struct RunScript {
    pub(super) events: Vec<Event>,
    /// The location of the next failures.
    pub(super) location: Option<SourceLocation>,
    at_us: u64,
    tests: u32,
}

impl RunScript {
    /// A run of `cargo-maelstrom` on this machine.
    pub(super) fn new() -> RunScript {
        let mut script = RunScript {
            events: Vec::new(),
            location: None,
            at_us: 0,
            tests: 0,
        };
        script.push(RunEvent::Started(RunStarted {
            schema: SCHEMA_VERSION,
            run: RunId(0x7f3a_0000_0000_0001),
            program: "cargo-maelstrom".to_owned(),
            version: "0.1.0".to_owned(),
            command: vec!["cargo".to_owned(), "maelstrom".to_owned()],
            directory: "/home/dev/project".to_owned(),
            started_unix_ms: 1_700_000_000_000,
            backend: BackendInfo::Local,
            isolation: IsolationMode::Container,
        }));
        script
    }

    pub(super) fn push(&mut self, kind: impl Into<EventKind>) {
        self.at_us += 1_000;
        self.events.push(Event {
            at_us: self.at_us,
            kind: kind.into(),
        });
    }

    pub(super) fn builds(&mut self, output: &[u8], succeeded: bool) {
        self.push(BuildEvent::Started {
            command: vec!["cargo".to_owned()],
        });
        let text = OutputText(output.to_vec());
        self.push(BuildEvent::Output { text });
        self.push(BuildEvent::Finished { succeeded });
    }

    /// Finds tests of a binary; their ids follow the earlier ones.
    pub(super) fn discover(&mut self, package: &str, artifact: &str, names: &[&str]) {
        let tests = names.iter().zip(self.tests..).map(|(name, id)| TestInfo {
            test: TestId(id),
            package: package.to_owned(),
            artifact: artifact.to_owned(),
            name: (*name).to_owned(),
            title: format!("{package} {name}"),
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        });
        let tests: Vec<TestInfo> = tests.collect();
        self.tests += names.len() as u32;
        self.push(TestEvent::Discovered { tests });
    }

    pub(super) fn round(&mut self, round: u32, cause: RoundCause) {
        self.push(RoundEvent::Started { round, cause });
    }

    /// Queues and starts an attempt.
    pub(super) fn starts(&mut self, test: u32, attempt: u32) {
        let (test, attempt) = (TestId(test), Attempt(attempt));
        self.push(AttemptEvent::Queued {
            test,
            attempt,
            retry: None,
        });
        self.push(AttemptEvent::Started {
            test,
            attempt,
            worker: WorkerId(0),
            slot: 0,
        });
    }

    pub(super) fn writes(&mut self, test: u32, attempt: u32, stream: OutputStream, text: &[u8]) {
        let event = self.output(test, attempt, stream, text);
        self.events.push(event);
    }

    /// Returns an event with output.
    pub(super) fn output(
        &self,
        test: u32,
        attempt: u32,
        stream: OutputStream,
        text: &[u8],
    ) -> Event {
        Event {
            at_us: self.at_us,
            kind: EventKind::Attempt(AttemptEvent::Output {
                test: TestId(test),
                attempt: Attempt(attempt),
                stream,
                text: OutputText(text.to_vec()),
            }),
        }
    }

    pub(super) fn finishes(&mut self, test: u32, attempt: u32, outcome: TestOutcome) {
        self.finishes_in_series((test, attempt), outcome, None);
    }

    /// A test fails and is retried, and the retry starts.
    pub(super) fn fails_and_retries(&mut self, test: u32, number: u32, attempts_max: u32) {
        let outcome = TestOutcome::Failed {
            exit: Some(ExitStatus::Code(101)),
            reason: None,
        };
        let position = |next| RetryPosition {
            number,
            attempts_max,
            next,
        };
        self.finishes_in_series((test, number), outcome, Some(position(RetryNext::Again)));
        let (test, attempt) = (TestId(test), Attempt(number + 1));
        self.push(AttemptEvent::Queued {
            test,
            attempt,
            retry: Some(RetryStart {
                number: number + 1,
                attempts_max,
                delay_us: 0,
            }),
        });
        self.push(AttemptEvent::Started {
            test,
            attempt,
            worker: WorkerId(0),
            slot: 0,
        });
    }

    /// Ends an attempt of a test that is retried when it fails.
    pub(super) fn finishes_in_series(
        &mut self,
        (test, attempt): (u32, u32),
        outcome: TestOutcome,
        retry: Option<RetryPosition>,
    ) {
        let location = self.location.clone();
        self.push(AttemptEvent::Finished(Box::new(AttemptFinished {
            location: location.filter(|_| outcome.is_failure()),
            retry,
            timings: AttemptTimings {
                ran_us: 12_500,
                ..AttemptTimings::default()
            },
            ..AttemptFinished::new(TestId(test), Attempt(attempt), outcome)
        })));
    }

    pub(super) fn round_ends(&mut self, round: u32) {
        let summary = RoundSummary {
            duration_us: self.at_us,
            ..RoundSummary::default()
        };
        self.push(RoundEvent::Finished { round, summary });
    }

    /// Ends the first round and the run.
    pub(super) fn ends(&mut self, exit_code: u8) {
        self.round_ends(1);
        self.push(RunEvent::Finished { exit_code });
    }
}
