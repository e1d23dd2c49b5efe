//! The jobs of tests that run together in one session.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sharing::{self, SharingError, SharingReason};
use maelstrom_model::job::Job;
use maelstrom_spec::policy::{PolicyFields, ShareScope};

use super::additions::group_additions;
use super::collection::{CollectionSession, PytestItem};
use super::groups::{self, GroupSession, GroupedTest};
use super::job_builder::PytestJobBuilder;
use super::overrides::PytestOverride;

/// The tests that may share a session.
const SCOPES: [ShareScope; 3] = [ShareScope::Class, ShareScope::File, ShareScope::Package];

impl PytestJobBuilder<'_> {
    /// Returns what each test shares a session with, as options and files say it. A test that runs
    /// on the terminal has its own.
    pub fn scopes(
        &self,
        tests: &[PytestItem],
        own: &[PytestOverride],
    ) -> Result<Vec<ShareScope>, SharingError> {
        if self.settings.common.interactive.is_some() {
            return Ok(vec![ShareScope::None; tests.len()]);
        }
        let nothing = PolicyFields::default();
        let scope = |index: usize| {
            let own = own.get(index).map(|own| &*own.given.policy);
            let settled = self.policies.settle(own.unwrap_or(&nothing));
            sharing::scope(settled.share.as_ref(), &SCOPES)
        };
        (0..tests.len()).map(scope).collect()
    }

    /// Returns the job of tests that run together.
    fn group_job(
        &self,
        session: &CollectionSession,
        group: &GroupSession<'_>,
        own: Option<&PytestOverride>,
    ) -> Job {
        let start = groups::start(own, &self.directory);
        let lines = self.command_lines();
        let arguments = lines.together(session, &group.words, &group.files, start);
        let mut job = self.job(arguments, None);
        job.additions = group_additions();
        job.placement = self.surroundings.placement.clone();
        if let Some(PytestOverride { given, .. }) = own {
            job.container = Arc::clone(&given.container);
            let process = Arc::make_mut(&mut job.process);
            process.environment = Arc::clone(&given.environment);
            process.working_directory = Arc::clone(&given.working_directory);
        }
        job
    }

    /// Returns the jobs of these groups, by the index of each test.
    pub fn group_jobs(
        &self,
        session: &CollectionSession,
        groups: &[GroupSession<'_>],
        tests: &[PytestItem],
        own: &[PytestOverride],
    ) -> BTreeMap<usize, GroupedTest> {
        let jobs = groups.iter().flat_map(|group| {
            let own = group.members.first().and_then(|first| own.get(*first));
            let job = self.group_job(session, group, own);
            let members = group.members.iter();
            members.filter_map(move |index| {
                let grouped = GroupedTest {
                    job: job.clone(),
                    member: group.member(*index, &tests.get(*index)?.node),
                    reason: match group.is_chosen {
                        true => SharingReason::Chosen,
                        false => SharingReason::Needed,
                    },
                };
                Some((*index, grouped))
            })
        });
        jobs.collect()
    }
}
