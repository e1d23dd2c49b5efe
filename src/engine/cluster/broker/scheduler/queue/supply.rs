//! The supply side of the queue: inputs, and the workers that serve its pools.

use super::{
    ClientId, FairQueue, InputAvailability, InputsId, InputsState, PoolKey, SchedulingClass,
    WorkerLoad, WorkerPool,
};
use maelstrom_model::ids::WorkerId;

impl InputsState {
    pub(super) fn is_ready(&self) -> bool {
        self.state == InputAvailability::Ready
    }

    fn is_unused(&self) -> bool {
        !self.is_ready() && self.kinds.is_empty() && self.holders.is_empty()
    }
}

impl FairQueue {
    /// Sets whether jobs with these inputs can start.
    pub(in super::super) fn set_inputs(&mut self, id: InputsId, state: InputAvailability) {
        let inputs = self.inputs.entry(id).or_default();
        if inputs.state == state {
            self.drop_inputs_if_unused(id);
            return;
        }
        inputs.state = state;
        let kinds: Vec<(ClientId, SchedulingClass)> = inputs.kinds.iter().copied().collect();
        for (client_id, kind) in kinds {
            let Some(client) = self.clients.get_mut(&client_id) else {
                continue;
            };
            let Some(queue) = client.kinds.get(&kind) else {
                continue;
            };
            let head = queue.first_key_value().map(|(turn, _)| *turn);
            let jobs = queue.len();
            let room = client.group_room(kind.group);
            let pool = PoolKey::from(kind);
            let lane = client.lanes.entry(pool).or_default();
            match state {
                InputAvailability::Ready => {
                    lane.add(kind, jobs);
                    lane.change_head(kind, None, head);
                }
                InputAvailability::Missing => {
                    lane.remove(kind, jobs);
                    lane.change_head(kind, head, None);
                }
            }
            lane.update_group(kind.group, room);
            self.rebalance(client_id, pool);
        }
        self.drop_inputs_if_unused(id);
    }

    pub(in super::super) fn forget_holders(&mut self, id: InputsId) -> Vec<WorkerId> {
        let Some(inputs) = self.inputs.get_mut(&id) else {
            return Vec::new();
        };
        let holders = std::mem::take(&mut inputs.holders);
        self.drop_inputs_if_unused(id);
        holders.into_iter().collect()
    }

    pub(in super::super) fn add_holder(&mut self, id: InputsId, worker: WorkerId) {
        self.inputs.entry(id).or_default().holders.insert(worker);
    }

    pub(in super::super) fn remove_holder(&mut self, id: InputsId, worker: WorkerId) {
        if let Some(inputs) = self.inputs.get_mut(&id) {
            inputs.holders.remove(&worker);
        }
        self.drop_inputs_if_unused(id);
    }

    /// Returns some of the workers that hold these inputs.
    pub(in super::super) fn holders(&self, id: InputsId) -> impl Iterator<Item = WorkerId> {
        let inputs = self.inputs.get(&id);
        inputs
            .into_iter()
            .flat_map(|inputs| &inputs.holders)
            .copied()
    }

    pub(super) fn not_interested(&mut self, client: ClientId, kind: SchedulingClass) {
        if let Some(inputs) = self.inputs.get_mut(&kind.inputs) {
            inputs.kinds.remove(&(client, kind));
        }
        self.drop_inputs_if_unused(kind.inputs);
    }

    fn drop_inputs_if_unused(&mut self, id: InputsId) {
        if self.inputs.get(&id).is_some_and(InputsState::is_unused) {
            self.inputs.remove(&id);
        }
    }

    pub(in super::super) fn pool(&self, key: PoolKey) -> Option<&WorkerPool> {
        self.pools.get(&key)
    }

    /// Updates a pool's lists for a worker: the slots it serves with, and its load if it has room
    /// for a lease. `before` is what was set last.
    pub(in super::super) fn set_supply(
        &mut self,
        key: PoolKey,
        worker: WorkerId,
        before: Option<WorkerLoad>,
        slots: Option<u32>,
        now: Option<WorkerLoad>,
    ) {
        let pool = self.pools.entry(key).or_default();
        let served = match slots {
            Some(slots) => pool.serving.insert(worker, slots),
            None => pool.serving.remove(&worker),
        };
        pool.slots = pool.slots - u64::from(served.unwrap_or(0)) + u64::from(slots.unwrap_or(0));
        if let Some(load) = before {
            pool.available.remove(&(load, worker));
        }
        if let Some(load) = now {
            pool.available.insert((load, worker));
        }
        self.pool_changed(key);
    }

    /// Returns the number of slots of the workers that serve a pool.
    pub(in super::super) fn slots(&self, key: PoolKey) -> u64 {
        self.pools.get(&key).map_or(0, |pool| pool.slots)
    }

    /// Returns all pools with jobs or workers: the number of jobs that could start, and of slots.
    pub(in super::super) fn pools(&self) -> impl Iterator<Item = (PoolKey, (usize, u64))> {
        let pools = self.pools.iter();
        pools.map(|(key, pool)| (*key, (pool.ready, pool.slots)))
    }

    /// Returns the number of jobs in each queue.
    pub(in super::super) fn waiting(&self) -> impl Iterator<Item = (SchedulingClass, usize)> {
        let clients = self.clients.values();
        clients.flat_map(|client| {
            client
                .kinds
                .iter()
                .map(|(kind, queue)| (*kind, queue.len()))
        })
    }
}
