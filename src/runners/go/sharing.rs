//! Which tests of a package share a process, as the project wants it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::sandbox::project_spec::TestContainer;
use crate::sharing::{self, SharingError, SharingReason};
use maelstrom_model::job::TestCase;
use maelstrom_model::shared_process::TestGroupMember;
use maelstrom_spec::policy::{PolicyFields, ShareScope};

use super::divider::GoTestProtocol;
use super::jobs::GoBinaryJobs;
use super::project::GoProject;
use super::run_pattern::{RunPattern, exactly};
use super::test_choice::{TestChoice, choose};

/// The tests that may share a process: those of a package, which has one test binary.
const SCOPES: [ShareScope; 2] = [ShareScope::Package, ShareScope::Binary];

/// The maximum length of the pattern for the tests of a process, in bytes. The kernel's limit for an
/// argument is 128 KiB (`MAX_ARG_STRLEN`).
const PATTERN_BYTES_MAX: usize = 120_000;

/// Makes tests of one package share a process with those in the same container. Benchmarks, tests
/// that are fuzzed and tests of which a pattern selects some parts have their own.
pub(super) fn share(
    project: &GoProject<'_>,
    jobs: &GoBinaryJobs,
    given: &HashMap<String, TestContainer>,
    tests: &mut [TestCase],
) -> Result<(), SharingError> {
    let nothing = PolicyFields::default();
    let mut sharing: Vec<(&mut TestCase, GoBinaryJobs)> = Vec::new();
    for test in tests {
        let given = given.get(&test.key.name);
        let said = given.map_or(&nothing, |given| &given.policy);
        let setting = project.policies.settle(said).share;
        let name = &test.key.name;
        let is_whole = choose(project.settings, name) == Some(TestChoice::Test(exactly(name)));
        match sharing::scope(setting.as_ref(), &SCOPES)? {
            ShareScope::None => {}
            _ if !is_whole || test.ignored.is_some() || test.known.is_some() => {}
            _ if project.settings.common.interactive.is_some() => {}
            _ => sharing.push((
                test,
                given.map_or_else(|| jobs.clone(), |given| jobs.with(given)),
            )),
        }
    }
    while let Some((first, place)) = sharing.first() {
        let (place, devices) = (place.clone(), first.job.needs.devices.clone());
        let mut room = PATTERN_BYTES_MAX;
        let here = |(test, jobs): &mut (&mut TestCase, GoBinaryJobs)| {
            let length = test.key.name.len() + 1;
            // Devices are a part of the container that only the policies of the tests know.
            let has_devices = test.job.needs.devices == devices;
            let fits = has_devices && jobs.has_same_place(&place) && length <= room;
            if fits {
                room -= length;
            }
            fits
        };
        let group: Vec<_> = sharing.extract_if(.., here).collect();
        let names = group.iter().map(|(test, _)| test.key.name.clone());
        let names: Arc<BTreeSet<String>> = Arc::new(names.collect());
        let skip = project.settings.skip.as_ref().map(RunPattern::as_written);
        let job = place.shared(names.iter().map(String::as_str), skip);
        let Some((first, _)) = group.first() else {
            return Ok(());
        };
        let name: Arc<str> = first.title.as_str().into();
        let protocol = Arc::new(GoTestProtocol { names });
        let mut cases = Vec::with_capacity(group.len());
        for (test, _) in group {
            let member = TestGroupMember {
                group: Arc::clone(&name),
                name: test.key.name.clone(),
                title: test.key.name.clone(),
                protocol: protocol.clone(),
            };
            project
                .shared
                .add(test.key.clone(), member, SharingReason::Chosen);
            test.job.process = Arc::clone(&job.process);
            test.job.additions = job.additions.clone();
            cases.push(test);
        }
        sharing::combine_needs(cases, |key| project.shared.member(key))?;
    }
    Ok(())
}
