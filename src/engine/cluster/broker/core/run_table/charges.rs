//! Charges and credits of resources to runs, and their effect on the jobs.

use tonic::Status;

use super::accounts::AccountId;
use super::{RunTable, RunTemplate};
use crate::broker::budgets::Principal;
use crate::broker::core::defect::broken_invariant;
use crate::broker::limits::{ClientResource, OUTPUT_MEMORY_MAX};
use crate::broker::scheduler::{ClientId, ToolboxId};
use crate::output_log::MemoryAvailability;

impl RunTable {
    /// Charges a run unconditionally.
    pub(super) fn add(&mut self, id: ClientId, what: ClientResource, more: u64) {
        if let Some(client) = self.run_mut(id) {
            // The run has its own count, which moves along when the run changes accounts or ends.
            client.used[what as usize] += more;
            let account = client.account;
            self.accounts.add(account, what, more);
        }
    }

    /// Charges a run if its account has room; returns an error otherwise.
    pub(super) fn charge(
        &mut self,
        id: ClientId,
        what: ClientResource,
        more: u64,
    ) -> Result<(), Status> {
        if let Some(account) = self.run(id).map(|client| client.account) {
            self.accounts.check(account, what, more)?;
        }
        self.add(id, what, more);
        Ok(())
    }

    /// Credits a run with an amount of a resource.
    pub(super) fn give_back(&mut self, id: ClientId, what: ClientResource, less: u64) {
        if let Some(client) = self.run_mut(id) {
            let used = &mut client.used[what as usize];
            *used = used.saturating_sub(less);
            let account = client.account;
            self.accounts.subtract(account, what, less);
        }
    }

    /// Charges a job's output. A client that does not read its output gets no further jobs started.
    pub(super) fn charge_output(&mut self, id: ClientId, bytes: u64) -> Result<(), Status> {
        self.charge(id, ClientResource::OutputBytes, bytes)?;
        self.rebalance_output(id);
        Ok(())
    }

    /// Credits output that is no longer stored.
    pub(super) fn give_back_output(&mut self, id: ClientId, bytes: u64) {
        if bytes > 0 {
            self.give_back(id, ClientResource::OutputBytes, bytes);
            self.rebalance_output(id);
        }
    }

    fn rebalance_output(&mut self, id: ClientId) {
        let account = self.run(id).map(|client| client.account);
        let changed = account.map(|account| self.accounts.rebalance_output(account));
        for run in changed.unwrap_or_default() {
            self.update_admission(run);
        }
    }

    /// Returns whether a client's output is first kept in memory.
    pub(super) fn memory_of(&self, id: ClientId) -> MemoryAvailability {
        let account = self.run(id).map(|client| client.account);
        let used = account.map_or(0, |account| {
            self.accounts.used(account, ClientResource::OutputBytes)
        });
        match used > OUTPUT_MEMORY_MAX {
            true => MemoryAvailability::Scarce,
            false => MemoryAvailability::Usual,
        }
    }

    /// Divides a client's share of the workers among the runs of its account.
    pub(super) fn share_out(&mut self, id: AccountId) {
        let runs = self.accounts.runs_of(id);
        let weight = |run: ClientId| Some((run, self.run(run)?.weight));
        let weights: Vec<(ClientId, u32)> = runs.filter_map(weight).collect();
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        for (run, weight) in weights {
            self.update_share(run, weight, sum);
        }
    }

    /// Moves a run to another account, after its client returned from another address or after a
    /// restart.
    pub(super) fn rehome(&mut self, id: ClientId, principal: &Principal) {
        let Some(client) = self.known.get_mut(&id) else {
            return broken_invariant("a run changes accounts that is over");
        };
        let before = client.account;
        if self.accounts.is_of(before, principal) {
            return;
        }
        let toolboxes = client.templates.values().filter_map(RunTemplate::toolbox);
        let toolboxes: Vec<ToolboxId> = toolboxes.collect();
        // The limits of the new account don't apply: the run existed before.
        self.accounts.close(before, id, &client.used, &toolboxes);
        client.account = self.accounts.open(principal, id);
        for what in ClientResource::all() {
            self.accounts
                .add(client.account, what, client.used[what as usize]);
        }
        for toolbox in toolboxes {
            self.accounts.add_toolbox(client.account, toolbox);
        }
        let now = client.account;
        self.share_out(before);
        self.share_out(now);
        self.rebalance_output(id);
    }
}
