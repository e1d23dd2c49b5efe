//! Counts the running leases of each device. Pure.

use std::collections::BTreeMap;

use maelstrom_model::job::DevicePattern;
use maelstrom_model::policy::DeviceNeed;

/// The number of running leases of each device.
#[derive(Debug, Default)]
pub(super) struct DeviceUse(BTreeMap<DevicePattern, u32>);

impl DeviceUse {
    /// Returns whether a lease with these devices may start. Clients may disagree about how many
    /// jobs a device is for: each lease keeps to what its own says.
    pub(super) fn have_room(&self, needs: &[DeviceNeed]) -> bool {
        let running = |need: &DeviceNeed| self.0.get(&need.device).copied().unwrap_or(0);
        needs.iter().all(|need| running(need) < need.jobs_max.get())
    }

    pub(super) fn take(&mut self, needs: &[DeviceNeed]) {
        for need in needs {
            *self.0.entry(need.device.clone()).or_insert(0) += 1;
        }
    }

    pub(super) fn give_back(&mut self, needs: &[DeviceNeed]) {
        for need in needs {
            if let Some(running) = self.0.get_mut(&need.device) {
                *running = running.saturating_sub(1);
            }
        }
        self.0.retain(|_, running| *running > 0);
    }
}
