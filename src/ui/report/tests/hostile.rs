//! Hostile text in a report: names, reasons, messages and output.

use proptest::prelude::*;

use super::*;
use maelstrom_model::event::untrusted_text::is_hostile;
use maelstrom_model::event::{BuildEvent, RunEvent, WatchEvent, WorkerStatusEvent};
use maelstrom_model::testing::hostile_text;

/// A run with this text in every field that can hold text.
fn report_text(text: &str, style: ReportStyle, passing_output: PassingOutputDisplay) -> String {
    let mut story = Story::new(RunReportOptions {
        style,
        passing_output,
        slowest: SlowestTests::wanted(Some(9), style),
        ..PLAIN
    });
    let own = || text.to_owned();
    story.emit(RunEvent::Started(RunStarted {
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
    story.emit(EventKind::Notice(UserNotice {
        severity: NoticeSeverity::Warning,
        text: own(),
        help: Some(own()),
        in_summary: true,
    }));
    story.emit(WorkerStatusEvent::Joined {
        worker: WorkerId(1),
        name: own(),
        slots: 1,
        architecture: own(),
    });
    story.emit(BuildEvent::Started {
        command: vec![own()],
    });
    story.emit(BuildEvent::Output {
        text: OutputText(own().into_bytes()),
    });
    story.emit(BuildEvent::Progress {
        done: 1,
        total: None,
        current: own(),
    });
    story.pass_ms(600_000);
    story.emit(BuildEvent::Finished { succeeded: false });
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
    story.emit(WorkerStatusEvent::Left {
        worker: WorkerId(1),
        reason: own(),
    });
    story.emit(WatchEvent::FilesChanged {
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
        use PassingOutputDisplay::{AtEnd, Live};
        for (style, passing_output) in [
            (ReportStyle::Lines, AtEnd),
            (ReportStyle::Lines, Live),
            (ReportStyle::Dots, Live),
            (ReportStyle::Failures, AtEnd),
            (ReportStyle::Names, Live),
        ] {
            let report = report_text(&text, style, passing_output);
            // A test's own output may have tabs.
            let does = |c: &char| is_hostile(*c) && !matches!(c, '\n' | '\t');
            let found = report.chars().find(does);
            prop_assert_eq!(found, None, "{}", report.escape_debug());
        }
    }
}
