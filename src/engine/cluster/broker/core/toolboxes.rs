//! Toolboxes: which workers have the host paths that templates require, and the effect on jobs.

use super::BrokerCore;
use super::run_table::infrastructure;
use super::templates::TemplateToolbox;
use crate::broker::limits::{self, TOOLBOX_ANSWER_MAX};
use crate::broker::scheduler::{
    Architecture, CancelOutcome, ClientId, ToolboxId, ToolboxPresence, ToolboxRegistration,
};
use maelstrom_model::ids::WorkerId;

impl BrokerCore {
    /// Asks all workers whether they provide a toolbox.
    pub(super) fn query_toolbox(&mut self, id: ToolboxId) {
        if let Some(toolbox) = self.templates.toolbox(id) {
            self.workers.ask_all(id, &toolbox.paths, self.now);
        }
    }

    /// Asks a worker about every toolbox.
    pub(super) fn query_worker(&mut self, worker: WorkerId) {
        for (id, toolbox) in self.templates.toolboxes() {
            self.workers.ask(worker, id, &toolbox.paths, self.now);
        }
    }

    pub(super) fn on_toolbox_answer(&mut self, worker: WorkerId, id: ToolboxId, mut lacks: String) {
        limits::cut(&mut lacks);
        if !self.workers.was_asked(worker, id) {
            return;
        }
        let has = match lacks.is_empty() {
            true => ToolboxPresence::Yes,
            false => ToolboxPresence::No,
        };
        let lacks = match (self.scheduler.worker_offers(worker, id, has), has) {
            (ToolboxRegistration::Taken, ToolboxPresence::Yes) => None,
            (ToolboxRegistration::Taken, ToolboxPresence::No) => Some(lacks),
            (ToolboxRegistration::TooMany { limit }, _) => Some(format!(
                "it serves {limit} toolboxes, which is the most: try again when other runs are over"
            )),
        };
        self.workers.set_toolbox(worker, id, lacks);
        self.refuse_without_toolbox(id);
    }

    /// Forgets a toolbox that no template uses any more.
    pub(super) fn forget_toolbox(&mut self, id: ToolboxId) {
        for worker in self.workers.forget_toolbox(id) {
            self.scheduler
                .worker_offers(worker, id, ToolboxPresence::No);
        }
    }

    /// Treats workers that do not answer in time as lacking the toolbox, because jobs wait for the
    /// answer.
    pub(super) fn expire_toolbox_queries(&mut self) {
        for (worker, toolbox) in self.workers.late_answers(self.now) {
            let seconds = TOOLBOX_ANSWER_MAX.as_secs();
            let why = format!("it did not say within {seconds} s whether it has them");
            self.on_toolbox_answer(worker, toolbox, why);
        }
    }

    /// Notifies a client once that no worker has the architecture of its jobs.
    pub(super) fn notice_architecture(&mut self, id: ClientId, architecture: Architecture) {
        if self.workers.has_connected() && self.scheduler.slots_for(architecture, None) == 0 {
            self.runs.notice_architecture(id, architecture);
        }
    }

    /// Ends jobs whose toolbox every connected worker lacks, instead of letting them wait forever.
    pub(super) fn refuse_without_toolbox(&mut self, id: ToolboxId) {
        let Some(lacks) = self.workers.all_lack(id) else {
            return;
        };
        let toolbox = self.templates.toolbox(id);
        let message = match toolbox.is_some_and(TemplateToolbox::has_device) {
            true => format!(
                "no worker has what the tests need of its machine ({lacks}); a worker offers a \
                 device with `--offer-device`, and `--local-slots` runs the tests here"
            ),
            false => format!(
                "no worker has this machine's programs and toolchain ({lacks}); `--strict` runs \
                 the tests without, an image brings its own, and `--local-slots` runs them here"
            ),
        };
        for key in self.runs.queued_for(id) {
            if let CancelOutcome::Queued = self.scheduler.cancel(key) {
                let result = infrastructure(message.clone());
                self.runs.conclude(key, result, self.now);
            }
        }
    }
}
