//! The container of a job that specifies none: this machine's programs, read-only, and the working
//! directory at its own path, where writes are discarded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::container::facts::{SharedLibraries, WorkspaceFacts};
use crate::sandbox::container::inputs::inputs;
use crate::sandbox::container::workspace::WorkspacePaths;
use crate::sandbox::container::{ContainerError, Toolbox, container, host, mountinfo, workspace};
use crate::sandbox::environment::{go_offline, invoking};
use crate::sandbox::invocation::{Invocation, ProcessEnvironment};
use maelstrom_model::event::IsolationMode;
use maelstrom_model::job::{ContainerSpec, JobInputs};

/// The default container and the environment of its jobs. See the module documentation.
#[derive(Clone, Debug)]
pub struct DefaultJobContainer {
    pub container: Arc<ContainerSpec>,
    /// The host files that it needs on another machine.
    pub inputs: Arc<JobInputs>,
    /// The environment of its jobs.
    pub environment: Arc<ProcessEnvironment>,
    pub working_directory: PathBuf,
}

impl DefaultJobContainer {
    /// Returns the default container for an invocation of this program.
    pub fn make(invocation: &Invocation) -> Result<DefaultJobContainer, ContainerError> {
        let directory = &invocation.directory;
        let facts = if is_of_the_system(directory) {
            WorkspaceFacts::default()
        } else {
            let home = invocation.path_variable("HOME");
            workspace::gather(
                &WorkspacePaths {
                    root: directory,
                    packages: &[],
                    built: &[],
                    // None of Maelstrom's directories are in it.
                    own: &[],
                    home: home.as_deref(),
                },
                &mountinfo::of_this_host(),
            )?
        };
        let host = host::gather(invocation, Vec::new());
        let libraries = SharedLibraries::default();
        let spec = container(&facts, &host, Toolbox::Present, &libraries)?;
        let mut environment = invoking(&invocation.environment, IsolationMode::Container);
        go_offline(&mut environment, IsolationMode::Container);
        Ok(DefaultJobContainer {
            container: Arc::new(spec),
            inputs: Arc::new(inputs(&facts, &host, &libraries, &[])),
            environment: Arc::new(environment),
            working_directory: directory.clone(),
        })
    }
}

/// Returns whether a directory exists in every container anyway.
fn is_of_the_system(directory: &Path) -> bool {
    let system = ["/", "/dev", "/proc", "/sys", "/tmp", "/var/tmp"];
    system.iter().any(|place| directory == Path::new(place))
}
