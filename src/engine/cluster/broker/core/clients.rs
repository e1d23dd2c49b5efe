//! Clients: their sessions, runs and templates.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use prost::Message;
use tonic::Status;

use super::accounts::AccountUsage;
use super::client_state::{ClientRun, ClientSession};
use super::config::millis;
use super::job_state::{JobPhase, ReportedPhase};
use super::outbox::Outbox;
use super::state::SessionPeer;
use super::templates::{DefineOutcome, TemplateReadiness};
use super::{BrokerCore, SessionId};
use crate::broker::budgets::{CallerPrincipal, Principal};
use crate::broker::journal::{JournalEntry, RecoveredRun, RunName};
use crate::broker::limits::{self, ClientResource};
use crate::broker::owner::RunOwner;
use crate::broker::scheduler::{ClientAdmission, ClientId, ToolboxId};
use crate::output_log::OutputCursor;
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::{ShortRun, shown_run};
use maelstrom_wire::v1::{self, client_message, session_event};
use maelstrom_wire::versions::{VERSIONS, agree};

impl BrokerCore {
    /// Restores an unfinished run from the journal.
    pub(super) fn recall(&mut self, remembered: RecoveredRun) {
        let (run, name) = (remembered.run, remembered.client);
        let shown = shown_run(&run);
        let new = (remembered.owner, Principal::Unknown);
        let client = self.new_client(run, new, name, remembered.weight);
        for (number, bytes) in remembered.templates {
            match v1::Template::decode(bytes.as_slice()) {
                Ok(template) => {
                    // Its jobs name it by number; those of a rejected template are skipped below.
                    if self.define(client, number, template).is_ok() {
                        self.charge_template(client, bytes.len());
                    }
                }
                Err(error) => {
                    let run = ShortRun(&shown);
                    tracing::warn!(%run, %error, "a template of the journal is broken");
                }
            }
        }
        for (job, description) in remembered.jobs {
            let decoded = v1::Job::decode(&*description);
            let Some(demand) = decoded.ok().and_then(|job| self.demand(client, &job)) else {
                let (run, job) = (ShortRun(&shown), JobId(job));
                tracing::warn!(%run, %job, "a job of the journal is broken");
                continue;
            };
            self.add(client, ClientResource::Jobs, 1);
            self.add(client, ClientResource::JobBytes, description.len() as u64);
            self.add_job(client, JobId(job), description, JobPhase::Queued);
            self.enqueue(client, JobId(job), demand);
        }
        if let Some(client) = self.clients.get_mut(&client) {
            client.gone_since = Some(self.now);
            client.is_from_before = true;
        }
    }

