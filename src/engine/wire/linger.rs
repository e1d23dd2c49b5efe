//! Batches outgoing messages. Urgent messages are sent at once, along with everything pending; the
//! others linger briefly to share a message, because sending, forwarding and parsing a message
//! costs more than its payload.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How urgent the pending payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushUrgency {
    Nothing,
    /// The receiver does not wait for it.
    CanLinger,
    /// The receiver waits for it.
    Urgent,
}

/// The time to send the pending payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushTime {
    /// Not before another event.
    Never,
    At(Instant),
    Now,
}

/// Tracks how long the pending payload has lingered.
#[derive(Debug)]
pub struct LingerTimer {
    time: Duration,
    until: Option<Instant>,
}

impl LingerTimer {
    /// Creates a timer without pending payload. `time` is how long payload may linger.
    pub fn new(time: Duration) -> LingerTimer {
        LingerTimer { time, until: None }
    }

    /// Returns when to send, given what is pending now.
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

    /// Resets the timer after everything pending was sent.
    pub fn gone(&mut self) {
        self.until = None;
    }
}

impl FlushTime {
    /// Waits until the time to send; forever if that is `Now` or `Never`.
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
