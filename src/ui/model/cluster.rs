//! The state of workers and transfers, as reported by events.

use std::collections::VecDeque;

use maelstrom_model::event::WorkerCondition;
use maelstrom_model::ids::{TestId, WorkerId};

/// The maximum number of utilization samples per worker: ten minutes at one sample per second.
pub const SAMPLES_MAX: usize = 600;
/// The number of transfers above which finished ones are dropped, oldest first.
pub(super) const TRANSFERS_DONE_MAX: usize = 64;
/// The maximum number of unfinished transfers; above that, the oldest is dropped.
const TRANSFERS_MAX: usize = 4_096;
/// The maximum number of slots per worker; a higher claim is cut to this number.
const SLOTS_MAX: u32 = 4_096;

/// A worker and its latest sample.
#[derive(Clone, Debug)]
pub struct WorkerModel {
    pub id: WorkerId,
    pub name: String,
    pub architecture: String,
    /// The test of this run that each slot is running.
    pub slots: Vec<Option<TestId>>,
    pub state: WorkerCondition,
    /// The reason why the worker left, if it has.
    pub left: Option<String>,
    /// The number of busy slots in the latest sample, including those of other runs.
    pub busy: u32,
    /// Processor use of the whole machine, from 0 to 1000.
    pub cpu_permille: u32,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    /// The number of attempts of this run that finished on this worker.
    pub finished: u32,
    /// The share of busy slots in each sample, from 0 to 1000, the newest last.
    pub utilization: VecDeque<u16>,
}

impl WorkerModel {
    pub(super) fn new(id: WorkerId, name: String, slots: u32, architecture: String) -> Self {
        WorkerModel {
            id,
            name,
            architecture,
            slots: vec![None; slots.min(SLOTS_MAX) as usize],
            state: WorkerCondition::Online,
            left: None,
            busy: 0,
            cpu_permille: 0,
            memory_used_bytes: 0,
            memory_total_bytes: 0,
            finished: 0,
            utilization: VecDeque::new(),
        }
    }

    pub(super) fn sampled(&mut self, busy: u32) {
        self.busy = busy;
        let slots = (self.slots.len() as u64).max(1);
        let permille = (u64::from(busy) * 1000 / slots).min(1000) as u16;
        if self.utilization.len() == SAMPLES_MAX {
            self.utilization.pop_front();
        }
        self.utilization.push_back(permille);
    }

    /// Returns the number of slots that run a test of this run.
    pub fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Returns whether the worker has not left.
    pub fn is_present(&self) -> bool {
        self.left.is_none()
    }

    /// Returns whether the worker is degraded or lost.
    pub fn is_unwell(&self) -> bool {
        match self.state {
            WorkerCondition::Online | WorkerCondition::Draining => false,
            WorkerCondition::Degraded | WorkerCondition::Lost => true,
        }
    }
}

/// A transfer of test inputs.
#[derive(Clone, Debug)]
pub struct InputTransfer {
    pub id: u32,
    /// The worker on the other end; `None` for the broker's store.
    pub worker: Option<WorkerId>,
    pub name: String,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

impl InputTransfer {
    /// Returns whether the transfer is complete.
    pub fn is_done(&self) -> bool {
        self.done_bytes >= self.total_bytes
    }
}

/// The unfinished transfers of a run, and the latest finished ones.
#[derive(Clone, Debug, Default)]
pub struct InputTransfers {
    list: VecDeque<InputTransfer>,
    /// The total size of all finished transfers, whether still listed or not.
    pub finished_bytes: u64,
}

impl InputTransfers {
    pub(super) fn update(&mut self, transfer: InputTransfer) {
        let done = transfer.is_done();
        match self.list.iter_mut().find(|other| other.id == transfer.id) {
            // The size is already part of `finished_bytes` and must not be counted twice.
            Some(known) if known.is_done() => return,
            Some(known) => *known = transfer.clone(),
            None => self.list.push_back(transfer.clone()),
        }
        if done {
            self.finished_bytes = self.finished_bytes.saturating_add(transfer.total_bytes);
        }
        while self.list.len() > TRANSFERS_DONE_MAX {
            match self.list.iter().position(InputTransfer::is_done) {
                Some(oldest_done) => drop(self.list.remove(oldest_done)),
                None if self.list.len() > TRANSFERS_MAX => drop(self.list.pop_front()),
                None => break,
            }
        }
    }

    /// Returns the listed transfers in the order in which they began.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &InputTransfer> {
        self.list.iter()
    }

    /// Returns the bytes copied and the total bytes of all unfinished transfers; `None` if there
    /// are none.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let mut going = self.list.iter().filter(|t| !t.is_done()).peekable();
        going.peek()?;
        Some(going.fold((0, 0), |(done, total), transfer| {
            (
                done.saturating_add(transfer.done_bytes),
                total.saturating_add(transfer.total_bytes),
            )
        }))
    }
}
