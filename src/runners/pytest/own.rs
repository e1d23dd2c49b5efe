//! What the project's own file makes of the tests: another container, another Python, a job of their
//! own, and explanations.
//!
//! ```text
//! begins with `default`      this machine's Python in the project's place, forked where that is as good
//! an image, or layers alone  the container's own Python on the files that it has, started for each test
//! ```
//!
//! A container that does not show this machine's files gets our two files as a layer. In it the
//! project begins where the test starts, so node ids are told from there.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::event::Isolation;
use crate::engine::filter::PytestSubject;
use crate::engine::job::{ContainerSpec, Root};
use crate::engine::spec::{Inherited, Resolved, ResolvedBase};
use crate::runners::sandbox::specified::{Given, Specified, explain_built_in};

use super::collection::ListedTest;
use super::container::{PLACE, RUNNER, entries};
use super::error::PytestError;
use super::options::Settings;

/// The Python of a container that says nothing of where its programs are: where the images of
/// Python have it.
const WITHOUT_PATH: &str = "/usr/local/bin/python3";

/// What one test gets.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its container, and what is around its process.
    pub given: Given,
    /// The Python that runs it.
    pub python: Python,
}

/// Which Python runs a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Python {
    /// This machine's, on the project in its place.
    Here,
    /// The container's own.
    Containers {
        /// The program.
        program: Arc<OsStr>,
        /// Where `runner.py` is.
        runner: PathBuf,
    },
}

/// A test, as the patterns of a file see it.
pub fn subject(test: &ListedTest) -> PytestSubject<'_> {
    PytestSubject {
        file: &test.file,
        name: &test.name,
        node_id: &test.node,
        markers: &test.markers,
    }
}

/// Says which of a file's containers can't be made for Python.
pub fn check(specified: &Specified) -> Result<(), PytestError> {
    match specified.wants_no_toolbox() {
        true => Err(PytestError::Toolbox),
        false => Ok(()),
    }
}

/// Finds the Python of each test, and brings ours to those containers that lack it.
pub async fn own(
    specified: &Specified,
    isolation: Isolation,
    tests: &[ListedTest],
    given: Vec<Given>,
) -> Result<Vec<Own>, PytestError> {
    // By address: tests of which the file says the same share a container.
    let mut made: HashMap<*const ContainerSpec, (Arc<ContainerSpec>, Python)> = HashMap::new();
    let mut all = Vec::new();
    for (test, mut given) in tests.iter().zip(given) {
        let resolved = specified.resolve(&subject(test))?.resolved;
        if shows_this_machine(&resolved, isolation) {
            let python = Python::Here;
            all.push(Own { given, python });
            continue;
        }
        let key = Arc::as_ptr(&given.container);
        let (container, python) = match made.get(&key) {
            Some(known) => known.clone(),
            None => {
                let equipped = equip(specified, &given).await?;
                made.insert(key, equipped.clone());
                equipped
            }
        };
        given.container = container;
        all.push(Own { given, python });
    }
    Ok(all)
}

fn shows_this_machine(resolved: &Resolved, isolation: Isolation) -> bool {
    match (isolation, &resolved.base) {
        (Isolation::Process, _) => true,
        (Isolation::Container, ResolvedBase::Default { inherited }) => {
            inherited.contains(Inherited::LAYERS)
        }
        (Isolation::Container, ResolvedBase::Nothing | ResolvedBase::Image { .. }) => false,
    }
}

/// A container of the file's with our files in it, and its Python.
async fn equip(
    specified: &Specified,
    given: &Given,
) -> Result<(Arc<ContainerSpec>, Python), PytestError> {
    let mut container = ContainerSpec::clone(&given.container);
    match &mut container.root {
        Root::Layers { trees, .. } => {
            let ours = specified.materials().skeleton(&entries()).await;
            trees.push(ours.map_err(|source| PytestError::Equipment { source })?);
        }
        Root::Skeleton(known) => known.extend(entries()),
    }
    let program = match given.environment.contains_key(OsStr::new("PATH")) {
        true => "python3",
        false => WITHOUT_PATH,
    };
    let python = Python::Containers {
        program: OsStr::new(program).into(),
        runner: Path::new(PLACE).join(RUNNER),
    };
    Ok((Arc::new(container), python))
}

/// What is to be said of the tests that are to be explained.
pub fn explanations(
    settings: &Settings,
    specified: Option<&Specified>,
    tests: &[ListedTest],
) -> Result<Vec<String>, PytestError> {
    let asked = settings.containers.explain.as_deref();
    let wanted = |test: &&ListedTest| asked == Some(&test.node) || asked == Some(&test.name);
    let explain = |test: &ListedTest| {
        let subject = subject(test);
        Ok(match specified {
            Some(specified) => specified.explain(&test.node, &subject)?,
            None => explain_built_in(&test.node, &subject, settings.timeout_s)?,
        })
    };
    tests.iter().filter(wanted).map(explain).collect()
}
