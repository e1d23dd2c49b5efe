//! Clients: how they connect and leave, and their messages.

use prost::Message;
use tonic::Status;

use super::config::millis;
use super::defect::broken_invariant;
use super::outbox::Outbox;
use super::run_table::{RunOrigin, RunProfile, RunTemplate};
use super::templates::{DefineOutcome, UnusedTemplates};
use super::{BrokerCore, SessionId};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::journal::{JournalEntry, RecoveredRun, RunName};
use crate::broker::owner::{PrivilegeScope, RunOwner};
use crate::broker::scheduler::{ClientId, JobKey};
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::{ShortRun, shown_run};
use maelstrom_wire::v1::{self, client_message};
use maelstrom_wire::versions::{VERSIONS, agree};

impl BrokerCore {
    /// Restores an unfinished run from the journal.
    pub(super) fn recall(&mut self, remembered: RecoveredRun) {
        let shown = shown_run(&remembered.run);
        let profile = RunProfile {
            run: remembered.run,
            owner: remembered.owner,
            name: remembered.client,
            weight: remembered.weight,
        };
        let client = self.runs.recall(profile, self.now);
        // The scheduler must know the client before its jobs.
        self.apply_changes();
        for (number, bytes) in remembered.templates {
            let run = ShortRun(&shown);
            let template = match v1::Template::decode(bytes.as_slice()) {
                Ok(template) => template,
                Err(error) => {
                    tracing::warn!(%run, %error, "a template of the journal is broken");
                    continue;
                }
            };
            // The jobs refer to it by number; those of a rejected template are skipped below.
            if let Err(status) = self.define(client, number, template, bytes.len()) {
                let message = status.message();
                tracing::warn!(%run, message, "a template of the journal is rejected");
            }
        }
        for (job, description) in remembered.jobs {
            let job = JobId(job);
            match self.runs.recall_job(JobKey { client, job }, description) {
                Some(admitted) => self.enqueue(admitted),
                None => {
                    let run = ShortRun(&shown);
                    tracing::warn!(%run, %job, "a job of the journal is broken");
                }
            }
        }
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
        let profile = RunProfile {
            run,
            owner,
            name: hello.name,
            weight: hello.weight,
        };
        let entered = self.runs.enter(profile.clone(), &caller.principal)?;
        if entered.origin == RunOrigin::New {
            self.journal.forget(vec![JournalEntry::Run {
                run,
                client: profile.name,
                weight: profile.weight,
                owner: profile.owner,
            }]);
        }
        let welcome = v1::Welcome {
            versions: Some(VERSIONS.clone()),
            resumed: entered.origin == RunOrigin::Known,
            slots: self.workers.slots(),
        };
        self.runs.attach(
            entered.client,
            (session, outbox),
            may_ask,
            (welcome, self.workers.listed()),
            self.now,
        );
        Ok(())
    }

    pub(super) fn client_message(&mut self, id: ClientId, kind: client_message::Kind) {
        use client_message::Kind;
        let handled = match kind {
            Kind::Hello(_) => Err(Status::invalid_argument(
                "`hello` comes once, at the beginning",
            )),
            Kind::Template(defined) => {
                let template = defined.template.unwrap_or_default();
                self.define_new(id, defined.number, template)
            }
            Kind::Submit(submit) => self.submit(id, submit.jobs),
            Kind::Cancel(cancel) => {
                let how = v1::Stop::try_from(cancel.how).unwrap_or(v1::Stop::Terminate);
                self.cancel(id, JobId(cancel.job), how);
                Ok(())
            }
            Kind::Uploaded(uploaded) => {
                if let Some(inputs) = self.runs.inputs_of(id, uploaded.template) {
                    self.check(inputs);
                }
                Ok(())
            }
            Kind::Hold(hold) => {
                self.runs.hold(id, hold.held);
                Ok(())
            }
            Kind::Acknowledge(acknowledge) => {
                self.acknowledge(id, &acknowledge.jobs);
                Ok(())
            }
            Kind::Goodbye(_) => {
                self.client_over(id);
                Ok(())
            }
        };
        if let Err(status) = handled {
            self.runs.dismiss(id, status, self.now);
        }
    }

