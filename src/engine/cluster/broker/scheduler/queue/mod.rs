//! The waiting jobs, and the workers that could run them, in a form that makes the next decision
//! without a search.
//!
//! Jobs of one client and one [`SchedulingClass`] form a queue ordered by [`QueueKey`]. The heads
//! of those whose inputs are present form a [`ReadyQueue`], one for each client and pool; of a
//! pool's ready queues the one whose client has the lowest account is next ([`fair_share`]). A job
//! that cannot start is in no ready queue, and so blocks no other.
//!
//! A job's group is part of its class. Of a client's jobs of one group and one pool ([`ready`]) only
//! the first is in the ready queue, and only while the group is not full ([`groups`]).
//!
//! Owned by the scheduler. Invariants:
//! - A ready queue is listed in its pool exactly when its client's gate is open and it has a head.
//! - A pool is listed as open exactly when it has a ready queue and a worker for it.
//! - Each call is O(log n) in the number of jobs. Opening or closing a client or inputs takes a
//!   step for each scheduling class affected, not for each job; filling a group, one for each of the
//!   client's pools.
//!
//! Leases, time, and the choice among a pool's workers are handled elsewhere.

mod fair_share;
mod groups;
mod pool;
mod ready;
mod supply;

use std::collections::{BTreeMap, BTreeSet};

use self::fair_share::{FairShare, ShareWeight, VirtualTime};
pub(super) use self::pool::{PoolKey, WorkerLoad, WorkerPool};
use self::ready::{ClientGroup, ReadyQueue};
use super::{
    Architecture, ClientAdmission, ClientId, GroupKey, InputAvailability, InputsId, JobKey,
    SchedulerLimits, SchedulingClass,
};
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::QueueKey;

/// All waiting jobs.
#[derive(Debug)]
pub(super) struct FairQueue {
    limits: SchedulerLimits,
    clients: BTreeMap<ClientId, QueueClient>,
    pools: BTreeMap<PoolKey, WorkerPool>,
    /// The pools in which a decision can be made.
    open: BTreeSet<PoolKey>,
    inputs: BTreeMap<InputsId, InputsState>,
    clocks: BTreeMap<Architecture, VirtualTime>,
}

#[derive(Debug)]
struct QueueClient {
    gate: ClientAdmission,
    portion: ShareWeight,
    shares: BTreeMap<Architecture, FairShare>,
    kinds: BTreeMap<SchedulingClass, BTreeMap<QueueKey, JobId>>,
    lanes: BTreeMap<PoolKey, ReadyQueue>,
    groups: BTreeMap<GroupKey, ClientGroup>,
}

#[derive(Debug)]
struct InputsState {
    state: InputAvailability,
    /// The queues that need these inputs.
    kinds: BTreeSet<(ClientId, SchedulingClass)>,
    holders: BTreeSet<WorkerId>,
}

impl Default for InputsState {
    fn default() -> Self {
        InputsState {
            state: InputAvailability::Missing,
            kinds: BTreeSet::new(),
            holders: BTreeSet::new(),
        }
    }
}

/// The next job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueHead {
    account: VirtualTime,
    client: ClientId,
    pub turn: QueueKey,
    pub kind: SchedulingClass,
    job: JobId,
}

impl QueueHead {
    pub(super) fn key(&self) -> JobKey {
        JobKey {
            client: self.client,
            job: self.job,
        }
    }
}

impl FairQueue {
    pub(super) fn new(limits: SchedulerLimits) -> FairQueue {
        FairQueue {
            limits,
            clients: BTreeMap::new(),
            pools: BTreeMap::new(),
            open: BTreeSet::new(),
            inputs: BTreeMap::new(),
            clocks: BTreeMap::new(),
        }
    }

    pub(super) fn client_joined(&mut self, client: ClientId, weight: u32, among: u32) {
        let portion = ShareWeight { weight, among };
        let entry = self.clients.entry(client).or_insert_with(|| QueueClient {
            gate: ClientAdmission::Open,
            portion,
            shares: BTreeMap::new(),
            kinds: BTreeMap::new(),
            lanes: BTreeMap::new(),
            groups: BTreeMap::new(),
        });
        entry.portion = portion;
    }

    pub(super) fn client_gate(&mut self, client: ClientId, gate: ClientAdmission) {
        let Some(entry) = self.clients.get_mut(&client) else {
            return;
        };
        entry.gate = gate;
        let lanes: Vec<PoolKey> = entry.lanes.keys().copied().collect();
        for pool in lanes {
            self.rebalance(client, pool);
        }
    }

    /// Removes a client with all of its jobs.
    pub(super) fn client_left(&mut self, client: ClientId) {
        self.client_gate(client, ClientAdmission::Held);
        let Some(gone) = self.clients.remove(&client) else {
            return;
        };
        for kind in gone.kinds.into_keys() {
            self.not_interested(client, kind);
        }
        for pool in gone.lanes.into_keys() {
            self.drop_if_unused(pool);
        }
    }

    pub(super) fn gate(&self, client: ClientId) -> Option<(ClientAdmission, u32)> {
        let client = self.clients.get(&client)?;
        Some((client.gate, client.portion.weight))
    }

    /// Returns how many queues a client has besides that of this class.
    pub(super) fn kinds_beside(&self, client: ClientId, kind: SchedulingClass) -> usize {
        self.clients.get(&client).map_or(0, |client| {
            client.kinds.len() - usize::from(client.kinds.contains_key(&kind))
        })
    }

