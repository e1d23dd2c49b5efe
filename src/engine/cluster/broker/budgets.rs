//! Identifies clients, and enforces limits on the resources that each uses.
//!
//! A client is identified by its credential. Without authentication it is identified by its source
//! address, and all programs at that address share one budget. A worker is identified by its
//! credential and its address, because several workers may share a credential.
//!
//! [`ResourceBudgets`] counts the resources that connections and the storage use; the core counts
//! others itself. Both refuse requests through [`LimitWarnings`], which rate-limits the log
//! messages.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Request, Status};

use super::limits::{ClientLimits, ClientResource};
use super::owner;
use crate::security::roles::{ClusterRole, MemberIdentity};

/// The interval at which the log repeats that a client is at a limit.
const TOLD_PERIOD: Duration = Duration::from_secs(60);

/// The number of warnings that are remembered for that.
const TOLD_MAX: usize = 1024;

/// The owner of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// Unknown: a run recovered from the journal, whose client has not returned.
    #[default]
    Unknown,
    /// An unauthenticated caller at this address.
    Address(IpAddr),
    /// The holder of this credential.
    Member(String),
    /// A worker with this credential, on the machine of this address.
    Machine(String, Option<IpAddr>),
}

/// The caller of an RPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerPrincipal {
    /// The owner of the budget that the call uses.
    pub principal: Principal,
    /// The credential, in the form that identifies owners of runs.
    pub member: Option<String>,
}

impl Principal {
    /// Returns the principal for a credential, if there is one, and an address.
    pub fn of(identity: Option<&MemberIdentity>, address: Option<IpAddr>) -> Principal {
        let address = address.map(network);
        match (identity, address) {
            (Some(identity), address) => match identity.role {
                ClusterRole::Worker => Principal::Machine(owner::member(identity), address),
                _ => Principal::Member(owner::member(identity)),
            },
            (None, Some(address)) => Principal::Address(address),
            (None, None) => Principal::Unknown,
        }
    }
}

/// Returns the network prefix of an address. A host may choose the lower half of an IPv6 address
/// freely, and would otherwise count as any number of clients.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

impl CallerPrincipal {
    /// Returns the caller of a request that a guard has admitted.
    pub fn of<T>(request: &Request<T>) -> CallerPrincipal {
        let identity = request.extensions().get::<MemberIdentity>();
        let address = request.remote_addr().map(|address| address.ip());
        CallerPrincipal {
            principal: Principal::of(identity, address),
            member: identity.map(owner::member),
        }
    }
}

/// Escapes the name, which may contain any characters.
impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Unknown => out.write_str("a client from before the start"),
            Principal::Address(address) => write!(out, "the address {address}"),
            Principal::Member(name) => write!(out, "{}", name.escape_debug()),
            Principal::Machine(name, None) => write!(out, "{}", name.escape_debug()),
            Principal::Machine(name, Some(address)) => {
                write!(out, "{} at {address}", name.escape_debug())
            }
        }
    }
}

/// Refuses requests beyond a limit, and logs that at most once per interval.
#[derive(Debug, Default)]
pub struct LimitWarnings {
    told: HashMap<(Principal, ClientResource), Instant>,
}

impl LimitWarnings {
    /// Returns the error for a client at a limit.
    pub fn refuse(&mut self, who: &Principal, what: ClientResource, most: u64) -> Status {
        self.log_refusal(who, what, most);
        let (unit, help) = (what.unit(), what.help());
        Status::resource_exhausted(format!(
            "{who} has {most} {unit}, which is the most for one client: {help}"
        ))
    }

    /// Logs that a client is at a limit, unless that was logged recently.
    pub fn log_refusal(&mut self, who: &Principal, what: ClientResource, most: u64) {
        if self.is_news((who.clone(), what), Instant::now()) {
            let limit = what.unit();
            tracing::warn!(client = %who, limit, most, "a client is at a limit, and is refused more");
        }
    }

    fn is_news(&mut self, key: (Principal, ClientResource), now: Instant) -> bool {
        let is_told = |at: &Instant| now.saturating_duration_since(*at) < TOLD_PERIOD;
        if self.told.get(&key).is_some_and(is_told) {
            return false;
        }
        if self.told.len() >= TOLD_MAX {
            // Without authentication a client has as many names as addresses, so the table must be
            // limited.
            self.told.retain(|_, at| is_told(at));
        }
        let has_room = self.told.len() < TOLD_MAX;
        if has_room {
            self.told.insert(key, now);
        }
        has_room
    }
}

/// The resources that connections and the storage use, per client.
#[derive(Clone, Debug, Default)]
pub struct ResourceBudgets {
    shared: Arc<Mutex<BudgetState>>,
    limits: ClientLimits,
}

#[derive(Debug, Default)]
struct BudgetState {
    used: HashMap<(Principal, ClientResource), u64>,
    complaints: LimitWarnings,
}

/// A share of a budget, which is returned on drop.
#[derive(Debug)]
pub struct BudgetPermit {
    shared: Arc<Mutex<BudgetState>>,
    key: (Principal, ClientResource),
    amount: u64,
}

impl ResourceBudgets {
    /// Creates empty budgets with these limits.
    pub fn new(limits: ClientLimits) -> ResourceBudgets {
        ResourceBudgets {
            shared: Arc::default(),
            limits,
        }
    }

