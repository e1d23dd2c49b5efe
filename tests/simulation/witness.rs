//! Sees everything, from outside of the simulation: what no single program can know of.

use std::collections::{BTreeMap, BTreeSet};

use maelstrom::engine::backend::JobId;

use crate::plan::Task;

/// What was seen.
#[derive(Default)]
pub struct Witness {
    running: BTreeMap<(u32, u32), Task>,
    leases: BTreeSet<(u32, JobId)>,
    /// How many attempts at a job have come to their end.
    ended: BTreeMap<(u32, u64), u32>,
    /// Clients that have heard of all their jobs.
    pub content: BTreeSet<u32>,
    /// Workers that an operator wants to end.
    pub drains: Vec<String>,
    /// Whether everything is to end.
    pub closing: bool,
    /// Workers that have ended for good.
    pub closed: BTreeSet<u32>,
    /// How often one was started again.
    pub starts: u32,
    /// What happened, in short.
    pub trace: Vec<String>,
}

impl Witness {
    /// A worker starts a job.
    pub fn starts(&mut self, worker: u32, slot: u32, task: Task, lease: JobId) {
        self.note(format!(
            "worker {worker} starts {}/{}",
            task.client, task.job
        ));
        let before = self.running.insert((worker, slot), task);
        assert_eq!(
            before, None,
            "slot {slot} of worker {worker} was sold twice"
        );
        // Fences are never given twice; this worker would take one for a known lease.
        assert!(
            self.leases.insert((worker, lease)),
            "worker {worker} ran the lease {lease} twice"
        );
    }

    /// A slot is free.
    pub fn over(&mut self, worker: u32, slot: u32) {
        self.running.remove(&(worker, slot));
    }

    /// A job has come to its end. How many attempts at it have before.
    pub fn ends(&mut self, task: Task) -> u32 {
        let ended = self.ended.entry((task.client, task.job)).or_default();
        *ended += 1;
        *ended - 1
    }

    /// What runs.
    pub fn running(&self) -> Vec<Task> {
        self.running.values().copied().collect()
    }

    /// Something happened.
    pub fn note(&mut self, what: String) {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        self.trace
            .push(format!("{:>8} ms  {what}", now.as_millis()));
    }
}