    fn new_client(
        &mut self,
        run: RunName,
        (owner, principal): (RunOwner, Principal),
        name: String,
        weight: u32,
    ) -> ClientId {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        let shown = shown_run(&run);
        self.runs.insert(run, client);
        self.shown.insert(shown, client);
        let account = self.accounts.open(&principal, client);
        self.book.client_joined(client, weight.max(1));
        self.book.client_gate(client, ClientAdmission::Held);
        self.clients.insert(
            client,
            ClientRun {
                run,
                shown,
                may_ask: owner.may_ask(),
                owner,
                account,
                used: AccountUsage::default(),
                weight: weight.clamp(1, self.policy.limits.weight_max.max(1)),
                name,
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
        client
    }

    pub(super) fn hello(
        &mut self,
        hello: v1::Hello,
        caller: &CallerPrincipal,
        outbox: Outbox<v1::SessionEvent>,
        session: SessionId,
    ) -> Result<(), Status> {
        agree(hello.versions.as_ref(), "client").map_err(Status::failed_precondition)?;
        let run = RunName::try_from(&*hello.run)
            .map_err(|_| Status::invalid_argument("a run is named by 16 bytes"))?;
        maelstrom_wire::limits::name(&hello.name).map_err(Status::invalid_argument)?;
        let owner = RunOwner::new(caller.member.clone(), &hello.secret);
        let owner = owner.map_err(Status::invalid_argument)?;
        let may_ask = owner.may_ask();
        let known = self.runs.get(&run).copied();
        let id = match known.and_then(|id| Some((id, self.clients.get(&id)?))) {
            Some((id, client)) => {
                if let Err(why) = client.owner.check(&owner) {
                    let (run, who) = (ShortRun(&client.shown), &caller.principal);
                    tracing::warn!(%run, %who, "somebody else's run was asked for, and refused");
                    return Err(Status::permission_denied(why));
                }
                self.rehome(id, &caller.principal);
                id
            }
            None => {
                self.accounts.check_runs(&caller.principal)?;
                let new = (owner.clone(), caller.principal.clone());
                let id = self.new_client(run, new, hello.name.clone(), hello.weight);
                self.journal.forget(vec![JournalEntry::Run {
                    run,
                    client: hello.name,
                    weight: hello.weight,
                    owner,
                }]);
                id
            }
        };
        let slots = self.workers.values().filter(|worker| worker.is_connected());
        let slots = slots.map(|worker| worker.slots).sum();
        let workers: Vec<v1::Worker> = self.connected_workers();
        let Some(client) = self.clients.get_mut(&id) else {
            return Err(Status::internal("the run is known and not known"));
        };
        if let Some(before) = client.attached.take() {
            self.peers.remove(&before.session);
            before
                .outbox
                .fail(Status::aborted("the run has connected again"));
        }
        let runs = self.accounts.runs(client.account).max(1);
        outbox.is_full_with((limits::OUTBOXES_BYTES / runs).max(limits::OUTBOX_BYTES_MIN));
        client.attached = Some(ClientSession { session, outbox });
        client.may_ask = may_ask;
        client.gone_since = None;
        client.has_submitted = false;
        self.peers.insert(session, SessionPeer::Client(id));
        client.send(
            session_event::Kind::Welcome(v1::Welcome {
                versions: Some(VERSIONS.clone()),
                resumed: known.is_some(),
                slots,
            }),
            0,
        );
        for worker in workers {
            client.send(session_event::Kind::Worker(worker), 0);
        }
        for state in client.jobs.values_mut() {
            state.is_lagging = false;
            if let Some(output) = &mut state.output {
                output.sent = OutputCursor::default();
                output.told = ReportedPhase::Nothing;
            }
        }
        client.lagging.clear();
        let mut jobs: Vec<JobId> = client.jobs.keys().copied().collect();
        // A hash map's iteration order varies; a repeated session must be deterministic.
        jobs.sort_unstable();
        for job in jobs {
            self.pump(id, job);
        }
        self.update_gate(id);
        Ok(())
    }

    pub(super) fn client_message(&mut self, id: ClientId, kind: client_message::Kind) {
        use client_message::Kind;
        match kind {
            Kind::Hello(_) => {
                let status = Status::invalid_argument("`hello` comes once, at the beginning");
                self.fail_session(id, status);
            }
            Kind::Template(defined) => {
                let template = defined.template.unwrap_or_default();
                if let Err(status) = self.define_new(id, defined.number, template) {
                    self.fail_session(id, status);
                }
            }
            Kind::Submit(submit) => {
                if let Err(status) = self.submit(id, submit.jobs) {
                    self.fail_session(id, status);
                }
            }
            Kind::Cancel(cancel) => {
                let how = v1::Stop::try_from(cancel.how).unwrap_or(v1::Stop::Terminate);
                self.cancel(id, JobId(cancel.job), how);
            }
            Kind::Uploaded(uploaded) => {
                let client = self.clients.get(&id);
                let inputs = client.and_then(|client| client.templates.get(&uploaded.template));
                if let Some(inputs) = inputs.copied() {
                    self.check(inputs);
                }
            }
            Kind::Hold(hold) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.wants_hold = hold.held;
                }
                self.update_gate(id);
            }
            Kind::Acknowledge(acknowledge) => self.acknowledge(id, &acknowledge.jobs),
            Kind::Goodbye(_) => self.client_over(id),
        }
    }

    fn define_new(
        &mut self,
        id: ClientId,
        number: u32,
        template: v1::Template,
    ) -> Result<(), Status> {
        let Some(client) = self.clients.get(&id) else {
            return Ok(());
        };
        let (run, account) = (client.run, client.account);
        let encoded = template.encode_to_vec();
        // A reconnected client repeats its definitions at no cost: limits apply to new ones.
        if !client.templates.contains_key(&number) {
            if client.templates.len() >= limits::TEMPLATES_PER_RUN_MAX {
                let limit = limits::TEMPLATES_PER_RUN_MAX;
                let message =
                    format!("the run has {limit} templates, which is the most for one run");
                return Err(Status::resource_exhausted(message));
            }
            let bytes = encoded.len() as u64;
            self.accounts.check(account, ClientResource::Templates, 1)?;
            self.accounts
                .check(account, ClientResource::TemplateBytes, bytes)?;
            if !template.toolbox.is_empty() {
                let kit = self.templates.find_toolbox(&template.toolbox);
                self.accounts.check_toolbox(account, kit)?;
            }
        }
        let is_new = self.define(id, number, template)?;
        if is_new {
            self.charge_template(id, encoded.len());
            self.journal.forget(vec![JournalEntry::Template {
                run,
                number,
                template: encoded,
            }]);
        }
        Ok(())
    }

