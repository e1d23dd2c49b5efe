//! The queue of outgoing messages other than reports.

use std::collections::VecDeque;

use maelstrom_wire::v1::{self, worker_message};

/// Outgoing messages other than reports, the most urgent first.
#[derive(Debug, Default)]
pub(super) struct ControlQueue {
    words: VecDeque<worker_message::Kind>,
    /// Only the latest counts.
    heartbeat: Option<v1::Heartbeat>,
    /// The credit that was sent last.
    credit: Option<u32>,
}

impl ControlQueue {
    pub(super) fn has_messages(&self) -> bool {
        self.heartbeat.is_some() || !self.words.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<worker_message::Kind> {
        let heartbeat = self.heartbeat.take();
        let heartbeat = heartbeat.map(worker_message::Kind::Heartbeat);
        heartbeat.or_else(|| self.words.pop_front())
    }

    pub(super) fn enqueue(&mut self, word: worker_message::Kind) {
        self.words.push_back(word);
    }

    pub(super) fn beat(&mut self, heartbeat: v1::Heartbeat) {
        self.heartbeat = Some(heartbeat);
    }

    /// Queues a credit if it differs from the last one. Returns the last one, if there was one.
    pub(super) fn credit_now(&mut self, leases: u32) -> Option<u32> {
        let before = self.credit.replace(leases);
        if before == Some(leases) {
            return None;
        }
        self.enqueue(worker_message::Kind::Credit(v1::Credit { leases }));
        before
    }
}
