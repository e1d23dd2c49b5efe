//! The health of a worker's machine, for heartbeats.

use std::path::PathBuf;

use nix::sys::statvfs::statvfs;

use maelstrom_engine::local::host_sampler::HostSampler;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1;

/// With less free disk space than this a worker takes no jobs: it could not fetch their inputs.
pub const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// Whether heartbeats report how busy the machine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceReporting {
    #[default]
    Told,
    /// They do not, which keeps simulated runs deterministic.
    Untold,
}

/// Samples the machine.
#[derive(Debug)]
pub struct WorkerHealth {
    machine: HostSampler,
    vitals: ResourceReporting,
    cache: PathBuf,
    disk_free_bytes_min: u64,
}

impl WorkerHealth {
    /// The health of this machine, with its cache in this directory.
    pub fn new(
        cache: PathBuf,
        disk_free_bytes_min: u64,
        vitals: ResourceReporting,
    ) -> WorkerHealth {
        let mut machine = HostSampler::default();
        // CPU usage is the difference to the previous sample: this is the first.
        let _ = machine.sample(WorkerId(0), 0);
        WorkerHealth {
            machine,
            vitals,
            cache,
            disk_free_bytes_min,
        }
    }

    /// A heartbeat.
    pub fn heartbeat(&mut self, busy: u32) -> v1::Heartbeat {
        let mut heartbeat = v1::Heartbeat {
            busy,
            degraded: self.degraded().unwrap_or_default(),
            ..v1::Heartbeat::default()
        };
        if self.vitals == ResourceReporting::Told
            && let Some(sample) = self.machine.sample(WorkerId(0), busy)
        {
            heartbeat.cpu_permille = sample.cpu_permille;
            heartbeat.memory_used_bytes = sample.memory_used_bytes;
            heartbeat.memory_total_bytes = sample.memory_total_bytes;
        }
        heartbeat
    }

    /// What is wrong with the machine, if anything.
    pub fn degraded(&self) -> Option<String> {
        let place = self.cache.display();
        match statvfs(&self.cache) {
            Err(errno) => Some(format!("its cache directory {place} is gone: {errno}")),
            Ok(disk) => {
                // Space reserved for root does not count; blocks are counted in fragments.
                let free_bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
                let is_full = free_bytes < self.disk_free_bytes_min;
                is_full.then(|| {
                    let free_mib = free_bytes >> 20;
                    let wanted_mib = self.disk_free_bytes_min >> 20;
                    format!(
                        "the disk of its cache directory {place} has {free_mib} MiB left, and \
                         {wanted_mib} MiB are wanted"
                    )
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().to_owned();
        assert_eq!(
            WorkerHealth::new(cache.clone(), 0, ResourceReporting::Told).degraded(),
            None
        );
        let full = WorkerHealth::new(cache.clone(), u64::MAX, ResourceReporting::Told)
            .degraded()
            .unwrap();
        assert!(full.contains(&cache.display().to_string()), "{full}");
        drop(directory);
        let gone = WorkerHealth::new(cache, 0, ResourceReporting::Told).heartbeat(3);
        assert!(gone.degraded.contains("is gone"), "{}", gone.degraded);
        assert_eq!(gone.busy, 3);
        assert!(gone.memory_total_bytes > 0);
    }
}
