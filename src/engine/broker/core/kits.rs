//! Toolboxes: which workers have what templates want of a worker's own machine.

use super::{Core, infrastructure};
use crate::engine::broker::book::{Cancelled, HasKit, InputsId, KitId};
use crate::engine::ids::WorkerId;
use crate::engine::wire::v1::{self, worker_order};

/// Whether a worker has a toolbox.
pub(super) enum Answer {
    Asked,
    Has,
    Lacks(String),
}

impl Core {
    /// A kit that templates want: which workers have it?
    pub(super) fn ask_for_kit(&mut self, inputs: InputsId) {
        let kit = self.templates.get(inputs).and_then(|known| known.kind.kit);
        let Some(kit) = kit else {
            return;
        };
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        for worker in workers {
            self.ask(worker, kit);
        }
    }

    pub(super) fn ask(&mut self, id: WorkerId, kit: KitId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.connection.is_none() || worker.kits.contains_key(&kit) {
            return;
        }
        let mut kits = self.templates.kits();
        if let Some((_, asked)) = kits.find(|(known, _)| *known == kit) {
            worker.kits.insert(kit, Answer::Asked);
            worker.order(worker_order::Kind::Toolbox(v1::ToolboxQuestion {
                toolbox: kit.0,
                paths: asked.paths.clone(),
            }));
        }
    }

    pub(super) fn kit_answer(&mut self, id: WorkerId, kit: KitId, lacks: String) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        // What it was not asked it can't answer.
        let Some(answer) = worker.kits.get_mut(&kit) else {
            return;
        };
        let has = match lacks.is_empty() {
            true => {
                *answer = Answer::Has;
                HasKit::Yes
            }
            false => {
                *answer = Answer::Lacks(lacks);
                HasKit::No
            }
        };
        self.book.worker_offers(id, kit, has);
        self.refuse_without_kit(Some(kit));
    }

    /// If every worker that is here lacks a kit, its jobs would wait for ever: they end, and say why.
    pub(super) fn refuse_without_kit(&mut self, kit: Option<KitId>) {
        let Some(kit) = kit else {
            return;
        };
        let mut lacks = Vec::new();
        for worker in self.workers.values().filter(|worker| worker.is_connected()) {
            match worker.kits.get(&kit) {
                Some(Answer::Lacks(why)) => lacks.push(format!("{}: {why}", worker.name)),
                Some(Answer::Asked | Answer::Has) | None => return,
            }
        }
        if lacks.is_empty() {
            return;
        }
        let message = format!(
            "no worker has this machine's programs and toolchain ({}); `--strict` runs the tests \
             without, an image brings its own, and `--local-slots` runs them here",
            lacks.join("; ")
        );
        for key in self.queued_for(kit) {
            if let Cancelled::Queued = self.book.cancel(key) {
                self.conclude(key, infrastructure(message.clone()));
            }
        }
    }
}