    pub(super) fn push(&mut self, key: JobKey, kind: SchedulingClass, turn: QueueKey) {
        let Some(client) = self.clients.get_mut(&key.client) else {
            return;
        };
        let queue = client.kinds.entry(kind).or_default();
        let old = queue.first_key_value().map(|(turn, _)| *turn);
        queue.insert(turn, key.job);
        let inputs = self.inputs.entry(kind.inputs).or_default();
        if old.is_none() {
            inputs.kinds.insert((key.client, kind));
        }
        match inputs.state {
            InputAvailability::Missing => {}
            InputAvailability::Ready => {
                let pool = PoolKey::from(kind);
                let room = client.group_room(kind.group);
                let lane = client.lanes.entry(pool).or_default();
                lane.add(kind, 1);
                if old.is_none_or(|old| turn < old) {
                    lane.change_head(kind, old, Some(turn));
                }
                lane.update_group(kind.group, room);
                self.rebalance(key.client, pool);
            }
        }
    }

    /// Removes a job.
    pub(super) fn remove(&mut self, client: ClientId, kind: SchedulingClass, turn: QueueKey) {
        self.take_out(client, kind, turn);
        self.rebalance(client, PoolKey::from(kind));
    }

    /// Removes the next job and charges its client for a lease that takes this many slots.
    pub(super) fn serve(&mut self, front: &QueueHead, slots: u32) {
        self.take_out(front.client, front.kind, front.turn);
        let Some(client) = self.clients.get_mut(&front.client) else {
            return;
        };
        let architecture = front.kind.architecture;
        let clock = self.clocks.entry(architecture).or_default();
        let share = client.shares.entry(architecture);
        share.or_insert_with(|| FairShare::new(&self.limits)).serve(
            clock,
            client.portion,
            slots,
            &self.limits,
        );
        let all = client.lanes.range(PoolKey::first(architecture)..);
        let lanes: Vec<PoolKey> = all
            .map(|(pool, _)| *pool)
            .take_while(|pool| pool.architecture == architecture)
            .collect();
        for pool in lanes {
            self.rebalance(front.client, pool);
        }
    }

    fn take_out(&mut self, client_id: ClientId, kind: SchedulingClass, turn: QueueKey) {
        let Some(client) = self.clients.get_mut(&client_id) else {
            return;
        };
        let Some(queue) = client.kinds.get_mut(&kind) else {
            return;
        };
        let old = queue.first_key_value().map(|(turn, _)| *turn);
        if queue.remove(&turn).is_none() {
            return;
        }
        let new = queue.first_key_value().map(|(turn, _)| *turn);
        let room = client.group_room(kind.group);
        if let Some(lane) = client.lanes.get_mut(&PoolKey::from(kind))
            && self
                .inputs
                .get(&kind.inputs)
                .is_some_and(InputsState::is_ready)
        {
            lane.remove(kind, 1);
            if old == Some(turn) {
                lane.change_head(kind, old, new);
            }
            lane.update_group(kind.group, room);
        }
        if new.is_none() {
            client.kinds.remove(&kind);
            self.not_interested(client_id, kind);
        }
    }

    /// Updates a client's average with a job that occupied a slot for this long.
    pub(super) fn learn(&mut self, client: ClientId, architecture: Architecture, took_ms: u64) {
        let limits = &self.limits;
        if let Some(client) = self.clients.get_mut(&client) {
            let share = client.shares.entry(architecture);
            let share = share.or_insert_with(|| FairShare::new(limits));
            share.learn(took_ms, limits);
        }
    }

    /// Returns the next job for which there is a worker.
    pub(super) fn front(&self) -> Option<QueueHead> {
        let fronts = self.open.iter().filter_map(|key| {
            let (account, client_id) = *self.pools.get(key)?.waiting.first()?;
            let client = self.clients.get(&client_id)?;
            let (turn, inputs, group) = client.lanes.get(key)?.first()?;
            let kind = SchedulingClass {
                architecture: key.architecture,
                toolbox: key.toolbox,
                inputs,
                group,
            };
            Some(QueueHead {
                account,
                client: client_id,
                turn,
                kind,
                job: *client.kinds.get(&kind)?.get(&turn)?,
            })
        });
        fronts.min()
    }

    /// Updates the pool's lists for a ready queue.
    fn rebalance(&mut self, client_id: ClientId, key: PoolKey) {
        let Some(client) = self.clients.get_mut(&client_id) else {
            return;
        };
        let Some(lane) = client.lanes.get_mut(&key) else {
            return;
        };
        let counted = match client.gate {
            ClientAdmission::Open => lane.ready(),
            ClientAdmission::Held => 0,
        };
        let pool = self.pools.entry(key).or_default();
        pool.ready = pool.ready - lane.counted + counted;
        lane.counted = counted;

        let share = client.shares.entry(key.architecture);
        let share = share.or_insert_with(|| FairShare::new(&self.limits));
        if counted > 0 && share.lanes == 0 {
            let clock = self.clocks.entry(key.architecture).or_default();
            share.begin(*clock, client.portion, &self.limits);
        }
        let listed = (counted > 0).then(|| share.account());
        if lane.listed != listed {
            if let Some(account) = lane.listed {
                pool.waiting.remove(&(account, client_id));
                share.lanes -= 1;
            }
            if let Some(account) = listed {
                pool.waiting.insert((account, client_id));
                share.lanes += 1;
            }
            lane.listed = listed;
        }
        if lane.is_empty() {
            client.lanes.remove(&key);
        }
        self.pool_changed(key);
    }

    fn pool_changed(&mut self, key: PoolKey) {
        match self.pools.get(&key).is_some_and(WorkerPool::is_open) {
            true => self.open.insert(key),
            false => self.open.remove(&key),
        };
        self.drop_if_unused(key);
    }

    fn drop_if_unused(&mut self, key: PoolKey) {
        if self.pools.get(&key).is_some_and(WorkerPool::is_unused) {
            self.pools.remove(&key);
        }
    }
}
