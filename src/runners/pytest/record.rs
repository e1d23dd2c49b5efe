//! What pytest says became of a test: the record that `runner.py` puts at the end of standard error.
//!
//! The record is an application program command (ECMA-48, 8.3.2), an escape sequence of which
//! terminals show nothing, so that it may stay in the output. Pure.

use std::time::Duration;

use serde::Deserialize;

use maelstrom_model::event::{ExitStatus, Outcome, SourceLocation};
use maelstrom_model::framework::{Judgement, Part, Reading};

const START: &[u8] = b"\x1b_maelstrom-pytest ";
const END: &[u8] = b"\x1b\\";

#[derive(Debug, Deserialize)]
struct Record {
    outcome: Option<End>,
    reason: Option<String>,
    place: Option<Place>,
    phases: Vec<Phase>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    Passed,
    Failed,
    Skipped,
    Xfailed,
    Xpassed,
}

#[derive(Debug, Deserialize)]
struct Place {
    path: String,
    line: u32,
}

#[derive(Debug, Deserialize)]
struct Phase {
    name: String,
    outcome: String,
    seconds: f64,
}

/// What the end of a test's standard error says of it.
pub fn read(status: ExitStatus, stderr: &[u8]) -> Reading {
    let Some(record) = last_record(stderr) else {
        return Reading {
            judgement: failed("its process ended before pytest had a result"),
            ..Reading::default()
        };
    };
    let judgement = match record.outcome {
        None => failed("pytest did not run it"),
        Some(End::Failed) => Judgement::Failed {
            reason: record.reason,
        },
        Some(End::Skipped) => Judgement::Ignored {
            reason: record.reason,
        },
        Some(End::Passed | End::Xfailed | End::Xpassed) => match status {
            ExitStatus::Code(0) => Judgement::ByStatus,
            ExitStatus::Code(_) | ExitStatus::Signal { .. } => {
                failed("it passed, but pytest failed afterwards")
            }
        },
    };
    Reading {
        judgement,
        location: record.place.map(|place| SourceLocation {
            path: place.path,
            line: place.line,
            column: None,
        }),
        parts: record.phases.into_iter().filter_map(part).collect(),
    }
}

/// The warnings that a test's record tells of.
pub fn warnings(stderr: &[u8]) -> Vec<String> {
    last_record(stderr).map_or_else(Vec::new, |record| record.warnings)
}

fn failed(reason: &str) -> Judgement {
    Judgement::Failed {
        reason: Some(reason.to_owned()),
    }
}

fn last_record(stderr: &[u8]) -> Option<Record> {
    let start = stderr
        .windows(START.len())
        .rposition(|window| window == START)?;
    let rest = stderr.get(start + START.len()..)?;
    let end = rest.windows(END.len()).position(|window| window == END)?;
    serde_json::from_slice(rest.get(..end)?).ok()
}

/// A phase that says something: set-up and tear-down usually go without saying.
fn part(phase: Phase) -> Option<Part> {
    let outcome = match phase.outcome.as_str() {
        "failed" => Outcome::Failed {
            exit: None,
            reason: None,
        },
        "skipped" => Outcome::Ignored { reason: None },
        _ => Outcome::Passed,
    };
    Some(Part {
        name: phase.name,
        outcome,
        duration: Duration::try_from_secs_f64(phase.seconds).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(status: ExitStatus, record: &str) -> Reading {
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
            assert_eq!(judgement(PASSED, outcome), Judgement::ByStatus);
            assert_eq!(
                judgement(ExitStatus::Code(3), outcome),
                failed("it passed, but pytest failed afterwards")
            );
        }
        assert_eq!(
            judgement(PASSED, r#""skipped""#),
            Judgement::Ignored {
                reason: why.clone()
            }
        );
        for code in [0, 1] {
            assert_eq!(
                judgement(ExitStatus::Code(code), r#""failed""#),
                Judgement::Failed {
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
            let failed = matches!(reading.judgement, Judgement::Failed { .. });
            prop_assert!(failed);
        }
    }
}
