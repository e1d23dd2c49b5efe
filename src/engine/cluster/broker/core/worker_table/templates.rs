//! The templates that each worker has been sent on its connection.

use std::collections::BTreeSet;

use super::WorkerTable;
use crate::broker::limits::TEMPLATES_PER_WORKER_MAX;
use crate::broker::scheduler::InputsId;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1::{self, worker_order};

/// Whether a template has to be sent before a lease that refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateDelivery {
    /// The worker has it, or is not connected.
    Unneeded,
    Needed,
    /// The worker has the maximum number of templates, and must forget some first.
    Full,
}

impl WorkerTable {
    /// Returns whether a worker must be sent a template.
    pub(crate) fn delivery(&self, id: WorkerId, inputs: InputsId) -> TemplateDelivery {
        let worker = self.worker(id);
        match worker.and_then(|worker| worker.connection.as_ref()) {
            Some(connection) if connection.templates.contains(&inputs) => {
                TemplateDelivery::Unneeded
            }
            Some(connection) if connection.templates.len() >= TEMPLATES_PER_WORKER_MAX => {
                TemplateDelivery::Full
            }
            Some(_) => TemplateDelivery::Needed,
            None => TemplateDelivery::Unneeded,
        }
    }

    /// Sends a template to a worker.
    pub(crate) fn deliver(&mut self, id: WorkerId, inputs: InputsId, template: v1::Template) {
        let Some(worker) = self.worker_mut(id) else {
            return;
        };
        if let Some(connection) = &mut worker.connection {
            connection.templates.insert(inputs);
            worker.order(worker_order::Kind::Template(v1::LeaseTemplate {
                number: inputs.0,
                template: Some(template),
            }));
        }
    }

    /// Orders a worker to forget all templates but these.
    pub(crate) fn retain_templates(&mut self, id: WorkerId, wanted: &BTreeSet<InputsId>) {
        self.forget_if(id, |inputs| !wanted.contains(inputs));
    }

    /// Orders all workers to forget templates that are no longer used.
    pub(crate) fn forget_templates(&mut self, unused: &[InputsId]) {
        let ids: Vec<WorkerId> = self.known.keys().copied().collect();
        for id in ids {
            self.forget_if(id, |inputs| unused.contains(inputs));
        }
    }

    fn forget_if(&mut self, id: WorkerId, is_unwanted: impl Fn(&InputsId) -> bool) {
        let Some(worker) = self.worker_mut(id) else {
            return;
        };
        let Some(connection) = &mut worker.connection else {
            return;
        };
        let unwanted = connection.templates.extract_if(.., |it| is_unwanted(it));
        let numbers: Vec<u32> = unwanted.map(|inputs| inputs.0).collect();
        if !numbers.is_empty() {
            worker.order(worker_order::Kind::Forget(v1::ForgetTemplates { numbers }));
        }
    }
}
