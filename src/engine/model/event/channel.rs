//! The channel that carries events from the run to its observer on another thread.
//!
//! Sending never waits, so the run's decisions do not depend on its observer. Memory is bounded by
//! [`EventSender::ready`]: the run takes no further events from its backend while
//! [`IN_FLIGHT_BYTES_MAX`] of events are in flight. A receiver that moves events to its own storage
//! at once (memory, a spool file) never causes a wait; one that is slower than a test that floods
//! its output slows that test down instead of filling the memory.
//!
//! Waking a thread costs more than most events do, so a receiver that has just taken events lets
//! the next ones gather for [`GATHERING`]: the delay is not visible, and thousands of short tests
//! per second cause only a few hundred wake-ups.
//!
//! The state belongs to both ends. A dropped receiver counts as one that takes everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::{AttemptEvent, AttemptFinished, BuildEvent, Event, EventKind, TestEvent};

/// The maximum number of bytes of events in flight: more than a hundred full pipes.
pub const IN_FLIGHT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long events gather before the next [`EventReceiver::recv_many`] takes them.
pub const GATHERING: Duration = Duration::from_millis(4);

/// The estimated size in memory of a discovered test, including its names.
const DISCOVERED_BYTES: usize = 256;

/// The run's end of the channel.
#[derive(Debug)]
pub struct EventSender {
    events: mpsc::UnboundedSender<Event>,
    shared: Arc<EventBacklog>,
}

/// The observer's end of the channel.
#[derive(Debug)]
pub struct EventReceiver {
    events: mpsc::UnboundedReceiver<Event>,
    shared: Arc<EventBacklog>,
    /// The time until which [`EventReceiver::recv_many`] waits for events to gather.
    gathering: Option<Instant>,
}

#[derive(Debug, Default)]
struct EventBacklog {
    in_flight_bytes: AtomicUsize,
    drained: Notify,
}

/// Creates a channel and returns both ends.
pub fn channel() -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(EventBacklog::default());
    (
        EventSender {
            events: sender,
            shared: Arc::clone(&shared),
        },
        EventReceiver {
            events: receiver,
            shared,
            gathering: None,
        },
    )
}

impl EventSender {
    /// Sends an event. Without a receiver the event is dropped.
    pub fn send(&self, event: Event) {
        let bytes = weight(&event);
        self.shared
            .in_flight_bytes
            .fetch_add(bytes, Ordering::Relaxed);
        // Fails only without a receiver, which needs no events.
        drop(self.events.send(event));
    }

    /// Waits until the events in flight are below the limit, or the receiver is dropped.
    pub async fn ready(&self) {
        while !self.events.is_closed()
            && self.shared.in_flight_bytes.load(Ordering::Relaxed) >= IN_FLIGHT_BYTES_MAX
        {
            // A notification between the check and this wait is not lost: `Notify` stores it.
            self.shared.drained.notified().await;
        }
    }
}

impl EventReceiver {
    /// Returns the next event, or `None` after the last one.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.took(event.as_slice());
        event
    }

    /// Waits for at least one event and appends up to `count_max` to `events`. Returns the number
    /// of events; 0 after the last one. Dropping the future loses nothing. Needs a runtime with a
    /// timer.
    pub async fn recv_many(&mut self, events: &mut Vec<Event>, count_max: usize) -> usize {
        if let Some(until) = self.gathering {
            sleep_until(until).await;
        }
        let count = self.events.recv_many(events, count_max).await;
        // If the call returns as many events as requested, more are probably waiting already.
        self.gathering = (0 < count && count < count_max).then(|| Instant::now() + GATHERING);
        self.took(events.get(events.len() - count..).unwrap_or_default());
        count
    }

    /// Returns the next event without waiting.
    pub fn try_recv(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok();
        self.took(event.as_slice());
        event
    }

    /// Returns the next event, on a thread without a runtime; `None` after the last one.
    pub fn blocking_recv(&mut self) -> Option<Event> {
        let event = self.events.blocking_recv();
        self.took(event.as_slice());
        event
    }

    /// Returns whether no event is waiting.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    fn took(&self, events: &[Event]) {
        let bytes = events.iter().map(weight).sum();
        if bytes > 0 {
            self.shared
                .in_flight_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            self.shared.drained.notify_one();
        }
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        self.events.close();
        self.shared.drained.notify_one();
    }
}

/// Estimates an event's size in memory, in bytes.
fn weight(event: &Event) -> usize {
    let beyond = match &event.kind {
        EventKind::Attempt(AttemptEvent::Output { text, .. })
        | EventKind::Build(BuildEvent::Output { text }) => text.0.len(),
        EventKind::Attempt(AttemptEvent::Finished(_)) => size_of::<AttemptFinished>(),
        EventKind::Test(TestEvent::Discovered { tests }) => tests.len() * DISCOVERED_BYTES,
        EventKind::Attempt(
            AttemptEvent::Queued { .. }
            | AttemptEvent::Started { .. }
            | AttemptEvent::Slow { .. }
            | AttemptEvent::Subtest { .. },
        )
        | EventKind::Build(_)
        | EventKind::Test(_)
        | EventKind::Run(_)
        | EventKind::Watch(_)
        | EventKind::Round(_)
        | EventKind::Worker(_)
        | EventKind::Cluster(_)
        | EventKind::Notice(_) => 0,
    };
    size_of::<Event>() + beyond
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::event::{OutputStream, OutputText};
    use crate::ids::{Attempt, TestId};

    fn output(bytes: usize) -> Event {
        Event {
            at_us: 0,
            kind: EventKind::Attempt(AttemptEvent::Output {
                test: TestId(0),
                attempt: Attempt(1),
                stream: OutputStream::Stdout,
                text: OutputText(vec![b'x'; bytes]),
            }),
        }
    }

    /// Invariant 8: the events in flight are bounded, and without a receiver nothing waits.
    #[test]
    fn output_in_flight_is_bounded_until_it_is_taken() {
        let (sender, mut receiver) = channel();
        assert!(sender.ready().now_or_never().is_some());
        for _ in 0..2 {
            sender.send(output(IN_FLIGHT_BYTES_MAX / 2));
        }
        assert!(sender.ready().now_or_never().is_none());
        assert!(receiver.try_recv().is_some());
        assert!(sender.ready().now_or_never().is_some());
        sender.send(output(IN_FLIGHT_BYTES_MAX));
        assert!(sender.ready().now_or_never().is_none());
        drop(receiver);
        assert!(sender.ready().now_or_never().is_some());
    }

    #[test]
    fn every_way_of_taking_makes_room() {
        let (sender, mut receiver) = channel();
        let mut taken = Vec::new();
        for way in 0..4 {
            sender.send(output(IN_FLIGHT_BYTES_MAX));
            assert!(sender.ready().now_or_never().is_none());
            match way {
                0 => assert!(receiver.recv().now_or_never().flatten().is_some()),
                1 => assert!(receiver.try_recv().is_some()),
                2 => assert!(receiver.blocking_recv().is_some()),
                _ => assert_eq!(receiver.recv_many(&mut taken, 9).now_or_never(), Some(1)),
            }
            assert!(sender.ready().now_or_never().is_some());
            assert!(receiver.is_empty());
        }
    }

    #[test]
    fn a_waiting_sender_wakes_when_the_watcher_takes() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (sender, mut receiver) = channel();
        sender.send(output(IN_FLIGHT_BYTES_MAX));
        let watcher = std::thread::spawn(move || receiver.blocking_recv().is_some());
        runtime.block_on(sender.ready());
        assert!(watcher.join().unwrap());
    }
}
