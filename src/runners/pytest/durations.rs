//! Collects the durations of a round's tests and reports the slowest at its end, as pytest's
//! `--durations` does. Pure.

use std::time::Duration;

use maelstrom_model::event::{NoticeSeverity, UserNotice};
use maelstrom_model::framework::SubtestReport;

/// The maximum number of durations that are reported, whatever the user asks for.
const TOLD_MAX: usize = 10_000;

/// The durations that a user wants to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DurationLimits {
    /// Their number.
    number: usize,
    /// The shortest.
    minimum: Duration,
}

impl DurationLimits {
    /// Reads the number of durations, of which 0 means all, and the seconds of the shortest.
    pub fn read(value: &str) -> Option<DurationLimits> {
        let (number, minimum) = value.split_once(' ')?;
        let number: i64 = number.parse().ok()?;
        Some(DurationLimits {
            number: match usize::try_from(number) {
                Ok(0) | Err(_) => TOLD_MAX,
                Ok(number) => number.min(TOLD_MAX),
            },
            minimum: Duration::try_from_secs_f64(minimum.parse().ok()?).unwrap_or_default(),
        })
    }
}

/// The slowest phases of tests.
#[derive(Clone, Debug)]
pub struct SlowestPhases {
    limits: DurationLimits,
    phases: Vec<(Duration, String)>,
}

impl SlowestPhases {
    pub fn new(limits: DurationLimits) -> SlowestPhases {
        SlowestPhases {
            limits,
            phases: Vec::new(),
        }
    }

    /// Adds the phases of a test.
    pub fn add(&mut self, node: &str, phases: &[SubtestReport]) {
        let slow = phases
            .iter()
            .filter(|phase| phase.duration >= self.limits.minimum);
        let described = slow.map(|phase| {
            let seconds = phase.duration.as_secs_f64();
            let text = format!("{seconds:.2}s {:<8} {node}", phase.name);
            (phase.duration, text)
        });
        self.phases.extend(described);
        if self.phases.len() > self.limits.number.saturating_mul(2).max(TOLD_MAX) {
            self.keep_slowest();
        }
    }

    fn keep_slowest(&mut self) {
        self.phases
            .sort_by_key(|(duration, _)| std::cmp::Reverse(*duration));
        self.phases.truncate(self.limits.number);
    }

    /// Returns the notices about the slowest, and forgets all.
    pub fn take_notices(&mut self) -> Vec<UserNotice> {
        self.keep_slowest();
        let phases = std::mem::take(&mut self.phases).into_iter();
        let notice = |(_, text)| UserNotice {
            severity: NoticeSeverity::Info,
            text,
            help: None,
            in_summary: true,
        };
        phases.map(notice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::TestOutcome;

    fn told(value: &str) -> Vec<String> {
        let mut slowest = SlowestPhases::new(DurationLimits::read(value).unwrap());
        for (node, name, millis) in [("a", "setup", 3), ("a", "call", 1500), ("b", "call", 20)] {
            let phase = SubtestReport {
                name: name.to_owned(),
                outcome: TestOutcome::Passed,
                duration: Duration::from_millis(millis),
            };
            slowest.add(node, &[phase]);
        }
        let notices = slowest.take_notices().into_iter();
        assert!(slowest.take_notices().is_empty());
        notices.map(|notice| notice.text).collect()
    }

    #[test]
    fn the_slowest_come_first() {
        let (first, second, third) = ("1.50s call     a", "0.02s call     b", "0.00s setup    a");
        assert_eq!(told("1 0.005"), [first]);
        assert_eq!(told("0 0.005"), [first, second]);
        assert_eq!(told("-1 0"), [first, second, third]);
        assert_eq!(DurationLimits::read("all"), None);
    }
}
