//! Client accounts: the runs, jobs, templates, toolboxes and output that each client holds.
//!
//! Every addition is charged to the client's account and to the run. When a run ends, its remaining
//! charges are credited to the account. An account without runs is removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tonic::Status;

use crate::broker::budgets::{LimitWarnings, Principal};
use crate::broker::core::defect::broken_invariant;
use crate::broker::core::templates::RequestedToolbox;
use crate::broker::limits::{ClientLimits, ClientResource, OUTPUT_HELD_PART};
use crate::broker::scheduler::{ClientId, ToolboxId};

/// The id of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountId(u64);

const UNKNOWN: &str = "an account is referred to that no run has";

/// The usage per resource, indexed by [`ClientResource`].
pub(super) type AccountUsage = [u64; ClientResource::COUNT];

struct ClientAccount {
    principal: Principal,
    used: AccountUsage,
    runs: BTreeSet<ClientId>,
    /// The number of template definitions that use each toolbox.
    toolboxes: BTreeMap<ToolboxId, u32>,
    /// Whether new jobs are held back because the client reads output too slowly.
    is_held: bool,
}

/// The accounts of all clients.
pub(super) struct AccountTable {
    limits: ClientLimits,
    known: BTreeMap<AccountId, ClientAccount>,
    by_principal: HashMap<Principal, AccountId>,
    next: u64,
    complaints: LimitWarnings,
}

impl AccountTable {
    pub(super) fn new(limits: ClientLimits) -> AccountTable {
        AccountTable {
            limits,
            known: BTreeMap::new(),
            by_principal: HashMap::new(),
            next: 0,
            complaints: LimitWarnings::default(),
        }
    }

    /// Returns an error if a principal must not open another run.
    pub(super) fn check_runs(&mut self, principal: &Principal) -> Result<(), Status> {
        let account = self.by_principal.get(principal);
        let account = account.and_then(|id| self.known.get(id));
        let runs = account.map_or(0, |account| account.runs.len() as u64);
        let most = self.limits.most(ClientResource::Runs);
        match runs < most {
            true => Ok(()),
            false => Err(self
                .complaints
                .refuse(principal, ClientResource::Runs, most)),
        }
    }

    /// Adds a run to a principal's account, which is created if necessary.
    pub(super) fn open(&mut self, principal: &Principal, run: ClientId) -> AccountId {
        let id = match self.by_principal.get(principal) {
            Some(id) => *id,
            None => {
                let id = AccountId(self.next);
                self.next += 1;
                self.by_principal.insert(principal.clone(), id);
                self.known.insert(
                    id,
                    ClientAccount {
                        principal: principal.clone(),
                        used: AccountUsage::default(),
                        runs: BTreeSet::new(),
                        toolboxes: BTreeMap::new(),
                        is_held: false,
                    },
                );
                id
            }
        };
        if let Some(account) = self.account_mut(id) {
            account.runs.insert(run);
        }
        id
    }

    /// Removes a run and its usage from an account.
    pub(super) fn close(
        &mut self,
        id: AccountId,
        run: ClientId,
        used: &AccountUsage,
        toolboxes: &[ToolboxId],
    ) {
        let Some(account) = self.account_mut(id) else {
            return;
        };
        for what in ClientResource::all() {
            account.subtract(what, used[what as usize]);
        }
        for toolbox in toolboxes {
            account.drop_toolbox(*toolbox);
        }
        account.runs.remove(&run);
        if account.runs.is_empty() {
            let principal = account.principal.clone();
            self.by_principal.remove(&principal);
            self.known.remove(&id);
        }
    }

    /// Returns an error if an account has no room for this much more.
    pub(super) fn check(
        &mut self,
        id: AccountId,
        what: ClientResource,
        more: u64,
    ) -> Result<(), Status> {
        let most = self.limits.most(what);
        let Some(account) = self.known.get(&id) else {
            broken_invariant(UNKNOWN);
            return Ok(());
        };
        match account.used[what as usize].saturating_add(more) > most {
            true => Err(self.complaints.refuse(&account.principal, what, most)),
            false => Ok(()),
        }
    }

