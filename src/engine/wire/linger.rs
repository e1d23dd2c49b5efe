//! When messages go: what somebody waits for at once, and with it all that there is to say. What
//! nobody waits for lingers a moment for company, because a message costs those who send, pass on and
//! read it more than what is in it.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing.
    Nothing,
    /// What nobody waits for.
    CanLinger,
    /// Something that somebody waits for.
    Urgent,
}

/// When it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not before something happens.
    Never,
    /// Then.
    At(Instant),
    /// Now.
    Now,
}

/// How long something has lingered.
#[derive(Debug)]
pub struct Linger {
    time: Duration,
    until: Option<Instant>,
}

impl Linger {
    /// Nothing has, and what will does so for this long.
    pub fn new(time: Duration) -> Linger {
        Linger { time, until: None }
    }

    /// When a message goes, if this waits now.
    pub fn due(&mut self, waiting: Waiting, now: Instant) -> Due {
        match waiting {
            Waiting::Nothing => {
                self.until = None;
                Due::Never
            }
            Waiting::CanLinger => match *self.until.get_or_insert(now + self.time) {
                until if until <= now => Due::Now,
                until => Due::At(until),
            },
            Waiting::Urgent => Due::Now,
        }
    }

    /// All that waited has gone.
    pub fn gone(&mut self) {
        self.until = None;
    }
}

impl Due {
    /// Waits until then; for ever if that is now or never.
    pub async fn come(self) {
        match self {
            Due::At(then) => sleep_until(then).await,
            Due::Never | Due::Now => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_goes_at_once_and_the_rest_when_its_time_is_over() {
        let time = Duration::from_millis(5);
        let mut linger = Linger::new(time);
        let now = Instant::now();
        let then = now + time;
        assert_eq!(linger.due(Waiting::Nothing, now), Due::Never);
        assert_eq!(linger.due(Waiting::CanLinger, now), Due::At(then));
        let later = now + time / 2;
        assert_eq!(linger.due(Waiting::CanLinger, later), Due::At(then));
        assert_eq!(linger.due(Waiting::Urgent, later), Due::Now);
        assert_eq!(linger.due(Waiting::CanLinger, then), Due::Now);
        let again = then + time;
        linger.gone();
        assert_eq!(linger.due(Waiting::CanLinger, then), Due::At(again));
        assert_eq!(linger.due(Waiting::Nothing, then), Due::Never);
        assert_eq!(linger.due(Waiting::CanLinger, again), Due::At(again + time));
    }
}
