//! Groups: how many leases each group of a client has, and may have.
//!
//! A group exists while one of its jobs is not over, so that a delayed job finds it again.

use super::ready::ClientGroup;
use super::{ClientId, FairQueue, GroupKey, PoolKey, QueueClient};

impl QueueClient {
    /// Returns how many further leases a group may have.
    pub(super) fn group_room(&self, group: Option<GroupKey>) -> usize {
        let group = group.and_then(|group| self.groups.get(&group));
        group.map_or(0, |group| {
            group.leases_max.saturating_sub(group.leased) as usize
        })
    }
}

impl FairQueue {
    /// Adds a job to its group, before it is queued for the first time.
    pub(in super::super) fn group_joined(
        &mut self,
        client_id: ClientId,
        group: Option<GroupKey>,
        leases_max: u32,
    ) {
        let Some(key) = group else {
            return;
        };
        let Some(client) = self.clients.get_mut(&client_id) else {
            return;
        };
        let group = client.groups.entry(key).or_insert(ClientGroup {
            leases_max,
            leased: 0,
            jobs: 0,
        });
        group.jobs += 1;
        if group.leases_max != leases_max {
            group.leases_max = leases_max;
            self.group_changed(client_id, key);
        }
    }

    /// Removes a job that is over from its group.
    pub(in super::super) fn group_left(&mut self, client: ClientId, group: Option<GroupKey>) {
        let Some(key) = group else {
            return;
        };
        let Some(client) = self.clients.get_mut(&client) else {
            return;
        };
        if let Some(group) = client.groups.get_mut(&key) {
            group.jobs = group.jobs.saturating_sub(1);
            if group.jobs == 0 {
                client.groups.remove(&key);
            }
        }
    }

    /// Counts a lease of a group.
    pub(in super::super) fn group_leased(&mut self, client: ClientId, group: Option<GroupKey>) {
        self.change_leased(client, group, |leased| leased.saturating_add(1));
    }

    /// Counts a lease of a group no more.
    pub(in super::super) fn group_released(&mut self, client: ClientId, group: Option<GroupKey>) {
        self.change_leased(client, group, |leased| leased.saturating_sub(1));
    }

    fn change_leased(
        &mut self,
        client_id: ClientId,
        group: Option<GroupKey>,
        change: impl Fn(u32) -> u32,
    ) {
        let Some(key) = group else {
            return;
        };
        let client = self.clients.get_mut(&client_id);
        if let Some(group) = client.and_then(|client| client.groups.get_mut(&key)) {
            group.leased = change(group.leased);
            self.group_changed(client_id, key);
        }
    }

    /// Returns whether a job of this group may get a lease.
    pub(in super::super) fn has_group_room(
        &self,
        client: ClientId,
        group: Option<GroupKey>,
    ) -> bool {
        let client = self.clients.get(&client);
        group.is_none() || client.is_some_and(|client| client.group_room(group) > 0)
    }

    /// Updates the ready queues that have jobs of a group.
    fn group_changed(&mut self, client_id: ClientId, key: GroupKey) {
        let Some(client) = self.clients.get_mut(&client_id) else {
            return;
        };
        let room = client.group_room(Some(key));
        let lanes = client.lanes.iter_mut();
        let changed =
            lanes.filter_map(|(pool, lane)| lane.update_group(Some(key), room).then_some(*pool));
        for pool in changed.collect::<Vec<PoolKey>>() {
            self.rebalance(client_id, pool);
        }
    }
}