    /// Reserves an amount, unless it exceeds the limit.
    pub fn take(
        &self,
        who: &Principal,
        what: ClientResource,
        amount: u64,
    ) -> Result<BudgetPermit, Status> {
        let most = self.limits.most(what);
        let key = (who.clone(), what);
        let mut shared = lock(&self.shared);
        let used = shared.used.get(&key).copied().unwrap_or(0);
        // Other checks reject what is too large by itself.
        if used > 0 && used.saturating_add(amount) > most {
            return Err(shared.complaints.refuse(who, what, most));
        }
        shared.used.insert(key.clone(), used.saturating_add(amount));
        Ok(BudgetPermit {
            shared: Arc::clone(&self.shared),
            key,
            amount,
        })
    }

    /// Returns how much a principal uses of a resource.
    pub fn used(&self, who: &Principal, what: ClientResource) -> u64 {
        let key = (who.clone(), what);
        lock(&self.shared).used.get(&key).copied().unwrap_or(0)
    }
}

impl Drop for BudgetPermit {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        if let Some(used) = shared.used.get_mut(&self.key) {
            *used = used.saturating_sub(self.amount);
            if *used == 0 {
                shared.used.remove(&self.key);
            }
        }
    }
}

fn lock(shared: &Mutex<BudgetState>) -> MutexGuard<'_, BudgetState> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(role: ClusterRole, name: &str) -> MemberIdentity {
        MemberIdentity {
            name: name.to_owned(),
            role,
        }
    }

    #[test]
    fn who_shares_a_budget_is_one_client() {
        let at = |text: &str| Some(text.parse().unwrap());
        let of = Principal::of;
        let ann = member(ClusterRole::Client, "ann");
        assert_eq!(
            of(Some(&ann), at("10.0.0.1")),
            of(Some(&ann), at("10.0.0.2"))
        );
        assert_ne!(
            of(Some(&ann), None),
            of(Some(&member(ClusterRole::Client, "bob")), None)
        );
        assert_ne!(
            of(Some(&ann), None),
            of(Some(&member(ClusterRole::Admin, "ann")), None)
        );
        let worker = member(ClusterRole::Worker, "far");
        assert_ne!(
            of(Some(&worker), at("10.0.0.1")),
            of(Some(&worker), at("10.0.0.2"))
        );
        assert_ne!(of(None, at("10.0.0.1")), of(None, at("10.0.0.2")));
        assert_eq!(of(None, at("10.0.0.1")), of(None, at("::ffff:10.0.0.1")));
        assert_eq!(
            of(None, at("2001:db8::1")),
            of(None, at("2001:db8::ffff:1"))
        );
        assert_ne!(of(None, at("2001:db8::1")), of(None, at("2001:db8:0:1::1")));
    }

    #[test]
    fn a_name_forges_no_line() {
        let name = member(ClusterRole::Client, "ann\n2026 ERROR \u{202e}all is lost");
        let shown = Principal::of(Some(&name), None).to_string();
        assert!(!shown.contains(['\n', '\u{202e}']), "{shown}");
    }

    /// Every resource: a client at its limit gets an error that names it and suggests a remedy, and
    /// others are not affected.
    #[tokio::test]
    async fn a_client_at_a_limit_is_refused_alone() {
        let (a, b) = (
            Principal::Member("a".to_owned()),
            Principal::Member("b".to_owned()),
        );
        for what in ClientResource::all() {
            let budgets = ResourceBudgets::new(ClientLimits::default().with(what, 2));
            let first = budgets.take(&a, what, 1).unwrap();
            let _second = budgets.take(&a, what, 1).unwrap();
            let refused = budgets.take(&a, what, 1).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
            for part in ["a has 2 ", what.unit(), what.help()] {
                assert!(refused.message().contains(part), "{}", refused.message());
            }
            let _others = budgets.take(&b, what, 2).unwrap();
            drop(first);
            let _again = budgets.take(&a, what, 1).unwrap();
            assert_eq!((budgets.used(&a, what), budgets.used(&b, what)), (2, 2));
        }
    }

    #[tokio::test]
    async fn what_is_given_back_leaves_nothing() {
        let budgets = ResourceBudgets::default();
        for number in 0..10_u8 {
            let who = Principal::Address(IpAddr::from([10, 0, 0, number]));
            drop(budgets.take(&who, ClientResource::Calls, 1).unwrap());
        }
        assert!(lock(&budgets.shared).used.is_empty());
    }

    #[test]
    fn the_log_is_told_now_and_then_and_not_of_everybody() {
        let mut complaints = LimitWarnings::default();
        let began = Instant::now();
        let of = |number: u32| {
            let who = Principal::Address(IpAddr::from(number.to_be_bytes()));
            (who, ClientResource::Runs)
        };
        assert!(complaints.is_news(of(0), began));
        assert!(!complaints.is_news(of(0), began));
        let told = (1..5_000)
            .filter(|number| complaints.is_news(of(*number), began))
            .count();
        assert_eq!(told, TOLD_MAX - 1);
        let later = began + TOLD_PERIOD;
        assert!(complaints.is_news(of(0), later) && complaints.is_news(of(4_999), later));
    }
}
