//! The queue of outgoing messages of one connection, which tracks its size.
//!
//! The core never waits for a connection: it puts messages into an [`Outbox`], and checks
//! [`Outbox::is_full`] before it adds output of jobs, which stays elsewhere until there is room.
//! The connection drains the [`OutboxReceiver`], which signals once when a full outbox has room
//! again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::Stream;
use tonic::Status;

/// The size in bytes of the backlog beyond which a connection gets no more output. Keeps a network
/// of 10 Gbit/s busy for 3 ms.
pub const FULL_BYTES: usize = 4 * 1024 * 1024;

/// The sending end.
#[derive(Debug)]
pub struct Outbox<T> {
    sender: UnboundedSender<(Result<T, Status>, usize)>,
    level: Arc<OutboxLevel>,
}

#[derive(Debug)]
struct OutboxLevel {
    bytes: AtomicUsize,
    full_bytes: AtomicUsize,
    was_full: AtomicBool,
}

/// The receiving end: a stream of messages.
pub struct OutboxReceiver<T> {
    receiver: UnboundedReceiver<(Result<T, Status>, usize)>,
    level: Arc<OutboxLevel>,
    room: Box<dyn Fn() + Send + Sync>,
}

/// Creates an outbox and its receiver, which calls `room` when a full outbox has room again.
pub fn outbox<T>(room: impl Fn() + Send + Sync + 'static) -> (Outbox<T>, OutboxReceiver<T>) {
    let (sender, receiver) = unbounded_channel();
    let level = Arc::new(OutboxLevel {
        bytes: AtomicUsize::new(0),
        full_bytes: AtomicUsize::new(FULL_BYTES),
        was_full: AtomicBool::new(false),
    });
    let outbox = Outbox {
        sender,
        level: Arc::clone(&level),
    };
    let outlet = OutboxReceiver {
        receiver,
        level,
        room: Box::new(room),
    };
    (outbox, outlet)
}

impl<T> Outbox<T> {
    /// Sends a message of about this many bytes. Does nothing if the connection is closed, which
    /// its owner reports.
    pub fn send(&self, message: T, bytes: usize) {
        self.level.bytes.fetch_add(bytes, Ordering::Relaxed);
        drop(self.sender.send((Ok(message), bytes)));
    }

    /// Ends the connection with an error.
    pub fn fail(&self, status: Status) {
        drop(self.sender.send((Err(status), 0)));
    }

    /// Sets the size of the backlog, in bytes, beyond which the outbox is full.
    pub fn is_full_with(&self, bytes: usize) {
        let bytes = bytes.min(FULL_BYTES);
        self.level.full_bytes.store(bytes, Ordering::SeqCst);
    }

    /// Returns the size of the backlog, in bytes.
    pub fn level(&self) -> usize {
        self.level.bytes.load(Ordering::Relaxed)
    }

    fn full_bytes(&self) -> usize {
        self.level.full_bytes.load(Ordering::SeqCst)
    }

    /// Returns whether output should wait. If so, the receiver signals when there is room.
    pub fn is_full(&self) -> bool {
        let is_full = || self.level.bytes.load(Ordering::SeqCst) > self.full_bytes();
        if !is_full() {
            return false;
        }
        self.level.was_full.store(true, Ordering::SeqCst);
        // The receiver may have drained the outbox before the mark was set.
        is_full()
    }
}

impl<T> Stream for OutboxReceiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let outlet = self.get_mut();
        let Poll::Ready(taken) = outlet.receiver.poll_recv(context) else {
            return Poll::Pending;
        };
        Poll::Ready(taken.map(|(message, bytes)| {
            let before = outlet.level.bytes.fetch_sub(bytes, Ordering::SeqCst);
            let half = outlet.level.full_bytes.load(Ordering::SeqCst) / 2;
            // At half, the core can refill the outbox before it is empty, and the receiver doesn't
            // signal for each message.
            if before.saturating_sub(bytes) <= half
                && outlet.level.was_full.swap(false, Ordering::SeqCst)
            {
                (outlet.room)();
            }
            message
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn a_full_box_calls_once_when_it_is_half_empty() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let (outbox, mut outlet) = outbox(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        for number in 0..5 {
            assert!(!outbox.is_full());
            outbox.send(number, FULL_BYTES / 4);
        }
        assert!(outbox.is_full());
        for number in 0..5 {
            assert_eq!(calls.load(Ordering::SeqCst), u32::from(number > 2));
            let taken = outlet.next().now_or_never().unwrap().unwrap();
            assert_eq!(taken.unwrap(), number);
        }
        assert!(!outbox.is_full());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
