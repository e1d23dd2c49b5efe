//! When messages go: what somebody waits for at once, and with it all that there is to say. What
//! nobody waits for lingers a moment for company, because a message costs those who send, pass on and
//! read it more than what is in it.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushUrgency {
    Nothing,
    /// What nobody waits for.
    CanLinger,
    /// Something that somebody waits for.
    Urgent,
}

/// When it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushTime {
    /// Not before something happens.
    Never,
    At(Instant),
    Now,
}

/// How long something has lingered.
#[derive(Debug)]
pub struct LingerTimer {
    time: Duration,
    until: Option<Instant>,
}

impl LingerTimer {
    /// Nothing has, and what will does so for this long.
    pub fn new(time: Duration) -> LingerTimer {
        LingerTimer { time, until: None }
    }

    /// When a message goes, if this waits now.
    pub fn due(&mut self, waiting: FlushUrgency, now: Instant) -> FlushTime {
        match waiting {
            FlushUrgency::Nothing => {
                self.until = None;
                FlushTime::Never
            }
            FlushUrgency::CanLinger => match *self.until.get_or_insert(now + self.time) {
                until if until <= now => FlushTime::Now,
                until => FlushTime::At(until),
            },
            FlushUrgency::Urgent => FlushTime::Now,
        }
    }

    /// All that waited has gone.
    pub fn gone(&mut self) {
        self.until = None;
    }
}

impl FlushTime {
    /// Waits until then; for ever if that is now or never.
    pub async fn come(self) {
        match self {
            FlushTime::At(then) => sleep_until(then).await,
            FlushTime::Never | FlushTime::Now => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_goes_at_once_and_the_rest_when_its_time_is_over() {
        let time = Duration::from_millis(5);
        let mut linger = LingerTimer::new(time);
        let now = Instant::now();
        let then = now + time;
        assert_eq!(linger.due(FlushUrgency::Nothing, now), FlushTime::Never);
        assert_eq!(
            linger.due(FlushUrgency::CanLinger, now),
            FlushTime::At(then)
        );
        let later = now + time / 2;
        assert_eq!(
            linger.due(FlushUrgency::CanLinger, later),
            FlushTime::At(then)
        );
        assert_eq!(linger.due(FlushUrgency::Urgent, later), FlushTime::Now);
        assert_eq!(linger.due(FlushUrgency::CanLinger, then), FlushTime::Now);
        let again = then + time;
        linger.gone();
        assert_eq!(
            linger.due(FlushUrgency::CanLinger, then),
            FlushTime::At(again)
        );
        assert_eq!(linger.due(FlushUrgency::Nothing, then), FlushTime::Never);
        assert_eq!(
            linger.due(FlushUrgency::CanLinger, again),
            FlushTime::At(again + time)
        );
    }
}
