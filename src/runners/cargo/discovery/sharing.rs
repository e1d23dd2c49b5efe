//! Makes tests of one binary share a process, as the project wants it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cargo::divider::LibtestProtocol;
use crate::cargo::jobs::CargoBinaryJobs;
use crate::cargo::project::CargoProject;
use crate::cargo::target::TestHarness;
use crate::cargo::transcript::LibtestFormat;
use crate::sharing::{self, SharingError, SharingReason};
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::TestCase;
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::policy::{PolicyFields, PolicySetting, ShareScope};

use super::CargoDiscovery;

/// The tests that may share a process.
const SCOPES: [ShareScope; 1] = [ShareScope::Binary];

/// Returns whether a test of a binary is to share a process. Only libtest says which of several tests
/// runs, and a test that runs on the terminal has a process of its own.
pub(super) fn shares(
    project: &CargoProject<'_>,
    harness: TestHarness,
    said: &PolicyFields,
) -> Result<bool, SharingError> {
    let setting = project.policies.settle(said).share;
    let scope = sharing::scope(setting.as_ref(), &SCOPES)?;
    let settings = project.settings;
    if scope == ShareScope::None
        || harness == TestHarness::Own
        || settings.common.interactive.is_some()
    {
        return Ok(false);
    }
    let words = &settings.extra_arguments;
    let is_plain = LibtestFormat::asked_for(words) == LibtestFormat::Pretty
        && !words.iter().any(|word| {
            let word = word.to_string_lossy();
            word.starts_with("--report-time") || word.starts_with("-Z")
        });
    match (is_plain, setting) {
        (false, Some(PolicySetting { origin, .. })) => Err(SharingError::Format {
            origin: origin.to_string(),
        }),
        _ => Ok(true),
    }
}

impl<H: FrameworkHost> CargoDiscovery<'_, H> {
    /// Makes tests of one binary share a process with those in the same container. `tests` are those
    /// that are to share, each with the jobs of its container.
    pub(super) fn share(
        &self,
        mut tests: Vec<(&mut TestCase, &CargoBinaryJobs)>,
    ) -> Result<(), SharingError> {
        let shared = self.project.shared;
        let listed = self.project.listed;
        // Several tests of one name cannot be told apart.
        tests.retain(|(test, _)| {
            let asked = listed.asked(&test.key, LibtestFormat::Pretty);
            test.ignored.is_none()
                && test.known.is_none()
                && asked.is_some_and(|asked| asked.count == 1)
        });
        while let Some((first, place)) = tests.first() {
            let (place, devices) = (*place, first.job.needs.devices.clone());
            // Devices are a part of the container that only the policies of the tests know.
            let here = |(test, jobs): &mut (&mut TestCase, &CargoBinaryJobs)| {
                jobs.has_same_place(place) && test.job.needs.devices == devices
            };
            let group: Vec<_> = tests.extract_if(.., here).collect();
            let names = group.iter().map(|(test, _)| test.key.name.clone());
            let names: Arc<BTreeSet<String>> = Arc::new(names.collect());
            let job = place.shared(names.iter().map(String::as_str));
            let Some((first, _)) = group.first() else {
                return Ok(());
            };
            let name: Arc<str> = first.title.as_str().into();
            let protocol = Arc::new(LibtestProtocol { names });
            let mut cases = Vec::with_capacity(group.len());
            for (test, _) in group {
                let member = TestGroupMember {
                    group: Arc::clone(&name),
                    name: test.key.name.clone(),
                    title: test.key.name.clone(),
                    protocol: protocol.clone(),
                };
                shared.add(test.key.clone(), member, SharingReason::Chosen);
                test.job.process = Arc::clone(&job.process);
                test.job.additions = job.additions.clone();
                cases.push(test);
            }
            sharing::combine_needs(cases, |key| shared.member(key))?;
        }
        Ok(())
    }
}