    fn define_new(
        &mut self,
        id: ClientId,
        number: u32,
        template: v1::Template,
    ) -> Result<(), Status> {
        let encoded = template.encode_to_vec();
        let toolbox = self.templates.requested_toolbox(&template);
        self.runs
            .check_template(id, number, encoded.len(), toolbox)?;
        let origin = self.define(id, number, template, encoded.len())?;
        if let TemplateOrigin::New(run) = origin {
            self.journal.forget(vec![JournalEntry::Template {
                run,
                number,
                template: encoded,
            }]);
        }
        Ok(())
    }

    /// Defines a template whose encoding has `bytes` bytes.
    fn define(
        &mut self,
        id: ClientId,
        number: u32,
        template: v1::Template,
        bytes: usize,
    ) -> Result<TemplateOrigin, Status> {
        let container = template.container.as_ref();
        let asks = match container.map(v1::Container::privileges) {
            Some(v1::Privileges::Ordinary) => PrivilegeScope::Ordinary,
            // A worker rejects unspecified privileges.
            Some(_) | None => PrivilegeScope::Everything,
        };
        let defined = self.templates.define(id, number, template);
        let defined = defined.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (DefineOutcome::New(inputs) | DefineOutcome::Known(inputs)) = defined;
        let before = self.runs.inputs_of(id, number);
        if before.is_some_and(|before| before != inputs) {
            // `define` has registered this client as a user of a template that it may not have.
            let unused = self.templates.leave_one(inputs, (id, number));
            self.forget_templates(&unused);
            return Err(Status::invalid_argument(format!(
                "template {number} was defined before, and otherwise"
            )));
        }
        let Some(kind) = self.templates.get(inputs).map(|known| known.kind) else {
            broken_invariant("a template is not known that was just defined");
            return Err(Status::internal("the template is defined and not defined"));
        };
        let mut origin = TemplateOrigin::Known;
        if before.is_none() {
            let template = RunTemplate { kind, asks };
            let run = self.runs.add_template(id, number, template, bytes);
            origin = run.map_or(origin, TemplateOrigin::New);
        }
        match defined {
            DefineOutcome::New(_) => {
                if let Some(toolbox) = kind.toolbox {
                    self.query_toolbox(toolbox);
                }
                self.check(inputs);
            }
            // Contents that were missing at the last check may have been uploaded since.
            DefineOutcome::Known(_) if self.templates.is_lacking(inputs) => self.check(inputs),
            DefineOutcome::Known(_) => {}
        }
        Ok(origin)
    }

    /// Ends runs whose clients did not reconnect in time.
    pub(super) fn lose_patience(&mut self) {
        let patience = millis(self.config.client_patience);
        for id in self.runs.gone_for(patience, self.now) {
            self.client_over(id);
        }
    }

    fn client_over(&mut self, id: ClientId) {
        for lease in self.scheduler.client_left(id) {
            self.workers.stop(lease.worker, lease.fence, v1::Stop::Kill);
        }
        if let Some(run) = self.runs.leave(id) {
            self.journal.forget(vec![JournalEntry::RunOver { run }]);
        }
        let unused = self.templates.leave(id);
        self.forget_templates(&unused);
    }

    fn forget_templates(&mut self, unused: &UnusedTemplates) {
        for toolbox in &unused.toolboxes {
            self.forget_toolbox(*toolbox);
        }
        for inputs in &unused.templates {
            self.scheduler.inputs_retired(*inputs);
        }
        if !unused.templates.is_empty() {
            self.workers.forget_templates(&unused.templates);
        }
    }
}

/// Whether a run had defined a template before.
enum TemplateOrigin {
    /// The template is new to this run.
    New(RunName),
    Known,
}
