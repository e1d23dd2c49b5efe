//! What the workspace's own file makes of the tests of a binary: jobs that differ from the others,
//! and explanations.

use std::collections::HashMap;
use std::sync::PoisonError;

use crate::sandbox::environment::explain_forwarding;
use crate::sandbox::specified::{Attention, Specified, Standard, explain_built_in};
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::Host;

use super::cases::Naming;
use super::error::CargoError;
use super::jobs::BinaryJobs;
use super::listing::{self, Listing};
use super::metadata::Package;
use super::project::Project;
use super::selection::{Verdict, subject};
use super::target::TestBinary;

/// What a test gets that the project's file gives something of its own.
pub struct Own {
    /// Its jobs.
    pub jobs: BinaryJobs,
    /// Whether it runs.
    pub attention: Attention,
}

/// The names of a listing's tests that are wanted.
fn wanted_names<'l>(
    project: &Project<'_>,
    package: &Package,
    binary: &TestBinary,
    listing: &'l Listing,
) -> Vec<&'l str> {
    let runs = |verdict| matches!(verdict, Verdict::Run | Verdict::RunIgnored);
    let target = &binary.target;
    match listing {
        Listing::Tests(tests) => {
            let wanted = tests.iter().filter(|test| {
                let wanted = project.wanted;
                runs(wanted.test(package, target, &test.name, test.attention))
            });
            wanted.map(|test| test.name.as_str()).collect()
        }
        Listing::Whole => {
            let whole = Some(listing::WHOLE);
            let wanted = whole.filter(|name| runs(project.wanted.whole(package, binary, name)));
            wanted.into_iter().collect()
        }
    }
}

/// What the project's file gives to the tests of a binary.
pub async fn own_jobs<H: Host>(
    project: Project<'_>,
    host: &H,
    package: &Package,
    binary: &TestBinary,
    jobs: &BinaryJobs,
    standard: &Standard,
    listing: &Listing,
) -> Result<HashMap<String, Own>, CargoError> {
    let Some(specified) = project.specified else {
        return Ok(HashMap::new());
    };
    let names = wanted_names(&project, package, binary, listing);
    let subjects = names
        .iter()
        .map(|name| subject(package, Some(&binary.target), Some(name)));
    let tell = |notice| host.emit(EventKind::Notice(notice));
    let given = specified.give_all(subjects, standard, &tell).await?;
    let own = names.iter().zip(given).map(|(name, given)| {
        let own = Own {
            jobs: jobs.with(&given),
            attention: given.attention,
        };
        ((*name).to_owned(), own)
    });
    Ok(own.collect())
}

/// Writes down what is to be said of the tests that are to be explained.
pub fn explain(
    project: Project<'_>,
    package: &Package,
    binary: &TestBinary,
    listing: &Listing,
) -> Result<(), CargoError> {
    let asked = project.settings.containers.explain.as_deref();
    let naming = Naming::new(package, &binary.target);
    for name in wanted_names(&project, package, binary, listing) {
        let title = naming.title(name);
        if asked != Some(name) && asked != Some(&title) {
            continue;
        }
        let subject = subject(package, Some(&binary.target), Some(name));
        let mut text = match project.specified {
            Some(specified) => specified.explain(&title, &subject)?,
            None => explain_built_in(&title, &subject, project.settings.timeout_s)?,
        };
        let named = project.specified.map(Specified::named_variables);
        text.push_str(&explain_forwarding(
            project.invocation,
            &project.settings.cluster.forward_environment,
            &named.unwrap_or_default(),
        ));
        let explained = project.explained.lock();
        explained.unwrap_or_else(PoisonError::into_inner).push(text);
    }
    Ok(())
}
