//! How runs begin, connect, disconnect and end.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tonic::Status;

use super::accounts::AccountUsage;
use super::job::ReportedPhase;
use super::run::{ClientRun, ClientSession};
use super::{RunTable, RunTemplate};
use crate::broker::budgets::Principal;
use crate::broker::core::defect::broken_invariant;
use crate::broker::core::input::SessionId;
use crate::broker::core::outbox::Outbox;
use crate::broker::journal::RunName;
use crate::broker::limits;
use crate::broker::owner::{PrivilegeScope, RunOwner};
use crate::broker::scheduler::{BrokerInstant, ClientId, ToolboxId};
use crate::output_log::OutputCursor;
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::{ShortRun, shown_run};
use maelstrom_wire::v1::{self, session_event};

/// The description of a run that a client sends when it connects.
#[derive(Clone, Debug)]
pub(crate) struct RunProfile {
    pub run: RunName,
    pub owner: RunOwner,
    /// The client's display name.
    pub name: String,
    pub weight: u32,
}

/// Whether a run was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunOrigin {
    New,
    Known,
}

/// The run of a client that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EnteredRun {
    pub client: ClientId,
    pub origin: RunOrigin,
}

impl RunTable {
    /// Restores a run from the journal. Its client has not returned yet.
    pub(crate) fn recall(&mut self, profile: RunProfile, now: BrokerInstant) -> ClientId {
        let client = self.open(profile, &Principal::Unknown);
        if let Some(run) = self.run_mut(client) {
            run.gone_since = Some(now);
            run.is_from_before = true;
        }
        self.update_admission(client);
        client
    }

    /// Returns the run that a client names: an existing one of the same owner, or a new one.
    pub(crate) fn enter(
        &mut self,
        profile: RunProfile,
        principal: &Principal,
    ) -> Result<EnteredRun, Status> {
        let Some(client) = self.by_name.get(&profile.run).copied() else {
            self.accounts.check_runs(principal)?;
            return Ok(EnteredRun {
                client: self.open(profile, principal),
                origin: RunOrigin::New,
            });
        };
        let checked = match self.run(client) {
            Some(run) => run.owner.check(&profile.owner),
            None => return Err(Status::internal("the run is known and not known")),
        };
        if let Err(why) = checked {
            let shown = shown_run(&profile.run);
            let run = ShortRun(&shown);
            tracing::warn!(%run, who = %principal, "somebody else's run was asked for, and refused");
            return Err(Status::permission_denied(why));
        }
        self.rehome(client, principal);
        Ok(EnteredRun {
            client,
            origin: RunOrigin::Known,
        })
    }

    fn open(&mut self, profile: RunProfile, principal: &Principal) -> ClientId {
        let client = ClientId(self.next);
        self.next += 1;
        let shown = shown_run(&profile.run);
        self.by_name.insert(profile.run, client);
        self.by_shown.insert(shown, client);
        let account = self.accounts.open(principal, client);
        self.known.insert(
            client,
            ClientRun {
                run: profile.run,
                shown,
                may_ask: profile.owner.may_ask(),
                owner: profile.owner,
                account,
                used: AccountUsage::default(),
                weight: profile.weight.clamp(1, self.weight_max),
                name: profile.name,
                attached: None,
                gone_since: None,
                is_from_before: false,
                wants_hold: false,
                has_submitted: false,
                templates: BTreeMap::new(),
                jobs: HashMap::new(),
                noticed: BTreeSet::new(),
                lagging: VecDeque::new(),
            },
        );
        self.share_out(account);
        self.update_admission(client);
        client
    }

    /// Connects a client to its run: sends the welcome, the workers, and everything that the client
    /// has not acknowledged. Ends an earlier connection.
    pub(crate) fn attach(
        &mut self,
        id: ClientId,
        (session, outbox): (SessionId, Outbox<v1::SessionEvent>),
        may_ask: PrivilegeScope,
        (welcome, workers): (v1::Welcome, Vec<v1::Worker>),
        now: BrokerInstant,
    ) {
        let Some(run) = self.known.get_mut(&id) else {
            return broken_invariant("a client connects to a run that is over");
        };
        if let Some(before) = run.attached.take() {
            self.sessions.remove(&before.session);
            let again = Status::aborted("the run has connected again");
            before.outbox.fail(again);
        }
        let runs = self.accounts.runs(run.account).max(1);
        outbox.is_full_with((limits::OUTBOXES_BYTES / runs).max(limits::OUTBOX_BYTES_MIN));
        run.attached = Some(ClientSession { session, outbox });
        run.may_ask = may_ask;
        run.gone_since = None;
        run.has_submitted = false;
        self.sessions.insert(session, id);
        run.send(session_event::Kind::Welcome(welcome), 0);
        for worker in workers {
            run.send(session_event::Kind::Worker(worker), 0);
        }
        for state in run.jobs.values_mut() {
            state.is_lagging = false;
            if let Some(output) = &mut state.output {
                output.sent = OutputCursor::default();
                output.told = ReportedPhase::Nothing;
            }
        }
        run.lagging.clear();
        let mut jobs: Vec<JobId> = run.jobs.keys().copied().collect();
        // The iteration order of a hash map varies; a repeated session must be deterministic.
        jobs.sort_unstable();
        for job in jobs {
            self.pump(id, job, now);
        }
        self.update_admission(id);
    }

