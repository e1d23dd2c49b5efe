//! Budgets of memory.
//!
//! Files that jobs write are kept in memory. Without a limit, three tests that fill `/tmp` would
//! take all memory of the machine. So one budget is divided equally among the containers that run
//! concurrently. Another budget is for the memory of the jobs themselves: they start only while what
//! they are known to need fits into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::host_sampler::memory_total_bytes;
use maelstrom_model::byte_size::{ByteSize, ByteSizeError};

/// A budget: a size in bytes, or a percentage of the memory available to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryBudget {
    Bytes(u64),
    Percent(u8),
}

/// Defaults to 50%, for files: the kernel's default limit of a single `tmpfs`, which leaves room for
/// processes.
impl Default for MemoryBudget {
    fn default() -> Self {
        MemoryBudget::Percent(50)
    }
}

/// Why a string is not a valid budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryBudgetError {
    /// The percentage is not between 1 and 100.
    #[error("expected a share from 1% to 100%")]
    Percent,
    #[error(transparent)]
    Size(#[from] ByteSizeError),
}

impl FromStr for MemoryBudget {
    type Err = MemoryBudgetError;

    fn from_str(text: &str) -> Result<MemoryBudget, MemoryBudgetError> {
        match text.strip_suffix('%') {
            None => Ok(MemoryBudget::Bytes(text.parse::<ByteSize>()?.0)),
            Some(number) => match number.trim_end().parse() {
                Ok(percent @ 1..=100) => Ok(MemoryBudget::Percent(percent)),
                Ok(_) | Err(_) => Err(MemoryBudgetError::Percent),
            },
        }
    }
}

/// The memory size assumed if neither the machine nor a control group states it, in bytes.
const UNKNOWN_BYTES: u64 = 1 << 30;

impl MemoryBudget {
    /// Returns the budget in bytes on this machine.
    pub fn bytes(self) -> u64 {
        match self {
            MemoryBudget::Bytes(bytes) => bytes,
            MemoryBudget::Percent(percent) => {
                let limit = group_limit(Path::new("/"));
                let all = memory_total_bytes().into_iter().chain(limit).min();
                // Divide first, because control groups version 1 state 2^63 - 4096 for no limit,
                // and 100 times that overflows.
                all.unwrap_or(UNKNOWN_BYTES) / 100 * u64::from(percent)
            }
        }
    }
}

/// Returns the lowest memory limit among the control groups of this process, in bytes, from
/// `memory.max` (version 2) or `memory.limit_in_bytes` (version 1). `root` is the root directory.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (mount, file) = match controllers {
            "" => (mounts.clone(), "memory.max"),
            list if list.split(',').any(|name| name == "memory") => {
                (mounts.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be the one on the host, which does not exist here. Then the
        // mount itself is the group.
        let group: PathBuf = mount.join(path.trim_start_matches('/'));
        for ancestor in group
            .ancestors()
            .take_while(|path| path.starts_with(&mount))
        {
            let limit = fs::read_to_string(ancestor.join(file)).ok();
            limits.extend(limit.and_then(|text| text.trim().parse::<u64>().ok()));
        }
    }
    limits.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_sizes_or_shares() {
        for (text, expected) in [
            ("512 MiB", Ok(MemoryBudget::Bytes(512 << 20))),
            ("1GB", Ok(MemoryBudget::Bytes(1_000_000_000))),
            ("25%", Ok(MemoryBudget::Percent(25))),
            ("100 %", Ok(MemoryBudget::Percent(100))),
            ("0%", Err(MemoryBudgetError::Percent)),
            ("101%", Err(MemoryBudgetError::Percent)),
            ("%", Err(MemoryBudgetError::Percent)),
            ("", Err(MemoryBudgetError::Size(ByteSizeError::NoNumber))),
        ] {
            assert_eq!(text.parse::<MemoryBudget>(), expected, "{text}");
        }
        let (half, whole) = (MemoryBudget::default(), MemoryBudget::Percent(100));
        assert!(half.bytes() > 0 && half.bytes() <= whole.bytes() / 2 + 100);
    }

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let tree = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(group_limit(tree.path()), None);
        write(
            "proc/self/cgroup",
            "4:cpu,memory:/v1\n0::/a/b/c\nnonsense\n",
        );
        assert_eq!(group_limit(tree.path()), None);
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/memory.max", "4096\n");
        assert_eq!(group_limit(tree.path()), Some(4096));
        write("sys/fs/cgroup/memory/v1/memory.limit_in_bytes", "2048\n");
        assert_eq!(group_limit(tree.path()), Some(2048));
        write("sys/fs/cgroup/memory.max", "1024\n");
        assert_eq!(group_limit(tree.path()), Some(1024));
    }
}
