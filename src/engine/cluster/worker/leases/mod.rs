//! The lease table: the stage of each lease, and how much of it was reported to the broker.
//!
//! ```text
//! Waiting ─▶ Running ─▶ Over ─▶ (acknowledged: removed)
//!    └───────────────────▲ returned, stopped, or its inputs are unavailable
//! ```
//!
//! No lease is removed before the broker acknowledges its end. After a reconnect everything is
//! reported again from the beginning: [`LeaseTable::report_again`].
//!
//! Invariants:
//! - A lease has one end. Its reports are in order: its start, its output, its end.
//! - The backend does not have a waiting lease, so it can be returned.
//! - Running leases take no more slots and memory than there are. A ready lease that needs more than
//!   is free starts before all that came after it.
//! - No more leases with a device run than it is for. A lease that waits for one is passed over.
//!
//! Pure except for the files of [`OutputLog`]; `T` is the data that starting a job requires, and is
//! kept while the job runs.

mod devices;
mod entry;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::PathBuf;

use self::devices::DeviceUse;
use self::entry::{
    EndDisposition, LeaseEnd, LeaseEntry, LeaseStage, ReportProgress, ReportQueueState, failure,
};
use crate::output_log::OutputLog;
use maelstrom_container::message::DiscardedFiles;
use maelstrom_engine::schedule::room::{MachineRoom, RoomShare};
use maelstrom_model::backend::JobId;
use maelstrom_model::event::OutputStream;
use maelstrom_model::job::{JobOutcome, JobResult};
use maelstrom_model::policy::{DeviceNeed, JobNeeds};
use maelstrom_wire::linger::FlushUrgency;
use maelstrom_wire::v1;

pub use self::entry::{RunJobId, shortened};

/// A lease's fencing token. The backend uses it as the job's ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseToken(pub u64);

impl LeaseToken {
    /// The job's ID in the backend.
    pub fn job(self) -> JobId {
        JobId(self.0)
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The leases of a worker.
#[derive(Debug)]
pub struct LeaseTable<T> {
    leases: BTreeMap<LeaseToken, LeaseEntry<T>>,
    /// Waiting leases, in the order of their arrival.
    waiting: VecDeque<LeaseToken>,
    /// Leases with pending reports, each once.
    untold: VecDeque<LeaseToken>,
    /// Whether an end is among them.
    ends_untold: bool,
    running: usize,
    room: MachineRoom,
    devices: DeviceUse,
    directory: PathBuf,
    output_bytes_max: u64,
}

/// Whether a lease was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseArrival {
    /// It was added.
    New,
    /// It was known; nothing changed.
    Known,
}

/// The action that the caller must take on a running job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAction {
    Stop,
    Nothing,
}

/// Whether a waiting lease can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseReadiness {
    /// It can start now.
    Ready,
    /// It must wait longer.
    NotYet,
    /// It can never start, for this reason.
    Never(String),
}

impl<T: Clone> LeaseTable<T> {
    /// Creates an empty table for jobs that run in this room, and that spills output to files in this
    /// directory, with this limit for each job.
    pub fn new(directory: PathBuf, output_bytes_max: u64, room: MachineRoom) -> LeaseTable<T> {
        LeaseTable {
            leases: BTreeMap::new(),
            waiting: VecDeque::new(),
            untold: VecDeque::new(),
            ends_untold: false,
            running: 0,
            room,
            devices: DeviceUse::default(),
            directory,
            output_bytes_max,
        }
    }

    /// Returns the number of leases, including those that are over.
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Returns whether there are no leases.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Returns the number of leases that the backend has.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Returns the number of slots that these take.
    pub fn slots_taken(&self) -> u32 {
        self.room.slots_taken()
    }

    /// Returns whether no lease waits or runs.
    pub fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// Returns how urgent the pending reports are. Clients wait for the end of a lease, and so does
    /// a slot; starts and output are not urgent.
    pub fn unreported(&self) -> FlushUrgency {
        match (self.untold.is_empty(), self.ends_untold) {
            (true, _) => FlushUrgency::Nothing,
            (false, false) => FlushUrgency::CanLinger,
            (false, true) => FlushUrgency::Urgent,
        }
    }

    /// Returns the name of a lease's job.
    pub fn name(&self, fence: LeaseToken) -> Option<RunJobId> {
        self.leases.get(&fence).map(|held| held.name)
    }

    /// Returns all leases, for a broker that may have lost track of them.
    pub fn held(&self) -> Vec<v1::HeldLease> {
        let leases = self.leases.iter();
        leases
            .map(|(fence, held)| v1::HeldLease {
                job: Some(v1::JobName {
                    run: held.name.run.to_vec().into(),
                    job: held.name.job,
                }),
                fence: fence.0,
            })
            .collect()
    }

    /// Adds a lease of a job with these needs.
    pub fn take_in(
        &mut self,
        fence: LeaseToken,
        name: RunJobId,
        needs: &JobNeeds,
        payload: T,
    ) -> LeaseArrival {
        let share = self.room.share(needs);
        let devices = needs.devices.clone();
        let stage = LeaseStage::Waiting {
            share,
            devices,
            payload,
        };
        match self.add(fence, name, stage) {
            LeaseArrival::New => {
                self.waiting.push_back(fence);
                self.devices.add(&needs.devices);
                LeaseArrival::New
            }
            LeaseArrival::Known => LeaseArrival::Known,
        }
    }

