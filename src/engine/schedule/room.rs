//! The room on a machine: its slots, and its memory if that is limited. A running job takes a part
//! of it.

use maelstrom_model::policy::JobNeeds;

/// The slots and the memory of a machine, and how much of them running jobs take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineRoom {
    slots: u32,
    slots_taken: u32,
    memory_max: Option<u64>,
    memory_taken: u64,
}

/// The part of a machine that a job takes while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomShare {
    /// The number of slots, at least 1.
    pub slots: u32,
    /// The memory in bytes. 0 if it is unknown, or not limited.
    pub memory_bytes: u64,
}

impl MachineRoom {
    /// Creates the room of a machine with this many slots and unlimited memory.
    pub fn new(slots: u32) -> MachineRoom {
        MachineRoom {
            slots,
            slots_taken: 0,
            memory_max: None,
            memory_taken: 0,
        }
    }

    /// Limits the memory that running jobs together are expected to take, in bytes.
    pub fn with_memory(self, memory_max: Option<u64>) -> MachineRoom {
        MachineRoom { memory_max, ..self }
    }

    /// Returns what a job takes. An exclusive job takes all slots, and so does one that needs more
    /// memory than there is.
    pub fn share(&self, needs: &JobNeeds) -> RoomShare {
        let memory_bytes = self.memory_max.and(needs.memory_bytes).unwrap_or(0);
        let memory_max = self.memory_max.unwrap_or(u64::MAX);
        let is_alone = needs.exclusive || memory_bytes > memory_max;
        let all = self.slots.max(1);
        RoomShare {
            slots: match is_alone {
                true => all,
                false => needs.weight.get().min(all),
            },
            memory_bytes: memory_bytes.min(memory_max),
        }
    }

    /// Returns whether a job can start now.
    pub fn fits(&self, share: RoomShare) -> bool {
        let memory_max = self.memory_max.unwrap_or(u64::MAX);
        let memory_free = memory_max.saturating_sub(self.memory_taken);
        let slots_free = self.slots.saturating_sub(self.slots_taken);
        share.slots <= slots_free && share.memory_bytes <= memory_free
    }

    /// Takes the share of a job that fits and starts now.
    pub fn take(&mut self, share: RoomShare) {
        self.slots_taken += share.slots;
        self.memory_taken += share.memory_bytes;
    }

    /// Gives back the share of a job that has ended.
    pub fn give_back(&mut self, share: RoomShare) {
        self.slots_taken = self.slots_taken.saturating_sub(share.slots);
        self.memory_taken = self.memory_taken.saturating_sub(share.memory_bytes);
    }

    /// Returns the number of slots that running jobs take.
    pub fn slots_taken(&self) -> u32 {
        self.slots_taken
    }
}
