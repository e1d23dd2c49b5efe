//! The broker's readiness for work, over HTTP and `grpc.health.v1`.
//!
//! A broker is not ready while it shuts down, and while its storage's disk is full, because uploads
//! would fail. It still finishes the work that it has.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// With less free disk space than this, in bytes, the broker is not ready: the journal and uploads
/// in progress need some.
pub const FREE_BYTES_MIN: u64 = 64 << 20;

/// How often the gRPC health status is updated.
const PERIOD: Duration = Duration::from_secs(2);

/// Whether the broker is ready for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerReadiness {
    Ready,
    Ending,
    /// The broker's disk is full, or unreadable.
    Disk(String),
}

impl fmt::Display for BrokerReadiness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrokerReadiness::Ready => out.write_str("ready"),
            BrokerReadiness::Ending => out.write_str("the broker ends"),
            BrokerReadiness::Disk(what) => out.write_str(what),
        }
    }
}

/// The health of the broker. Clones share it.
#[derive(Clone, Debug)]
pub struct BrokerHealth {
    directory: PathBuf,
    free_bytes_min: u64,
    ending: Arc<AtomicBool>,
}

impl BrokerHealth {
    /// Creates the health of a broker with its storage in this directory.
    pub fn new(directory: PathBuf, free_bytes_min: u64) -> BrokerHealth {
        BrokerHealth {
            directory,
            free_bytes_min,
            ending: Arc::default(),
        }
    }

    /// Marks the broker as shutting down.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Returns the current readiness.
    pub fn readiness(&self) -> BrokerReadiness {
        if self.ending.load(Ordering::Relaxed) {
            return BrokerReadiness::Ending;
        }
        let place = self.directory.display();
        match statvfs(&self.directory) {
            Err(errno) => BrokerReadiness::Disk(format!("the directory {place} is gone: {errno}")),
            Ok(disk) => {
                let free_bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
                match free_bytes < self.free_bytes_min {
                    true => {
                        let free_mib = free_bytes >> 20;
                        BrokerReadiness::Disk(format!(
                            "the disk of {place} has {free_mib} MiB left"
                        ))
                    }
                    false => BrokerReadiness::Ready,
                }
            }
        }
    }

    /// Updates `grpc.health.v1` until the future is dropped.
    pub async fn report(&self, reporter: HealthReporter) {
        let mut period = tokio::time::interval(PERIOD);
        loop {
            period.tick().await;
            self.report_once(&reporter).await;
        }
    }

    /// Updates `grpc.health.v1` once.
    pub async fn report_once(&self, reporter: &HealthReporter) {
        let status = match self.readiness() {
            BrokerReadiness::Ready => ServingStatus::Serving,
            BrokerReadiness::Ending | BrokerReadiness::Disk(_) => ServingStatus::NotServing,
        };
        // The empty name denotes the whole server.
        reporter.set_service_status("", status).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_the_end_are_no_time_for_work() {
        let directory = tempfile::tempdir().unwrap();
        let health = |free| BrokerHealth::new(directory.path().to_owned(), free);
        let roomy = health(0);
        assert_eq!(roomy.readiness(), BrokerReadiness::Ready);
        let full = health(u64::MAX).readiness().to_string();
        assert!(full.contains("MiB left"), "{full}");
        let other = roomy.clone();
        roomy.end();
        assert_eq!(other.readiness(), BrokerReadiness::Ending);
        let gone = BrokerHealth::new(directory.path().join("no"), 0).readiness();
        assert!(gone.to_string().contains("is gone"), "{gone}");
    }
}