    /// Defines a template. Returns whether its number was new to the client.
    fn define(
        &mut self,
        id: ClientId,
        number: u32,
        template: v1::Template,
    ) -> Result<bool, Status> {
        let defined = self.templates.define(id, number, template);
        let defined = defined.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (DefineOutcome::New(inputs) | DefineOutcome::Known(inputs)) = defined;
        let client = self.clients.get(&id);
        let before = client.and_then(|client| client.templates.get(&number).copied());
        if before.is_some_and(|before| before != inputs) {
            // `define` has registered this client as a user of a template that it may not have.
            let unused = self.templates.leave_one(inputs, (id, number));
            self.forget_templates(&unused);
            return Err(Status::invalid_argument(format!(
                "template {number} was defined before, and otherwise"
            )));
        }
        if before.is_none()
            && let Some(client) = self.clients.get_mut(&id)
        {
            client.templates.insert(number, inputs);
            let kit = self.templates.get(inputs).and_then(|known| known.kind.kit);
            if let Some(kit) = kit {
                self.accounts.add_toolbox(client.account, kit);
            }
        }
        let supply = self.templates.get(inputs).map(|known| &known.supply);
        match (defined, supply) {
            (DefineOutcome::New(_), _) => {
                self.query_toolbox(inputs);
                self.check(inputs);
            }
            // What was missing a moment ago may be present now.
            (DefineOutcome::Known(_), Some(TemplateReadiness::Lacking)) => self.check(inputs),
            (
                DefineOutcome::Known(_),
                Some(TemplateReadiness::Checking { .. } | TemplateReadiness::Ready) | None,
            ) => {}
        }
        Ok(before.is_none())
    }

    fn charge_template(&mut self, id: ClientId, bytes: usize) {
        self.add(id, ClientResource::Templates, 1);
        self.add(id, ClientResource::TemplateBytes, bytes as u64);
    }

    pub(super) fn client_gone(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.attached = None;
            client.gone_since = Some(self.now);
        }
        self.update_gate(id);
    }

    /// Ends runs whose clients did not reconnect in time.
    pub(super) fn lose_patience(&mut self) {
        let patience = millis(self.policy.client_patience);
        let is_over = |client: &ClientRun| {
            let since = client.gone_since;
            since.is_some_and(|since| self.now.ms_since(since) >= patience)
        };
        let over: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, client)| is_over(client))
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.client_over(id);
        }
    }

    fn client_over(&mut self, id: ClientId) {
        for lease in self.book.client_left(id) {
            self.stop_lease(lease.worker, lease.fence, v1::Stop::Kill);
        }
        let Some(client) = self.clients.remove(&id) else {
            return;
        };
        if let Some(attached) = &client.attached {
            self.peers.remove(&attached.session);
        }
        self.runs.remove(&client.run);
        self.shown.remove(&client.shown);
        // This precedes leaving the templates, which removes those without other users, and their
        // toolboxes.
        let kits: Vec<ToolboxId> = client
            .templates
            .values()
            .filter_map(|inputs| self.templates.get(*inputs)?.kind.kit)
            .collect();
        self.accounts.close(client.account, id, &client.used, &kits);
        self.share_out(client.account);
        self.journal
            .forget(vec![JournalEntry::RunOver { run: client.run }]);
        let unused = self.templates.leave(id);
        self.forget_templates(&unused);
    }

    pub(super) fn update_gate(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get(&id) {
            let is_waiting = client.is_from_before && !self.absent.is_empty();
            let gate = match is_waiting || self.accounts.is_held(client.account) {
                true => ClientAdmission::Held,
                false => client.gate(),
            };
            self.book.client_gate(id, gate);
        }
    }

    pub(super) fn update_gates(&mut self) {
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        for client in clients {
            self.update_gate(client);
        }
    }

    pub(super) fn emit(&self, id: ClientId, kind: session_event::Kind) {
        if let Some(client) = self.clients.get(&id) {
            client.send(kind, 0);
        }
    }

    /// Sends an event to every client.
    pub(super) fn emit_all(&self, kind: &session_event::Kind) {
        for client in self.clients.values() {
            if client.has_taken_everything() {
                client.send(kind.clone(), 0);
            }
        }
    }

    /// Ends a client's connection; the client may reconnect.
    pub(super) fn fail_session(&mut self, id: ClientId, status: Status) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if let Some(attached) = client.attached.take() {
            let (run, client) = (ShortRun(&client.shown), &client.name);
            let message = status.message();
            tracing::warn!(%run, client, message, "a client is sent away");
            self.peers.remove(&attached.session);
            attached.outbox.fail(status);
            self.client_gone(id);
        }
    }
}
