//! Charges runs for resources, credits them, and applies the consequences to their jobs.

use tonic::Status;

use super::BrokerCore;
use super::accounts::AccountId;
use crate::broker::budgets::Principal;
use crate::broker::limits::{ClientResource, OUTPUT_MEMORY_MAX};
use crate::broker::scheduler::{ClientId, ToolboxId};
use crate::output_log::MemoryAvailability;

impl BrokerCore {
    /// Charges a run unconditionally.
    pub(super) fn add(&mut self, id: ClientId, what: ClientResource, more: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            // The run keeps its own count, which moves along when it changes accounts or ends.
            client.used[what as usize] += more;
            self.accounts.add(client.account, what, more);
        }
    }

    /// Charges a run if its account has room.
    pub(super) fn charge(
        &mut self,
        id: ClientId,
        what: ClientResource,
        more: u64,
    ) -> Result<(), Status> {
        if let Some(client) = self.clients.get(&id) {
            self.accounts.check(client.account, what, more)?;
        }
        self.add(id, what, more);
        Ok(())
    }

    /// Credits a run.
    pub(super) fn give_back(&mut self, id: ClientId, what: ClientResource, less: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            let used = &mut client.used[what as usize];
            *used = used.saturating_sub(less);
            self.accounts.subtract(client.account, what, less);
        }
    }

    /// Charges a job's output. Clients that do not read theirs get no further jobs started.
    pub(super) fn charge_output(&mut self, id: ClientId, bytes: u64) -> Result<(), Status> {
        self.charge(id, ClientResource::OutputBytes, bytes)?;
        self.rebalance_output(id);
        Ok(())
    }

    /// Credits output that is no longer kept.
    pub(super) fn give_back_output(&mut self, id: ClientId, bytes: u64) {
        if bytes > 0 {
            self.give_back(id, ClientResource::OutputBytes, bytes);
            self.rebalance_output(id);
        }
    }

    fn rebalance_output(&mut self, id: ClientId) {
        let account = self.clients.get(&id).map(|client| client.account);
        let changed = account.map(|account| self.accounts.rebalance_output(account));
        for run in changed.unwrap_or_default() {
            self.update_gate(run);
        }
    }

    /// Whether a client's output is first kept in memory.
    pub(super) fn memory_of(&self, id: ClientId) -> MemoryAvailability {
        let account = self.clients.get(&id).map(|client| client.account);
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
        let weight = |run: ClientId| Some((run, self.clients.get(&run)?.weight));
        let weights: Vec<(ClientId, u32)> = runs.filter_map(weight).collect();
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        for (run, weight) in weights {
            self.book.client_shares(run, weight, sum);
        }
    }

    /// Moves a run to another account, when its client returned from another address or after a
    /// restart.
    pub(super) fn rehome(&mut self, id: ClientId, principal: &Principal) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let before = client.account;
        if self.accounts.is_of(before, principal) {
            return;
        }
        let kits: Vec<ToolboxId> = client
            .templates
            .values()
            .filter_map(|inputs| self.templates.get(*inputs)?.kind.kit)
            .collect();
        // The limits of the new account are not checked: the run existed before.
        self.accounts.close(before, id, &client.used, &kits);
        client.account = self.accounts.open(principal, id);
        for what in ClientResource::all() {
            self.accounts
                .add(client.account, what, client.used[what as usize]);
        }
        for kit in kits {
            self.accounts.add_toolbox(client.account, kit);
        }
        let now = client.account;
        self.share_out(before);
        self.share_out(now);
        self.rebalance_output(id);
    }
}
