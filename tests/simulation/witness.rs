//! Sees everything, from outside of the simulation: what no single program can know of.

use std::collections::{BTreeMap, BTreeSet};

use maelstrom_model::backend::JobId;

use crate::plan::Task;

/// What was seen.
#[derive(Default)]
pub(crate) struct Witness {
    running: BTreeMap<(u32, u32), Task>,
    leases: BTreeSet<(u32, JobId)>,
    /// How many attempts at a job have come to their end.
    ended: BTreeMap<(u32, u64), u32>,
    /// Which broker there is or was last, from 1.
    broker: u32,
    is_broker_up: bool,
    /// How far the last attempt at a job has come.
    attempts: BTreeMap<(u32, u64), Attempt>,
    /// Attempts that promise 4 forbids, and starts that a group's maximum forbids.
    pub needless: Vec<String>,
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

/// The last attempt at a job.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    /// It goes on, on this worker.
    UnderWay(u32),
    /// This broker or one after it hears how it ended.
    Over(u32),
}

impl Witness {
    /// A broker begins.
    pub(crate) fn broker_begins(&mut self) {
        self.broker += 1;
        self.is_broker_up = true;
    }

    /// The broker ends.
    pub(crate) fn broker_ends(&mut self) {
        self.is_broker_up = false;
    }

    /// A worker starts a job in these slots.
    pub(crate) fn starts(&mut self, worker: u32, slots: &[u32], task: Task, lease: JobId) {
        self.note(format!(
            "worker {worker} starts {}/{}",
            task.client, task.job
        ));
        self.attempted(worker, task);
        for slot in slots {
            let before = self.running.insert((worker, *slot), task);
            assert_eq!(
                before, None,
                "slot {slot} of worker {worker} was sold twice"
            );
        }
        self.check_alone(worker);
        self.check_group(task);
        // Fences are never given twice; this worker would take one for a known lease.
        assert!(
            self.leases.insert((worker, lease)),
            "worker {worker} ran the lease {lease} twice"
        );
    }

    /// An exclusive job has its worker for itself.
    fn check_alone(&self, worker: u32) {
        let here = self.running.iter().filter(|((on, _), _)| *on == worker);
        let mut here: Vec<&Task> = here.map(|(_, task)| task).collect();
        here.dedup();
        let is_exclusive = here.iter().any(|task| task.needs().exclusive);
        assert!(
            !is_exclusive || here.len() == 1,
            "worker {worker} runs {here:?}"
        );
    }

    /// No more jobs of a group run than may. Where leases get lost, what is left of them counts no
    /// more, though it may still run.
    fn check_group(&mut self, task: Task) {
        let Some(group) = task.needs().group else {
            return;
        };
        let is_member =
            |other: &&Task| other.client == task.client && other.needs().group.is_some();
        let members = self.running.values().filter(is_member);
        let members: BTreeSet<u64> = members.map(|task| task.job).collect();
        if members.len() > group.jobs_max.get() as usize {
            let client = task.client;
            let what = format!("of client {client}'s group the jobs {members:?} run at once");
            self.needless.push(what);
        }
    }

    /// Results are not kept: what ended while a broker was there that is no more may run again.
    fn attempted(&mut self, worker: u32, task: Task) {
        let (name, broker) = ((task.client, task.job), self.broker);
        let who = format!("{}/{}", task.client, task.job);
        match self.attempts.insert(name, Attempt::UnderWay(worker)) {
            Some(Attempt::UnderWay(other)) => {
                let what = format!("{who} starts on worker {worker} and runs on worker {other}");
                self.needless.push(what);
            }
            Some(Attempt::Over(heard_by)) if heard_by >= broker => {
                let what =
                    format!("{who} starts on worker {worker} though broker {broker} has its end");
                self.needless.push(what);
            }
            Some(Attempt::Over(_)) | None => {}
        }
    }

    /// These slots are free.
    pub(crate) fn over(&mut self, worker: u32, slots: &[u32]) {
        let tasks = slots
            .iter()
            .filter_map(|slot| self.running.remove(&(worker, *slot)));
        if let Some(task) = tasks.last() {
            let heard_by = match self.is_broker_up {
                true => self.broker,
                false => self.broker + 1,
            };
            let name = (task.client, task.job);
            self.attempts.insert(name, Attempt::Over(heard_by));
        }
    }

    /// A job has come to its end. How many attempts at it have before.
    pub(crate) fn ends(&mut self, task: Task) -> u32 {
        let ended = self.ended.entry((task.client, task.job)).or_default();
        *ended += 1;
        *ended - 1
    }

    /// What runs.
    pub(crate) fn running(&self) -> Vec<Task> {
        self.running.values().copied().collect()
    }

    /// Something happened.
    pub(crate) fn note(&mut self, what: String) {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        self.trace
            .push(format!("{:>8} ms  {what}", now.as_millis()));
    }
}
