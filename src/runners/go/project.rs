//! What a discovery knows of the project.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::past::PastTests;
use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_directories::ProjectDirectories;
use crate::sandbox::project_spec::ProjectSpec;
use crate::sharing::SharedTests;
use maelstrom_spec::policy::PolicyResolver;

use super::options::GoSettings;
use super::toolchain::GoToolchain;

/// The inputs of one discovery.
#[derive(Clone, Debug)]
pub struct GoProject<'a> {
    pub settings: &'a GoSettings,
    /// The working directory and environment of the invocation.
    pub invocation: &'a Invocation,
    /// The toolchain that builds the tests.
    pub toolchain: &'a GoToolchain,
    /// The root of the module or workspace.
    pub root: &'a Path,
    /// The directories of its modules and packages.
    pub directories: &'a [PathBuf],
    /// Maelstrom's own directories for the project.
    pub own: &'a ProjectDirectories,
    /// The directory of test binaries on the host.
    pub binaries: &'a Path,
    /// The project's specification file, if there is one.
    pub specified: Option<&'a ProjectSpec>,
    /// What earlier runs say of tests.
    pub(super) past: &'a PastTests,
    /// Settles how each test runs.
    pub policies: &'a PolicyResolver,
    /// The tests that share a process.
    pub(crate) shared: &'a SharedTests,
    /// Collects the output of `--explain`.
    pub explained: &'a Mutex<Vec<String>>,
}

impl GoProject<'_> {
    /// Returns whether `-overlay` makes the build compile other files than those that Go lists.
    pub fn has_overlay(&self) -> bool {
        let typed = self.settings.build_flags.iter().map(String::as_str);
        let mut flags = typed.chain(self.toolchain.flags());
        flags.any(|flag| flag.trim_start_matches('-').starts_with("overlay"))
    }
}
