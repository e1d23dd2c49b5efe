//! What the attempts of a round add up to. Pure.
//!
//! A test counts once a round, by the worst of its attempts. Test failures weigh more than
//! infrastructure failures, so that neither is ever counted as the other.

use maelstrom_model::event::{Outcome, Summary};

/// How a test stands in a round, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No attempt has ended.
    #[default]
    Open,
    /// Its author ignores it.
    Ignored,
    /// Every attempt passed.
    Passed,
    /// An attempt was never started.
    NotRun,
    /// An attempt was stopped on the way.
    Cancelled,
    /// An attempt could not be run.
    Error,
    /// An attempt took too long.
    TimedOut,
    /// An attempt failed.
    Failed,
}

/// Whether an attempt was started before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waited.
    NeverStarted,
    /// It ran.
    Started,
}

impl Standing {
    /// Whether a test that stands so makes the run fail.
    pub fn is_failure(self) -> bool {
        match self {
            Standing::Error | Standing::TimedOut | Standing::Failed => true,
            Standing::Open
            | Standing::Ignored
            | Standing::Passed
            | Standing::NotRun
            | Standing::Cancelled => false,
        }
    }

    /// What one attempt amounts to.
    pub fn of(outcome: &Outcome, progress: Progress) -> Standing {
        match (outcome, progress) {
            (Outcome::Passed, _) => Standing::Passed,
            (Outcome::Failed { .. }, _) => Standing::Failed,
            (Outcome::TimedOut { .. }, _) => Standing::TimedOut,
            (Outcome::Ignored { .. }, _) => Standing::Ignored,
            (Outcome::Error { .. }, _) => Standing::Error,
            (Outcome::Cancelled, Progress::Started) => Standing::Cancelled,
            (Outcome::Cancelled, Progress::NeverStarted) => Standing::NotRun,
        }
    }
}

/// One test's attempts in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    standing: Standing,
    passes: u32,
    cached: u32,
}

/// Whether a pass was taken over from an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The attempt ran.
    Ran,
    /// The result cache knew it.
    Cached,
}

impl Tally {
    /// Adds an attempt that ended.
    pub fn add(&mut self, standing: Standing, source: Source) {
        self.standing = self.standing.max(standing);
        if standing == Standing::Passed {
            self.passes += 1;
            if source == Source::Cached {
                self.cached += 1;
            }
        }
    }

    /// The worst so far.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Counts the test into a round's summary.
    pub fn count_into(&self, summary: &mut Summary) {
        match self.standing {
            Standing::Open | Standing::NotRun => summary.not_run += 1,
            Standing::Ignored => summary.ignored += 1,
            Standing::Passed => {
                summary.passed += 1;
                if self.cached == self.passes {
                    summary.cached += 1;
                }
            }
            Standing::Cancelled => summary.cancelled += 1,
            Standing::Error => summary.errors += 1,
            Standing::TimedOut => summary.timed_out += 1,
            Standing::Failed => {
                summary.failed += 1;
                if self.passes > 0 {
                    summary.flaky += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(standings: &[Standing]) -> Summary {
        let mut tally = Tally::default();
        for &standing in standings {
            tally.add(standing, Source::Ran);
        }
        let mut summary = Summary::default();
        tally.count_into(&mut summary);
        summary
    }

    #[test]
    fn a_test_counts_once_by_its_worst_attempt() {
        use Standing::*;
        let failed_and_flaky = Summary {
            failed: 1,
            flaky: 1,
            ..Summary::default()
        };
        assert_eq!(summary(&[Passed, Failed, Passed]), failed_and_flaky);
        assert_eq!(summary(&[Failed, Error]).failed, 1);
        assert_eq!(summary(&[Error, Passed]).errors, 1);
        assert_eq!(summary(&[Passed, NotRun]).not_run, 1);
        assert_eq!(summary(&[Passed, Passed]).passed, 1);
        assert_eq!(summary(&[Passed, Cancelled]).cancelled, 1);
    }

    #[test]
    fn a_pass_is_cached_only_if_nothing_of_it_ran() {
        let mut tally = Tally::default();
        tally.add(Standing::Passed, Source::Cached);
        let mut all_cached = Summary::default();
        tally.count_into(&mut all_cached);
        assert_eq!((all_cached.passed, all_cached.cached), (1, 1));

        tally.add(Standing::Passed, Source::Ran);
        let mut half_cached = Summary::default();
        tally.count_into(&mut half_cached);
        assert_eq!((half_cached.passed, half_cached.cached), (1, 0));
    }
}
