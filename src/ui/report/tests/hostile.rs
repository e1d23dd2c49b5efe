//! What a report makes of texts that try something: names, reasons, messages and output.

use proptest::prelude::*;

use super::*;
use maelstrom_model::event::foreign::is_hostile;
use maelstrom_model::testing::hostile_text;

/// A run in which this text is wherever a text can be.
fn told(text: &str, verbosity: ReportVerbosity) -> String {
    let mut story = Story::new(RunReportOptions {
        verbosity,
        passing_output: PassingOutputDisplay::Shown,
        ..PLAIN
    });
    let own = || text.to_owned();
    story.tell(EventKind::RunStarted(RunStarted {
        schema: 1,
        run: RunId(7),
        program: own(),
        version: own(),
        command: vec![own()],
        directory: own(),
        started_unix_ms: 0,
        backend: BackendInfo::Broker { address: own() },
        isolation: IsolationMode::Process,
    }));
    story.tell(EventKind::Notice(UserNotice {
        severity: NoticeSeverity::Warning,
        text: own(),
        help: Some(own()),
        in_summary: true,
    }));
    story.tell(EventKind::WorkerJoined {
        worker: WorkerId(1),
        name: own(),
        slots: 1,
        architecture: own(),
    });
    story.tell(EventKind::BuildStarted {
        command: vec![own()],
    });
    story.tell(EventKind::BuildOutput {
        text: OutputText(own().into_bytes()),
    });
    story.tell(EventKind::BuildProgress {
        done: 1,
        total: None,
        current: own(),
    });
    story.pass_ms(600_000);
    story.tell(EventKind::BuildFinished { succeeded: false });
    story.finds(&[text, text, text]);
    story.round(1, RoundCause::Start);
    for (test, outcome) in [
        TestOutcome::Failed {
            exit: None,
            reason: Some(own()),
        },
        TestOutcome::Error { message: own() },
        TestOutcome::Ignored {
            reason: Some(own()),
        },
    ]
    .into_iter()
    .enumerate()
    {
        let test = u32::try_from(test).unwrap();
        story.starts(test, 1);
        story.pass_ms(600_000);
        story.writes(test, 1, text.as_bytes());
        story.ends(test, 1, 1, outcome);
    }
    story.tell(EventKind::WorkerLeft {
        worker: WorkerId(1),
        reason: own(),
    });
    story.tell(EventKind::FilesChanged {
        paths: vec![own()],
        more: 1,
    });
    story.round_ends(1, RoundSummary::default());
    story.text()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_report_shows_nothing_that_does_anything(text in hostile_text()) {
        for verbosity in [ReportVerbosity::Plain, ReportVerbosity::Quiet] {
            let report = told(&text, verbosity);
            // A test's own output may have tabs.
            let does = |c: &char| is_hostile(*c) && !matches!(c, '\n' | '\t');
            let found = report.chars().find(does);
            prop_assert_eq!(found, None, "{}", report.escape_debug());
        }
    }
}
