//! Toolboxes: which workers provide what templates require of the host.

use super::BrokerCore;
use super::config::millis;
use super::job_state::infrastructure;
use super::worker_state::{RegisteredWorker, WorkerToolbox};
use crate::broker::limits::{self, TOOLBOX_ANSWER_MAX};
use crate::broker::scheduler::{
    Architecture, CancelOutcome, ClientId, InputsId, ToolboxId, ToolboxPresence,
    ToolboxRegistration,
};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1::{self, session_event, worker_order};

impl BrokerCore {
    /// Asks workers whether they provide a template's toolbox.
    pub(super) fn query_toolbox(&mut self, inputs: InputsId) {
        let kit = self.templates.get(inputs).and_then(|known| known.kind.kit);
        let Some(kit) = kit else {
            return;
        };
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        for worker in workers {
            self.query_worker(worker, kit);
        }
    }

    pub(super) fn query_worker(&mut self, id: WorkerId, kit: ToolboxId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        // A disconnected worker is asked about every toolbox when it registers.
        if worker.connection.is_none() || worker.kits.contains_key(&kit) {
            return;
        }
        if let Some(asked) = self.templates.toolbox(kit) {
            worker.kits.insert(kit, WorkerToolbox::Asked(self.now));
            worker.order(worker_order::Kind::Toolbox(v1::ToolboxQuestion {
                toolbox: kit.0,
                paths: asked.paths.clone(),
            }));
        }
    }

    pub(super) fn on_toolbox_answer(&mut self, id: WorkerId, kit: ToolboxId, mut lacks: String) {
        limits::cut(&mut lacks);
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        // Answers to questions that were not asked are ignored.
        let Some(answer) = worker.kits.get_mut(&kit) else {
            return;
        };
        let has = match lacks.is_empty() {
            true => ToolboxPresence::Yes,
            false => ToolboxPresence::No,
        };
        *answer = match (self.book.worker_offers(id, kit, has), has) {
            (ToolboxRegistration::Taken, ToolboxPresence::Yes) => WorkerToolbox::Has,
            (ToolboxRegistration::Taken, ToolboxPresence::No) => WorkerToolbox::Lacks(lacks),
            (ToolboxRegistration::TooMany { limit }, _) => WorkerToolbox::Lacks(format!(
                "it serves {limit} toolboxes, which is the most: try again when other runs are over"
            )),
        };
        self.refuse_without_toolbox(Some(kit));
    }

    /// Forgets a toolbox that no template uses any more.
    pub(super) fn forget_toolbox(&mut self, kit: ToolboxId) {
        for (id, worker) in &mut self.workers {
            if worker.kits.remove(&kit).is_some() {
                self.book.worker_offers(*id, kit, ToolboxPresence::No);
            }
        }
    }

    /// Workers that do not answer in time count as lacking a toolbox, since jobs wait for it.
    pub(super) fn expire_toolbox_queries(&mut self) {
        let patience = millis(TOOLBOX_ANSWER_MAX);
        let is_late = |answer: &WorkerToolbox| match answer {
            WorkerToolbox::Asked(at) => self.now.ms_since(*at) >= patience,
            WorkerToolbox::Has | WorkerToolbox::Lacks(_) => false,
        };
        let mut late = Vec::new();
        for (id, worker) in &self.workers {
            let kits = worker.kits.iter().filter(|(_, answer)| is_late(answer));
            late.extend(kits.map(|(kit, _)| (*id, *kit)));
        }
        for (id, kit) in late {
            let seconds = TOOLBOX_ANSWER_MAX.as_secs();
            let why = format!("it did not say within {seconds} s whether it has them");
            self.on_toolbox_answer(id, kit, why);
        }
    }

    /// Tells a client once that no worker has the architecture of its jobs.
    pub(super) fn notice_architecture(&mut self, id: ClientId, architecture: Architecture) {
        let has_workers = self.workers.values().any(RegisteredWorker::is_connected);
        if !has_workers || self.book.slots_for(architecture, None) > 0 {
            return;
        }
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if client.noticed.insert(architecture) {
            client.send(
                session_event::Kind::Notice(v1::Notice {
                    text: format!(
                        "jobs wait for a worker of the architecture {architecture}, and none is there"
                    ),
                    help: "start one, or choose programs for another architecture".to_owned(),
                }),
                0,
            );
        }
    }

    /// Ends jobs whose toolbox every connected worker lacks, instead of letting them wait forever.
    pub(super) fn refuse_without_toolbox(&mut self, kit: Option<ToolboxId>) {
        let Some(kit) = kit else {
            return;
        };
        let mut lacks = Vec::new();
        let mut others = 0;
        for worker in self.workers.values().filter(|worker| worker.is_connected()) {
            match worker.kits.get(&kit) {
                Some(WorkerToolbox::Lacks(_)) if lacks.len() >= limits::WORKERS_NAMED_MAX => {
                    others += 1
                }
                Some(WorkerToolbox::Lacks(why)) => lacks.push(format!("{}: {why}", worker.name)),
                // A worker that has not answered may have it.
                Some(WorkerToolbox::Asked(_) | WorkerToolbox::Has) | None => return,
            }
        }
        if lacks.is_empty() {
            return;
        }
        if others > 0 {
            lacks.push(format!("and {others} others lack something"));
        }
        let message = format!(
            "no worker has this machine's programs and toolchain ({}); `--strict` runs the tests \
             without, an image brings its own, and `--local-slots` runs them here",
            lacks.join("; ")
        );
        for key in self.queued_for(kit) {
            if let CancelOutcome::Queued = self.book.cancel(key) {
                self.conclude(key, infrastructure(message.clone()));
            }
        }
    }
}
