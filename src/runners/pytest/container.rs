//! Defines the container of a Python test: the shared default container with the active
//! interpreter, the project's tree, and Maelstrom's own files.
//!
//! Nothing is copied and no image is needed: the interpreter and packages are bound read-only at
//! their own paths. If tests are plain processes, Maelstrom's files are in the runner's cache for
//! the project.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::container::facts::{HostFacts, SharedLibraries, WorkspaceFacts};
use crate::sandbox::container::inputs::{inputs, with_built};
use crate::sandbox::container::workspace::WorkspacePaths;
use crate::sandbox::container::{Toolbox, container, host, mountinfo, workspace};
use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_directories::ProjectDirectories;
use maelstrom_container::private;
use maelstrom_model::event::IsolationMode;
use maelstrom_model::job::{
    ContainerSpec, JobInputs, PlacementConstraint, RootKind, SkeletonEntry, SkeletonKind,
};

use super::error::PytestError;
use super::interpreter::PythonInterpreter;
use super::project;

/// The directory of Maelstrom's files in a container.
pub const PLACE: &str = "/run/maelstrom";

/// The program that every job runs, and its modules.
const FILES: [(&str, &str); 6] = [
    (RUNNER, include_str!("../../../assets/pytest/runner.py")),
    (
        "imports.py",
        include_str!("../../../assets/pytest/imports.py"),
    ),
    (
        "resident.py",
        include_str!("../../../assets/pytest/resident.py"),
    ),
    (
        "testcases.py",
        include_str!("../../../assets/pytest/testcases.py"),
    ),
    (
        "together.py",
        include_str!("../../../assets/pytest/together.py"),
    ),
    (
        "what_became.py",
        include_str!("../../../assets/pytest/what_became.py"),
    ),
];

/// The name of the program.
pub const RUNNER: &str = "runner.py";

/// The container in which pytest runs.
#[derive(Clone, Debug)]
pub struct PytestContainer {
    /// The default container of all jobs.
    pub container: Arc<ContainerSpec>,
    /// The machines on which tests can run.
    pub placement: PlacementConstraint,
    /// The path of `runner.py` in it.
    pub runner: PathBuf,
}

impl PytestContainer {
    /// Sends the environment variables that the specification file names to other machines.
    pub fn name(&mut self, named: BTreeSet<OsString>) {
        match &mut self.placement {
            PlacementConstraint::Anywhere(inputs) => Arc::make_mut(inputs).named = named,
            PlacementConstraint::Here => {}
        }
    }

    /// Returns the container of a project. With [`IsolationMode::Process`], writes Maelstrom's
    /// files into the runner's cache.
    pub fn make(
        invocation: &Invocation,
        own: &ProjectDirectories,
        interpreter: &PythonInterpreter,
        isolation: IsolationMode,
    ) -> Result<PytestContainer, PytestError> {
        match isolation {
            IsolationMode::Container => {
                let (mut spec, inputs) = project_container(invocation, own, interpreter)?;
                add_files(&mut spec);
                Ok(PytestContainer {
                    container: Arc::new(spec),
                    placement: PlacementConstraint::Anywhere(Arc::new(inputs)),
                    runner: Path::new(PLACE).join(RUNNER),
                })
            }
            IsolationMode::Process => {
                let settled = own.write_gitignore();
                settled.map_err(|(path, source)| PytestError::Plugin { path, source })?;
                let place = own.cache.join("plugin");
                write_files(&place)?;
                // Plain processes do not use it.
                let (none, host) = (WorkspaceFacts::default(), HostFacts::default());
                let spec = container(&none, &host, Toolbox::Absent, &SharedLibraries::default())?;
                Ok(PytestContainer {
                    container: Arc::new(spec),
                    placement: PlacementConstraint::Here,
                    runner: place.join(RUNNER),
                })
            }
        }
    }
}

fn project_container(
    invocation: &Invocation,
    own: &ProjectDirectories,
    interpreter: &PythonInterpreter,
) -> Result<(ContainerSpec, JobInputs), PytestError> {
    let directory = &invocation.directory;
    let home = invocation.path_variable("HOME");
    let above = project::roots(directory, home.as_deref());
    let places = WorkspacePaths {
        root: directory,
        packages: &above,
        built: &[],
        own: &own.hidden(),
        home: home.as_deref(),
    };
    let mut facts = workspace::gather(&places, &mountinfo::of_this_host())?;
    workspace::follow_links(&mut facts, &places);
    let host = host::gather(invocation, interpreter.directories.clone());
    let libraries = SharedLibraries::default();
    let made = container(&facts, &host, Toolbox::Present, &libraries)?;
    // A virtual environment in the project is an input of its tests, even if version control
    // ignores it.
    let inputs = inputs(&facts, &host, &libraries, &[]);
    Ok((made, with_built(&inputs, &interpreter.directories)))
}

/// Returns the root entries for Maelstrom's files in a container.
pub fn entries() -> [SkeletonEntry; FILES.len()] {
    FILES.map(|(name, text)| SkeletonEntry {
        path: Path::new(PLACE).join(name),
        kind: SkeletonKind::File(text.into()),
    })
}

fn add_files(spec: &mut ContainerSpec) {
    match &mut spec.root {
        RootKind::Skeleton(known) => known.extend(entries()),
        // The default container never consists of layers.
        RootKind::Layers { .. } => {}
    }
}

fn write_files(place: &Path) -> Result<(), PytestError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PytestError::Plugin { path, source }
    };
    private::directory(place).map_err(failed(place))?;
    for (name, text) in FILES {
        let path = place.join(name);
        private::write(&path, text.as_bytes()).map_err(failed(&path))?;
    }
    Ok(())
}
