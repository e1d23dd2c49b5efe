//! What runs are charged and given back, and what follows from it for their jobs.

use tonic::Status;

use super::BrokerCore;
use super::accounts::AccountId;
use crate::broker::budgets::Principal;
use crate::broker::limits::{ClientResource, OUTPUT_MEMORY_MAX};
use crate::broker::scheduler::{ClientId, ToolboxId};
use crate::output_log::MemoryAvailability;

impl BrokerCore {
    /// Charges a run, whatever its account has.
    pub(super) fn add(&mut self, id: ClientId, what: ClientResource, more: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            // The run has its own count, since it takes that along when it changes accounts, or
            // ends.
            client.used[what as usize] += more;
            self.accounts.add(client.account, what, more);
        }
    }

    /// Charges a run if its account has room for that.
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

    /// Gives back what a run was charged.
    pub(super) fn give_back(&mut self, id: ClientId, what: ClientResource, less: u64) {
        if let Some(client) = self.clients.get_mut(&id) {
            let used = &mut client.used[what as usize];
            *used = used.saturating_sub(less);
            self.accounts.subtract(client.account, what, less);
        }
    }

    /// Charges what a job wrote. Jobs of a client that does not read begin no more.
    pub(super) fn charge_output(&mut self, id: ClientId, bytes: u64) -> Result<(), Status> {
        self.charge(id, ClientResource::OutputBytes, bytes)?;
        self.rebalance_output(id);
        Ok(())
    }

    /// What a job wrote is kept no longer.
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

    /// Whether a client's output begins in memory.
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

    /// The runs of an account share what one client has of the workers.
    pub(super) fn share_out(&mut self, id: AccountId) {
        let runs = self.accounts.runs_of(id);
        let weight = |run: ClientId| Some((run, self.clients.get(&run)?.weight));
        let weights: Vec<(ClientId, u32)> = runs.filter_map(weight).collect();
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        for (run, weight) in weights {
            self.book.client_shares(run, weight, sum);
        }
    }

    /// A run's client came back as somebody else: from another address, or after the start.
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
        // What the new account may have is not checked: the run was there before.
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
