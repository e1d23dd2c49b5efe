//! Parses pytest's result of a test: the record that `runner.py` appends to stderr.
//!
//! The record is an Application Program Command (ECMA-48, 8.3.2), an escape sequence that terminals
//! do not display, so it may stay in the output. Pure.

use std::time::Duration;

use serde::Deserialize;

use maelstrom_model::event::{ExitStatus, SourceLocation, TestOutcome};
use maelstrom_model::framework::{FrameworkVerdict, OutputAnalysis, SubtestReport};

const START: &[u8] = b"\x1b_maelstrom-pytest ";
const END: &[u8] = b"\x1b\\";

#[derive(Debug, Deserialize)]
struct PytestRecord {
    outcome: Option<PytestOutcome>,
    reason: Option<String>,
    place: Option<RecordLocation>,
    phases: Vec<PytestPhase>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PytestOutcome {
    Passed,
    Failed,
    Skipped,
    Xfailed,
    Xpassed,
}

#[derive(Debug, Deserialize)]
struct RecordLocation {
    path: String,
    line: u32,
}

#[derive(Debug, Deserialize)]
struct PytestPhase {
    name: String,
    outcome: String,
    seconds: f64,
}

/// Returns the result in the record at the end of a test's stderr.
pub fn read(status: ExitStatus, stderr: &[u8]) -> OutputAnalysis {
    let Some(record) = last_record(stderr) else {
        return OutputAnalysis {
            judgement: failed("its process ended before pytest had a result"),
            ..OutputAnalysis::default()
        };
    };
    let judgement = match record.outcome {
        None => failed("pytest did not run it"),
        Some(PytestOutcome::Failed) => FrameworkVerdict::Failed {
            reason: record.reason,
        },
        Some(PytestOutcome::Skipped) => FrameworkVerdict::Ignored {
            reason: record.reason,
        },
        Some(PytestOutcome::Passed | PytestOutcome::Xfailed | PytestOutcome::Xpassed) => {
            match status {
                ExitStatus::Code(0) => FrameworkVerdict::ByStatus,
                ExitStatus::Code(_) | ExitStatus::Signal { .. } => {
                    failed("it passed, but pytest failed afterwards")
                }
            }
        }
    };
    OutputAnalysis {
        judgement,
        location: record.place.map(|place| SourceLocation {
            path: place.path,
            line: place.line,
            column: None,
        }),
        parts: record.phases.into_iter().filter_map(part).collect(),
    }
}

/// Returns the warnings in the record of a test.
pub fn warnings(stderr: &[u8]) -> Vec<String> {
    last_record(stderr).map_or_else(Vec::new, |record| record.warnings)
}

fn failed(reason: &str) -> FrameworkVerdict {
    FrameworkVerdict::Failed {
        reason: Some(reason.to_owned()),
    }
}

fn last_record(stderr: &[u8]) -> Option<PytestRecord> {
    // A test may write such a record itself; the last one counts.
    let start = stderr
        .windows(START.len())
        .rposition(|window| window == START)?;
    let rest = stderr.get(start + START.len()..)?;
    let end = rest.windows(END.len()).position(|window| window == END)?;
    serde_json::from_slice(rest.get(..end)?).ok()
}

/// Converts a phase of a test to a report. Returns `None` if its duration is invalid.
fn part(phase: PytestPhase) -> Option<SubtestReport> {
    let outcome = match phase.outcome.as_str() {
        "failed" => TestOutcome::Failed {
            exit: None,
            reason: None,
        },
        "skipped" => TestOutcome::Ignored { reason: None },
        _ => TestOutcome::Passed,
    };
    Some(SubtestReport {
        name: phase.name,
        outcome,
        duration: Duration::try_from_secs_f64(phase.seconds).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(status: ExitStatus, record: &str) -> OutputAnalysis {
        let stderr = format!("noise\n\x1b_maelstrom-pytest {record}\x1b\\Exception ignored\n");
        read(status, stderr.as_bytes())
    }

    const PASSED: ExitStatus = ExitStatus::Code(0);

    #[test]
    fn every_outcome_is_judged() {
        let judgement = |status, outcome: &str| {
            let record = format!(
                r#"{{"outcome": {outcome}, "reason": "why", "place": null, "phases": []}}"#
            );
            of(status, &record).judgement
        };
        let why = Some("why".to_owned());
        for outcome in [r#""passed""#, r#""xfailed""#, r#""xpassed""#] {
            assert_eq!(judgement(PASSED, outcome), FrameworkVerdict::ByStatus);
            assert_eq!(
                judgement(ExitStatus::Code(3), outcome),
                failed("it passed, but pytest failed afterwards")
            );
        }
        assert_eq!(
            judgement(PASSED, r#""skipped""#),
            FrameworkVerdict::Ignored {
                reason: why.clone()
            }
        );
        for code in [0, 1] {
            assert_eq!(
                judgement(ExitStatus::Code(code), r#""failed""#),
                FrameworkVerdict::Failed {
                    reason: why.clone()
                }
            );
        }
        assert_eq!(judgement(PASSED, "null"), failed("pytest did not run it"));
    }

    #[test]
    fn a_process_that_ends_early_never_passes() {
        for stderr in [
            &b""[..],
            b"\x1b_maelstrom-pytest {}",
            b"\x1b_other {}\x1b\\",
        ] {
            assert_eq!(
                read(PASSED, stderr).judgement,
                failed("its process ended before pytest had a result")
            );
        }
    }

    #[test]
    fn phases_and_place_are_told() {
        let reading = of(
            ExitStatus::Code(1),
            r#"{"outcome": "failed", "reason": null, "place": {"path": "t.py", "line": 3},
                "phases": [{"name": "setup", "outcome": "passed", "seconds": 0.5},
                           {"name": "call", "outcome": "failed", "seconds": -1.0},
                           {"name": "call", "outcome": "failed", "seconds": 1.0}]}"#,
        );
        let place = reading.location.unwrap();
        assert_eq!((place.path.as_str(), place.line), ("t.py", 3));
        let parts = reading.parts.iter();
        let parts: Vec<_> = parts
            .map(|part| (part.name.as_str(), part.duration))
            .collect();
        assert_eq!(
            parts,
            [
                ("setup", Duration::from_millis(500)),
                ("call", Duration::from_secs(1))
            ]
        );
    }

    proptest! {
        #[test]
        fn any_output_can_be_read(status: i32, stderr: Vec<u8>) {
            let reading = read(ExitStatus::Code(status), &stderr);
            let failed = matches!(reading.judgement, FrameworkVerdict::Failed { .. });
            prop_assert!(failed);
        }
    }
}
