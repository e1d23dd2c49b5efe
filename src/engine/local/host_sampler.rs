//! Samples the load of this machine from `/proc/stat` and `/proc/meminfo` (proc(5)).

use std::fs;

use maelstrom_model::event::{WorkerCondition, WorkerSample};
use maelstrom_model::ids::WorkerId;

/// Samples the load of this machine. Keeps the last CPU times, because only their growth is
/// meaningful.
#[derive(Debug, Default)]
pub struct HostSampler {
    last: Option<CpuTimes>,
}

/// CPU times in clock ticks since the machine booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CpuTimes {
    busy: u64,
    all: u64,
}

/// Parses the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal,
/// and then guest times, which user and nice include.
fn parse_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let mut busy = 0u64;
    let mut all = 0u64;
    for (index, column) in line.split_ascii_whitespace().take(8).enumerate() {
        let ticks: u64 = column.parse().ok()?;
        all = all.saturating_add(ticks);
        // Column 3 is idle, column 4 is iowait.
        if index != 3 && index != 4 {
            busy = busy.saturating_add(ticks);
        }
    }
    Some(CpuTimes { busy, all })
}

/// Parses the total and available memory, in bytes.
fn parse_memory(meminfo: &str) -> Option<(u64, u64)> {
    let field = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    Some((field("MemTotal:")?, field("MemAvailable:")?))
}

/// Returns the total memory of this machine, in bytes.
pub fn memory_total_bytes() -> Option<u64> {
    parse_memory(&fs::read_to_string("/proc/meminfo").ok()?).map(|(total, _)| total)
}

impl HostSampler {
    /// Returns the machine's load since the previous call. Returns `None` on the first call, or if
    /// `/proc` cannot be read.
    pub fn sample(&mut self, worker: WorkerId, busy: u32) -> Option<WorkerSample> {
        let times = parse_times(&fs::read_to_string("/proc/stat").ok()?)?;
        let (total, available) = parse_memory(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let before = self.last.replace(times)?;
        // Two samples within one tick have equal times, so the divisor would be zero.
        let all = times.all.saturating_sub(before.all).max(1);
        let used = times.busy.saturating_sub(before.busy);
        Some(WorkerSample {
            worker,
            state: WorkerCondition::Online,
            busy,
            cpu_permille: (used.saturating_mul(1000) / all).min(1000) as u32,
            memory_used_bytes: total.saturating_sub(available),
            memory_total_bytes: total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_times_leave_guests_out() {
        let stat = "cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(parse_times(stat), Some(CpuTimes { busy: 81, all: 531 }));
        assert_eq!(parse_times("cpux 1"), None);
        assert_eq!(parse_times("cpu  one"), None);
    }

    #[test]
    fn memory_is_in_kilobytes() {
        let meminfo = "MemTotal:        2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        assert_eq!(parse_memory(meminfo), Some((2 << 20, 1 << 20)));
        assert_eq!(parse_memory("MemTotal: 1 kB\n"), None);
    }
}
