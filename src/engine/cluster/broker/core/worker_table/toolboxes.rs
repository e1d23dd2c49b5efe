//! The toolboxes that each worker provides: host paths that templates require.

use super::WorkerTable;
use super::worker::WorkerToolbox;
use crate::broker::core::config::millis;
use crate::broker::limits::{self, TOOLBOX_ANSWER_MAX};
use crate::broker::scheduler::{BrokerInstant, ToolboxId};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1::{self, worker_order};

impl WorkerTable {
    /// Asks all connected workers whether they provide a toolbox.
    pub(crate) fn ask_all(&mut self, id: ToolboxId, paths: &[v1::ToolboxPath], now: BrokerInstant) {
        let workers: Vec<WorkerId> = self.connected().map(|(worker, _)| worker).collect();
        for worker in workers {
            self.ask(worker, id, paths, now);
        }
    }

    /// Asks a worker whether it provides a toolbox, if it is connected and has not been asked
    /// before. A disconnected worker is asked about every toolbox when it registers.
    pub(crate) fn ask(
        &mut self,
        worker: WorkerId,
        id: ToolboxId,
        paths: &[v1::ToolboxPath],
        now: BrokerInstant,
    ) {
        let Some(worker) = self.worker_mut(worker) else {
            return;
        };
        if !worker.is_connected() || worker.toolboxes.contains_key(&id) {
            return;
        }
        worker.toolboxes.insert(id, WorkerToolbox::Asked(now));
        worker.order(worker_order::Kind::Toolbox(v1::ToolboxQuestion {
            toolbox: id.0,
            paths: paths.to_vec(),
        }));
    }

    /// Returns whether a worker was asked about a toolbox: other answers are ignored.
    pub(crate) fn was_asked(&self, worker: WorkerId, id: ToolboxId) -> bool {
        let worker = self.worker(worker);
        worker.is_some_and(|worker| worker.toolboxes.contains_key(&id))
    }

    /// Sets a worker's answer about a toolbox: `lacks` is the reason why it lacks it, `None` if it
    /// has it.
    pub(crate) fn set_toolbox(&mut self, worker: WorkerId, id: ToolboxId, lacks: Option<String>) {
        if let Some(worker) = self.worker_mut(worker) {
            let answer = lacks.map_or(WorkerToolbox::Has, WorkerToolbox::Lacks);
            worker.toolboxes.insert(id, answer);
        }
    }

    /// Forgets a toolbox that no template uses any more. Returns the workers that were asked about
    /// it.
    pub(crate) fn forget_toolbox(&mut self, id: ToolboxId) -> Vec<WorkerId> {
        let mut asked = Vec::new();
        for (worker, state) in &mut self.known {
            if state.toolboxes.remove(&id).is_some() {
                asked.push(*worker);
            }
        }
        asked
    }

    /// Returns the queries that were not answered in time.
    pub(crate) fn late_answers(&self, now: BrokerInstant) -> Vec<(WorkerId, ToolboxId)> {
        let patience = millis(TOOLBOX_ANSWER_MAX);
        let is_late = |answer: &WorkerToolbox| match answer {
            WorkerToolbox::Asked(at) => now.ms_since(*at) >= patience,
            WorkerToolbox::Has | WorkerToolbox::Lacks(_) => false,
        };
        let mut late = Vec::new();
        for (id, worker) in &self.known {
            let toolboxes = worker.toolboxes.iter();
            let toolboxes = toolboxes.filter(|(_, answer)| is_late(answer));
            late.extend(toolboxes.map(|(toolbox, _)| (*id, *toolbox)));
        }
        late
    }

    /// Describes what each connected worker lacks of a toolbox; `None` unless every one lacks
    /// something.
    pub(crate) fn all_lack(&self, id: ToolboxId) -> Option<String> {
        let mut lacks = Vec::new();
        let mut others = 0;
        for (_, worker) in self.connected() {
            match worker.toolboxes.get(&id) {
                Some(WorkerToolbox::Lacks(_)) if lacks.len() >= limits::WORKERS_NAMED_MAX => {
                    others += 1
                }
                Some(WorkerToolbox::Lacks(why)) => lacks.push(format!("{}: {why}", worker.name)),
                // A worker that has not answered may have it.
                Some(WorkerToolbox::Asked(_) | WorkerToolbox::Has) | None => return None,
            }
        }
        if others > 0 {
            lacks.push(format!("and {others} others lack something"));
        }
        (!lacks.is_empty()).then(|| lacks.join("; "))
    }

    /// Returns the number of toolboxes that workers were asked about and not told to forget.
    #[cfg(test)]
    pub(crate) fn toolbox_count(&self) -> usize {
        let known = self.known.values();
        known.map(|worker| worker.toolboxes.len()).sum()
    }
}
