//! What stays constant while a project is built and listed.

use std::ffi::OsString;
use std::sync::Mutex;

use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_spec::ProjectSpec;

use super::environment::config::ConfiguredVariable;
use super::metadata::CargoWorkspace;
use super::options::CargoSettings;
use super::reader::ListedBinaries;
use super::selection::CargoSelection;
use super::toolchain::RustToolchain;
use super::unresponsive::UnresponsivePrograms;

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub struct CargoProject<'a> {
    /// What is wanted in general.
    pub settings: &'a CargoSettings,
    /// How we were called.
    pub invocation: &'a Invocation,
    pub workspace: &'a CargoWorkspace,
    /// What of it is wanted.
    pub wanted: &'a CargoSelection,
    /// The toolchain that builds.
    pub toolchain: &'a RustToolchain,
    /// `[env]` of cargo's configuration.
    pub configured: &'a [ConfiguredVariable],
    /// What stands before a test binary when it is started: a program that starts it, or nothing.
    pub runner: &'a [OsString],
    /// What the project's own file says of containers, if there is one.
    pub specified: Option<&'a ProjectSpec>,
    /// What is said of the tests that are to be explained.
    pub explained: &'a Mutex<Vec<String>>,
    /// What is known of the test binaries, for whoever reads what their tests say.
    pub listed: &'a ListedBinaries,
    /// Which programs are not asked for their tests.
    pub remembered: &'a UnresponsivePrograms,
}

impl CargoProject<'_> {
    /// Whether what tests are given may be something that the build makes.
    pub fn layers_are_built(&self) -> bool {
        let CargoWorkspace {
            root,
            target_directory,
            ..
        } = self.workspace;
        self.specified.is_some_and(|specified| {
            specified.layers_reach(root.as_std_path(), target_directory.as_std_path())
        })
    }
}