    /// Returns an error if an account has no room for a template with this toolbox.
    pub(super) fn check_toolbox(
        &mut self,
        id: AccountId,
        requested: RequestedToolbox,
    ) -> Result<(), Status> {
        let most = self.limits.most(ClientResource::Toolboxes);
        let Some(account) = self.known.get(&id) else {
            broken_invariant(UNKNOWN);
            return Ok(());
        };
        let has = match requested {
            RequestedToolbox::None => return Ok(()),
            RequestedToolbox::New => false,
            RequestedToolbox::Known(toolbox) => account.toolboxes.contains_key(&toolbox),
        };
        match has || (account.toolboxes.len() as u64) < most {
            true => Ok(()),
            false => {
                Err(self
                    .complaints
                    .refuse(&account.principal, ClientResource::Toolboxes, most))
            }
        }
    }

    pub(super) fn add(&mut self, id: AccountId, what: ClientResource, more: u64) {
        if let Some(account) = self.account_mut(id) {
            let used = &mut account.used[what as usize];
            *used = used.saturating_add(more);
        }
    }

    pub(super) fn subtract(&mut self, id: AccountId, what: ClientResource, less: u64) {
        if let Some(account) = self.account_mut(id) {
            account.subtract(what, less);
        }
    }

    pub(super) fn add_toolbox(&mut self, id: AccountId, toolbox: ToolboxId) {
        if let Some(account) = self.account_mut(id) {
            *account.toolboxes.entry(toolbox).or_default() += 1;
        }
    }

    fn account(&self, id: AccountId) -> Option<&ClientAccount> {
        let account = self.known.get(&id);
        if account.is_none() {
            broken_invariant(UNKNOWN);
        }
        account
    }

    fn account_mut(&mut self, id: AccountId) -> Option<&mut ClientAccount> {
        let account = self.known.get_mut(&id);
        if account.is_none() {
            broken_invariant(UNKNOWN);
        }
        account
    }

    /// Returns whether jobs of this account are held back because of unread output.
    pub(super) fn is_held(&self, id: AccountId) -> bool {
        self.account(id).is_some_and(|account| account.is_held)
    }

    /// Returns whether this account belongs to the principal.
    pub(super) fn is_of(&self, id: AccountId, principal: &Principal) -> bool {
        self.by_principal.get(principal) == Some(&id)
    }

    /// Returns an account's usage of a resource.
    pub(super) fn used(&self, id: AccountId, what: ClientResource) -> u64 {
        let account = self.account(id);
        account.map_or(0, |account| account.used[what as usize])
    }

    /// Returns the runs of an account; none if it has been removed.
    pub(super) fn runs_of(&self, id: AccountId) -> impl Iterator<Item = ClientId> {
        let account = self.known.get(&id).into_iter();
        account.flat_map(|account| account.runs.iter().copied())
    }

    /// Returns the number of runs of an account.
    pub(super) fn runs(&self, id: AccountId) -> usize {
        self.account(id).map_or(0, |account| account.runs.len())
    }

    /// Returns the number of accounts.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Checks whether the client reads its output fast enough. Returns the account's runs if their
    /// jobs are now held back or released.
    pub(super) fn rebalance_output(&mut self, id: AccountId) -> Vec<ClientId> {
        let most = self.limits.most(ClientResource::OutputBytes);
        let held_from = most / OUTPUT_HELD_PART;
        let Some(account) = self.account_mut(id) else {
            return Vec::new();
        };
        let used = account.used[ClientResource::OutputBytes as usize];
        // Two thresholds: with one, every chunk could alternately hold back and release jobs.
        let is_held = match account.is_held {
            true => used > held_from / 2,
            false => used > held_from,
        };
        if is_held == account.is_held {
            return Vec::new();
        }
        account.is_held = is_held;
        let runs = account.runs.iter().copied().collect();
        if is_held {
            let principal = account.principal.clone();
            self.complaints
                .log_refusal(&principal, ClientResource::OutputBytes, held_from);
        }
        runs
    }
}

impl ClientAccount {
    fn subtract(&mut self, what: ClientResource, less: u64) {
        let used = &mut self.used[what as usize];
        if less > *used {
            broken_invariant("a run gives back more than its account uses");
        }
        *used = used.saturating_sub(less);
    }

    fn drop_toolbox(&mut self, toolbox: ToolboxId) {
        let Some(count) = self.toolboxes.get_mut(&toolbox) else {
            return broken_invariant("a run gives back a toolbox that its account does not have");
        };
        *count -= 1;
        if *count == 0 {
            self.toolboxes.remove(&toolbox);
        }
    }
}
