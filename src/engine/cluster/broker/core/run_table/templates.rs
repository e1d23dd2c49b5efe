//! A run's numbers for templates, and the requirements of its jobs.

use std::num::NonZeroU32;

use tonic::Status;

use super::{RunTable, RunTemplate};
use crate::broker::core::templates::RequestedToolbox;
use crate::broker::journal::RunName;
use crate::broker::limits::{self, ClientResource};
use crate::broker::owner::PrivilegeScope;
use crate::broker::scheduler::{
    ClientId, GroupKey, InputsId, JobDemand, SchedulingClass, WorkerNeeds,
};
use maelstrom_container::digest::ContentHash;
use maelstrom_wire::from_proto;
use maelstrom_wire::v1;

impl RunTable {
    /// Returns an error if there is no room for a template of this size. A number that the run has
    /// already defined is free: a reconnected client repeats its definitions.
    pub(crate) fn check_template(
        &mut self,
        id: ClientId,
        number: u32,
        bytes: usize,
        toolbox: RequestedToolbox,
    ) -> Result<(), Status> {
        let Some(run) = self.run(id) else {
            return Ok(());
        };
        if run.templates.contains_key(&number) {
            return Ok(());
        }
        if run.templates.len() >= limits::TEMPLATES_PER_RUN_MAX {
            let limit = limits::TEMPLATES_PER_RUN_MAX;
            let message = format!("the run has {limit} templates, which is the most for one run");
            return Err(Status::resource_exhausted(message));
        }
        let account = run.account;
        self.accounts.check(account, ClientResource::Templates, 1)?;
        self.accounts
            .check(account, ClientResource::TemplateBytes, bytes as u64)?;
        self.accounts.check_toolbox(account, toolbox)
    }

    /// Adds a template of this size under a number that the run does not have yet. Returns the
    /// run's secret name.
    pub(crate) fn add_template(
        &mut self,
        id: ClientId,
        number: u32,
        template: RunTemplate,
        bytes: usize,
    ) -> Option<RunName> {
        let run = self.run_mut(id)?;
        run.templates.insert(number, template);
        let (name, account) = (run.run, run.account);
        if let Some(toolbox) = template.toolbox() {
            self.accounts.add_toolbox(account, toolbox);
        }
        self.add(id, ClientResource::Templates, 1);
        self.add(id, ClientResource::TemplateBytes, bytes as u64);
        Some(name)
    }

    /// Returns the inputs of a run's template.
    pub(crate) fn inputs_of(&self, id: ClientId, number: u32) -> Option<InputsId> {
        let template = self.run(id)?.templates.get(&number)?;
        Some(template.kind.inputs)
    }

    /// Returns the requirements of a job; `None` if its template is undefined, or its priority or
    /// needs invalid.
    pub(super) fn demand(
        &self,
        id: ClientId,
        job: &v1::Job,
    ) -> Option<(JobDemand, PrivilegeScope)> {
        let template = self.run(id)?.templates.get(&job.template)?;
        let needs = from_proto::job::needs(job).ok()?;
        let group = needs.group.as_ref();
        let demand = JobDemand {
            rank: from_proto::job::rank(job).ok()?,
            kind: SchedulingClass {
                group: group.map(|group| group_key(&group.name)),
                ..template.kind
            },
            needs: WorkerNeeds {
                group_max: group.map_or(NonZeroU32::MIN, |group| group.jobs_max),
                weight: needs.weight,
                exclusive: needs.exclusive,
                avoided: needs.avoided_worker,
            },
        };
        Some((demand, template.asks))
    }
}

/// Returns the key of a group of this name. It is the same after a restart, and no table of names
/// is needed.
fn group_key(name: &str) -> GroupKey {
    GroupKey(ContentHash::of(name.as_bytes()).prefix())
}
