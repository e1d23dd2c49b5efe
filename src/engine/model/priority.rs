//! The order of waiting jobs. The job of higher priority starts first; among equals, one of unknown
//! duration; then the longest (so that a run does not end with one long job on one slot); then the
//! one that was submitted first.

use std::cmp::Ordering;
use std::time::Duration;

/// The position of a job in the queue. The greatest starts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobPriority {
    /// Takes precedence over the estimate.
    pub priority: i8,
    /// The expected duration of the job, if known.
    pub estimate: Option<Duration>,
}

impl Ord for JobPriority {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_duration = match (self.estimate, other.estimate) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(others)) => own.cmp(&others),
        };
        self.priority.cmp(&other.priority).then(by_duration)
    }
}

impl PartialOrd for JobPriority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A job's sort key in the queue: the smallest is next. Packed, because there may be 100,000 in two
/// places each: the distance from the greatest priority, then the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    behind: u64,
    arrival: u64,
}

/// Estimates have a resolution of one microsecond, up to two thousand years.
const ESTIMATE_BITS: u32 = 56;

impl QueueKey {
    /// Returns the key of a job with this priority and this position in the order of arrival.
    pub fn new(rank: JobPriority, arrival: u64) -> QueueKey {
        let longest = (1 << ESTIMATE_BITS) - 1;
        let below_priority = u64::from(rank.priority.abs_diff(i8::MAX));
        let below_duration = match rank.estimate {
            None => 0,
            Some(estimate) => {
                let micros = u64::try_from(estimate.as_micros()).unwrap_or(u64::MAX);
                // Never 0, which means an unknown duration.
                longest - micros.min(longest - 1)
            }
        };
        QueueKey {
            behind: below_priority << ESTIMATE_BITS | below_duration,
            arrival,
        }
    }
}
