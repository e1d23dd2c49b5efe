//! Estimates the rate and the remaining time of a run.

use std::collections::VecDeque;

/// The window for the rate of finished attempts, in seconds.
const RATE_WINDOW_S: u64 = 5;

/// The basis of the estimates: the expected times of open tests, and the times that finished
/// attempts took.
#[derive(Clone, Debug, Default)]
pub(super) struct RunEstimator {
    ran_tests: u64,
    ran_us: u64,
    open_expected_us: u64,
    open_unexpected: u64,
    finished_by_second: VecDeque<(u64, u32)>,
}

/// The load at the time of an estimate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunningLoad {
    /// The number of slots of all workers.
    pub slots: u64,
    /// The elapsed time of running tests, each up to its expected time.
    pub elapsed_us: u64,
    /// The longest expected remaining time of a running test.
    pub longest_us: u64,
}

impl RunEstimator {
    /// Adds a test that has not ended.
    pub(super) fn opened(&mut self, expected_us: Option<u64>) {
        match expected_us {
            Some(us) => self.open_expected_us = self.open_expected_us.saturating_add(us),
            None => self.open_unexpected += 1,
        }
    }

    /// Removes a test that has ended or vanished.
    pub(super) fn closed(&mut self, expected_us: Option<u64>) {
        match expected_us {
            Some(us) => self.open_expected_us = self.open_expected_us.saturating_sub(us),
            None => self.open_unexpected = self.open_unexpected.saturating_sub(1),
        }
    }

    /// Records the end of an attempt.
    pub(super) fn finished(&mut self, now_us: u64, ran_us: u64) {
        // An attempt that didn't run, such as a cached one, says nothing about durations.
        if ran_us > 0 {
            self.ran_tests += 1;
            self.ran_us = self.ran_us.saturating_add(ran_us);
        }
        let second = now_us / 1_000_000;
        match self.finished_by_second.back_mut() {
            Some((last, count)) if *last == second => *count = count.saturating_add(1),
            _ => self.finished_by_second.push_back((second, 1)),
        }
        // A second without finished attempts has no entry, so the entries may be older than the
        // window; `rate` filters these out.
        if self.finished_by_second.len() as u64 > RATE_WINDOW_S {
            self.finished_by_second.pop_front();
        }
    }

    /// Returns the mean duration of an attempt, or `None` if none has ended.
    pub(super) fn mean_us(&self) -> Option<u64> {
        self.ran_us.checked_div(self.ran_tests)
    }

    /// Returns the number of attempts that end per second.
    pub(super) fn rate(&self, now_us: u64) -> u32 {
        let now_s = now_us / 1_000_000;
        let (first_s, count) = self
            .finished_by_second
            .iter()
            .filter(|(second, _)| second.saturating_add(RATE_WINDOW_S) > now_s)
            .fold((now_s, 0_u64), |(first, sum), (second, count)| {
                (first.min(*second), sum + u64::from(*count))
            });
        (count / (now_s - first_s + 1)) as u32
    }

    /// Returns the estimated remaining time: the expected time of all open tests divided by the
    /// number of slots, but at least that of the longest running test.
    pub(super) fn remaining_us(&self, going: RunningLoad) -> Option<u64> {
        let unexpected_us = match (self.open_unexpected, self.mean_us()) {
            (0, _) => 0,
            (count, Some(mean_us)) => count.saturating_mul(mean_us),
            (_, None) => return None,
        };
        let open_us = self.open_expected_us.saturating_add(unexpected_us);
        let spread_us = open_us
            .saturating_sub(going.elapsed_us)
            .checked_div(going.slots)?;
        Some(spread_us.max(going.longest_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_spread_over_the_slots_but_never_shorter_than_its_longest_test() {
        let mut estimate = RunEstimator::default();
        estimate.opened(Some(6_000));
        estimate.opened(None);
        let going = RunningLoad {
            slots: 4,
            elapsed_us: 0,
            longest_us: 5_000,
        };
        assert_eq!(estimate.remaining_us(going), None, "nothing to go by yet");
        estimate.finished(1, 42_000);
        assert_eq!(estimate.remaining_us(going), Some(12_000));
        estimate.closed(None);
        assert_eq!(estimate.remaining_us(going), Some(5_000));
    }

    #[test]
    fn the_rate_forgets_what_is_long_past() {
        let mut estimate = RunEstimator::default();
        for at_us in (0..2_000_000).step_by(10_000) {
            estimate.finished(at_us, 0);
        }
        assert_eq!(estimate.rate(1_999_999), 100);
        assert_eq!(estimate.rate(60_000_000), 0);
    }
}