    /// Adds a lease that cannot run.
    pub fn refuse(&mut self, fence: LeaseToken, name: RunJobId, reason: &str) -> LeaseArrival {
        self.add_over(fence, name, failure(reason))
    }

    /// Adds a lease that is to be returned at once.
    pub fn return_at_once(&mut self, fence: LeaseToken, name: RunJobId) -> LeaseArrival {
        self.add_over(fence, name, LeaseEnd::Returned)
    }

    fn add_over(&mut self, fence: LeaseToken, name: RunJobId, end: LeaseEnd) -> LeaseArrival {
        let slot = None;
        let taken = self.add(fence, name, LeaseStage::Over { slot, end });
        self.enqueue_report(fence);
        taken
    }

    fn add(&mut self, fence: LeaseToken, name: RunJobId, stage: LeaseStage<T>) -> LeaseArrival {
        if self.leases.contains_key(&fence) {
            return LeaseArrival::Known;
        }
        let held = LeaseEntry {
            name,
            stage,
            output: OutputLog::new(&self.directory, self.output_bytes_max),
            discarded: DiscardedFiles::default(),
            told: ReportProgress::Nothing,
            line: ReportQueueState::No,
        };
        self.leases.insert(fence, held);
        LeaseArrival::New
    }

    /// Returns the first lease that can start. It counts as running from now on. A ready lease for
    /// which there is no room yet keeps those behind it waiting, so that room comes about.
    pub fn start_next(
        &mut self,
        readiness: impl Fn(&T) -> LeaseReadiness,
    ) -> Option<(LeaseToken, T)> {
        let mut place = 0;
        while let Some(fence) = self.waiting.get(place).copied() {
            let Some(LeaseStage::Waiting {
                share,
                devices,
                payload,
            }) = self.leases.get(&fence).map(|held| &held.stage)
            else {
                self.waiting.remove(place);
                continue;
            };
            match readiness(payload) {
                LeaseReadiness::NotYet => place += 1,
                LeaseReadiness::Never(reason) => {
                    self.waiting.remove(place);
                    self.end(fence, failure(&reason));
                }
                LeaseReadiness::Ready if !self.devices.have_room(devices) => place += 1,
                LeaseReadiness::Ready if !self.room.fits(*share) => return None,
                LeaseReadiness::Ready => {
                    self.waiting.remove(place);
                    let (share, devices, payload) = (*share, devices.clone(), payload.clone());
                    self.set_running(fence, share, devices, payload.clone());
                    return Some((fence, payload));
                }
            }
        }
        None
    }

    fn set_running(
        &mut self,
        fence: LeaseToken,
        share: RoomShare,
        devices: Vec<DeviceNeed>,
        inputs: T,
    ) {
        if let Some(held) = self.leases.get_mut(&fence) {
            self.running += 1;
            self.room.take(share);
            self.devices.take(&devices);
            held.stage = LeaseStage::Running {
                slot: None,
                share,
                devices,
                wish: EndDisposition::Tell,
                _inputs: inputs,
            };
        }
    }

    /// Handles the start of a job in a slot.
    pub fn started(&mut self, fence: LeaseToken, in_slot: u32) {
        if let Some(held) = self.leases.get_mut(&fence)
            && let LeaseStage::Running { slot, .. } = &mut held.stage
        {
            *slot = Some(in_slot);
            self.enqueue_report(fence);
        }
    }

    /// Handles output of a job.
    pub fn wrote(&mut self, fence: LeaseToken, stream: OutputStream, bytes: &[u8]) -> LeaseAction {
        let Some(held) = self.leases.get_mut(&fence) else {
            return LeaseAction::Nothing;
        };
        let LeaseStage::Running { wish, .. } = &mut held.stage else {
            return LeaseAction::Nothing;
        };
        match wish {
            EndDisposition::Tell | EndDisposition::HandBack => {}
            // The job is being stopped, and produces output until then.
            EndDisposition::Forget | EndDisposition::Fail(_) => return LeaseAction::Nothing,
        }
        match held.output.push(stream, bytes) {
            Ok(()) => {
                self.enqueue_report(fence);
                LeaseAction::Nothing
            }
            Err(error) => {
                *wish = EndDisposition::Fail(maelstrom_model::error::with_causes(&error));
                LeaseAction::Stop
            }
        }
    }

    /// Handles the end of a job.
    pub fn finished(&mut self, fence: LeaseToken, result: JobResult) {
        let Some(LeaseStage::Running {
            wish,
            share,
            devices,
            ..
        }) = self.leases.get(&fence).map(|held| &held.stage)
        else {
            return;
        };
        let end = match wish {
            EndDisposition::Forget => {
                self.running = self.running.saturating_sub(1);
                self.room.give_back(*share);
                self.devices.give_back(devices);
                self.forget(fence);
                return;
            }
            // A job that ended by itself before it was stopped has a valid outcome.
            EndDisposition::HandBack if result.end == JobOutcome::Cancelled => LeaseEnd::Returned,
            EndDisposition::Tell | EndDisposition::HandBack => LeaseEnd::Finished(result),
            EndDisposition::Fail(reason) => LeaseEnd::Finished(JobResult {
                end: JobOutcome::Error(shortened(reason)),
                ..result
            }),
        };
        self.end(fence, end);
    }

