//! Applies the module's own file to the tests of a package, and explains it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use crate::sandbox::environment::explain_forwarding;
use crate::sandbox::project_spec::{
    DefaultContainer, ProjectSpec, TestContainer, explain_built_in,
};
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::FrameworkHost;

use super::error::GoError;
use super::jobs::GoProject;
use super::packages::GoPackage;

/// The nearest directory with a module, from here upwards: where the module's own file belongs.
pub fn module_directory(here: &Path) -> Option<PathBuf> {
    let mut directories = here.ancestors();
    let found = directories.find(|directory| directory.join("go.mod").is_file());
    found.map(Path::to_owned)
}

/// What the file gives to the tests of a package that may be wanted.
pub async fn given<H: FrameworkHost>(
    project: &GoProject<'_>,
    host: &H,
    package: &GoPackage,
    standard: &DefaultContainer,
    names: Vec<String>,
) -> Result<HashMap<String, TestContainer>, GoError> {
    let Some(specified) = project.specified else {
        return Ok(HashMap::new());
    };
    let wanted = |name: &String| package.is_wanted(&project.settings.patterns, Some(name));
    let names: Vec<String> = names.into_iter().filter(wanted).collect();
    let subjects = names.iter().map(|name| package.subject(Some(name)));
    let tell = |notice| host.emit(EventKind::Notice(notice));
    let given = specified.give_all(subjects, standard, &tell).await?;
    Ok(names.into_iter().zip(given).collect())
}

/// Writes down what is to be said of the tests that are to be explained.
pub fn explain(
    project: &GoProject<'_>,
    package: &GoPackage,
    names: &[String],
) -> Result<(), GoError> {
    let asked = project.settings.containers.explain.as_deref();
    for name in names {
        let title = format!("{} {name}", package.import_path);
        if asked != Some(name) && asked != Some(&title) {
            continue;
        }
        let subject = package.subject(Some(name));
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
