//! Sends the events of a run to the user interface, stamped with the time.
//!
//! Owns the run's clock, the only clock that events use.

use std::time::Instant;

use maelstrom_model::event::channel::EventSender;
use maelstrom_model::event::{Event, EventKind};

/// Sends events; see the module documentation.
#[derive(Debug)]
pub struct EventSink {
    began: Instant,
    watcher: EventSender,
}

impl EventSink {
    /// Creates an event sink whose clock starts now.
    pub fn new(watcher: EventSender) -> Self {
        EventSink {
            began: Instant::now(),
            watcher,
        }
    }

    /// Returns the microseconds since the run began.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Waits until the receiver has room for more test output.
    pub async fn ready(&self) {
        self.watcher.ready().await;
    }

    /// Sends an event, stamped with the current time.
    pub fn emit(&self, kind: impl Into<EventKind>) {
        self.watcher.send(Event {
            at_us: self.now_us(),
            kind: kind.into(),
        });
    }
}
