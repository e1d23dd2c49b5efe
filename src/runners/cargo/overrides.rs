//! Applies the workspace's specification file to a binary's tests: jobs that differ from the
//! default, and the output of `--explain`.

use std::collections::HashMap;
use std::sync::PoisonError;

use crate::sandbox::environment::explain_forwarding;
use crate::sandbox::project_spec::{DefaultContainer, ProjectSpec, RunOrIgnore, explain_built_in};
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::FrameworkHost;

use super::cases::TestNaming;
use super::error::CargoError;
use super::jobs::CargoBinaryJobs;
use super::listing::{self, BinaryListing};
use super::metadata::CargoPackage;
use super::project::CargoProject;
use super::selection::SelectionOutcome;
use super::target::TestBinary;

/// The jobs of a test according to the specification file.
pub(super) struct CargoOverride {
    pub jobs: CargoBinaryJobs,
    pub attention: RunOrIgnore,
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
    let tell = |notice| host.emit(EventKind::Notice(notice));
    let given = specified.give_all(subjects, standard, &tell).await?;
    let own = names.iter().zip(given).map(|(name, given)| {
        let own = CargoOverride {
            jobs: jobs.with(&given),
            attention: given.attention,
        };
        ((*name).to_owned(), own)
    });
    Ok(own.collect())
}

/// Records the explanations of a binary's tests that `--explain` selects.
pub(super) fn explain(
    project: CargoProject<'_>,
    package: &CargoPackage,
    binary: &TestBinary,
    listing: &BinaryListing,
) -> Result<(), CargoError> {
    let asked = project.settings.containers.explain.as_deref();
    let naming = TestNaming::new(package, &binary.target);
    for name in wanted_names(&project, package, binary, listing) {
        let title = naming.title(name);
        if asked != Some(name) && asked != Some(&title) {
            continue;
        }
        let subject = project.wanted.subject(package, &binary.target, name);
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
        let explained = project.explained.lock();
        explained.unwrap_or_else(PoisonError::into_inner).push(text);
    }
    Ok(())
}
