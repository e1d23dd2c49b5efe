//! Applies the module's specification file to the tests of a package: their containers, and the
//! output of `--explain`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use crate::sandbox::environment::explain_forwarding;
use crate::sandbox::project_spec::{
    DefaultContainer, ExplainedPart, ProjectSpec, TestContainer, explain_built_in,
};
use maelstrom_model::framework::FrameworkHost;

use super::error::GoError;
use super::packages::GoPackage;
use super::project::GoProject;

/// Returns the nearest directory with a `go.mod`, from `here` upward. The specification file
/// belongs there.
pub(super) fn module_directory(here: &Path) -> Option<PathBuf> {
    let mut directories = here.ancestors();
    let found = directories.find(|directory| directory.join("go.mod").is_file());
    found.map(Path::to_owned)
}

/// Returns the containers of a package's selected tests according to the specification file, by
/// test name.
pub(super) async fn given<H: FrameworkHost>(
    project: &GoProject<'_>,
    host: &H,
    package: &GoPackage,
    standard: &DefaultContainer,
    names: Vec<String>,
) -> Result<HashMap<String, TestContainer>, GoError> {
    let Some(specified) = project.specified else {
        return Ok(HashMap::new());
    };
    let wanted = |name: &String| is_wanted(project, package, name);
    let names: Vec<String> = names.into_iter().filter(wanted).collect();
    let subjects = names.iter().map(|name| package.subject(name, project.past));
    let given = specified.give_all(subjects, standard, host).await?;
    Ok(names.into_iter().zip(given).collect())
}

/// Returns whether patterns and the profile select a test.
pub(super) fn is_wanted(project: &GoProject<'_>, package: &GoPackage, name: &str) -> bool {
    let subject = package.subject(name, project.past);
    let mut specified = project.specified.into_iter();
    project.settings.patterns.evaluate(&subject).possible()
        && !specified.any(|specified| specified.leaves_out(&subject))
}

/// Records the explanations of a package's tests that `--explain` selects.
pub(super) fn explain(
    project: &GoProject<'_>,
    package: &GoPackage,
    names: &[String],
) -> Result<(), GoError> {
    let (asked, what) = project.settings.containers.asked();
    for name in names {
        let title = format!("{} {name}", package.import_path);
        if asked != Some(name) && asked != Some(&title) {
            continue;
        }
        let subject = package.subject(name, project.past);
        if what == ExplainedPart::Policy {
            let own = project
                .specified
                .map(|specified| specified.policy(&subject));
            let own = own.transpose()?.unwrap_or_default();
            explained(project).push(project.policies.explain(&title, &own));
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

fn explained<'a>(project: &GoProject<'a>) -> MutexGuard<'a, Vec<String>> {
    let explained = project.explained.lock();
    explained.unwrap_or_else(PoisonError::into_inner)
}
