//! Applies the workspace's specification file to a binary's tests: jobs that differ from the
//! default, and the output of `--explain`.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::sandbox::environment::explain_forwarding;
use crate::sandbox::project_spec::{
    DefaultContainer, ExplainedPart, ProjectSpec, RunOrIgnore, explain_built_in,
};
use maelstrom_model::framework::FrameworkHost;
use maelstrom_model::job::KnownResult;
use maelstrom_spec::filterset::FiltersetSubject;
use maelstrom_spec::policy::PolicyFields;

use super::cases::TestNaming;
use super::error::CargoError;
use super::jobs::CargoBinaryJobs;
use super::listing::{self, BinaryListing};
use super::metadata::CargoPackage;
use super::project::CargoProject;
use super::selection::SelectionOutcome;
use super::target::{PackageTarget, TestBinary};

/// The jobs of a test according to the specification file.
pub(super) struct CargoOverride {
    pub jobs: CargoBinaryJobs,
    pub attention: RunOrIgnore,
    /// How the test runs.
    pub policy: Arc<PolicyFields>,
    /// The result of the test, if a fixture that it needs could not be made.
    pub unavailable: Option<Arc<KnownResult>>,
}

/// Returns the names of the tests in a listing that are selected to run.
fn wanted_names<'l>(
    project: &CargoProject<'_>,
    package: &CargoPackage,
    binary: &TestBinary,
    listing: &'l BinaryListing,
) -> Vec<&'l str> {
    let runs = |verdict| {
        matches!(
            verdict,
            SelectionOutcome::Run | SelectionOutcome::RunIgnored
        )
    };
    let target = &binary.target;
    match listing {
        BinaryListing::Tests(tests) => {
            let wanted = tests.iter().filter(|test| {
                let wanted = project.wanted;
                runs(wanted.test(package, target, &test.name, test.attention))
            });
            wanted.map(|test| test.name.as_str()).collect()
        }
        BinaryListing::Whole => {
            let whole = Some(listing::WHOLE);
            let wanted = whole.filter(|name| runs(project.wanted.whole(package, binary, name)));
            wanted.into_iter().collect()
        }
    }
}

/// Returns the jobs of a binary's tests according to the specification file, by test name.
pub(super) async fn override_jobs<H: FrameworkHost>(
    project: CargoProject<'_>,
    host: &H,
    package: &CargoPackage,
    binary: &TestBinary,
    jobs: &CargoBinaryJobs,
    standard: &DefaultContainer,
    listing: &BinaryListing,
) -> Result<HashMap<String, CargoOverride>, CargoError> {
    let Some(specified) = project.specified else {
        return Ok(HashMap::new());
    };
    let names = wanted_names(&project, package, binary, listing);
    let subjects = names
        .iter()
        .map(|name| project.wanted.subject(package, &binary.target, name));
    let given = specified.give_all(subjects, standard, host).await?;
    let own = names.iter().zip(given).map(|(name, given)| {
        let own = CargoOverride {
            jobs: jobs.with(&given),
            attention: given.attention,
            policy: given.policy,
            unavailable: given.unavailable,
        };
        ((*name).to_owned(), own)
    });
    Ok(own.collect())
}

/// A test of a package's target.
type ListedName<'a> = (&'a CargoPackage, &'a PackageTarget, &'a str);

/// Returns what files say about how a test runs. `own` is what the specification file says.
pub(super) fn said(
    project: &CargoProject<'_>,
    (package, target, name): ListedName<'_>,
    own: Option<&CargoOverride>,
) -> PolicyFields {
    let own = own.map(|own| PolicyFields::clone(&own.policy));
    let rules = |test: &FiltersetSubject<'_>| project.rules.overridden(test);
    let wanted = project.wanted;
    let overridden = wanted.in_filtersets(package, Some(target), Some(name), rules);
    own.unwrap_or_default().or(&overridden)
}

/// Returns the verdict on a test for which options have `verdict`: the profile may leave it out,
/// and the specification file may ignore it.
pub(super) fn verdict(
    project: &CargoProject<'_>,
    (package, target, name): ListedName<'_>,
    own: Option<&CargoOverride>,
    verdict: SelectionOutcome,
) -> SelectionOutcome {
    let subject = project.wanted.subject(package, target, name);
    let mut specified = project.specified.into_iter();
    let rules = |test: &FiltersetSubject<'_>| project.rules.leaves_out(test);
    let wanted = project.wanted;
    let is_left_out = specified.any(|specified| specified.leaves_out(&subject))
        || wanted.in_filtersets(package, Some(target), Some(name), rules);
    if is_left_out {
        return SelectionOutcome::Deselect;
    }
    match (verdict, own.map(|own| own.attention)) {
        (SelectionOutcome::Run | SelectionOutcome::RunIgnored, Some(RunOrIgnore::Ignore)) => {
            SelectionOutcome::Ignore
        }
        (verdict, _) => verdict,
    }
}

/// Records the explanations of a binary's tests that `--explain` selects.
pub(super) fn explain(
    project: CargoProject<'_>,
    package: &CargoPackage,
    binary: &TestBinary,
    listing: &BinaryListing,
) -> Result<(), CargoError> {
    let (asked, what) = project.settings.containers.asked();
    let naming = TestNaming::new(package, &binary.target);
    for name in wanted_names(&project, package, binary, listing) {
        let title = naming.title(name);
        if asked != Some(name) && asked != Some(&title) {
            continue;
        }
        let subject = project.wanted.subject(package, &binary.target, name);
        if what == ExplainedPart::Policy {
            let own = project
                .specified
                .map(|specified| specified.policy(&subject));
            let target = Some(&binary.target);
            let rules = |test: &FiltersetSubject<'_>| project.rules.overridden(test);
            let wanted = project.wanted;
            let overridden = wanted.in_filtersets(package, target, Some(name), rules);
            let own = own.transpose()?.unwrap_or_default().or(&overridden);
            let text = project.policies.explain(&title, &own);
            explained(project).push(text);
            continue;
        }
        let mut text = match project.specified {
            Some(specified) => specified.explain(&title, &subject)?,
            None => explain_built_in(&title, &subject, project.settings.timeout_s)?,
        };
        let named = project.specified.map(ProjectSpec::named_variables);
        text.push_str(&explain_forwarding(
            project.invocation,
            &project.settings.common.cluster.forward_environment,
            &named.unwrap_or_default(),
        ));
        explained(project).push(text);
    }
    Ok(())
}

fn explained(project: CargoProject<'_>) -> MutexGuard<'_, Vec<String>> {
    let explained = project.explained.lock();
    explained.unwrap_or_else(PoisonError::into_inner)
}
