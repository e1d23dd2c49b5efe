//! Counts the running leases of each device. Pure.
//!
//! Clients may disagree about how many jobs a device is for: the smallest number of the leases that
//! wait or run applies. So a lease that shares with few is not kept waiting by a steady flow of those
//! that share with many.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use maelstrom_model::job::DevicePattern;
use maelstrom_model::policy::DeviceNeed;

/// The leases of each device.
#[derive(Debug, Default)]
pub(super) struct DeviceUse(BTreeMap<DevicePattern, DeviceLeases>);

#[derive(Debug, Default)]
struct DeviceLeases {
    running: u32,
    /// How many leases that wait or run have each maximum.
    maxima: BTreeMap<NonZeroU32, u32>,
}

impl DeviceUse {
    /// Counts a lease that waits from now on.
    pub(super) fn add(&mut self, needs: &[DeviceNeed]) {
        for need in needs {
            let leases = self.0.entry(need.device.clone()).or_default();
            *leases.maxima.entry(need.jobs_max).or_insert(0) += 1;
        }
    }

    /// Forgets a lease that waits.
    pub(super) fn remove(&mut self, needs: &[DeviceNeed]) {
        for need in needs {
            if let Some(leases) = self.0.get_mut(&need.device)
                && let Some(count) = leases.maxima.get_mut(&need.jobs_max)
            {
                *count = count.saturating_sub(1);
                leases.maxima.retain(|_, count| *count > 0);
            }
        }
        self.0.retain(|_, leases| !leases.maxima.is_empty());
    }

    /// Returns whether a lease with these devices may start.
    pub(super) fn have_room(&self, needs: &[DeviceNeed]) -> bool {
        let mut leases = needs.iter().filter_map(|need| self.0.get(&need.device));
        leases.all(|leases| {
            let smallest = leases.maxima.first_key_value();
            smallest.is_none_or(|(jobs_max, _)| leases.running < jobs_max.get())
        })
    }

    /// Counts a waiting lease as running from now on.
    pub(super) fn take(&mut self, needs: &[DeviceNeed]) {
        for need in needs {
            if let Some(leases) = self.0.get_mut(&need.device) {
                leases.running += 1;
            }
        }
    }

    /// Forgets a lease that runs.
    pub(super) fn give_back(&mut self, needs: &[DeviceNeed]) {
        for need in needs {
            if let Some(leases) = self.0.get_mut(&need.device) {
                leases.running = leases.running.saturating_sub(1);
            }
        }
        self.remove(needs);
    }
}
