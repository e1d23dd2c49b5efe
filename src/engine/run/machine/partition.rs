//! The part of the tests that the run takes ([`crate::run::partition`]): what of the tests that are found
//! is added to the run, and when.

use super::RunStateMachine;
use crate::run::message::{FoundTest, RunMode};
use crate::run::partition::{PartitionState, TestPartition};
use maelstrom_model::event::NoticeSeverity;

impl RunStateMachine {
    /// Sets the part of the tests that the run takes.
    pub fn with_partition(self, partition: Option<TestPartition>) -> RunStateMachine {
        RunStateMachine {
            partition: partition.map(PartitionState::new),
            ..self
        }
    }

    /// Returns the tests that are known to be in the part.
    pub(super) fn in_part(&mut self, found: Vec<FoundTest>) -> Vec<FoundTest> {
        match &mut self.partition {
            None => found,
            Some(state) => state.take(found),
        }
    }

    /// Adds the tests of the part that were held back until discovery has ended. Returns the number of
    /// tests that the other parts have.
    pub(super) fn settle_partition(&mut self, now_us: u64) -> u32 {
        let Some(state) = &mut self.partition else {
            return 0;
        };
        let taken = state.take_waiting();
        let left_out = state.found.saturating_sub(state.taken);
        let TestPartition { part, parts, .. } = state.partition;
        let text = format!(
            "part {part} of {parts}: {} of {}",
            state.taken,
            match state.found {
                1 => "1 test".to_owned(),
                found => format!("{found} tests"),
            }
        );
        state.clear();
        if self.wishes.errand == RunMode::Run {
            self.notice(NoticeSeverity::Info, text, None);
        }
        if !taken.is_empty() {
            self.add_by_history(now_us, taken);
        }
        left_out
    }

    /// Leaves out the tests that were held back. Returns the number of tests that are left out.
    pub(super) fn leave_out_other_parts(&mut self) -> u32 {
        let Some(state) = &mut self.partition else {
            return 0;
        };
        let left_out = state.found.saturating_sub(state.taken);
        state.clear();
        left_out
    }

    /// Forgets the tests of a discovery that was abandoned.
    pub(super) fn forget_parts(&mut self) {
        if let Some(state) = &mut self.partition {
            state.clear();
        }
    }
}
