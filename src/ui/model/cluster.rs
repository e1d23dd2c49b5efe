//! Workers, transfers and the cluster, as reported by events.

use std::collections::VecDeque;

use maelstrom_model::event::WorkerCondition;
use maelstrom_model::ids::{TestId, WorkerId};

/// Samples kept of each worker: ten minutes at one a second, more than any screen is wide.
pub const SAMPLES_MAX: usize = 600;
/// Finished transfers kept, for the screen that lists them.
pub const TRANSFERS_DONE_MAX: usize = 64;
/// Transfers that may go on at a time, before the oldest is forgotten.
const TRANSFERS_MAX: usize = 4_096;
/// A worker that claims more slots is believed up to here.
const SLOTS_MAX: u32 = 4_096;

/// A worker.
#[derive(Clone, Debug)]
pub struct WorkerModel {
    pub id: WorkerId,
    pub name: String,
    pub architecture: String,
    /// What each slot runs for this run.
    pub slots: Vec<Option<TestId>>,
    pub state: WorkerCondition,
    /// Why it is gone, if it is.
    pub left: Option<String>,
    /// Slots that run something, as it last said, of this run or of others.
    pub busy: u32,
    /// Processor use, 1000 being all of it.
    pub cpu_permille: u32,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    /// Tests of this run that ended there.
    pub finished: u32,
    /// Utilization of its slots over time in per mille, the newest last.
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

    /// Slots that run a test of this run.
    pub fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Whether it takes part.
    pub fn is_present(&self) -> bool {
        self.left.is_none()
    }

    /// Whether something is wrong with it.
    pub fn is_unwell(&self) -> bool {
        match self.state {
            WorkerCondition::Online | WorkerCondition::Draining => false,
            WorkerCondition::Degraded | WorkerCondition::Lost => true,
        }
    }
}

/// Inputs being copied.
#[derive(Clone, Debug)]
pub struct InputTransfer {
    pub id: u32,
    /// The worker at the other end; `None` for the broker's store.
    pub worker: Option<WorkerId>,
    pub name: String,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

impl InputTransfer {
    /// Whether all of it is there.
    pub fn is_done(&self) -> bool {
        self.done_bytes >= self.total_bytes
    }
}

/// The transfers of a run: those going on, and the last that ended.
#[derive(Clone, Debug, Default)]
pub struct InputTransfers {
    list: VecDeque<InputTransfer>,
    /// Bytes of transfers that ended, whether still listed or not.
    pub finished_bytes: u64,
}

impl InputTransfers {
    pub(super) fn update(&mut self, transfer: InputTransfer) {
        let done = transfer.is_done();
        match self.list.iter_mut().find(|other| other.id == transfer.id) {
            // Its bytes are among the finished ones and must not be counted twice.
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

    /// All that are known, in the order in which they began.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &InputTransfer> {
        self.list.iter()
    }

    /// Bytes done and bytes in all of what is going on; `None` when nothing is.
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