    /// Returns the client of a connection; `None` if it was dismissed, or belongs to a worker.
    pub(crate) fn client_of(&self, session: SessionId) -> Option<ClientId> {
        self.sessions.get(&session).copied()
    }

    /// Handles the end of a connection. Returns whether it belonged to a client.
    pub(crate) fn session_ended(&mut self, session: SessionId, now: BrokerInstant) -> bool {
        let client = self.sessions.remove(&session);
        if let Some(client) = client {
            self.gone(client, now);
        }
        client.is_some()
    }

    fn gone(&mut self, id: ClientId, now: BrokerInstant) {
        if let Some(run) = self.run_mut(id) {
            run.attached = None;
            run.gone_since = Some(now);
        }
        self.update_admission(id);
    }

    /// Ends a client's connection. The client may reconnect.
    pub(crate) fn dismiss(&mut self, id: ClientId, status: Status, now: BrokerInstant) {
        // The message that causes the dismissal may have ended the run.
        let run = self.known.get_mut(&id);
        let Some((run, attached)) = run.and_then(|run| {
            let attached = run.attached.take()?;
            Some((run, attached))
        }) else {
            return;
        };
        let (shown, client) = (ShortRun(&run.shown), &run.name);
        let message = status.message();
        tracing::warn!(run = %shown, client, message, "a client is sent away");
        self.sessions.remove(&attached.session);
        attached.outbox.fail(status);
        self.gone(id, now);
    }

    /// Sets whether the client holds its jobs back.
    pub(crate) fn hold(&mut self, id: ClientId, wants_hold: bool) {
        if let Some(run) = self.run_mut(id) {
            run.wants_hold = wants_hold;
        }
        self.update_admission(id);
    }

    /// Returns the clients that have been gone for this long.
    pub(crate) fn gone_for(&self, patience_ms: u64, now: BrokerInstant) -> Vec<ClientId> {
        let is_over = |run: &ClientRun| {
            let since = run.gone_since;
            since.is_some_and(|since| now.ms_since(since) >= patience_ms)
        };
        let over = self.known.iter().filter(|(_, run)| is_over(run));
        over.map(|(id, _)| *id).collect()
    }

    /// Returns the time at which the first client will have been gone for this long.
    pub(crate) fn next_gone(&self, patience_ms: u64) -> Option<BrokerInstant> {
        let gone = self.known.values().filter_map(|run| run.gone_since);
        gone.map(|since| since.plus_ms(patience_ms)).min()
    }

    /// Ends a run, and removes it with all its jobs. Returns its secret name.
    pub(crate) fn leave(&mut self, id: ClientId) -> Option<RunName> {
        let Some(run) = self.known.remove(&id) else {
            broken_invariant("a run ends that is over");
            return None;
        };
        if let Some(attached) = &run.attached {
            self.sessions.remove(&attached.session);
        }
        self.drop_changes(id);
        self.by_name.remove(&run.run);
        self.by_shown.remove(&run.shown);
        let toolboxes = run.templates.values().filter_map(RunTemplate::toolbox);
        let toolboxes: Vec<ToolboxId> = toolboxes.collect();
        self.accounts.close(run.account, id, &run.used, &toolboxes);
        self.share_out(run.account);
        Some(run.run)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SchedulingChange;
    use super::*;
    use crate::broker::core::config::BrokerConfig;
    use crate::broker::scheduler::ClientAdmission;

    fn profile(run: u8) -> RunProfile {
        RunProfile {
            run: [run; 16],
            owner: RunOwner::new(None, &[run; 16]).unwrap(),
            name: "somebody".to_owned(),
            weight: 1,
        }
    }

    #[test]
    fn the_scheduler_hears_of_runs_that_are_not_over() {
        let mut runs = RunTable::new(&BrokerConfig::default());
        let mut enter = |run| {
            let entered = runs.enter(profile(run), &Principal::Unknown).unwrap();
            assert_eq!(entered.origin, RunOrigin::New);
            entered.client
        };
        let (first, second) = (enter(1), enter(2));
        assert_eq!(runs.leave(first), Some([1; 16]));
        let changes = runs.take_changes();
        let of = |client| {
            let changes = changes.iter().copied();
            changes.filter(move |change| match change {
                SchedulingChange::Share { client: of, .. } => *of == client,
                SchedulingChange::Admission(of, _) => *of == client,
            })
        };
        assert_eq!(of(first).count(), 0);
        let alone = SchedulingChange::Share {
            client: second,
            weight: 1,
            among: 1,
        };
        assert_eq!(of(second).next_back(), Some(alone));
        let held = SchedulingChange::Admission(second, ClientAdmission::Held);
        assert!(of(second).any(|change| change == held));
        assert_eq!(runs.take_changes(), []);
    }

    #[test]
    fn a_run_is_entered_by_its_owner_and_its_name_is_free_when_it_is_over() {
        let mut runs = RunTable::new(&BrokerConfig::default());
        let first = runs.enter(profile(1), &Principal::Unknown).unwrap();
        let again = runs.enter(profile(1), &Principal::Unknown).unwrap();
        let known = RunOrigin::Known;
        assert_eq!((again.client, again.origin), (first.client, known));
        let stranger = RunProfile {
            owner: RunOwner::new(None, &[9; 16]).unwrap(),
            ..profile(1)
        };
        let refused = runs.enter(stranger.clone(), &Principal::Unknown);
        assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
        runs.leave(first.client);
        let next = runs.enter(stranger, &Principal::Unknown).unwrap();
        assert_ne!(next.client, first.client);
    }
}