    fn end(&mut self, fence: LeaseToken, end: LeaseEnd) {
        let Some(held) = self.leases.get_mut(&fence) else {
            return;
        };
        let slot = match &held.stage {
            LeaseStage::Waiting { devices, .. } => {
                self.devices.remove(devices);
                None
            }
            LeaseStage::Running {
                slot,
                share,
                devices,
                ..
            } => {
                self.running = self.running.saturating_sub(1);
                self.room.give_back(*share);
                self.devices.give_back(devices);
                *slot
            }
            LeaseStage::Over { .. } => return,
        };
        held.stage = LeaseStage::Over { slot, end };
        self.enqueue_report(fence);
    }

    /// Stops a lease at the broker's request. A waiting one ends at once.
    pub fn stop(&mut self, fence: LeaseToken) -> LeaseAction {
        match self.leases.get(&fence).map(|held| &held.stage) {
            Some(LeaseStage::Waiting { .. }) => {
                self.waiting.retain(|waiting| *waiting != fence);
                self.end(
                    fence,
                    LeaseEnd::Finished(JobResult::not_run(JobOutcome::Cancelled)),
                );
                LeaseAction::Nothing
            }
            Some(LeaseStage::Running { .. }) => LeaseAction::Stop,
            Some(LeaseStage::Over { .. }) | None => LeaseAction::Nothing,
        }
    }

    /// Stops a lease whose end the broker does not want reported.
    pub fn disown(&mut self, fence: LeaseToken) -> LeaseAction {
        let Some(held) = self.leases.get_mut(&fence) else {
            return LeaseAction::Nothing;
        };
        match &mut held.stage {
            LeaseStage::Running { wish, .. } => {
                *wish = EndDisposition::Forget;
                LeaseAction::Stop
            }
            LeaseStage::Waiting { .. } | LeaseStage::Over { .. } => {
                if let LeaseStage::Waiting { devices, .. } = &held.stage {
                    self.devices.remove(devices);
                }
                self.waiting.retain(|waiting| *waiting != fence);
                self.forget(fence);
                LeaseAction::Nothing
            }
        }
    }

    /// Returns all waiting leases.
    pub fn return_waiting(&mut self) -> usize {
        let waiting = std::mem::take(&mut self.waiting);
        for fence in &waiting {
            self.end(*fence, LeaseEnd::Returned);
        }
        waiting.len()
    }

    /// Marks all running leases to be returned; the caller must stop them.
    pub fn return_running(&mut self) -> Vec<LeaseToken> {
        let mut stopped = Vec::new();
        for (fence, held) in &mut self.leases {
            if let LeaseStage::Running { wish, .. } = &mut held.stage {
                // A lease that is to be forgotten, or has failed, stays so.
                if *wish == EndDisposition::Tell {
                    *wish = EndDisposition::HandBack;
                }
                stopped.push(*fence);
            }
        }
        stopped
    }

    /// Handles the loss of the backend: running jobs have failed, the others are returned.
    pub fn backend_lost(&mut self, reason: &str) {
        self.return_waiting();
        let running: Vec<LeaseToken> = self.return_running();
        for fence in running {
            self.end(fence, failure(reason));
        }
    }

    /// Handles the broker's acknowledgment of a lease's end.
    pub fn acknowledge(&mut self, fence: LeaseToken) {
        match self.leases.get(&fence).map(|held| &held.stage) {
            Some(LeaseStage::Over { .. }) => self.forget(fence),
            // The lease is not over: the broker is mistaken. Its end will still be reported.
            Some(LeaseStage::Waiting { .. } | LeaseStage::Running { .. }) | None => {}
        }
    }

    fn forget(&mut self, fence: LeaseToken) {
        self.leases.remove(&fence);
        self.untold.retain(|untold| *untold != fence);
        self.ends_untold &= !self.untold.is_empty();
    }

    /// Handles a new connection, on which nothing counts as reported.
    pub fn report_again(&mut self) {
        self.untold.clear();
        self.ends_untold = false;
        for held in self.leases.values_mut() {
            held.told = ReportProgress::Nothing;
            held.line = ReportQueueState::No;
        }
        let fences: Vec<LeaseToken> = self.leases.keys().copied().collect();
        fences
            .into_iter()
            .for_each(|fence| self.enqueue_report(fence));
    }

    fn enqueue_report(&mut self, fence: LeaseToken) {
        if let Some(held) = self.leases.get_mut(&fence)
            && held.line == ReportQueueState::No
            && held.has_unreported()
        {
            held.line = ReportQueueState::Yes;
            self.untold.push_back(fence);
        }
        if let Some(held) = self.leases.get(&fence) {
            self.ends_untold |= held.has_unreported_end();
        }
    }
}
